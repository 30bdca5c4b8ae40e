"""The steps of a reconstruction as the pipeline calls them: references, a look, slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Found, Outcome, Stored, Unit
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.tomography import iterative, methods
from pancommons.techniques.tomography.axis import find_overlap
from pancommons.techniques.tomography.centre import find_centre
from pancommons.techniques.tomography.correct import FlatField, Repairs, attenuation, flat_field
from pancommons.techniques.tomography.curves import resolution
from pancommons.techniques.tomography.fields import field_of_job, field_of_scan
from pancommons.techniques.tomography.fourier import FourierReconstruction
from pancommons.techniques.tomography.frame_steps import edge_of_air, frame_repairs, lengths, stored_rows
from pancommons.techniques.tomography.frames import transmission, without_zingers
from pancommons.techniques.tomography.geometry import aligned, stitched
from pancommons.techniques.tomography.iterative import IterativeReconstruction, automatic_weight
from pancommons.techniques.tomography.opposite import find_tilt
from pancommons.techniques.tomography.planning import (
    limits_of,
    parameters_of,
    region_of,
    row_range,
    scan_of,
    search_range,
    through_frames,
    tried_centres,
    works_on_frames,
)
from pancommons.techniques.tomography.rings import METHODS, remove_rings
from pancommons.techniques.tomography.rings import warm as warm_rings
from pancommons.techniques.tomography.scan import Scan
from pancommons.techniques.tomography.views import View, shifts_of, tilt_of, view_of

_SAMPLE_ROWS = 8
_UNSURE = 0.5
_BLOCK = 64 << 20


def warm() -> None:
    """Compile every kernel once, on a scan of a few pixels."""
    angles = np.arange(16) * np.pi / 16
    field = flat_field([np.full((2, 32), 1000, np.float32)])
    sinograms = np.ones((2, 17, 32), np.float32)
    attenuation(np.full((16, 2, 32), 500, np.uint16), field, rows=slice(0, 2), out=sinograms[:, :16])
    sinograms = np.ascontiguousarray(sinograms[:, :16])
    sinograms[:, :, 12:20] += 1
    FourierReconstruction(angles, 32)(sinograms)
    iterative.warm()
    find_centre(sinograms, angles)
    for method in METHODS:
        warm_rings(method)
    frames, _ = transmission(np.full((2, 2, 32), 500, np.uint16), field)
    without_zingers(frames, 0.5)


def prepare(job: Job) -> Outcome:
    """Average flats and darks, settle the pixel size; look at the scan where rows can be read as they lie."""
    scan, parameters = scan_of(job), parameters_of(job)
    field = field_of_scan(scan, parameters.references)
    found: dict[str, Found] = {}
    warnings = []
    if parameters.pixel_size == "auto":
        if scan.pixel_size:
            found["pixel_size"] = Found(scan.pixel_size * 1e6, "read from the scan", None, "um")
        else:
            warnings.append("The scan does not say its pixel size; the result is in 1/pixel. Give --pixel-size.")
    if field.dead_count:
        warnings.append(
            f"{field.dead_count} pixels have a flat field that is not above the dark field; "
            "their neighbours stand in for them."
        )
    arrays: dict[str, NDArray[Any]] = {
        "angles": scan.angles,
        "gains": field.gains,
        "dark": field.dark,
        "dead": field.dead,
        "positions": field.positions,
    }
    if through_frames(scan, parameters):
        if parameters.air == "auto":
            found["air"] = edge_of_air(scan, field)
        found |= lengths(scan, parameters)
        if parameters.tilt == "auto":
            axis = find_tilt(scan, field, parameters.centre if parameters.centre != "auto" else None)
            tilt = float(np.rad2deg(axis.tilt))
            found["tilt"] = Found(tilt, "projections half a turn apart", axis.agreement, "degree")
            if axis.agreement < _UNSURE:
                warnings.append(
                    f"The tilt of {tilt:.3f} degrees is unsure: projections half a turn apart agree in "
                    f"{100 * axis.agreement:.0f} % of their structure only; give --tilt."
                )
        return Outcome(found, arrays, tuple(warnings))
    first = _look(replace(job, found={**job.found, **found}), scan, field)
    return Outcome({**found, **first.found}, {**arrays, **first.arrays}, (*warnings, *first.warnings))


def look(job: Job, parts: list[Part]) -> Outcome:
    """Look at the regrouped frames: rotation centre, sinograms for the report, limits."""
    seen = _look(job, scan_of(job), field_of_job(job))
    if not works_on_frames(parameters_of(job)):
        return seen
    counted = frame_repairs(parts)
    warnings = seen.warnings
    if counted["not_finite"]:
        warnings += (f"{counted['not_finite']} counts were not finite; their neighbours stand in for them.",)
    found = dict(seen.found)
    if parameters_of(job).zingers:
        share = counted["zingers"] / max(1, counted["values"])
        found["zingers"] = Found(share, "counted while correcting frames")
    return Outcome(found, seen.arrays, warnings)


def reconstruct_slices(job: Job, unit: Unit) -> dict[str, Stored]:
    """Correct and reconstruct a batch of rows, or one row at several centres.

    Returns
    -------
    slices
        float32 or uint16 [slice, y, x], 1/cm where the pixel size is known, else 1/pixel.
    front, side
        float32 [slice, x] and [slice, y]: the middle row and column of each slice, for sections of the volume.
    repairs
        int64 [values, clamped, not finite, dead pixels, clipped voxels].
    """
    scan = scan_of(job)
    start, stop = unit.span["start"], unit.span["stop"]
    sinograms, angles, repairs = _sinograms(job, scan, field_of_job(job), start, stop)
    rows = range(start, stop)
    if centres := unit.span.get("centres"):
        view = view_of(job, scan, tried_centres(parameters_of(job)))
        slices = np.concatenate(
            [_slices(job, scan, sinograms, angles, rows, centre, view, kept=False) for centre in centres]
        )
    else:
        centre = job.value("centre")
        slices = _slices(job, scan, sinograms, angles, rows, centre, view_of(job, scan, [centre]))
    slices *= np.float32(per_length(job))
    front, side = slices[:, slices.shape[1] // 2].copy(), slices[:, :, slices.shape[2] // 2].copy()
    clipped = 0
    if parameters_of(job).type == "uint16":
        slices, clipped = to_integers(slices, *job.value("limits"))
    counted = [repairs.values, repairs.clamped, repairs.not_finite, repairs.dead_pixels, clipped]
    return {
        "slices": Stored(slices),
        "front": Stored(front),
        "side": Stored(side),
        "repairs": Stored(np.array(counted, np.int64)),
    }


def _slices(
    job: Job,
    scan: Scan,
    sinograms: NDArray[np.float32],
    angles: NDArray[np.float64],
    rows: Sequence[int],
    centre: float,
    view: View,
    *,
    kept: bool = True,
    residuals: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the slices [slice, y, x] of rows, 1/pixel; the centre is the axis' column in the middle row."""
    shifts = shifts_of(job, scan, rows) if tilt_of(job) else None
    if view.half:
        field = (view.begin, view.width)
        sinograms, angles = stitched(sinograms, angles, centre, shifts=shifts, field=field)
    geometry = _geometry(job, angles, view.width, centre + view.begin, kept=kept)
    if isinstance(geometry, IterativeReconstruction):
        return geometry(sinograms, shifts=shifts, residuals=residuals)
    return geometry(sinograms, shifts=shifts)


