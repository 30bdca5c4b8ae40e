"""What a reconstruction will take: a first look at the scan, its units, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.base.machine import format_size
from pancommons.pipelines.declaration import Inspection, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.fourier import BATCH
from pancommons.techniques.tomography.geometry.axis import FEWEST_ROWS, STEEPEST
from pancommons.techniques.tomography.phase import kernel_width
from pancommons.techniques.tomography.phase import working_bytes as filter_bytes
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.opening import Scan, open_scan
from pancommons.techniques.tomography.results.pyramid import check_extra
from pancommons.techniques.tomography.rings import seconds_per_value as ring_seconds
from pancommons.techniques.tomography.rings import working_bytes as ring_bytes
from pancommons.techniques.tomography.run.methods import cost
from pancommons.techniques.tomography.run.views import field_of_view, widest

_FRAMES_BYTES = 96 << 20
"""Raw counts that a unit of frames holds."""
_SECONDS_PER_BYTE = 1.5e-9
"""To read, regroup and compress a byte of raw counts."""
_SECONDS_PER_PIXEL, _SECONDS_PER_FILTER_BYTE = 3e-8, 5e-10
"""To correct a pixel of a whole frame; to retrieve the phase of one, per byte of the buffers that this takes."""
_PREVIEW_ROWS = 4


def scan_of(job: Job) -> Scan:
    """Open a job's scan; kept in this process while its files stay the same."""
    files = [path for paths in job.inputs.values() for path in paths]
    stamps = tuple((str(file), file.stat().st_mtime_ns) for file in files)
    turn = float(parameters_of(job).turn)
    return _open(job.input, job.path("flats"), job.path("darks"), turn, stamps)


@lru_cache(maxsize=4)
def _open(path: Path, flats: Path | None, darks: Path | None, turn: float, stamps: tuple[Any, ...]) -> Scan:
    try:
        return open_scan(path, flats=flats, darks=darks, turn=turn)
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises inside a damaged file
        cause = str(error).strip("'\"")
        raise BadInput(f"is damaged ({cause})", file=path, remedy="copy it again from its source") from None


def inspect(job: Job) -> Inspection:
    """Look at a scan and check the parameters against it."""
    scan = scan_of(job)
    parameters = parameters_of(job)
    first, last = row_range(parameters, scan)
    view = field_of_view(parameters, scan)
    region_of(parameters, widest(view == "half", scan.columns))
    _check_centre(parameters, scan)
    limits_of(parameters)
    _check_tilt(parameters, scan)
    if parameters.zarr:
        check_extra()
    air_of(parameters, scan)
    propagation_of(parameters, scan)
    _check_light(scan)
    facts = {
        "layout": scan.layout,
        "projections": scan.count,
        "rows": scan.rows,
        "columns": scan.columns,
        "turn_degrees": round(float(np.rad2deg(scan.span)), 3),
        "counts_type": str(scan.dtype),
        "first_row": first,
        "last_row": last,
        "field_of_view": view,
        "regroup": through_frames(scan, parameters),
        "energy_kev": scan.energy,
        "sample": scan.sample,
    }
    detected = {}
    if scan.pixel_size:
        detected["pixel_size"] = scan.pixel_size * 1e6
    if scan.centre_hint is not None:
        detected["centre"] = scan.centre_hint
    if scan.distance:
        detected["distance"] = scan.distance * 1e3
    if scan.energy:
        detected["energy"] = scan.energy
    own = {path for paths in job.inputs.values() for path in paths}
    return Inspection(
        facts={name: value for name, value in facts.items() if value is not None},
        warnings=scan.warnings,
        detected=detected,
        files=tuple(str(file) for file in scan.files if file.absolute() not in own),
    )


