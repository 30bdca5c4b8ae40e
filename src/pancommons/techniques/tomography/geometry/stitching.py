"""Half acquisition: a full turn about an axis near the edge, joined to a half turn of a field twice as wide.

A projection and the mirror image of the one half a turn later see the two sides of the sample, and both see a strip
about the axis, where one goes over into the other.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from math import floor

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.geometry.angles import checked_angles

SHARP, SHORT = 16, 8
"""Columns that a value between columns is interpolated from, by a sinc with a Kaiser window: of line integrals within
the field, and where edges that are sharper than pixels would ring far."""

_KAISER = 6.0
_WHOLE_TURN = 1.9 * np.pi


def extent(columns: int, first: float, last: float) -> tuple[int, int]:
    """Return how far a field about axes from column `first` to `last` begins before the detector, and its width.

    The field reaches as far on the short side of the axis as on the long one. Column j of it is column j - begin of the
    detector, so that no value of the long side is moved.
    """
    before = max(0, floor(columns - 1 - 2 * first))
    return before, max(columns, floor(2 * last) + 1) + before


def stitched(
    sinograms: ArrayLike,
    angles: ArrayLike,
    centre: float,
    *,
    shifts: ArrayLike | None = None,
    field: tuple[int, int] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Join the two halves of a full turn about an axis near the edge.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column], line integrals.
    angles
        float [angle], radians, a full turn in either direction, in any order.
    centre
        Column of the rotation axis.
    shifts
        float [slice], how far right of `centre` the axis of each slice lies, pixels; by default nowhere.
    field
        What `extent` gives, if it is to be that of other axes too; by default that of the slices.

    Returns
    -------
    sinograms
        float32 [slice, angle of half a turn, column of the wide field]; the axis of a slice lies at its column of the
        detector plus ``field[0]``. In the strip that both halves see their weights go over smoothly; columns that
        neither sees repeat the outermost ones.
    angles
        float64 [angle], radians, ascending.

    Raises
    ------
    BadInput
        The angles are no full turn, shapes do not match, or the axis lies outside of the detector.
    """
    stack = np.ascontiguousarray(sinograms, np.float32)
    theta = checked_angles(angles)
    if stack.ndim != 3 or stack.shape[1] != theta.size:
        raise BadInput(f"expected [slice, {theta.size} angles, column], not {stack.shape}", field="sinograms")
    axes = np.full(len(stack), float(centre)) + (0.0 if shifts is None else np.asarray(shifts, np.float64))
    columns = stack.shape[2]
    if not (axes.min(initial=centre) > 0 and axes.max(initial=centre) < columns - 1):
        raise BadInput(f"the rotation axis {centre:g} lies outside of {columns} columns", field="centre")
    order = np.argsort(theta, kind="stable")
    ascending = theta[order]
    step = float(np.median(np.diff(ascending)))
    if ascending[-1] - ascending[0] + step < _WHOLE_TURN:
        raise BadInput(
            f"a half acquisition needs a turn of 360 degrees, not {np.rad2deg(ascending[-1] - ascending[0]):.4g}",
            field="angles",
        )
    count = int(np.searchsorted(ascending, ascending[0] + np.pi - step / 2))
    begin, width = extent(columns, float(axes.min()), float(axes.max())) if field is None else field
    after, share = _opposite(ascending, count)
    result = np.empty((len(stack), count, width), np.float32)
    for sinogram, axis, target in zip(stack, axes, result, strict=True):
        # Column j of the field is column 2 axis + begin - j of the mirror image.
        reach = 2 * axis + begin
        whole = floor(reach)
        _join(
            sinogram, order, after, share, begin, whole, _between(reach - whole, SHARP), _feather(columns, axis), target
        )  # fmt: skip
    return result, ascending[:count]


def aligned(sinograms: NDArray[np.float32], shifts: ArrayLike) -> NDArray[np.float32]:
    """Return sinograms moved to the left by a part of a column each, for methods that take one axis for all.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column].
    shifts
        float [slice], pixels.
    """
    result = np.empty(sinograms.shape, np.float32)
    for sinogram, shift, target in zip(sinograms, np.asarray(shifts, np.float64), result, strict=True):
        whole = floor(shift)
        _moved(np.ascontiguousarray(sinogram), whole, _between(shift - whole, SHORT), target)
    return result


