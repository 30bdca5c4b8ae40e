"""The two text files of the TELBE notebook, as it writes them.

The sorted file has a pixel and a signal for each pulse. The binned file has the mean signal of each bin, labelled with
the bin's right edge, half a bin late; its first row is always nan. The delay of the arrival filter stays in the times,
and no pulse is left out. Everything else of this pipeline does not do so.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.durable import replacing

_MM_TO_PS = 1 / 299792458 * 2 * 10**9


def on_scale(pixels: NDArray[np.int32], stage: float, stage_zero: float, pixel_to_ps: float) -> NDArray[np.int64]:
    """Return pixels of arrival moved by the stage, cut to whole pixels: int64 [pulse]."""
    moved = pixels.astype(np.float64) + (stage - stage_zero) * _MM_TO_PS / pixel_to_ps
    return moved.astype(np.int64)


def binned(
    pixels: NDArray[np.int64], signals: NDArray[np.float64], pixel_to_ps: float, width: float
) -> NDArray[np.float64]:
    """Return the notebook's binned curve: float64 [bin, 2], right edge in ps and mean signal.

    Means are taken over the same pulses in the same order, so that they are equal in every bit.
    """
    scaled = pixels.astype(np.float64) * pixel_to_ps
    first = int(np.floor(scaled.min() / width))
    count = int(np.ceil(scaled.max() / width)) - first
    edges = np.linspace(first, first + count, num=count + 1) * width
    distinct, where = np.unique(pixels, return_inverse=True)
    number = np.digitize(distinct.astype(np.float64) * pixel_to_ps, edges)[where]
    order = np.argsort(number, kind="stable")
    ends = np.searchsorted(number[order], np.arange(len(edges) + 1))
    sorted_signals = signals[order]
    means = [float(np.mean(sorted_signals[a:b])) if b > a else np.nan for a, b in pairwise(ends)]
    return np.column_stack([edges, means])


def write(
    folder: Path,
    name: str,
    pixels: NDArray[np.int64],
    signals: NDArray[np.float64],
    curve: NDArray[np.float64],
    width: float,
) -> None:
    """Write ``NAME_sorted.dat`` and ``NAME_sorted_binned.dat``; times have as many digits as the bins' width needs."""
    folder.mkdir(exist_ok=True)
    digits = int(np.ceil(np.log10(1 / width)))
    with replacing(folder / f"{name}_sorted_binned.dat") as beside:
        np.savetxt(beside, curve, fmt=f"%0.{max(0, digits)}f %0.8f")
    with replacing(folder / f"{name}_sorted.dat") as beside:
        np.savetxt(beside, np.column_stack([pixels.astype(np.float64), signals]))