def preview(job: Job) -> dict[str, Any]:
    """Restrict a reconstruction to the rows around the middle of those asked for."""
    first, last = int(job.facts["first_row"]), int(job.facts["last_row"])
    start = max(first, (first + last) // 2 - _PREVIEW_ROWS // 2)
    return {"rows": f"{start}:{min(last, start + _PREVIEW_ROWS)}", "tiff": False, "zarr": False}


def plan(job: Job) -> dict[str, list[Unit]]:
    """Cut the scan into units: frames to regroup where the file needs it, then batches of rows."""
    scan, parameters = scan_of(job), parameters_of(job)
    first, last = row_range(parameters, scan)
    if centres := tried_centres(parameters):
        middle = (first + last) // 2
        pairs = [centres[start : start + BATCH] for start in range(0, len(centres), BATCH)]
        spans: list[dict[str, Any]] = [{"start": middle, "stop": middle + 1, "centres": some} for some in pairs]
        sizes = [len(some) for some in pairs]
    else:
        starts = range(first, last, BATCH)
        spans = [{"start": start, "stop": min(start + BATCH, last)} for start in starts]
        sizes = [span["stop"] - span["start"] for span in spans]
    frames = _frame_units(scan, last - first, parameters) if through_frames(scan, parameters) else []
    slices = [
        _slice_unit(index, span, size, scan, parameters, job.facts.get("field_of_view") == "half")
        for index, (span, size) in enumerate(zip(spans, sizes, strict=True))
    ]
    needed = max(unit.memory for unit in [*frames, *slices])
    if needed > job.allowance.memory:
        raise BadInput(
            f"one unit of this scan needs {format_size(needed)}, {format_size(job.allowance.memory)} are allowed",
            field="--memory",
            remedy="allow more",
        )
    return {"frames": frames, "slices": slices}


def parameters_of(job: Job) -> TomographyParameters:
    """Return a job's parameters as what they are."""
    assert isinstance(job.parameters, TomographyParameters)  # noqa: S101 - the registry made them
    return job.parameters


def row_range(parameters: TomographyParameters, scan: Scan) -> tuple[int, int]:
    """Return the first row and the one after the last."""
    start, _, stop = parameters.rows.partition(":")
    first, last = int(start or 0), int(stop or scan.rows)
    if not 0 <= first < last <= scan.rows:
        raise BadInput(
            f"{parameters.rows!r} lies outside the detector's rows 0:{scan.rows}",
            file=scan.path,
            field="rows",
        )
    return first, last


def region_of(parameters: TomographyParameters, columns: int) -> tuple[int, int, int, int]:
    """Return the part of a slice to keep: y0, y1, x0, x1."""
    if parameters.region is None:
        return 0, columns, 0, columns
    (x0, x1), (y0, y1) = (
        (int(start or 0), int(stop or columns))
        for start, _, stop in (axis.partition(":") for axis in parameters.region.split(","))
    )
    if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= columns):
        raise BadInput(f"{parameters.region!r} lies outside the slices of {columns} x {columns} pixels", field="region")
    return y0, y1, x0, x1


def limits_of(parameters: TomographyParameters) -> tuple[float, float] | None:
    """Return the attenuation at 0 and at 65535 of uint16, or None where the data decide."""
    if parameters.limits == "auto":
        return None
    low, high = (float(value) for value in parameters.limits.split(":"))
    if not -inf < low < high < inf:
        raise BadInput(f"{parameters.limits!r} is no range", field="limits", remedy="write LOW:HIGH, the lower first")
    return low, high


def tried_centres(parameters: TomographyParameters) -> list[float]:
    """Return the centres to try, or none."""
    text = parameters.try_centres
    if text is None:
        return []
    if "," in text or ":" not in text:
        return list(dict.fromkeys(float(value) for value in text.split(",")))
    start, stop, *step = (float(value) for value in text.split(":"))
    width = step[0] if step else 1.0
    count = int((stop - start) / width + 1.0001) if width > 0 else 0
    if not 0 < count <= 200:
        raise BadInput(
            f"{text!r} gives {max(0, count)} centres",
            field="try_centres",
            remedy="write START:STOP:STEP with 1 to 200",
        )
    return list(dict.fromkeys(round(start + index * width, 6) for index in range(count)))


