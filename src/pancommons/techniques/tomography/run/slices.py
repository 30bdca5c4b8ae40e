"""The second stage: rows to line integrals to slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Stored, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.correction.attenuation import FlatField, Repairs, attenuation, flat_field
from pancommons.techniques.tomography.geometry.stitching import stitched
from pancommons.techniques.tomography.iterative import IterativeReconstruction
from pancommons.techniques.tomography.reading.scan import Scan
from pancommons.techniques.tomography.rings import remove_rings
from pancommons.techniques.tomography.run import methods
from pancommons.techniques.tomography.run.asked import (
    parameters_of,
    region_of,
    row_range,
    tried_centres,
    works_on_frames,
)
from pancommons.techniques.tomography.run.fields import field_of_job
from pancommons.techniques.tomography.run.frames import stored_rows
from pancommons.techniques.tomography.run.planning import scan_of, through_frames
from pancommons.techniques.tomography.run.views import View, shifts_of, tilt_of, view_of

_BLOCK = 64 << 20


def process(job: Job, unit: Unit) -> dict[str, Stored]:
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
    sinograms, angles, repairs = read_sinograms(job, scan, field_of_job(job), start, stop)
    rows = range(start, stop)
    if centres := unit.span.get("centres"):
        view = view_of(job, scan, tried_centres(parameters_of(job)))
        slices = np.concatenate(
            [make_slices(job, scan, sinograms, angles, rows, centre, view, kept=False) for centre in centres]
        )
    else:
        centre = job.value("centre")
        slices = make_slices(job, scan, sinograms, angles, rows, centre, view_of(job, scan, [centre]))
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


def make_slices(
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


def read_sinograms(
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
    for first, counts in blocks_of_rows(job, scan, start, stop):
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


def blocks_of_rows(job: Job, scan: Scan, start: int, stop: int) -> Iterator[tuple[int, NDArray[Any]]]:
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
