"""From counts to line integrals: dark and flat fields, attenuation, the order of a sinogram.

Counts come as frames, [angle, row, column]; line integrals leave as sinograms, [row, angle, column]. All of
it is one pass over the counts: subtract the dark field, divide by what the flat field was at that moment,
take minus the logarithm.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput

LEAST_TRANSMISSION = 1e-6
"""Transmission that anything lower is raised to, by default, before the logarithm."""

Average = Literal["mean", "median"]
Counts = NDArray[np.unsignedinteger[Any]] | NDArray[np.signedinteger[Any]] | NDArray[np.floating[Any]]


@dataclass(frozen=True)
class FlatField:
    """What the detector saw without a sample, once or several times during the scan.

    Attributes
    ----------
    gains
        float32 [set, row, column], one over (flat minus dark), 1 / counts; 0 for pixels that cannot be
        corrected.
    dark
        float32 [row, column], counts.
    positions
        float64 [set], ascending, where in the sequence of projections each set was taken (0 is the first
        projection).
    dead
        bool [row, column]: pixels where, in some set, the flat field is not above the dark field or is not
        finite.
    """

    gains: NDArray[np.float32]
    dark: NDArray[np.float32]
    positions: NDArray[np.float64]
    dead: NDArray[np.bool_]

    @property
    def dead_count(self) -> int:
        """Number of pixels that cannot be corrected and take the mean of their neighbours in the row."""
        return int(self.dead.sum())


@dataclass(frozen=True)
class Repairs:
    """What had to be mended in a block of projections.

    Attributes
    ----------
    values
        Values in the block.
    clamped
        Values whose transmission was below the least one (zero counts among them).
    not_finite
        Counts that were not finite; they were taken from the neighbours in the row.
    dead_pixels
        Detector pixels without a valid flat field, within the block's rows.
    """

    values: int
    clamped: int
    not_finite: int
    dead_pixels: int

    def __add__(self, other: Repairs) -> Repairs:
        """Return the repairs of two blocks of different rows together."""
        return Repairs(
            self.values + other.values,
            self.clamped + other.clamped,
            self.not_finite + other.not_finite,
            self.dead_pixels + other.dead_pixels,
        )


def averaged(frames: ArrayLike, how: Average = "mean") -> NDArray[np.float32]:
    """Return the average of flat or dark frames.

    Parameters
    ----------
    frames
        Any number type, [frame, row, column] or one frame [row, column], counts.
    how
        ``mean``, or ``median`` which ignores zingers and frames with the shutter closed.

    Returns
    -------
    float32 [row, column], counts.

    Raises
    ------
    BadInput
        No frames, or not two or three dimensions.
    """
    stack = np.asarray(frames)
    if stack.ndim == 2:
        stack = stack[None]
    if stack.ndim != 3 or stack.shape[0] == 0:
        raise BadInput(f"expected frames [frame, row, column], not the shape {stack.shape}", field="flats or darks")
    if how == "mean":
        return np.asarray(np.mean(stack, axis=0, dtype=np.float64), np.float32)
    if how == "median":
        result = np.empty(stack.shape[1:], np.float32)
        rows = max(1, (16 << 20) // (8 * stack.shape[0] * stack.shape[2]))
        for start in range(0, stack.shape[1], rows):
            result[start : start + rows] = np.median(stack[:, start : start + rows], axis=0)
        return result
    raise BadInput(f"there is no average {how!r}", field="flats", remedy="choose mean or median")


def flat_field(
    flats: Sequence[NDArray[np.float32]],
    dark: NDArray[np.float32] | None = None,
    positions: Sequence[float] | None = None,
) -> FlatField:
    """Prepare flat and dark fields for `attenuation`.

    Parameters
    ----------
    flats
        One averaged flat field or several, each float32 [row, column], counts.
    dark
        float32 [row, column], counts; none is zero.
    positions
        Where in the sequence of projections each flat field was taken: -0.5 before the first projection, and
        n - 0.5 after the last of n. Needed for several; between two, a projection's flat field is interpolated.

    Raises
    ------
    BadInput
        Shapes or numbers do not match, or no pixel has a flat field above its dark field.
    """
    if len(flats) == 0:
        raise BadInput("there is no flat field", field="flats")
    if positions is None:
        if len(flats) > 1:
            raise BadInput(f"{len(flats)} flat fields, but it is not said when they were taken", field="flats")
        positions = [0.0]
    if len(positions) != len(flats):
        raise BadInput(f"{len(flats)} flat fields, but {len(positions)} positions", field="flats")
    stack = np.stack([np.asarray(flat, np.float32) for flat in flats])
    if stack.ndim != 3:
        raise BadInput(f"expected flat fields [row, column], not {stack.shape[1:]}", field="flats")
    black = np.zeros(stack.shape[1:], np.float32) if dark is None else np.asarray(dark, np.float32)
    if black.shape != stack.shape[1:]:
        raise BadInput(f"the dark field is {black.shape}, the flat fields are {stack.shape[1:]}", field="darks")
    order = np.argsort(positions, kind="stable")
    difference = stack[order] - black
    with np.errstate(invalid="ignore"):
        dead = ~((difference > 0) & np.isfinite(difference)).all(axis=0)
    if dead.all():
        raise BadInput(
            "the flat field is nowhere above the dark field",
            field="flats",
            remedy="check whether the two are swapped",
        )
    gains = np.zeros_like(difference)
    np.divide(1, difference, out=gains, where=~dead)
    return FlatField(gains, np.where(dead, 0, black), np.asarray(positions, np.float64)[order], dead)


def attenuation(
    counts: Counts,
    field: FlatField,
    *,
    rows: slice | None = None,
    first: int = 0,
    least: float = LEAST_TRANSMISSION,
    out: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], Repairs]:
    """Turn counts into line integrals in the order of sinograms.

    Parameters
    ----------
    counts
        [angle, row, column], any number type; computed with as float32.
    field
        The flat and dark fields of all of the detector, or of just these rows if `rows` is left out.
    rows
        The detector rows that `counts` holds.
    first
        Index of the first projection of `counts` within the scan, for flat fields that change.
    least
        Transmission that anything lower is raised to.
    out
        float32 [row, angle, column] for the result, for instance a part of a larger array.

    Returns
    -------
    float32 [row, angle, column], minus the logarithm of the transmission, dimensionless; and what was mended.
    A pixel without a valid flat field, or a count that is not finite, takes the mean of the nearest good
    neighbours in its row (0, transmission 1, where there is none).

    Raises
    ------
    BadInput
        Shapes that do not match.
    """
    values = np.asarray(counts)
    if rows is None:
        rows = slice(None)
    gains, dark, dead = field.gains[:, rows], field.dark[rows], field.dead[rows]
    if values.ndim != 3 or values.shape[1:] != dark.shape:
        raise BadInput(f"projections of {values.shape[1:]} pixels, but flat fields of {dark.shape}", field="data")
    if not 0 < least < 1:
        raise BadInput(f"the least transmission {least} is not between 0 and 1", field="least transmission")
    angles, height, width = values.shape
    if out is None:
        out = np.empty((height, angles, width), np.float32)
    elif out.shape != (height, angles, width) or out.dtype != np.float32:
        raise BadInput(f"expected float32 {(height, angles, width)}, not {out.dtype} {out.shape}", field="out")
    before, share = neighbouring_flats(field.positions, first + np.arange(angles))
    clamped, not_finite = 0, 0
    line = np.empty((angles, width), np.float32)
    for y in range(height):
        line[:] = values[:, y]
        low, wrong = _attenuate(
            line, np.ascontiguousarray(gains[:, y]), dark[y], before, share, np.float32(least), out[y]
        )
        if dead[y].any():
            low -= np.count_nonzero(np.isfinite(line[:, dead[y]]))
        if wrong or dead[y].any():
            mend(out[y], dead[y], ~np.isfinite(line))
        clamped, not_finite = clamped + int(low), not_finite + int(wrong)
    return out, Repairs(values.size, clamped, not_finite, int(dead.sum()))


def mend(
    sinogram: NDArray[np.float32], dead: NDArray[np.bool_], strange: NDArray[np.bool_], nothing: float = 0.0
) -> None:
    """Replace bad values of a sinogram by the mean of the nearest good ones in their projection, or by `nothing`."""
    singular = strange.any(axis=1)
    for chosen, bad in [(~singular, dead), *((i, dead | strange[i]) for i in np.flatnonzero(singular))]:
        rows = sinogram[chosen]
        good = np.flatnonzero(~bad)
        columns = np.flatnonzero(bad)
        if good.size == 0:
            rows[...] = nothing
        elif columns.size:
            after = np.searchsorted(good, columns)
            left, right = good[np.maximum(after - 1, 0)], good[np.minimum(after, good.size - 1)]
            left, right = np.where(after == 0, right, left), np.where(after == good.size, left, right)
            rows[..., columns] = (rows[..., left] + rows[..., right]) / 2
        sinogram[chosen] = rows


def neighbouring_flats(
    positions: NDArray[np.float64], frames: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each frame the flat field before it, and the weight of the next one."""
    if positions.size == 1:
        return np.zeros(frames.size, np.int64), np.zeros(frames.size, np.float32)
    before = np.clip(np.searchsorted(positions, frames, "right") - 1, 0, positions.size - 2)
    gap = positions[before + 1] - positions[before]
    share = np.clip((frames - positions[before]) / np.where(gap > 0, gap, 1), 0, 1)
    return before, share.astype(np.float32)