def _check_light(scan: Scan) -> None:
    """Refuse flats that are not brighter than the darks, judging by one frame of each."""
    frames = next((frames for frames in scan.flats if frames.stack is not None), None)
    if frames is None or frames.stack is None:
        return
    flat = frames.stack.read(frames.frames[:1])[0].astype(np.float64)
    dark = 0.0
    if scan.darks:
        first = scan.darks[0]
        dark = first.level or 0.0 if first.stack is None else first.stack.read(first.frames[:1])[0].astype(np.float64)
    bright = float(np.mean(flat > dark))
    if bright < 0.5:
        raise BadInput(
            f"the flat fields are not above the dark fields in {100 * (1 - bright):.3g} % of the pixels",
            file=frames.stack.files[0],
            field=frames.stack.inside or None,
            remedy="check which frames are flats, or name a file that has good ones with flats=FILE",
        )


def _check_centre(parameters: TomographyParameters, scan: Scan) -> None:
    given = [parameters.centre] if isinstance(parameters.centre, float | int) else []
    for centre in [*given, *tried_centres(parameters)]:
        if not 0 <= centre <= scan.columns - 1:
            raise BadInput(
                f"{centre:g} lies outside the detector's columns 0 to {scan.columns - 1}",
                file=scan.path,
                field="try_centres" if parameters.try_centres else "centre",
            )
    if parameters.centre_range != "auto":
        start, stop = search_range(parameters, scan.columns)
        if start is None or stop is None or not 0 <= start < stop <= scan.columns - 1:
            raise BadInput(
                f"{parameters.centre_range!r} lies outside the columns 0:{scan.columns - 1}",
                field="centre_range",
            )


def _check_tilt(parameters: TomographyParameters, scan: Scan) -> None:
    tilt = parameters.tilt
    if tilt != "auto" and not abs(tilt) <= np.rad2deg(STEEPEST):
        raise BadInput(
            f"a tilt of {tilt:g} degrees is more than {np.rad2deg(STEEPEST):.0f} either way", field="tilt",
            remedy="turn the projections before",
        )  # fmt: skip
    if tilt == "auto" and scan.rows < FEWEST_ROWS:
        raise BadInput(
            f"{scan.rows} rows are too few to find a tilt in, {FEWEST_ROWS} are the least",
            file=scan.path,
            field="tilt",
            remedy="give it in degrees",
        )


def search_range(parameters: TomographyParameters, columns: int) -> tuple[float | None, float | None]:
    """Return the columns between which to look for the centre; None for where it is usually found."""
    if parameters.centre_range == "auto":
        return None, None
    start, _, stop = parameters.centre_range.partition(":")
    return float(start or 0), float(stop or columns - 1)


def needs_regrouping(scan: Scan) -> bool:
    """Tell whether reading rows batch by batch would decode the same chunks again and again."""
    return BATCH % scan.rows_together != 0


def works_on_frames(parameters: TomographyParameters) -> bool:
    """Tell whether a correction needs whole frames, and not just rows."""
    changed = parameters.phase != "none" or parameters.air != "none" or parameters.tilt != 0
    return changed or parameters.zingers > 0


def through_frames(scan: Scan, parameters: TomographyParameters) -> bool:
    """Tell whether frames are read, corrected where that is wanted, and stored anew in blocks of rows."""
    return works_on_frames(parameters) or needs_regrouping(scan)


