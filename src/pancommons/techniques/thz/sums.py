"""Pulses added up: their number, the sum of their signals and the sum of the squares, for each pixel of arrival.

These three say all that a mean and its error need, take memory for the pixels only and not for the pulses, can be put
into time bins of any width afterwards, and those of several runs or parts are simply added.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sums:
    """Pulses added up.

    Attributes
    ----------
    count
        int64 [..., pixel], pulses.
    total, squares
        float64 [..., pixel], sum of their signals, and of the squares, in arbitrary units and these squared.
    """

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    def __add__(self, other: Sums) -> Sums:
        """Add two sets of pulses."""
        return Sums(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def __getitem__(self, what: int | slice) -> Sums:
        """Return some of the sums, by their first axis."""
        return Sums(self.count[what], self.total[what], self.squares[what])

    def mean(self) -> NDArray[np.float64]:
        """Return the mean signal, NaN where there is no pulse."""
        mean: NDArray[np.float64] = np.full(self.total.shape, np.nan)
        return np.divide(self.total, self.count, out=mean, where=self.count > 0)

    def error(self) -> NDArray[np.float64]:
        """Return the standard error of the mean, NaN where there is no pulse.

        The variance is that of the pulses of the bin; where there are fewer than eight of them, that of the pulses of
        all bins about their bins' means, which few pulses cannot tell by themselves.
        """
        count = self.count
        with np.errstate(divide="ignore", invalid="ignore"):
            about = np.maximum(self.squares - self.total**2 / count, 0.0)
            own = about / (count - 1)
            several = count > 1
            freedom = int((count[several] - 1).sum())
            pooled = float(about[several].sum() / freedom) if freedom else np.nan
            return np.where(count > 0, np.sqrt(np.where(count >= _ENOUGH, own, pooled) / count), np.nan)


_ENOUGH = 8


def empty_sums(*shape: int) -> Sums:
    """Return sums of no pulses."""
    return Sums(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape))


def add_pulses(sums: Sums, pixels: NDArray[np.int32], signals: NDArray[np.float64]) -> None:
    """Add pulses to sums over pixels, in one pass, in their order.

    Parameters
    ----------
    sums
        Of shape [pixel]; changed.
    pixels
        int32 [pulse]; those outside the sums are left out.
    signals
        float64 [pulse], arbitrary units.
    """
    _add(pixels, signals, sums.count, sums.total, sums.squares)


@njit(nogil=True, cache=True, error_model="numpy")
def _add(pixels, signals, count, total, squares):
    width = np.uint32(count.shape[0])
    for index in range(pixels.shape[0]):
        pixel = np.uint32(pixels[index])
        if pixel < width:
            signal = signals[index]
            count[pixel] += 1
            total[pixel] += signal
            squares[pixel] += signal * signal


@dataclass(frozen=True)
class Binned:
    """Sums over bins of time.

    Attributes
    ----------
    edges
        float64 [bin + 1], ps.
    sums
        Of shape [..., bin].
    """

    edges: NDArray[np.float64]
    sums: Sums

    @property
    def centres(self) -> NDArray[np.float64]:
        """Return the middle of each bin: float64 [bin], ps."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])


def bin_sums(sums: Sums, times: NDArray[np.float64], width: float) -> Binned:
    """Put sums over pixels of arrival into bins of time.

    Bins begin at whole multiples of their width; they run from the first to the last that has a pulse.

    Parameters
    ----------
    sums
        Of shape [..., position, pixel].
    times
        float64 [position, pixel], the time that each stands for, in ps.
    width
        Of a bin, in ps.

    Returns
    -------
    Binned
        Sums of shape [..., bin].
    """
    number = np.floor(times / width + 1e-9).astype(np.int64)
    lead = sums.count.shape[: -times.ndim]
    filled = sums.count.reshape(-1, *times.shape).any(axis=0)
    if not filled.any():
        return Binned(np.zeros(1), empty_sums(*lead, 0))
    first, last = int(number[filled].min()), int(number[filled].max()) + 1
    where = number[filled] - first

    def folded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = values.reshape(-1, *times.shape)
        rows = [np.bincount(where, one[filled], last - first).astype(np.float64) for one in flat]
        return np.stack(rows).reshape(*lead, last - first)

    count = np.rint(folded(sums.count.astype(np.float64))).astype(np.int64)
    edges = np.arange(first, last + 1, dtype=np.float64) * width
    return Binned(edges, Sums(count, folded(sums.total), folded(sums.squares)))


def stacked(parts: Iterable[Sums]) -> Sums:
    """Put sums over each other along a new first axis."""
    some = list(parts)
    return Sums(
        np.stack([one.count for one in some]),
        np.stack([one.total for one in some]),
        np.stack([one.squares for one in some]),
    )