@njit(nogil=True, cache=True, error_model="numpy")
def _attenuate(counts, gains, dark, before, share, least, out):
    """Fill `out` [angle, column] for one row; return how many values were clamped and how many were not finite."""
    angles, width = counts.shape
    transmission, exponent = np.empty(width, np.float32), np.empty(width, np.float32)
    clamped, strange = 0, 0
    for i in range(angles):
        line, g, h, w = counts[i], gains[before[i]], gains[min(before[i] + 1, len(gains) - 1)], share[i]
        transmit(line, dark, g, h, w, transmission)
        low, wrong = _clamp(transmission, least)
        _minus_logarithm(transmission, exponent, out[i])
        strange += wrong
        clamped += low
    return clamped, strange


@njit(nogil=True, cache=True, error_model="numpy")
def transmit(line, dark, g, h, share, out):
    """Fill `out` with the transmission; the flat field is interpolated, not one over it (g before, h after)."""
    one, none = np.float32(1), np.float32(0)
    if share == 0:
        for x in range(line.size):
            out[x] = (line[x] - dark[x]) * g[x]
        return
    for x in range(line.size):
        mixed = (one - share) * h[x] + share * g[x]
        out[x] = (line[x] - dark[x]) * (g[x] * h[x] / mixed if mixed > 0 else none)


