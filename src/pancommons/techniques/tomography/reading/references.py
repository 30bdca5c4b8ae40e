"""Flat and dark fields: marked by keys among the frames, in datasets of their own, or in other files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import member, number, numbers, open_file
from pancommons.techniques.tomography.reading.layouts import Layout, Match, recognise
from pancommons.techniques.tomography.reading.scan import FrameSet, Stack, hdf5_stack

PROJECTION, FLAT, DARK = 0, 1, 2
_TIFF = (".tif", ".tiff")


@dataclass(frozen=True)
class References:
    """The flats and darks found in one place.

    Attributes
    ----------
    flats, darks
        In the order taken.
    warnings
        Sentences.
    """

    flats: tuple[FrameSet, ...] = ()
    darks: tuple[FrameSet, ...] = ()
    warnings: tuple[str, ...] = ()


def frame_sets(path: Path, file: h5py.File, match: Match, stack: Stack, keys: NDArray[np.int64]) -> References:
    """Find the references within a scan file: by image keys, in datasets of their own, or as a level.

    Parameters
    ----------
    path, file, match
        The scan file, open, and its layout.
    stack
        The dataset of its frames.
    keys
        int64 [frame]: what each frame is.
    """
    flats, darks = _keyed(stack, keys, FLAT), _keyed(stack, keys, DARK)
    count = int((keys == PROJECTION).sum())
    flats = flats or _own_dataset(path, file, match, stack, count, "flats")
    darks = darks or _own_dataset(path, file, match, stack, count, "darks")
    return References(flats or _level(file, match, "flat_value"), darks or _level(file, match, "dark_value"))


def _keyed(stack: Stack, keys: NDArray[np.int64], key: int) -> tuple[FrameSet, ...]:
    """Gather the frames of a key into sets, one for each stretch with no projection in between."""
    frames = np.flatnonzero(keys == key)
    before = np.searchsorted(np.flatnonzero(keys == PROJECTION), frames)
    return tuple(FrameSet(stack, frames[before == place], float(place)) for place in np.unique(before))


def _own_dataset(
    path: Path, file: h5py.File, match: Match, stack: Stack, count: int, what: str
) -> tuple[FrameSet, ...]:
    place = match.find(file, what)
    dataset = member(file, place) if place else None
    if place is None or not isinstance(dataset, h5py.Dataset) or not dataset.size:
        return ()
    own = hdf5_stack(path, place, single=True)
    _same_size(path, place, own, stack)
    frames = np.arange(own.shape[0])
    positions = _positions(file, match, len(frames), count) if what == "flats" else np.zeros(len(frames))
    return tuple(FrameSet(own, frames[positions == when], float(when)) for when in np.unique(positions))


def _positions(file: h5py.File, match: Match, flats: int, count: int) -> NDArray[np.float64]:
    """Say when flats were taken, from the angle recorded with each; without, before the scan."""
    place, own = match.find(file, "angles"), match.find(file, "flat_angles")
    angles, at = (numbers(file, path) if path else None for path in (place, own))
    if angles is None or at is None or angles.values.size != count or at.values.size != flats:
        return np.zeros(flats)
    order = np.argsort(angles.values, kind="stable")
    return np.rint(np.interp(at.values, angles.values[order], np.linspace(0, count, count)[order]))


def _level(file: h5py.File, match: Match, quantity: str) -> tuple[FrameSet, ...]:
    for place in match.candidates(quantity):
        value = number(file, place, "", "")
        if value is not None:
            return (FrameSet(None, np.zeros(1, np.int64), 0.0, level=value),)
    return ()


def from_files(
    layouts: Sequence[Layout],
    stack: Stack,
    count: int,
    *,
    flats: str | Path | Sequence[str | Path] | None,
    darks: str | Path | Sequence[str | Path] | None,
) -> References:
    """Take references from other files, named by the roles ``flats=`` and ``darks=``.

    Parameters
    ----------
    layouts
        The layouts such a file may have.
    stack
        The frames of the scan they are for.
    count
        The number of its projections.
    flats, darks
        One or several files each; a file of flats that has darks too gives these where ``darks`` names none.

    Raises
    ------
    BadInput
        If a file has no such frames, or frames of another size.
    """
    bright = _paths(flats)
    found = [(path, _references(path, layouts, FLAT)) for path in bright]
    dark = [(path, _references(path, layouts, DARK)) for path in _paths(darks)]
    warnings = []
    if not dark and any(references.darks for _, references in found):
        dark = [(path, references) for path, references in found if references.darks]
        warnings.append(f"The darks are taken from {', '.join(path.name for path, _ in dark)} too.")
    return References(
        _spread([(path, references.flats) for path, references in found], stack, count),
        _spread([(path, references.darks) for path, references in dark], stack, count),
        tuple(warnings),
    )


def _paths(given: str | Path | Sequence[str | Path] | None) -> list[Path]:
    if given is None:
        return []
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]


def _references(path: Path, layouts: Sequence[Layout], key: int) -> References:
    """Find references of one kind in a file; any other frames of it are used where there is nothing else."""
    name = "flat" if key == FLAT else "dark"
    if path.is_dir() or path.suffix.lower() in _TIFF:
        own = tiff_stack(path)
        frames = (FrameSet(own, np.arange(own.shape[0]), 0.0),)
        return References(frames if key == FLAT else (), frames if key == DARK else ())
    with open_file(path) as file:
        match = recognise(path, file, layouts)
        inside = (match.data or match.dangling) if match else _only_frames(path, file, name)
        match = match or Match(Layout("", (), {}), "/")
        own = hdf5_stack(path, inside, single=True)
        place = match.find(file, "image_key")
        marked = numbers(file, place) if place else None
        keys = np.full(own.shape[0], key)
        if marked is not None and marked.values.size == own.shape[0] and (marked.values != PROJECTION).any():
            keys = np.rint(np.nan_to_num(marked.values.ravel(), nan=3)).astype(np.int64)
        elif match.find(file, "flats" if key == FLAT else "darks") is not None:
            keys = np.full(own.shape[0], PROJECTION)
        found = frame_sets(path, file, match, own, keys)
    if not (found.flats if key == FLAT else found.darks):
        raise BadInput(f"has no {name} fields", file=path, field=inside)
    return found


def _only_frames(path: Path, file: h5py.File, name: str) -> str:
    """Find the one dataset of frames in a file that follows no layout."""
    found: list[str] = []

    def visit(place: str, thing: h5py.Group | h5py.Dataset) -> None:
        if isinstance(thing, h5py.Dataset) and thing.ndim == 3 and thing.dtype.kind in "iuf" and thing.size:
            found.append(f"/{place}")

    file.visititems(visit)
    if len(found) != 1:
        several = "several datasets" if found else "no dataset"
        raise BadInput(
            f"has {several} that could be {name} fields",
            file=path,
            remedy="give a file with one stack of frames",
        )
    return found[0]


def tiff_stack(path: Path, prefix: str = "") -> Stack:
    """Describe the frames of a TIFF file, or of a folder of them in the order of their names (numbers as numbers).

    Files of one frame are taken as alike: only the first is opened here, each of the others when it is read.

    Raises
    ------
    BadInput
        If there are none, or frames differ in size or type.
    """
    names = tiff_files(path, prefix) if path.is_dir() else [path]
    if not names:
        beginning = f" whose name begins with {prefix!r}" if prefix else ""
        raise BadInput(f"holds no TIFF files{beginning}", file=path)
    frames, (size, dtype) = _pages(names[0])
    if frames == 1 and len(names) > 1:
        return Stack(tuple(names), "", (len(names), *size), dtype, chunks=(1, *size))
    for name in names[1:]:
        more, found = _pages(name)
        if found != (size, dtype):
            raise BadInput("has frames of another size or type than those before", file=name)
        frames += more
    return Stack(tuple(names), "", (frames, *size), dtype, chunks=(1, *size))


def tiff_files(folder: Path, prefix: str = "") -> list[Path]:
    """List the TIFF files of a folder in the order of their names, numbers as numbers."""
    found = [child for child in folder.iterdir() if child.suffix.lower() in _TIFF and child.name.startswith(prefix)]
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _parts(file.stem)])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _pages(name: Path) -> tuple[int, tuple[tuple[int, int], np.dtype[Any]]]:
    """Return how many frames a TIFF file has, and their common size and type."""
    import tifffile

    try:
        with tifffile.TiffFile(name) as tiff:
            pages = [(page.shape, page.dtype) for page in tiff.pages]
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise BadInput(f"cannot be read as TIFF ({error})", file=name) from None
    if not pages or len(pages[0][0]) != 2 or any(page != pages[0] for page in pages):
        raise BadInput("has frames of another size or type than those before", file=name)
    (rows, columns), dtype = pages[0]
    return len(pages), ((rows, columns), np.dtype(dtype))


def _spread(found: list[tuple[Path, tuple[FrameSet, ...]]], stack: Stack, count: int) -> tuple[FrameSet, ...]:
    """Place the files' frames in time: the first before the projections, the last after them."""
    placed = []
    for index, (path, sets) in enumerate(found):
        position = count * index / (len(found) - 1) if len(found) > 1 else 0.0
        for frames in sets:
            if frames.stack is not None:
                _same_size(path, frames.stack.inside, frames.stack, stack)
        placed += [FrameSet(frames.stack, frames.frames, position, frames.level) for frames in sets]
    return tuple(placed)


def _same_size(path: Path, inside: str, own: Stack, stack: Stack) -> None:
    if own.shape[1:] != stack.shape[1:]:
        raise BadInput(
            f"has frames of {own.shape[1]} x {own.shape[2]} pixels, the projections have"
            f" {stack.shape[1]} x {stack.shape[2]}",
            file=path,
            field=inside,
        )