def air_of(parameters: TomographyParameters, scan: Scan, found: str | None = None) -> tuple[int, int, int, int] | None:
    """Return the area of air as x0, x1, y0, y1; None where there is none, or none yet.

    Raises
    ------
    BadInput
        It lies outside the detector.
    """
    text = found or parameters.air
    if text in ("none", "auto"):
        return None
    across, _, down = text.partition(",")
    edges = []
    for span, size in ((across, scan.columns), (down or ":", scan.rows)):
        start, _, stop = span.partition(":")
        edges += [int(start or 0), int(stop or size)]
        if not 0 <= edges[-2] < edges[-1] <= size:
            raise BadInput(
                f"{text!r} lies outside the detector's {scan.columns} columns and {scan.rows} rows",
                file=scan.path,
                field="air",
            )
    return edges[0], edges[1], edges[2], edges[3]


@dataclass(frozen=True)
class Propagation:
    """What Paganin's filter needs: metres, metres, keV, and delta over beta."""

    pixel_size: float
    distance: float
    energy: float
    delta_beta: float


def propagation_of(parameters: TomographyParameters, scan: Scan) -> Propagation | None:
    """Return what phase retrieval is done with, from the parameters and else from the scan; None without any.

    Raises
    ------
    BadInput
        Something is said nowhere.
    """
    if parameters.phase == "none":
        return None
    values = {}
    for name, scale in (("pixel_size", 1e-6), ("distance", 1e-3), ("energy", 1.0)):
        given, read = getattr(parameters, name), getattr(scan, name)
        if given == "auto" and not read:
            raise BadInput(
                f"phase retrieval needs the {name.replace('_', ' ')}, which the scan does not say",
                file=scan.path,
                field=name,
                remedy=f"give --{name.replace('_', '-')}",
            )
        values[name] = read if given == "auto" else given * scale
    return Propagation(delta_beta=parameters.delta_beta, **values)


def _frame_units(scan: Scan, rows: int, parameters: TomographyParameters) -> list[Unit]:
    wanted, whole = rows * scan.columns, scan.rows * scan.columns
    itemsize = scan.dtype.itemsize
    together = scan.data.chunks[0] if scan.data.chunks else 1
    count = max(1, min(256, _FRAMES_BYTES // (whole * itemsize)) // together) * together
    memory = 3 * count * wanted * itemsize + 2 * together * whole * itemsize + (32 << 20)
    seconds, output = count * whole * itemsize * _SECONDS_PER_BYTE, count * wanted * itemsize
    if works_on_frames(parameters):
        copies = 12 if parameters.tilt != 0 else 0
        memory = count * (whole * (itemsize + 4 + copies) + wanted * 4) + whole * 16 + (32 << 20)
        seconds, output = seconds + count * whole * _SECONDS_PER_PIXEL, count * wanted * 4
    if optics := propagation_of(parameters, scan):
        width = kernel_width(optics.pixel_size, optics.distance, optics.energy, optics.delta_beta)
        filtering = filter_bytes(scan.rows, scan.columns, width)
        memory, seconds = memory + filtering, seconds + count * filtering * _SECONDS_PER_FILTER_BYTE
    return [
        Unit(
            index=index,
            span={"start": start, "stop": min(start + count, scan.count)},
            size=min(count, scan.count - start),
            memory=memory,
            seconds=seconds,
            output=output,
        )
        for index, start in enumerate(range(0, scan.count, count))
    ]


def _slice_unit(
    index: int, span: dict[str, Any], size: int, scan: Scan, parameters: TomographyParameters, half: bool
) -> Unit:
    width, angles = widest(half, scan.columns), (scan.count + half) // (1 + half)
    y0, y1, x0, x1 = region_of(parameters, width)
    pixel = 4 if parameters.type == "float32" else 2
    output = size * (y1 - y0) * (x1 - x0) * pixel
    counts = (span["stop"] - span["start"]) * scan.count * scan.columns * (scan.dtype.itemsize + 4 * half)
    memory, per_slice = cost(parameters, width, angles, size)
    if parameters.rings != "none":
        memory += ring_bytes(parameters.rings, scan.count, scan.columns)
        per_slice += ring_seconds(parameters.rings) * scan.count * scan.columns
    return Unit(index, span, size, memory + counts + output, size * per_slice, output)