def per_length(job: Job) -> float:
    """Return what a slice in 1/pixel is multiplied by: pixels per cm, or 1 where the pixel size is unknown."""
    size = job.value("pixel_size")
    return 1.0 if size == "auto" else 1e4 / float(size)


def unit_of_result(job: Job) -> str:
    """Return the unit of the slices."""
    return "1/pixel" if job.value("pixel_size") == "auto" else "1/cm"


def to_integers(slices: NDArray[np.float32], low: float, high: float) -> tuple[NDArray[np.uint16], int]:
    """Map ``low`` to 0 and ``high`` to 65535, and count the voxels outside."""
    scaled = (slices - np.float32(low)) * np.float32(65535 / (high - low))
    clipped = int(np.count_nonzero((slices < low) | (slices > high)))
    return np.rint(np.clip(scaled, 0, 65535)).astype(np.uint16), clipped


def _sinograms(
    job: Job, scan: Scan, field: FlatField, start: int, stop: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], Repairs]:
    """Return the line integrals of rows [row, angle, column], the angles that are there, and what was mended."""
    least = parameters_of(job).minimum_transmission
    if works_on_frames(parameters_of(job)):
        field = flat_field([np.ones((scan.rows, scan.columns), np.float32)])
    angles = scan.angles
    present = np.zeros(scan.count, bool)
    sinograms = np.empty((stop - start, scan.count, scan.columns), np.float32)
    total = Repairs(0, 0, 0, 0)
    for first, counts in _blocks(job, scan, start, stop):
        block = slice(first, first + len(counts))
        _, repairs = attenuation(
            counts, field, rows=slice(start, stop), first=first, least=least, out=sinograms[:, block]
        )
        present[block] = True
        total = Repairs(
            total.values + repairs.values,
            total.clamped + repairs.clamped,
            total.not_finite + repairs.not_finite,
            repairs.dead_pixels,
        )
    if not present.all():
        sinograms, angles = np.ascontiguousarray(sinograms[:, present]), angles[present]
    if (method := parameters_of(job).rings) != "none":
        remove_rings(sinograms, method, out=sinograms)
    return sinograms, angles, total


