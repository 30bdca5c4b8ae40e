"""Projections half a turn apart, as whole frames: what they say of a leaning axis and of a half acquisition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.correction.attenuation import FlatField, attenuation, averaged, flat_field
from pancommons.techniques.tomography.geometry.axis import Axis, find_axis
from pancommons.techniques.tomography.geometry.centre import Look, registration
from pancommons.techniques.tomography.reading.scan import FrameSet, Scan

_PAIRS, _MANY = 4, 16
_ROWS = 64
_LEAST = 1e-3
_OFF = 0.125
"""How far from the middle, as a part of the width, the axis of a half acquisition is at least."""
_CLEAR = 0.1


def opposite_projections(
    scan: Scan, field: FlatField, rows: slice = slice(None), most: int = _PAIRS
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read projections that lie half a turn apart, to within one and a half steps.

    Parameters
    ----------
    scan, field
        The scan and the flat and dark fields of the rows wanted.
    rows
        The rows wanted.
    most
        How many pairs at most, evenly over the turn.

    Returns
    -------
    float32 [pair, row, column] twice, line integrals.

    Raises
    ------
    BadInput
        The scan turns through less than half a turn.
    """
    order, partner, gaps, firsts = _partners(scan.angles)
    if firsts.size == 0:
        raise BadInput("no two projections lie half a turn apart", file=scan.path, field="angles")
    near, step = gaps[firsts], float(np.median(np.diff(scan.angles[order])))
    firsts = firsts[near <= near.min() + 0.1 * step]
    chosen = firsts[(np.arange(min(most, firsts.size)) * firsts.size / min(most, firsts.size)).astype(np.int64)]
    one, two = (_integrals(scan, field, order[indices], rows) for indices in (chosen, partner[chosen]))
    return one, two


def _partners(angles: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """Return the ascending order, each one's partner in it half a turn on, its gap, and which have one."""
    order = np.argsort(angles, kind="stable")
    ascending = angles[order]
    step = float(np.median(np.diff(ascending)))
    after = np.clip(np.searchsorted(ascending, ascending + np.pi), 1, ascending.size - 1)
    gaps = np.abs(ascending[[after - 1, after]] - ascending - np.pi)
    partner = after - (gaps[0] < gaps[1])
    return order, partner, gaps.min(0), np.flatnonzero(gaps.min(0) <= 1.5 * step)


def has_opposite(angles: NDArray[np.float64]) -> bool:
    """Tell whether any two projections lie half a turn apart, to within one and a half steps; angles in radians."""
    return _partners(angles)[3].size > 0


def working_bytes(rows: int, columns: int) -> int:
    """Return the bytes that `find_tilt` takes: pairs of whole projections, and what they are compared with binned."""
    return 4 * 4 * _PAIRS * rows * columns + (96 << 20)


def _integrals(scan: Scan, field: FlatField, projections: NDArray[np.int64], rows: slice) -> NDArray[np.float32]:
    frames = []
    for index in projections.tolist():
        counts = scan.read_frames(index, index + 1, rows)
        frames.append(attenuation(counts, field, first=index, least=_LEAST)[0][:, 0])
    return np.stack(frames)


def find_tilt(scan: Scan, field: FlatField, centre: float | None = None) -> Axis:
    """Find how far the axis leans, from projections half a turn apart; `centre` is its column, where it is known."""
    one, two = opposite_projections(scan, field)
    if centre is None:
        middle = slice(max(0, scan.rows // 2 - _ROWS // 2), scan.rows // 2 + _ROWS // 2)
        centre = _registered(one[:, middle], two[:, middle]).value
    return find_axis(one, two, near=centre)


def looks_half(scan: Scan) -> bool:
    """Judge, by some projections of a full turn, whether its axis is so far off that it is a half acquisition."""
    middle = slice(max(0, scan.rows // 2 - _ROWS // 2), min(scan.rows, scan.rows // 2 + _ROWS // 2))
    flats, darks = (_some(frames, middle) for frames in (scan.flats, scan.darks))
    if flats is None:
        return False
    one, two = opposite_projections(scan, flat_field([flats], darks), middle, _MANY)
    look = _registered(one, two)
    return look.clarity > _CLEAR and abs(look.value - (scan.columns - 1) / 2) > _OFF * scan.columns


def _some(sets: tuple[FrameSet, ...], rows: slice) -> NDArray[np.float32] | None:
    """Average the first few frames of the first set that has any."""
    for frames in sets:
        if frames.stack is not None:
            return averaged(frames.stack.read(frames.frames[:_PAIRS], rows))
    return None


def _registered(one: NDArray[np.float32], two: NDArray[np.float32]) -> Look:
    """Correlate projections with the mirror images of their partners, in all rows at once."""
    pairs, _, width = one.shape
    stack = np.concatenate([one, two]).transpose(1, 0, 2)
    step = np.pi / pairs
    return registration(stack, np.arange(2 * pairs) * step, step, 0.01 * width, 0.99 * width - 1)
