"""An axis that leans in the plane of the detector, and one near its edge: beyond one centre in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.geometry.angles import checked_angles
from pancommons.techniques.tomography.geometry.centre import (
    ROWS,
    Centre,
    Look,
    conclude,
    registration,
    rows_with_signal,
    search,
)
from pancommons.techniques.tomography.geometry.stitching import aligned

STEEPEST = np.deg2rad(5.0)
"""The largest tilt that is looked for."""

FEWEST_ROWS = 32

_LARGEST = 640
"""Rows or columns above which projections are binned: a thousandth of a degree needs no more."""
_BLURS = (8.0, 4.0, 2.0)
_STEPS = 30

_NEAR_EDGE = 0.01


@dataclass(frozen=True)
class Axis:
    """A straight axis in the plane of the detector.

    Attributes
    ----------
    centre
        Column that it projects to in the middle row, (rows - 1) / 2, in pixels.
    tilt
        Angle by which it leans to higher columns at higher rows, radians.
    agreement
        How much of the projections' structure their mirror images share, 0 to 1.
    """

    centre: float
    tilt: float
    agreement: float


def find_axis(first: ArrayLike, second: ArrayLike, *, near: float) -> Axis:
    """Find the line about which projections half a turn apart are mirror images.

    Whole projections are compared, not row by row: the middle of what a row sees of a slanted surface is not on the
    axis (a ball shows no tilt at all in its rows), so that a line through the centres of rows leans too little.

    Parameters
    ----------
    first, second
        float [pair, row, column], line integrals; those of a pair were taken half a turn apart.
    near
        Column of the axis, to within some pixels.

    Returns
    -------
    The axis that makes the squared difference least (Gauss and Newton, from coarse to fine).

    Raises
    ------
    BadInput
        Shapes that do not match, or fewer than `FEWEST_ROWS` rows.
    """
    one, two = np.asarray(first, np.float32), np.asarray(second, np.float32)
    if one.ndim != 3 or one.shape != two.shape:
        raise BadInput(f"expected pairs of projections, not {one.shape} and {two.shape}", field="projections")
    rows, columns = one.shape[1:]
    if rows < FEWEST_ROWS:
        raise BadInput(
            f"{rows} rows are too few to find a tilt in", field="tilt", remedy=f"{FEWEST_ROWS} are the least"
        )
    bins = min(-(-max(rows, columns) // _LARGEST), rows // FEWEST_ROWS)
    if bins > 1:
        found = find_axis(_binned(one, bins), _binned(two, bins), near=(near - (bins - 1) / 2) / bins)
        # The rows that fill no bin are left out below, which moves the middle row up.
        lower = (rows % bins) / 2 * np.tan(found.tilt)
        return Axis(found.centre * bins + (bins - 1) / 2 + float(lower), found.tilt, found.agreement)
    centre, tilt, agreement = float(near), 0.0, 0.0
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    for blur in _BLURS:
        if blur > _BLURS[-1] and rows < 8 * blur:
            continue
        margin = int(2 * blur)  # where the blur reaches beyond the edge
        inside = np.zeros((rows, columns), bool)
        inside[margin : rows - margin, margin : columns - margin] = True
        smooth = [[gaussian_filter(frame, blur) for frame in stack] for stack in (one, two)]
        for _ in range(_STEPS):
            down, across = y - (rows - 1) / 2, x - centre
            along = across * np.sin(tilt) + down * np.cos(tilt)
            there = [2 * along * np.cos(tilt) - down + (rows - 1) / 2, centre + 2 * along * np.sin(tilt) - across]
            seen = inside & (there[0] >= 0) & (there[0] <= rows - 1) & (there[1] >= 0) & (there[1] <= columns - 1)
            normal, right, rest, all_ = np.zeros((2, 2)), np.zeros(2), 0.0, 0.0
            for direct, opposite in zip(*smooth, strict=True):
                image = map_coordinates(opposite, there, order=1, mode="nearest")
                slope_y, slope_x = (map_coordinates(slope, there, order=1) for slope in np.gradient(opposite))
                # The mirror image of a point moves by 2 where the axis moves by 1, and by twice the angle about it.
                design = np.stack([2 * slope_x[seen], 2 * (down * slope_x + across * slope_y)[seen]])
                difference = (direct - image)[seen].astype(np.float64)
                difference -= difference.mean()
                normal, right = normal + design @ design.T, right + design @ difference
                rest, all_ = rest + difference @ difference, all_ + direct[seen].var() * difference.size
            if not np.linalg.cond(normal) < 1e12:
                return Axis(float(near), 0.0, 0.0)
            moved, turned = np.linalg.solve(normal, right)
            limit = blur  # a step is right to about the width of what is compared
            centre += float(np.clip(moved, -limit, limit))
            tilt = float(np.clip(tilt + np.clip(turned, -2 * limit / rows, 2 * limit / rows), -STEEPEST, STEEPEST))
            agreement = max(0.0, 1 - rest / all_) if all_ > 0 else 0.0
            if abs(moved) < 1e-3 and abs(turned) < 1e-5:
                break
    return Axis(centre, tilt, agreement)


def _binned(stack: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    pairs, rows, columns = stack.shape[0], stack.shape[1] // bins, stack.shape[2] // bins
    cut = stack[:, : rows * bins, : columns * bins].reshape(pairs, rows, bins, columns, bins)
    return np.asarray(cut.mean((2, 4)), np.float32)


def find_overlap(
    sinograms: ArrayLike, angles: ArrayLike, *, start: float | None = None, stop: float | None = None
) -> Centre:
    """Find the axis of a half acquisition: the column about which the two halves of the turn agree.

    Parameters
    ----------
    sinograms
        float [slice, angle, column], line integrals over a full turn; those with the most signal are used.
    angles
        float [angle], radians, a full turn in either direction.
    start, stop
        Columns between which to search; by default nearly all.

    Returns
    -------
    The centre with confidence and evidence: the correlation of opposite projections over all the range, and around
    its best the root of the mean squared difference within the strip that both see.

    Raises
    ------
    BadInput
        As `pancommons.techniques.tomography.centre.find_centre`.
    """
    stack = np.asarray(sinograms, np.float32)
    theta = checked_angles(angles)
    if stack.ndim != 3 or stack.shape[1] != theta.size:
        raise BadInput(f"expected [slice, {theta.size} angles, column], not {stack.shape}", field="sinograms")
    width = stack.shape[2]
    low = _NEAR_EDGE * width if start is None else float(start)
    high = width - 1 - _NEAR_EDGE * width if stop is None else float(stop)
    if not 0 <= low < high <= width - 1:
        raise BadInput(f"the range {low:g} to {high:g} lies outside of {width} columns", field="centre")
    order = np.argsort(theta, kind="stable")
    theta = theta[order]
    step = float(np.median(np.diff(theta)))
    rows = rows_with_signal(stack, min(ROWS, len(stack)))
    chosen = stack[rows][:, order]
    broad = registration(chosen, theta, step, low, high)
    pairs = opposite_pairs(theta, step)
    near = max(low, broad.value - 4), min(high, broad.value + 4)
    fine = search("overlap", lambda column: _disagreement(chosen, pairs, column), *near)
    looks = [Look(fine.method, fine.candidates, fine.metric, fine.value, broad.clarity), broad]
    result = conclude([*looks, fine], tuple(int(row) for row in rows))
    return Centre(fine.value, result.confidence, "overlap", (looks[0], broad), result.rows)


def opposite_pairs(ascending: NDArray[np.float64], step: float) -> NDArray[np.int64]:
    """Return int64 [pair, 2]: the projections that lie half a turn apart, to within half a step."""
    after = np.clip(np.searchsorted(ascending, ascending + np.pi), 1, ascending.size - 1)
    gaps = np.abs(ascending[[after - 1, after]] - ascending - np.pi)
    partner = after - (gaps[0] < gaps[1])
    first = np.flatnonzero(gaps.min(0) < 0.5 * step + 1e-9)
    return np.stack([first, partner[first]], axis=1)


def _disagreement(stack: NDArray[np.float32], pairs: NDArray[np.int64], column: float) -> float:
    """Return the root of the mean squared difference between projections and mirror images about a column."""
    width = stack.shape[2]
    left, right = int(np.ceil(max(0.0, 2 * column - width + 1))), int(min(width - 1.0, 2 * column)) + 1
    if right - left < 3:
        return float("inf")
    thin = pairs[:: max(1, len(pairs) // 256)]
    direct = stack[:, thin[:, 0], left:right]
    # Column x of a projection is column 2 column - x of the other: mirrored, moved by 2 column - (width - 1).
    mirrored = aligned(stack[:, thin[:, 1], ::-1], np.full(len(stack), width - 1 - 2 * column))[..., left:right]
    difference = direct - mirrored
    difference -= difference.mean((1, 2), keepdims=True)
    return float(np.sqrt(np.mean(difference**2, dtype=np.float64)))