def _blocks(job: Job, scan: Scan, start: int, stop: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give rows of the projections [angle, row, column] with the index of the first, in blocks.

    They are counts, or the transmission where frames were corrected. Blocks of frames that failed are left out.
    """
    if not through_frames(scan, parameters_of(job)):
        step = max(1, _BLOCK // ((stop - start) * scan.columns * scan.dtype.itemsize))
        for first in range(0, scan.count, step):
            yield first, scan.read_frames(first, min(first + step, scan.count), slice(start, stop))
        return
    above = row_range(parameters_of(job), scan)[0]
    yield from stored_rows(job, start - above, stop - above)


_geometries: dict[str, tuple[Any, methods.Reconstruction]] = {}
_building = Lock()


def _geometry(
    job: Job, angles: NDArray[np.float64], width: int, centre: float, *, kept: bool = True
) -> methods.Reconstruction:
    """Return the geometry of a job, made once in this process and shared by its threads."""
    parameters = parameters_of(job)
    weight, region = job.value("tv_weight"), region_of(parameters, width)
    key = (angles.tobytes(), width, centre, region, methods.settings(parameters, weight))
    with _building:
        last = _geometries.get("last")
        if last and last[0] == key:
            return last[1]
        made = methods.make(parameters, angles, width, centre, region, weight)
        if kept:
            _geometries["last"] = (key, made)
        return made


def _look(job: Job, scan: Scan, field: FlatField) -> Outcome:
    """Find the centre, keep a sinogram before and after, and settle the limits of integers."""
    parameters = parameters_of(job)
    first, last = row_range(parameters, scan)
    rows = _sample(job, first, last, scan)
    middle = rows[len(rows) // 2]
    sinograms = []
    for row in rows:
        corrected, angles, _ = _sinograms(job, scan, field, row, row + 1)
        sinograms.append(corrected[0])
    raw = np.concatenate([counts[:, 0] for _, counts in _blocks(job, scan, middle, middle + 1)])
    arrays = {"sinogram_counts": _thinned(raw), "sinogram": _thinned(sinograms[len(rows) // 2])}
    found: dict[str, Found] = {}
    warnings = []
    centre = parameters.centre
    if centre == "auto" and not parameters.try_centres:
        start, stop = search_range(parameters, scan.columns)
        stack = aligned(np.stack(sinograms), shifts_of(job, scan, rows)) if tilt_of(job) else np.stack(sinograms)
        find = find_overlap if job.facts.get("field_of_view") == "half" else find_centre
        best = find(stack, angles, start=start, stop=stop)
        centre = best.value
        found["centre"] = Found(best.value, best.method, best.confidence, "pixel")
        for index, curve in enumerate(best.looks):
            arrays[f"look_{index}_{curve.method}"] = np.stack([curve.candidates, curve.metric])
        if best.confidence < _UNSURE:
            warnings.append(
                f"The rotation centre {best.value:.2f} is unsure (confidence {best.confidence:.2f}); "
                "look at --try-centres and give --centre."
            )
    if parameters.method == "tv" and parameters.tv_weight == "auto":
        weight = automatic_weight(np.stack(sinograms)) or 1.0
        found["tv_weight"] = Found(weight, "noise of the sinograms", None, "1/pixel")
        job = replace(job, found={**job.found, **found})
    if centre != "auto":
        judged, curves = _judge(job, scan, np.stack(sinograms), angles, rows, centre)
        found, arrays = {**found, **judged}, {**arrays, **curves}
    if parameters.type == "uint16":
        found["limits"] = _limits(job, scan, np.stack(sinograms), angles, rows, centre)
    return Outcome(found, arrays, tuple(warnings))


def _judge(
    job: Job,
    scan: Scan,
    sinograms: NDArray[np.float32],
    angles: NDArray[np.float64],
    rows: Sequence[int],
    centre: float,
) -> tuple[dict[str, Found], dict[str, NDArray[Any]]]:
    """Compare slices of odd and even projections; follow an iteration, of the middle row alone, which takes longer."""
    view = view_of(job, scan, [centre])
    arrays: dict[str, NDArray[Any]] = {}
    if most := methods.iterations(parameters_of(job)):
        middle = len(rows) // 2
        sinograms, rows = sinograms[middle : middle + 1], rows[middle : middle + 1]
        residuals = np.empty((1, most), np.float32)
        _slices(job, scan, sinograms, angles, rows, centre, view, residuals=residuals)
        arrays["residuals"] = residuals[0]
    y0, y1, x0, x1 = region_of(parameters_of(job), view.width)

    def half(some: NDArray[np.float32], those: NDArray[np.float64]) -> NDArray[np.float32]:
        return _slices(job, scan, some, those, rows, centre, view, kept=False)

    found, curves = resolution(half, sinograms, angles, (y1 - y0, x1 - x0))
    return found, {**arrays, **curves}


def _sample(job: Job, first: int, last: int, scan: Scan) -> list[int]:
    """Choose rows to look at, evenly over those wanted, in few chunks where several rows are decoded together."""
    together = 1 if through_frames(scan, parameters_of(job)) else scan.rows_together
    blocks = np.arange(first // together, -(-last // together))
    most = _SAMPLE_ROWS if together == 1 else max(1, min(_SAMPLE_ROWS, len(blocks) // 4))
    chosen = blocks[_evenly(len(blocks), most)]
    each = -(-_SAMPLE_ROWS // len(chosen))
    rows = []
    for block in chosen:
        within = np.arange(max(first, block * together), min(last, (block + 1) * together))
        rows += within[_evenly(len(within), each)].tolist()
    return rows


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most so many indices below a count, evenly spaced."""
    wanted = min(count, most)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(np.int64)


def _limits(
    job: Job,
    scan: Scan,
    sinograms: NDArray[np.float32],
    angles: NDArray[np.float64],
    rows: Sequence[int],
    centre: float | Literal["auto"],
) -> Found:
    if given := limits_of(parameters_of(job)):
        return Found(list(given), "given", None, unit_of_result(job))
    at = tried_centres(parameters_of(job))[0] if centre == "auto" else centre
    slices = _slices(job, scan, sinograms, angles, rows, at, view_of(job, scan, [at]), kept=False)
    slices *= np.float32(per_length(job))
    low, high = np.percentile(slices, [0.01, 99.99])
    margin = 0.1 * (high - low) or 1.0
    method = f"range of {len(sinograms)} slices with a margin of a tenth"
    return Found([float(low - margin), float(high + margin)], method, None, unit_of_result(job))


def _thinned(sinogram: NDArray[Any], most: int = 1024) -> NDArray[np.float32]:
    """Return a sinogram small enough for a figure."""
    steps = [max(1, -(-size // most)) for size in sinogram.shape]
    return sinogram[:: steps[0], :: steps[1]].astype(np.float32)
