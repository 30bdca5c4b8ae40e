"""Projection angles: what is acceptable, and how much of the turn each projection stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput

MISSING_GAPS = 4.0
MISSING_RANGE = np.pi / 60
"""A gap wider than both this many median gaps and this angle is a range of angles that is missing."""


def checked_angles(angles: ArrayLike) -> NDArray[np.float64]:
    """Return projection angles as float64 [angle], in radians.

    Raises
    ------
    BadInput
        Fewer than two angles, more than one dimension, or angles that are not finite.
    """
    checked = np.ascontiguousarray(angles, np.float64)
    if checked.ndim != 1:
        raise BadInput(f"expected a list of angles, not an array of shape {checked.shape}", field="angles")
    if checked.size < 2:
        raise BadInput(f"{checked.size} angles are too few to reconstruct from", field="angles")
    if not np.isfinite(checked).all():
        at = int(np.flatnonzero(~np.isfinite(checked))[0])
        raise BadInput(f"angle {at} is {checked[at]}", field="angles", remedy="leave that projection out")
    return checked


def angular_shares(angles: ArrayLike) -> NDArray[np.float64]:
    """Return the part of the half turn that each projection stands for.

    Projections half a turn apart are mirror images of each other, so angles are taken modulo pi and each
    projection gets half of the gap on either side. Projections at the same angle share equally: both ends of
    a scan from 0 to pi count half, every one of a full turn's counts half. Where a range of angles is missing
    (a gap above `WIDEST_GAP` median gaps), the projections at its rims get no more than half a median gap
    there.

    Parameters
    ----------
    angles
        float [angle], radians, in any order, equally spaced or not.

    Returns
    -------
    float64 [angle], radians; the sum is pi for a complete scan.
    """
    folded = np.mod(checked_angles(angles), np.pi)
    order = np.argsort(folded, kind="stable")
    ascending = folded[order]
    tolerance = 1e-3 * np.pi / folded.size
    group = np.concatenate(([0], np.cumsum(np.diff(ascending) > tolerance)))
    if group[-1] > 0 and ascending[0] + np.pi - ascending[-1] <= tolerance:
        group[group == group[-1]] = 0
    members = np.bincount(group)
    if members.size == 1:
        return np.full(folded.size, np.pi / folded.size)
    firsts = ascending[np.unique(group, return_index=True)[1]]
    gaps = np.diff(np.append(firsts, firsts[0] + np.pi))
    median = float(np.median(gaps))
    gaps[gaps > max(MISSING_GAPS * median, MISSING_RANGE)] = median
    shares = (gaps + np.roll(gaps, 1)) / 2 / members
    result = np.empty(folded.size)
    result[order] = shares[group]
    return result
