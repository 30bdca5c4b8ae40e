"""Where stripes are: columns whose figure stands out from what noise makes of the others.

N. T. Vo, R. C. Atwood, M. Drakopoulos, Opt. Express 26, 28396 (2018), algorithm 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-5
"""A spread of the figures below this is taken for this: it comes from rounding, not from the detector."""


def stripes(figures: NDArray[np.float64], ratio: float) -> NDArray[np.bool_]:
    """Return which columns are part of a stripe, one neighbour on each side included.

    The figures are put in order and a straight line is fitted to the middle half of them. What it spans is the noise;
    where the smallest or the largest figure is `ratio` times as far from its end, those further away than half of
    that are stripes.

    Parameters
    ----------
    figures
        float64 [column], about 1 for a good column.
    ratio
        How far a figure has to stand out, in units of the noise; the larger, the fewer stripes.
    """
    count = figures.size
    rising = np.sort(figures)
    quarter = count // 4
    place = np.arange(quarter, count - quarter - 1, dtype=np.float64)
    found = np.zeros(count, np.bool_)
    if place.size < 2:
        return found
    middle = rising[quarter : count - quarter - 1]
    offset = place - place.mean()
    slope = float((offset * middle).sum() / (offset * offset).sum())
    low = float(middle.mean() - slope * place.mean())
    high = low + slope * (count - 1)
    noise = max(abs(high - low), _ROUNDING)
    if rising[-1] - high >= ratio * noise:
        found |= figures > high + ratio * noise / 2
    if low - rising[0] >= ratio * noise:
        found |= figures <= low - ratio * noise / 2
    wider = found.copy()
    wider[1:] |= found[:-1]
    wider[:-1] |= found[1:]
    return wider
