"""Benchmarks: what this project claims about speed and accuracy, as ratios measured in one run.

Every other module of this package has a function ``measure()`` that returns rows. `python -m benchmarks` runs all of
them, or those named. One thread is used throughout, set before numpy and numba are imported, and times are CPU times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes
    ----------
    name
        What is measured.
    ours, bar
        The figure and what it has to reach.
    at_least
        Whether the figure has to be at least the bar, or at most.
    detail
        The figures behind it.
    """

    name: str
    ours: float
    bar: float
    at_least: bool = True
    detail: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.ours >= self.bar if self.at_least else self.ours <= self.bar


def cpu_seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Return the median of the CPU seconds that `work` takes; call it once before, to compile."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return median(taken)
