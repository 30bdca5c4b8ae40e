"""The flat and dark fields of a scan: averaged once, handed on to every unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.correction.attenuation import FlatField, averaged, flat_field
from pancommons.techniques.tomography.reading.scan import FrameSet, Scan

_BLOCK = 64 << 20


def field_of_scan(scan: Scan, how: str) -> FlatField:
    """Average flats and darks: `how` is mean, median, or interpolated in time between the sets of flats."""
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


def field_of_job(job: Job) -> FlatField:
    """Return the flat and dark fields that a job was prepared with."""
    arrays = job.arrays
    return FlatField(arrays["gains"], arrays["dark"], arrays["positions"], arrays["dead"])
