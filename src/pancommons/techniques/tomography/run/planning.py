"""What a reconstruction will take: a first look at the scan, its units, and what each costs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.base.machine import format_size
from pancommons.pipelines.declaration import Inspection, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.fourier import BATCH
from pancommons.techniques.tomography.geometry.centre import working_bytes as centre_bytes
from pancommons.techniques.tomography.geometry.opposite import working_bytes as opposite_bytes
from pancommons.techniques.tomography.phase import kernel_width
from pancommons.techniques.tomography.phase import working_bytes as filter_bytes
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.opening import Scan, open_scan
from pancommons.techniques.tomography.results.pyramid import check_extra
from pancommons.techniques.tomography.rings import seconds_per_value as ring_seconds
from pancommons.techniques.tomography.rings import working_bytes as ring_bytes
from pancommons.techniques.tomography.run.asked import (
    air_of,
    limits_of,
    parameters_of,
    propagation_of,
    region_of,
    row_range,
    tried_centres,
    works_on_frames,
)
from pancommons.techniques.tomography.run.checks import (
    check_centre,
    check_light,
    check_rings,
    check_tilt,
    check_tries,
)
from pancommons.techniques.tomography.run.methods import cost, iterations
from pancommons.techniques.tomography.run.views import field_of_view, widest

_FRAMES_BYTES = 96 << 20
"""Raw counts that a unit of frames holds."""
_SECONDS_PER_BYTE = 1.5e-9
"""To read, regroup and compress a byte of raw counts."""
_SECONDS_PER_PIXEL, _SECONDS_PER_FILTER_BYTE = 3e-8, 5e-10
"""To correct a pixel of a whole frame; to retrieve the phase of one, per byte of the buffers that this takes."""
_PREVIEW_ROWS = 4

SAMPLE_ROWS = 8
"""Rows that are looked at before slices are made."""


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
    check_centre(parameters, scan)
    limits_of(parameters)
    check_tilt(parameters, scan)
    if parameters.zarr:
        check_extra()
    air_of(parameters, scan)
    propagation_of(parameters, scan)
    check_rings(parameters, scan)
    check_tries(parameters)
    check_light(scan)
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
    return {"rows": f"{start}:{min(last, start + _PREVIEW_ROWS)}", "tiff": False, "zarr": False, "resolution": False}


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
    half = job.facts.get("field_of_view") == "half"
    slices = [
        _slice_unit(index, span, size, scan, parameters, half)
        for index, (span, size) in enumerate(zip(spans, sizes, strict=True))
    ]
    memory, seconds = _look_cost(scan, parameters, half, last - first)
    slices[0] = replace(slices[0], seconds=slices[0].seconds + seconds)
    needed = max(memory, *(unit.memory for unit in [*frames, *slices]))
    if needed > job.allowance.memory:
        raise BadInput(
            f"one unit of this scan needs {format_size(needed)}, {format_size(job.allowance.memory)} are allowed",
            field="--memory",
            remedy="allow more",
        )
    return {"frames": frames, "slices": slices}


def needs_regrouping(scan: Scan) -> bool:
    """Tell whether reading rows batch by batch would decode the same chunks again and again."""
    return BATCH % scan.rows_together != 0


def through_frames(scan: Scan, parameters: TomographyParameters) -> bool:
    """Tell whether frames are read, corrected where that is wanted, and stored anew in blocks of rows."""
    return works_on_frames(parameters) or needs_regrouping(scan)


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


def _look_cost(scan: Scan, parameters: TomographyParameters, half: bool, rows: int) -> tuple[int, float]:
    """Return the bytes and about the seconds that it takes to find tilt and centre, and to judge the resolution."""
    rows = min(rows, SAMPLE_ROWS)
    width, angles = widest(half, scan.columns), (scan.count + half) // (1 + half)
    sample = 4 * rows * scan.count * scan.columns
    memory, seconds = [3 * sample], 0.0
    if parameters.rings != "none":
        memory.append(sample + ring_bytes(parameters.rings, scan.count, scan.columns))
        seconds += rows * ring_seconds(parameters.rings) * scan.count * scan.columns
    if parameters.tilt == "auto":
        memory.append(opposite_bytes(scan.rows, scan.columns))
        seconds += 4e-7 * scan.rows * scan.columns
    if parameters.centre == "auto" and not parameters.try_centres:
        memory.append(3 * sample + centre_bytes(scan.columns, scan.count))
        seconds += 4e-7 * scan.columns * scan.count
    if parameters.resolution and not parameters.try_centres:
        judged = 1 if iterations(parameters) else rows
        bytes_, per_slice = cost(parameters, width, (angles + 1) // 2, judged)
        memory.append(3 * sample + bytes_ + 4 * (2 * judged + 20) * width * width)
        seconds += 2 * BATCH * per_slice if not iterations(parameters) else 2 * per_slice
    if iterations(parameters):
        bytes_, per_slice = cost(parameters, width, angles, 1)
        memory[-1] += bytes_
        seconds += per_slice
    return max(memory), seconds