def levelled(frames: NDArray[np.float32], tilt: float) -> NDArray[np.float32]:
    """Return frames whose rows are straight across a leaning axis: each column is moved along itself.

    Parameters
    ----------
    frames
        float32 [projection, row, column].
    tilt
        Angle by which the axis leans to higher columns at higher rows, radians.

    Returns
    -------
    float32 [projection, row, column]. In a row, now of one height on the sample, the axis is still to the right by the
    tilt's tangent times the distance to the middle row; to the second order in the tilt nothing else is changed.
    """
    columns = frames.shape[2]
    shifts = -np.tan(tilt) * (np.arange(columns) - (columns - 1) / 2)
    moved = aligned(np.ascontiguousarray(frames.transpose(2, 0, 1)), shifts)
    return np.ascontiguousarray(moved.transpose(1, 2, 0))


def _opposite(ascending: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each angle of the first half the two angles around the opposite one, and the share of the second."""
    closed = np.append(ascending, ascending[0] + 2 * np.pi)
    wanted = ascending[:count] + np.pi
    last = np.clip(np.searchsorted(closed, wanted - 1e-9), 1, ascending.size)
    gap = closed[last] - closed[last - 1]
    share = np.clip((wanted - closed[last - 1]) / np.where(gap > 0, gap, 1), 0, 1)
    share[np.abs(share - np.rint(share)) < 1e-3] = np.rint(share[np.abs(share - np.rint(share)) < 1e-3])
    pairs = np.stack([last - 1, last % ascending.size], axis=1)
    return pairs, share.astype(np.float32)


def _between(part: float, taps: int) -> NDArray[np.float32]:
    """Return the weights of the columns around a value `part` of a column above the last of their first half."""
    distance = np.arange(taps) - (taps // 2 - 1) - part
    weights = np.sinc(distance) * np.i0(_KAISER * np.sqrt(np.clip(1 - (distance / (taps / 2)) ** 2, 0, None)))
    return np.asarray(weights / weights.sum(), np.float32)


def _feather(columns: int, axis: float) -> NDArray[np.float32]:
    """Return the weight of each column of a projection against its partner's: 1 on the long side, 0.5 at the axis."""
    half = min(axis, columns - 1 - axis)
    away = np.arange(columns) - axis
    towards = -away if axis > (columns - 1) / 2 else away
    return np.asarray(0.5 + 0.5 * np.sin(0.5 * np.pi * np.clip(towards / half, -1, 1)), np.float32)


@njit(nogil=True, cache=True, error_model="numpy")
def _join(sinogram, order, after, share, begin, whole, weights, feather, out):
    """Fill `out` [angle of half a turn, column of the field] from a full turn."""
    columns = sinogram.shape[1]
    middle = weights.size // 2 - 1
    mirror = np.empty(columns, np.float32)
    for i in range(out.shape[0]):
        direct, one, two, part = sinogram[order[i]], order[after[i, 0]], order[after[i, 1]], share[i]
        for x in range(columns):
            mirror[x] = (np.float32(1) - part) * sinogram[one, x] + part * sinogram[two, x]
        for j in range(out.shape[1]):
            x = j - begin
            seen = 0 <= x < columns
            weight = feather[x] if seen else np.float32(0)
            value = np.float32(0)
            if weight < 1:
                for t in range(weights.size):
                    at = whole - j + t - middle
                    value += weights[t] * mirror[min(max(at, 0), columns - 1)]
            out[i, j] = weight * direct[x] + (np.float32(1) - weight) * value if seen else value


@njit(nogil=True, cache=True, error_model="numpy")
def _moved(sinogram, whole, weights, out):
    columns = sinogram.shape[1]
    middle = weights.size // 2 - 1
    for i in range(sinogram.shape[0]):
        for x in range(columns):
            value = np.float32(0)
            for t in range(weights.size):
                value += weights[t] * sinogram[i, min(max(x + whole + t - middle, 0), columns - 1)]
            out[i, x] = value
