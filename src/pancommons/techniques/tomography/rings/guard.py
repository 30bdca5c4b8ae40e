"""What keeps the sample out of a correction of stripes.

A stripe does about the same to a detector column at every angle; an edge of the sample crosses a column at some angles
only, but there it is strong. So what a column shows is held near its own median over the angles, no further away than
its nearer quartile: a stripe stays as it is, an edge is cut to what is usual. The published methods have no such guard,
and take from a sample without stripes what they take for stripes.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.rings import medians
from pancommons.techniques.tomography.rings.ranks import transpose

_AROUND = 11
"""Columns around one that tell how much is usual; edges of the sample are seen by several columns together."""

_BROKEN = 15.0
"""A column with this many times what is usual around it is broken, whatever crosses it."""


def limits(columns: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the least and the most that values [column, angle] are held between, each float32 [column]."""
    rising = np.sort(columns, axis=1)
    count = columns.shape[1]
    middle, lower, upper = rising[:, count // 2], rising[:, count // 4], rising[:, count - 1 - count // 4]
    reach = np.minimum(middle - lower, upper - middle)
    return middle - reach, middle + reach


def hold(before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
    """Hold what a correction takes off each column within its limits, except where the column is broken.

    Parameters
    ----------
    before, after
        float32 [column, angle]; `after` is changed.
    """
    taken = before - after
    low, high = limits(taken)
    bad = _broken(taken)
    low[bad], high[bad] = -np.inf, np.inf
    _take(before, taken, low, high, after)


def mend(sinogram: NDArray[np.float32]) -> None:
    """Replace broken columns of a sinogram [angle, column] by the straight line between the good ones beside them."""
    columns, smooth = np.empty((2, *sinogram.shape[::-1]), np.float32)
    transpose(sinogram, columns)
    medians.across(columns, _AROUND, smooth)
    columns -= smooth
    bad = _broken(columns)
    places = np.arange(bad.size)
    good = places[~bad]
    for column in places[bad]:
        after = int(np.searchsorted(good, column))
        left, right = good[max(after - 1, 0)], good[min(after, good.size - 1)]
        share = np.float32((column - left) / (right - left) if right > left else 0)
        sinogram[:, column] = (1 - share) * sinogram[:, left] + share * sinogram[:, right]


def _broken(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which columns have far larger values [column, angle] than those around them."""
    size = _root_mean_square(values)
    usual = np.empty_like(size)
    medians.across(size[:, None], _AROUND, usual[:, None])
    found: NDArray[np.bool_] = size > _BROKEN * usual
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _root_mean_square(values):  # type: ignore[no-untyped-def]
    """Return float32 [column] of values [column, angle]."""
    result = np.empty(values.shape[0], np.float32)
    for c in range(values.shape[0]):
        total = 0.0
        for i in range(values.shape[1]):
            total += np.float64(values[c, i]) ** 2
        result[c] = np.sqrt(total / values.shape[1])
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def _take(before, taken, low, high, after):  # type: ignore[no-untyped-def]
    """Fill `after` with `before` less what is taken, which is held between two limits for each column."""
    for c in range(before.shape[0]):
        least, most = low[c], high[c]
        for i in range(before.shape[1]):
            value = taken[c, i]
            value = value if value > least else least
            value = value if value < most else most
            after[c, i] = before[c, i] - value
