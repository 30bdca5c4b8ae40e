"""The steps of a reconstruction as the pipeline calls them: references, frames regrouped, a look, slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Found, Outcome, Stored, Unit
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.tomography.centre import find_centre
from pancommons.techniques.tomography.correct import FlatField, Repairs, attenuation, averaged, flat_field
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction
from pancommons.techniques.tomography.planning import (
    limits_of,
    needs_regrouping,
    parameters_of,
    region_of,
    row_range,
    scan_of,
    search_range,
)
from pancommons.techniques.tomography.scan import FrameSet, Scan

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
    find_centre(sinograms, angles)


def prepare(job: Job) -> Outcome:
    """Average flats and darks, settle the pixel size; look at the scan where rows can be read as they lie."""
    scan, parameters = scan_of(job), parameters_of(job)
    field = _references(scan, parameters.references)
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
    if needs_regrouping(scan):
        return Outcome(found, arrays, tuple(warnings))
    first = _look(replace(job, found={**job.found, **found}), scan, field)
    return Outcome({**found, **first.found}, {**arrays, **first.arrays}, (*warnings, *first.warnings))


def regroup(job: Job, unit: Unit) -> dict[str, Stored]:
    """Read whole frames once and store the rows wanted in blocks that a batch of slices reads quickly.

    They are stored as they are: compressing them would cost more than reconstructing them.
    """
    scan = scan_of(job)
    first, last = row_range(parameters_of(job), scan)
    counts = scan.read_frames(unit.span["start"], unit.span["stop"], slice(first, last))
    chunks = (len(counts), min(BATCH, last - first), scan.columns)
    return {"counts": Stored(counts, chunks=chunks)}


def look(job: Job, parts: list[Part]) -> Outcome:
    """Look at the regrouped frames: rotation centre, sinograms for the report, limits."""
    return _look(job, scan_of(job), _field(job))


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
    sinograms, angles, repairs = _sinograms(job, scan, _field(job), unit.span["start"], unit.span["stop"])
    if centres := unit.span.get("centres"):
        slices = np.concatenate(
            [_geometry(job, angles, scan.columns, centre, kept=False)(sinograms) for centre in centres]
        )
    else:
        slices = _geometry(job, angles, scan.columns, job.value("centre"))(sinograms)
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


def _references(scan: Scan, how: str) -> FlatField:
    if scan.in_transmission:
        shape = (scan.rows, scan.columns)
        return flat_field([np.ones(shape, np.float32)])
    average = "median" if how == "median" else "mean"
    flats = [_average(frames, scan, average) for frames in scan.flats]
    darks = [_average(frames, scan, average) for frames in scan.darks]
    weights = [len(frames.frames) or 1 for frames in scan.darks]
    dark = np.average(darks, axis=0, weights=weights).astype(np.float32) if darks else None
    if how == "interpolated":
        return flat_field(flats, dark, [frames.position - 0.5 for frames in scan.flats])
    weights = [len(frames.frames) or 1 for frames in scan.flats]
    return flat_field([np.average(flats, axis=0, weights=weights).astype(np.float32)], dark)


def _average(frames: FrameSet, scan: Scan, how: str) -> NDArray[np.float32]:
    """Average a set of frames in bounded memory: frame by frame for the mean, band by band for the median."""
    shape = (scan.rows, scan.columns)
    if frames.stack is None:
        return np.full(shape, frames.level, np.float32)
    count, frame = len(frames.frames), scan.rows * scan.columns * frames.stack.dtype.itemsize
    if how == "median" or count * frame <= _BLOCK:
        rows = max(1, _BLOCK * 4 // max(1, count * frame // scan.rows))
        bands = [slice(start, min(start + rows, scan.rows)) for start in range(0, scan.rows, rows)]
        return np.concatenate([averaged(frames.stack.read(frames.frames, band), how) for band in bands])  # type: ignore[arg-type]
    total = np.zeros(shape, np.float64)
    step = max(1, _BLOCK // frame)
    for start in range(0, count, step):
        total += frames.stack.read(frames.frames[start : start + step]).sum(axis=0, dtype=np.float64)
    return (total / count).astype(np.float32)


def _field(job: Job) -> FlatField:
    arrays = job.arrays
    return FlatField(arrays["gains"], arrays["dark"], arrays["positions"], arrays["dead"])


def _sinograms(
    job: Job, scan: Scan, field: FlatField, start: int, stop: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], Repairs]:
    """Return the line integrals of rows [row, angle, column], the angles that are there, and what was mended."""
    least = parameters_of(job).minimum_transmission
    angles = scan.angles
    present = np.zeros(scan.count, bool)
    sinograms = np.empty((stop - start, scan.count, scan.columns), np.float32)
    total = Repairs(0, 0, 0, 0)
    for first, counts in _counts(job, scan, start, stop):
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
        return np.ascontiguousarray(sinograms[:, present]), angles[present], total
    return sinograms, angles, total


def _counts(job: Job, scan: Scan, start: int, stop: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give the counts [angle, row, column] of rows with the index of their first projection, in blocks.

    Blocks of frames that could not be read are left out.
    """
    if not needs_regrouping(scan):
        step = max(1, _BLOCK // ((stop - start) * scan.columns * scan.dtype.itemsize))
        for first in range(0, scan.count, step):
            yield first, scan.read_frames(first, min(first + step, scan.count), slice(start, stop))
        return
    import h5py
    import hdf5plugin  # noqa: F401

    above = row_range(parameters_of(job), scan)[0]
    for part in job.parts("frames"):
        with h5py.File(part.file, "r", locking=False) as file:
            yield part.span["start"], file["counts"][:, start - above : stop - above]


_geometries: dict[str, tuple[Any, FourierReconstruction]] = {}
_building = Lock()


def _geometry(
    job: Job, angles: NDArray[np.float64], width: int, centre: float, *, kept: bool = True
) -> FourierReconstruction:
    """Return the geometry of a job, made once in this process and shared by its threads."""
    parameters = parameters_of(job)
    key = (angles.tobytes(), width, centre, parameters.filter, parameters.region, parameters.mask)
    with _building:
        last = _geometries.get("last")
        if last and last[0] == key:
            return last[1]
        made = FourierReconstruction(
            angles,
            width,
            centre=centre,
            filter=parameters.filter,
            region=region_of(parameters, width),
            mask=parameters.mask or None,
        )
        if kept:
            _geometries["last"] = (key, made)
        return made


def _look(job: Job, scan: Scan, field: FlatField) -> Outcome:
    """Find the centre, keep a sinogram before and after, and settle the limits of integers."""
    parameters = parameters_of(job)
    first, last = row_range(parameters, scan)
    rows = _sample(first, last, scan)
    middle = rows[len(rows) // 2]
    sinograms = []
    for row in rows:
        corrected, angles, _ = _sinograms(job, scan, field, row, row + 1)
        sinograms.append(corrected[0])
    raw = np.concatenate([counts[:, 0] for _, counts in _counts(job, scan, middle, middle + 1)])
    arrays = {"sinogram_counts": _thinned(raw), "sinogram": _thinned(sinograms[len(rows) // 2])}
    found: dict[str, Found] = {}
    warnings = []
    centre = parameters.centre
    if centre == "auto" and not parameters.try_centres:
        start, stop = search_range(parameters, scan.columns)
        best = find_centre(np.stack(sinograms), angles, start=start, stop=stop)
        centre = best.value
        found["centre"] = Found(best.value, best.method, best.confidence, "pixel")
        for index, curve in enumerate(best.looks):
            arrays[f"look_{index}_{curve.method}"] = np.stack([curve.candidates, curve.metric])
        if best.confidence < _UNSURE:
            warnings.append(
                f"The rotation centre {best.value:.2f} is unsure (confidence {best.confidence:.2f}); "
                "look at --try-centres and give --centre."
            )
    if parameters.type == "uint16":
        found["limits"] = _limits(job, np.stack(sinograms), angles, scan.columns, centre)
    return Outcome(found, arrays, tuple(warnings))


def _sample(first: int, last: int, scan: Scan) -> list[int]:
    """Choose rows to look at, evenly over those wanted, in few chunks where several rows are decoded together."""
    together = 1 if needs_regrouping(scan) else scan.rows_together
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


def _limits(job: Job, sinograms: NDArray[np.float32], angles: NDArray[np.float64], width: int, centre: Any) -> Found:
    if given := limits_of(parameters_of(job)):
        return Found(list(given), "given", None, unit_of_result(job))
    at = centre if isinstance(centre, float | int) else (width - 1) / 2
    slices = _geometry(job, angles, width, at, kept=False)(sinograms) * np.float32(per_length(job))
    low, high = np.percentile(slices, [0.01, 99.99])
    margin = 0.1 * (high - low) or 1.0
    method = f"range of {len(sinograms)} slices with a margin of a tenth"
    return Found([float(low - margin), float(high + margin)], method, None, unit_of_result(job))


def _thinned(sinogram: NDArray[Any], most: int = 1024) -> NDArray[np.float32]:
    """Return a sinogram small enough for a figure."""
    steps = [max(1, -(-size // most)) for size in sinogram.shape]
    return sinogram[:: steps[0], :: steps[1]].astype(np.float32)
