"""Extrema, mean and deviation of a dataset, in slabs, so that memory does not grow with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.nexus.serving.budget import Budget, Clock, Refused
from pancommons.nexus.serving.selection import select
from pancommons.nexus.serving.types import varies
from pancommons.nexus.serving.values import block, check_chunks, dtype_of

_SLAB_BYTES = 16 << 20
_LESS = "ask for the statistics of a selection"


@dataclass
class _Gathered:
    """What is known of the values so far; mean and squares by the pairwise formulas of Chan et al. (1983)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: Any = None
    most: Any = None
    positive: Any = None
    above_zero: Any = None

    def add(self, values: NDArray[Any]) -> None:
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            values = values if finite.all() else values[finite]
        if values.size == 0:
            return
        exact = values.astype(np.float64, copy=False)
        mean = float(exact.mean())
        squares = float(np.square(exact - mean).sum())
        total = self.count + values.size
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * values.size / total
        self.mean += apart * values.size / total
        self.count = total
        least, most = values.min().item(), values.max().item()
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)
        self.positive = _smallest(self.positive, values[values >= 0])
        self.above_zero = _smallest(self.above_zero, values[values > 0])


def _smallest(known: Any, values: NDArray[Any]) -> Any:
    if values.size == 0:
        return known
    least = values.min().item()
    return least if known is None else min(known, least)


def statistics(dataset: Any, text: str | None, budget: Budget, clock: Clock) -> dict[str, float | int | None]:
    """Return minimum, maximum, smallest value of 0 and above, and above 0, mean and standard deviation.

    Values that are not finite are left out. Of integers, mean and deviation are cut to integers too, as the
    protocol has it. All are None where there are no values.

    Raises
    ------
    Refused
        413 if there is not time enough, 422 if the values are no real numbers.
    """
    dtype = dtype_of(dataset)
    if varies(dtype) or dtype.kind not in "biuf":
        raise Refused(422, "only real numbers have statistics")
    gathered = _Gathered()
    if dataset.shape is not None:
        selection = select(text, dataset.shape)
        check_chunks(dataset, selection, budget, whole=False)
        for piece, _ in selection.blocks(max(1, _SLAB_BYTES // dtype.itemsize), dataset.chunks):
            clock.check(_LESS)
            gathered.add(np.asarray(block(dataset, piece)))
    cast = float if dtype.kind == "f" else int
    some = gathered.count > 0
    return {
        "strict_positive_min": None if gathered.above_zero is None else cast(gathered.above_zero),
        "positive_min": None if gathered.positive is None else cast(gathered.positive),
        "min": cast(gathered.least) if some else None,
        "max": cast(gathered.most) if some else None,
        "mean": cast(gathered.mean) if some else None,
        "std": cast(math.sqrt(gathered.squares / gathered.count)) if some else None,
    }
