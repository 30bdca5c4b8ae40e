"""What is found out before slices are made: references, centre, tilt, weights, resolution, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Found, Outcome
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.tomography import iterative, rings
from pancommons.techniques.tomography.correction.attenuation import FlatField, attenuation, flat_field
from pancommons.techniques.tomography.correction.frames import transmission, without_zingers
from pancommons.techniques.tomography.fourier import FourierReconstruction
from pancommons.techniques.tomography.geometry.axis import find_overlap
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.geometry.opposite import find_tilt
from pancommons.techniques.tomography.geometry.stitching import aligned
from pancommons.techniques.tomography.iterative import automatic_weight
from pancommons.techniques.tomography.reading.scan import Scan
from pancommons.techniques.tomography.results.curves import resolution
from pancommons.techniques.tomography.run import methods
from pancommons.techniques.tomography.run.asked import (
    limits_of,
    parameters_of,
    region_of,
    row_range,
    search_range,
    tried_centres,
    works_on_frames,
)
from pancommons.techniques.tomography.run.fields import field_of_job, field_of_scan
from pancommons.techniques.tomography.run.frames import edge_of_air, frame_repairs, lengths
from pancommons.techniques.tomography.run.planning import SAMPLE_ROWS, scan_of, through_frames
from pancommons.techniques.tomography.run.slices import (
    blocks_of_rows,
    make_slices,
    per_length,
    read_sinograms,
    unit_of_result,
)
from pancommons.techniques.tomography.run.views import shifts_of, tilt_of, view_of

_UNSURE = 0.5


def warm() -> None:
    """Compile what every reconstruction needs, on a scan of a few pixels."""
    angles = np.arange(16) * np.pi / 16
    field = flat_field([np.full((2, 32), 1000, np.float32)])
    sinograms = np.ones((2, 17, 32), np.float32)
    attenuation(np.full((16, 2, 32), 500, np.uint16), field, rows=slice(0, 2), out=sinograms[:, :16])
    sinograms = np.ascontiguousarray(sinograms[:, :16])
    sinograms[:, :, 12:20] += 1
    FourierReconstruction(angles, 32)(sinograms)
    find_centre(sinograms, angles)
    frames, _ = transmission(np.full((2, 2, 32), 500, np.uint16), field)
    without_zingers(frames, 0.5)


def prepare(job: Job) -> Outcome:
    """Average flats and darks, settle the pixel size; look at the scan where rows can be read as they lie."""
    scan, parameters = scan_of(job), parameters_of(job)
    # Compiled here for all workers, and not in the midst of the first unit.
    if parameters.method != "fourier":
        iterative.warm()
    if parameters.rings != "none":
        rings.warm(parameters.rings)
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


def _look(job: Job, scan: Scan, field: FlatField) -> Outcome:
    """Find the centre, keep a sinogram before and after, and settle the limits of integers."""
    parameters = parameters_of(job)
    first, last = row_range(parameters, scan)
    rows = _sample(job, first, last, scan)
    middle = rows[len(rows) // 2]
    sinograms = []
    for row in rows:
        corrected, angles, _ = read_sinograms(job, scan, field, row, row + 1)
        sinograms.append(corrected[0])
    raw = np.concatenate([counts[:, 0] for _, counts in blocks_of_rows(job, scan, middle, middle + 1)])
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
        make_slices(job, scan, sinograms, angles, rows, centre, view, residuals=residuals)
        arrays["residuals"] = residuals[0]
    if not parameters_of(job).resolution:
        return {}, arrays
    y0, y1, x0, x1 = region_of(parameters_of(job), view.width)

    def half(some: NDArray[np.float32], those: NDArray[np.float64]) -> NDArray[np.float32]:
        return make_slices(job, scan, some, those, rows, centre, view, kept=False)

    found, curves = resolution(half, sinograms, angles, (y1 - y0, x1 - x0))
    return found, {**arrays, **curves}


def _sample(job: Job, first: int, last: int, scan: Scan) -> list[int]:
    """Choose rows to look at, evenly over those wanted, in few chunks where several rows are decoded together."""
    together = 1 if through_frames(scan, parameters_of(job)) else scan.rows_together
    blocks = np.arange(first // together, -(-last // together))
    most = SAMPLE_ROWS if together == 1 else max(1, min(SAMPLE_ROWS, len(blocks) // 4))
    chosen = blocks[_evenly(len(blocks), most)]
    each = -(-SAMPLE_ROWS // len(chosen))
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
    slices = make_slices(job, scan, sinograms, angles, rows, at, view_of(job, scan, [at]), kept=False)
    slices *= np.float32(per_length(job))
    low, high = np.percentile(slices, [0.01, 99.99])
    margin = 0.1 * (high - low) or 1.0
    method = f"range of {len(sinograms)} slices with a margin of a tenth"
    return Found([float(low - margin), float(high + margin)], method, None, unit_of_result(job))


def _thinned(sinogram: NDArray[Any], most: int = 1024) -> NDArray[np.float32]:
    """Return a sinogram small enough for a figure."""
    steps = [max(1, -(-size // most)) for size in sinogram.shape]
    return sinogram[:: steps[0], :: steps[1]].astype(np.float32)
