"""Corrections that need whole frames: transmission, zingers and hot pixels, the dose by an area of air.

Frames come and leave as [projection, row, column].
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.correction.attenuation import (
    Counts,
    FlatField,
    Repairs,
    mend,
    neighbouring_flats,
    transmit,
)

REACH = 2
"""Pixels around a pixel, in each direction, that it is compared with for zingers: 5 x 5."""


def transmission(counts: Counts, field: FlatField, *, first: int = 0) -> tuple[NDArray[np.float32], Repairs]:
    """Divide whole frames by what their flat fields were at that moment.

    Parameters
    ----------
    counts
        [projection, row, column], any number type.
    field
        The flat and dark fields.
    first
        Index of the first projection of `counts` within the scan, for flat fields that change.

    Returns
    -------
    float32 [projection, row, column], dimensionless, 1 where there is no sample; and what was mended. A pixel without
    a valid flat field, or a count that is not finite, takes the mean of the nearest good neighbours in its row.

    Raises
    ------
    BadInput
        Shapes that do not match.
    """
    values = np.asarray(counts)
    if values.ndim != 3 or values.shape[1:] != field.dark.shape:
        raise BadInput(f"projections of {values.shape[1:]} pixels, but flat fields of {field.dark.shape}", field="data")
    before, share = neighbouring_flats(field.positions, first + np.arange(len(values)))
    result = np.empty(values.shape, np.float32)
    not_finite = 0
    for frame, target, index, part in zip(values, result, before, share, strict=True):
        after = min(int(index) + 1, len(field.gains) - 1)
        _divide(frame.astype(np.float32), field.dark, field.gains[index], field.gains[after], part, target)
        strange = ~np.isfinite(target)
        wrong = int(np.count_nonzero(strange))
        not_finite += wrong
        for row in np.flatnonzero((field.dead | strange).any(axis=1)) if wrong else np.flatnonzero(field.dead.any(1)):
            mend(target[row][None], field.dead[row], strange[row][None], 1.0)
    return result, Repairs(values.size, 0, not_finite, field.dead_count)


@njit(nogil=True, cache=True, error_model="numpy")
def _divide(frame, dark, before, after, share, out):
    for y in range(frame.shape[0]):
        transmit(frame[y], dark[y], before[y], after[y], share, out[y])


def without_zingers(frames: NDArray[np.float32], threshold: float) -> int:
    """Replace hot pixels and zingers, in place, by the median of their neighbours.

    Parameters
    ----------
    frames
        float32 [projection, row, column], transmission, finite.
    threshold
        By how much a pixel's transmission must exceed the median of the pixels around it (5 x 5, itself left out) to
        be replaced by that median.

    Returns
    -------
    How many pixels were replaced.
    """
    return sum(int(_without_zingers(frame.copy(), np.float32(threshold), frame)) for frame in frames)


@njit(nogil=True, cache=True, error_model="numpy")
def _without_zingers(frame, threshold, out):
    """Write to `out` the frame without what stands out; a pixel does if most of its neighbours lie far below."""
    rows, columns = frame.shape
    replaced = 0
    below = np.empty(columns, np.int32)
    size = np.empty(columns, np.int32)
    around = np.empty((2 * REACH + 1) ** 2, np.float32)
    for y in range(rows):
        top, bottom = max(0, y - REACH), min(rows, y + REACH + 1)
        below[:] = 0
        size[:] = -1  # the pixel itself is none of its neighbours
        for j in range(top, bottom):
            for d in range(-REACH, REACH + 1):
                for x in range(max(0, -d), min(columns, columns - d)):
                    below[x] += np.int32(frame[j, x + d] < frame[y, x] - threshold)
                    size[x] += np.int32(1)
        for x in range(columns):
            if 2 * below[x] <= size[x]:
                continue
            n = 0
            for j in range(top, bottom):
                for i in range(max(0, x - REACH), min(columns, x + REACH + 1)):
                    if j != y or i != x:
                        around[n] = frame[j, i]
                        n += 1
            out[y, x] = np.float32(np.median(around[:n]))
            replaced += 1
    return replaced


def air_level(frames: NDArray[np.float32], region: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return the mean transmission of an area without sample: what the beam gave beyond its flat field.

    Parameters
    ----------
    frames
        float32 [projection, row, column], transmission.
    region
        (x0, x1, y0, y1): columns and rows, ends excluded.

    Returns
    -------
    float32 [projection], dimensionless; divide the frames by it.

    Raises
    ------
    BadInput
        The area is dark in some projection.
    """
    x0, x1, y0, y1 = region
    level = frames[:, y0:y1, x0:x1].mean((1, 2), dtype=np.float64)
    if not (level > 0).all():
        raise BadInput("no light reaches the area of air", field="air", remedy="choose another area")
    return np.asarray(level, np.float32)
