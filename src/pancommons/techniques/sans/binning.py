"""Bins of wavelength and Q, and moving counts and curves from one set of bins to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PLANCK_OVER_NEUTRON_MASS = 3956.0340
"""h / m of the neutron, m/s Angstrom (CODATA 2018): speed times wavelength."""
_SMALLEST_LAST = 0.25
"""A last bin narrower than this part of a step is joined with the one before."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Binning:
    """Bins from `low` to `high`; `step` is a width, or with `log` the growth from an edge to the next."""

    low: float
    high: float
    step: float
    log: bool = False

    def edges(self) -> Floats:
        """Return the edges, float64 [bin + 1]; the last bin takes in a rest that is too small to stand alone.

        >>> Binning(1.0, 2.1, 0.5).edges()
        array([1. , 1.5, 2.1])
        """
        edges = [self.low]
        while edges[-1] < self.high:
            step = self.step * edges[-1] if self.log else self.step
            enough = edges[-1] + step * (1 + _SMALLEST_LAST) <= self.high
            edges.append(edges[-1] + step if enough else self.high)
        return np.array(edges)


@dataclass(frozen=True)
class Binnings:
    """Bins of several widths, one after the other."""

    parts: tuple[Binning, ...]

    @property
    def low(self) -> float:
        """Return the lowest edge."""
        return self.parts[0].low

    @property
    def high(self) -> float:
        """Return the highest edge."""
        return self.parts[-1].high

    def edges(self) -> Floats:
        """Return the edges of all parts, float64 [bin + 1]."""
        return np.concatenate([self.parts[0].edges(), *(part.edges()[1:] for part in self.parts[1:])])


def read_binning(text: str) -> Binning | Binnings:
    """Read ``low,step,edge,step,high``, with commas: a negative step is a growth.

    Raises
    ------
    ValueError
        If it makes no bins.

    Examples
    --------
    >>> read_binning("0.02,0.05,0.5,-0.1,10")
    Binnings(parts=(Binning(low=0.02, high=0.5, step=0.05, log=False), Binning(low=0.5, high=10.0, step=0.1, log=True)))
    """
    words = [float(word) for word in text.replace(",", " ").split()]
    if len(words) < 3 or len(words) % 2 == 0:
        raise ValueError(text)
    parts = tuple(
        Binning(low, high, abs(step), step < 0)
        for low, step, high in zip(words[:-2:2], words[1::2], words[2::2], strict=True)
    )
    if any(not part.low < part.high or part.step == 0 or (part.log and part.low <= 0) for part in parts):
        raise ValueError(text)
    return parts[0] if len(parts) == 1 else Binnings(parts)


def centres(edges: Floats) -> Floats:
    """Return the middles of bins."""
    return (edges[1:] + edges[:-1]) / 2


def wavelength(time_of_flight: Floats, length: float) -> Floats:
    """Return wavelengths, Angstrom, of neutrons that took so many us for so many metres."""
    return time_of_flight * (1e-6 * PLANCK_OVER_NEUTRON_MASS / length)


def overlap(old: Floats, new: Floats) -> Floats:
    """Return float64 [old bin, new bin]: the fraction of each old bin that lies in each new one."""
    low = np.maximum(old[:-1, None], new[None, :-1])
    high = np.minimum(old[1:, None], new[None, 1:])
    return np.asarray(np.clip(high - low, 0, None) / np.diff(old)[:, None])


def rebin_counts(old: Floats, counts: Floats, variance: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Move counts and their variance into other bins, each in proportion to the overlap."""
    shares = overlap(old, new)
    return counts @ shares, variance @ shares


def rebin_distribution(old: Floats, curve: Floats, variance: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Average a curve, a quantity that does not grow with the width of a bin, over other bins, with its variance."""
    shares, widths, wanted = overlap(old, new), np.diff(old), np.diff(new)
    return (curve * widths) @ shares / wanted, (variance * widths**2) @ shares / wanted**2


def edges_around(points: Floats) -> Floats:
    """Return bin edges half way between points, the outer ones as far outside as the next is inside."""
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])