@njit(nogil=True, cache=True, error_model="numpy")
def _clamp(values, least):
    """Raise what is below `least`, or not a number; return how many were below, and how many were not finite."""
    low, wrong = np.int32(0), np.int32(0)
    for x in range(values.size):
        t = values[x]
        low += np.int32(t < least)
        wrong += np.int32(t - t != 0)
        values[x] = t if t > least else least
    return low, wrong


@njit(nogil=True, cache=True, error_model="numpy")
def _minus_logarithm(values, exponent, out):
    """Fill `out` with minus the natural logarithm of positive float32 values, which are overwritten.

    Plain arithmetic, so that the compiler turns it into vector instructions: with v = m 2^e and m between the
    square roots of 1/2 and 2, log m = 2 artanh s, s = (m - 1) / (m + 1), whose series is exact to float32
    after five terms.
    """
    bits = values.view(np.int32)
    for x in range(values.size):
        e = (bits[x] - np.int32(0x3F3504F3)) >> np.int32(23)
        bits[x] -= e << np.int32(23)
        exponent[x] = np.float32(e)
    one, two = np.float32(1), np.float32(2)
    c3, c5, c7, c9 = np.float32(2 / 3), np.float32(2 / 5), np.float32(2 / 7), np.float32(2 / 9)
    high, rest = np.float32(0.693359375), np.float32(-2.12194440e-4)  # log 2, the first part short
    for x in range(values.size):
        m, e = values[x], exponent[x]
        s = (m - one) / (m + one)
        q = s * s
        out[x] = -(e * high + (s * two + (s * q * (c3 + q * (c5 + q * (c7 + q * c9))) + e * rest)))
