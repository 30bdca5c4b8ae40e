"""The first stage: frames read once, corrected as whole frames where that is wanted, stored for rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Found, Stored, Unit
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.tomography.correction.attenuation import FlatField
from pancommons.techniques.tomography.correction.frames import air_level, transmission, without_zingers
from pancommons.techniques.tomography.fourier import BATCH
from pancommons.techniques.tomography.geometry.stitching import levelled
from pancommons.techniques.tomography.phase import paganin
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.scan import Scan
from pancommons.techniques.tomography.run.asked import air_of, parameters_of, propagation_of, row_range, works_on_frames
from pancommons.techniques.tomography.run.fields import field_of_job
from pancommons.techniques.tomography.run.planning import scan_of
from pancommons.techniques.tomography.run.views import tilt_of

_AIR_FRAMES = 16
_AIR_COLUMNS = 32
_LEAST_AIR = 0.97
_COUNTED = ("values", "not_finite", "zingers")


def process(job: Job, unit: Unit) -> dict[str, Stored]:
    """Read whole frames once and store the rows wanted in blocks that a batch of slices reads quickly.

    Nothing is compressed, which would cost more than the reconstruction.

    Returns
    -------
    frames
        [angle, row, column]: the counts as they are, or where whole frames are corrected float32 transmission, the
        dose in an area of air taken off, without zingers and fringes, in rows straight across the axis.
    repairs
        int64, where frames are corrected: how many values there were, were not finite, and were zingers.
    """
    scan, parameters = scan_of(job), parameters_of(job)
    first, last = row_range(parameters, scan)
    start, stop = unit.span["start"], unit.span["stop"]
    chunks = (stop - start, min(BATCH, last - first), scan.columns)
    if not works_on_frames(parameters):
        return {"frames": Stored(scan.read_frames(start, stop, slice(first, last)), chunks=chunks)}
    frames, repairs = transmission(scan.read_frames(start, stop), field_of_job(job), first=start)
    region = air_of(parameters, scan, job.value("air"))
    if region is not None:
        frames /= air_level(frames, region)[:, None, None]
    zingers = without_zingers(frames, parameters.zingers) if parameters.zingers else 0
    if optics := propagation_of(parameters, scan):
        paganin(frames, **asdict(optics), out=frames)
    if tilt := tilt_of(job):
        frames = levelled(frames, tilt)
    counted = np.array([repairs.values, repairs.not_finite, zingers], np.int64)
    return {"frames": Stored(frames[:, first:last], chunks=chunks), "repairs": Stored(counted)}


def stored_rows(job: Job, start: int, stop: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give the stored rows ``start`` to ``stop`` [angle, row, column], unit by unit, with the first projection."""
    for part in job.parts("frames"):
        with h5py.File(part.file, "r", locking=False) as file:
            yield part.span["start"], file["frames"][:, start:stop]


def frame_repairs(parts: Sequence[Part]) -> dict[str, int]:
    """Return what was counted over all frames: values, not finite, zingers."""
    total = np.sum([part.read("repairs") for part in parts], axis=0)
    return dict(zip(_COUNTED, total.tolist(), strict=True))


def edge_of_air(scan: Scan, field: FlatField) -> Found:
    """Choose the edge of the detector that stays empty all through the scan.

    Raises
    ------
    BadInput
        The sample reaches both.
    """
    chosen = np.unique(np.linspace(0, scan.count - 1, _AIR_FRAMES).round().astype(np.int64))
    width = min(_AIR_COLUMNS, max(1, scan.columns // 16))
    levels = []
    for index in chosen:
        frame, _ = transmission(scan.read_frames(index, index + 1), field, first=int(index))
        beam = float(np.percentile(frame, 99))
        levels.append([float(np.median(frame[..., :width])) / beam, float(np.median(frame[..., -width:])) / beam])
    least = np.min(levels, axis=0)
    side = int(np.argmax(least))
    if least[side] < _LEAST_AIR * np.max(levels):
        raise BadInput(
            "the sample covers both edges of the detector in some projections",
            file=scan.path,
            field="air",
            remedy="name an area without sample, as X0:X1,Y0:Y1",
        )
    span = f"0:{width}" if side == 0 else f"{scan.columns - width}:{scan.columns}"
    return Found(span, f"the {('left', 'right')[side]} edge, which stays empty", None, "pixel")


def lengths(scan: Scan, parameters: TomographyParameters) -> dict[str, Found]:
    """Record the distance and energy that phase retrieval takes from the scan."""
    optics = propagation_of(parameters, scan)
    if optics is None:
        return {}
    read = {"distance": (optics.distance * 1e3, "mm"), "energy": (optics.energy, "keV")}
    return {
        name: Found(value, "read from the scan", None, unit)
        for name, (value, unit) in read.items()
        if getattr(parameters, name) == "auto"
    }
