"""Open a raw scan as a `Scan`: find where things lie, sort frames, check angles, say what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.links import files_read
from pancommons.nexus.read import number, numbers, open_file, text
from pancommons.techniques.tomography.reading import layouts as tables
from pancommons.techniques.tomography.reading.angles import projection_angles
from pancommons.techniques.tomography.reading.layouts import Layout, Match
from pancommons.techniques.tomography.reading.references import (
    DARK,
    FLAT,
    PROJECTION,
    References,
    frame_sets,
    from_files,
)
from pancommons.techniques.tomography.reading.scan import FrameSet, Scan, Stack, hdf5_stack
from pancommons.techniques.tomography.reading.series import LACKING, is_series, open_series

__all__ = ["FrameSet", "Scan", "Stack", "open_scan"]

_KNOWN_KEYS = (-1, PROJECTION, FLAT, DARK, 3)
_KEV_ANGSTROM = 12.398419843320026  # h c, CODATA 2018, exact


def open_scan(
    path: str | Path,
    *,
    flats: str | Path | Sequence[str | Path] | None = None,
    darks: str | Path | Sequence[str | Path] | None = None,
    layouts: Iterable[Mapping[str, Any]] | None = None,
    turn: float = 180.0,
) -> Scan:
    """Open a tomography scan in NXtomo, Data Exchange or another known layout.

    Nothing but small datasets, and one frame of a scan without flats, is read here.

    Parameters
    ----------
    path
        The scan file; or, for a scan in TIFF files, the log that PSI writes beside them, their folder, or the
        one file of several frames (see `pancommons.techniques.tomography.series.open_series`).
    flats, darks
        Other files to take these from, in place of those in the scan: a scan with image keys, a Data Exchange
        file, any HDF5 file with one dataset of frames, a TIFF file, or a folder of TIFF files. Of several,
        the first is taken as recorded before the projections and the last as after them.
    layouts
        Further tables of the schema of ``layouts.toml``, tried first; those of the configuration when not
        given.
    turn
        What the projections of TIFF files without angles are spread over, degrees.

    Raises
    ------
    BadInput
        If the file cannot be opened, has no known layout, refers to files that are missing, has angles that
        do not match its frames, or lacks flats.
    """
    path = Path(path)
    known = _layouts(layouts)
    if is_series(path):
        return _series(path, known, flats, darks, turn)
    with open_file(path) as file:
        match = _recognised(path, file, known)
        inside = match.data or match.dangling
        stack = hdf5_stack(path, inside)
        warnings = _several(match)
        keys, key_warnings = _image_keys(path, file, match, stack.shape[0])
        projections = np.flatnonzero(keys == PROJECTION)
        angles, angle_warnings = projection_angles(path, file, match, projections, stack.shape[0])
        meta, meta_warnings = _metadata(file, match, stack)
        found = frame_sets(path, file, match, stack, keys)
        warnings += key_warnings + angle_warnings + meta_warnings
    given = from_files(known, stack, len(projections), flats=flats, darks=darks)
    chosen, transmission, more = _settle(path, stack, projections, found, given)
    read_from = [*files_read(path, inside, *match.candidates("image_key"), *match.candidates("angles"))]
    for frames in (*chosen.flats, *chosen.darks):
        read_from += frames.stack.files if frames.stack else ()
        if frames.stack and frames.stack.inside:
            read_from += files_read(frames.stack.files[0], frames.stack.inside)
    return Scan(
        path=path,
        layout=match.layout.name,
        entry=match.entry,
        data=stack,
        projections=projections,
        angles=angles,
        flats=chosen.flats,
        darks=chosen.darks,
        in_transmission=transmission,
        warnings=tuple(warnings + more),
        files=tuple(dict.fromkeys(read_from)),
        **meta,
    )


def _series(
    path: Path,
    known: Sequence[Layout],
    flats: str | Path | Sequence[str | Path] | None,
    darks: str | Path | Sequence[str | Path] | None,
    turn: float,
) -> Scan:
    bare = flats is None and darks is None
    if bare:
        return open_series(path, turn=turn)
    frames = open_series(path, given=LACKING, turn=turn)
    given = from_files(known, frames.data, frames.count, flats=flats, darks=darks)
    return open_series(path, given=given, turn=turn)


def _layouts(given: Iterable[Mapping[str, Any]] | None) -> tuple[Layout, ...]:
    first = tables.configured() if given is None else tuple(tables.read_tables(given, "layouts"))
    return first + tables.shipped()


def _recognised(path: Path, file: h5py.File, known: Sequence[Layout]) -> Match:
    match = tables.recognise(path, file, known)
    if match is None:
        raise BadInput(
            "no tomography data was found where the known layouts have it",
            file=path,
            remedy="describe where it lies in a [[techniques.tomography.layout]] of the configuration",
        )
    return match


def _several(match: Match) -> list[str]:
    if not match.others:
        return []
    others = ", ".join(match.others)
    return [f"The file holds {1 + len(match.others)} scans; {match.entry} is taken, not {others}."]


def _image_keys(path: Path, file: h5py.File, match: Match, frames: int) -> tuple[NDArray[np.int64], list[str]]:
    """Read what each frame is: int64 [frame], all projections where the file does not say."""
    place = match.find(file, "image_key")
    measured = numbers(file, place) if place else None
    if measured is None:
        return np.full(frames, PROJECTION), []
    values = measured.values.ravel()
    if len(values) != frames:
        raise BadInput(
            f"has {len(values)} image keys for {frames} frames", file=path, field=place,
            remedy="the scan was probably interrupted: repair the file or cut it to the frames it has",
        )  # fmt: skip
    keys = np.where(np.isfinite(values), np.rint(values), 3).astype(np.int64)
    warnings = []
    if unknown := sorted(set(keys.tolist()) - set(_KNOWN_KEYS)):
        skipped = int(np.isin(keys, unknown).sum())
        warnings.append(f"{skipped} frames have image keys of no known meaning ({unknown}) and are left out.")
    if not (keys == PROJECTION).any():
        raise BadInput("marks no frame as a projection (0)", file=path, field=place)
    return keys, warnings


def _settle(
    path: Path, stack: Stack, projections: NDArray[np.int64], found: References, given: References
) -> tuple[References, bool, list[str]]:
    """Choose between references in the scan and those given beside it, and judge what is missing."""
    flats, darks = given.flats or found.flats, given.darks or found.darks
    warnings = list(given.warnings)
    transmission = not flats and _looks_divided(stack, projections)
    if transmission:
        warnings.append("There are no flats, but the data lies between 0 and 1: it is taken as transmission.")
    elif not flats:
        raise BadInput("has no flat fields", file=path, remedy="name a file that has them with flats=FILE")
    elif not darks:
        warnings.append("There are no dark fields: they are taken as zero; darks=FILE names a file with them.")
    return References(flats, darks), transmission, warnings


def _looks_divided(stack: Stack, projections: NDArray[np.int64]) -> bool:
    """Judge by the middle projection whether the data is transmission: floats from 0 to about 1."""
    if stack.dtype.kind != "f":
        return False
    middle = projections[len(projections) // 2 :][:1]
    frame = stack.read(middle)
    finite = frame[np.isfinite(frame)]
    if not finite.size:
        return False
    low, median, high = np.percentile(finite, [0.5, 50, 99.5])
    return bool(low > -0.2 and 0.01 < median < 1.3 and high < 2)


def _metadata(file: h5py.File, match: Match, stack: Stack) -> tuple[dict[str, Any], list[str]]:
    def quantity(name: str, unit: str) -> float | None:
        default = match.layout.units.get(name)
        found = (number(file, place, unit, default, positive=True) for place in match.candidates(name))
        return next((value for value in found if value is not None), None)

    def words(name: str) -> str | None:
        return next((value for place in match.candidates(name) if (value := text(file, place))), None)

    pixel, pixel_y = quantity("pixel_size_x", "m"), quantity("pixel_size_y", "m")
    warnings = []
    if pixel and pixel_y and abs(pixel - pixel_y) > 0.01 * pixel:
        warnings.append(f"Pixels are not square: {pixel:.4g} m wide and {pixel_y:.4g} m high.")
    energy, wavelength = quantity("energy", "keV"), quantity("wavelength", "angstrom")
    neutrons = "neutron" in (words("probe") or "").lower()
    if energy is None and wavelength is not None:
        energy = _KEV_ANGSTROM / wavelength
    view = (words("field_of_view") or "").capitalize()
    return {
        "pixel_size": pixel or pixel_y,
        "pixel_size_y": pixel_y or pixel,
        "energy": None if neutrons else energy,
        "distance": quantity("distance", "m"),
        "field_of_view": view if view in ("Full", "Half") else None,
        "centre_hint": _centre_hint(file, match, stack.shape[2]),
        "sample": words("sample"),
        "title": words("title"),
        "start_time": words("start_time"),
        "instrument": words("instrument"),
        "facility": words("source") or match.layout.facility or None,
    }, warnings


def _centre_hint(file: h5py.File, match: Match, columns: int) -> float | None:
    """Return the axis as a column index: ESRF counts from the middle, and a larger value is an index."""
    for place in match.candidates("rotation_axis"):
        measured = numbers(file, place, "pixel")
        if measured is not None and measured.values.size and np.isfinite(measured.values.flat[0]):
            value, middle = float(measured.values.flat[0]), (columns - 1) / 2
            return middle + value if abs(value) <= middle else value if 0 <= value < columns else None
    return None
