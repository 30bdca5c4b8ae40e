"""The intensity of pulses: which of them are kept for it, and the classes they are sorted into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sorting:
    """How pulses are sorted by intensity; found once from a sample of the run, then the same for every pulse.

    Attributes
    ----------
    mean
        Of the intensities.
    edges
        float64 [class + 1], intensities; what lies outside is left out.
    """

    mean: float
    edges: NDArray[np.float64]

    def classes(self, intensity: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the class of each pulse, -1 for one that is left out: int64 [pulse]."""
        found = np.searchsorted(self.edges, intensity, side="right") - 1
        found[(intensity < self.edges[0]) | (intensity > self.edges[-1]) | ~np.isfinite(intensity)] = -1
        return np.minimum(found, len(self.edges) - 2)

    def relative(self, intensity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the intensities over their mean: float64 [pulse]; NaN where they are not positive."""
        return np.where(intensity > 0, intensity / self.mean, np.nan)


def sorting(sample: NDArray[np.float64], low: float = 0, high: float = 100, classes: int = 1) -> Sorting:
    """Find classes of equal size between two percentiles of a sample of intensities.

    A lower end of 0 and an upper end of 100 percent mean no end at all: a sample does not have the extremes.
    """
    sample = sample[np.isfinite(sample)]
    edges = np.percentile(sample, np.linspace(low, high, classes + 1))
    edges[0] = -np.inf if low <= 0 else edges[0]
    edges[-1] = np.inf if high >= 100 else edges[-1]
    return Sorting(float(sample.mean()), edges)
