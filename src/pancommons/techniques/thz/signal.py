"""The signal of a pulse, from its ADC trace: the first half is measured with the pump, the second without."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray


def signals(traces: NDArray[np.float32], pump: Literal["trace", "alternate", "none"] = "trace") -> NDArray[np.float64]:
    """Integrate each trace.

    Parameters
    ----------
    traces
        float32 [pulse, sample], arbitrary units.
    pump
        "none": the sum of the first half; else the second half is subtracted.

    Returns
    -------
    float64 [pulse], arbitrary units.
    """
    half = traces.shape[1] // 2
    first: NDArray[np.float64] = traces[:, :half].sum(axis=1, dtype=np.float64)
    return first if pump == "none" else first - reference(traces)


def reference(traces: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of the second half of each trace: float64 [pulse], arbitrary units."""
    second: NDArray[np.float64] = traces[:, traces.shape[1] // 2 :].sum(axis=1, dtype=np.float64)
    return second


def notebook_signals(traces: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return first half less second half as the TELBE notebook does, added up in float32: float64 [pulse]."""
    half = traces.shape[1] // 2
    difference = traces[:, :half].sum(axis=1, dtype=np.float32) - traces[:, half:].sum(axis=1, dtype=np.float32)
    return np.asarray(difference, np.float64)


def without_outliers(
    pixels: NDArray[np.int32], signal: NDArray[np.float64], limit: float, group: int = 101
) -> NDArray[np.bool_]:
    """Tell which pulses lie within some robust standard deviations of those that came at about the same time.

    The pulses, sorted by arrival, are taken in groups; each is compared with its group's median, so that the waveform
    itself makes no outliers. The standard deviation is 1.4826 times the median of the distances.

    Parameters
    ----------
    pixels
        int32 [pulse], pixels of arrival.
    signal
        float64 [pulse], arbitrary units.
    limit
        In robust standard deviations; 0 keeps all.
    group
        Pulses in a group.
    """
    kept = np.isfinite(signal)
    if limit <= 0 or np.count_nonzero(kept) < 8:
        return kept
    order = np.argsort(pixels, kind="stable")
    order = order[kept[order]]
    groups = max(1, len(order) // group)
    distance = np.empty(len(order))
    for some in np.array_split(np.arange(len(order)), groups):
        values = signal[order[some]]
        distance[some] = np.abs(values - np.median(values))
    scale = 1.4826 * float(np.median(distance))
    if scale > 0:
        kept[order] = distance <= limit * scale
    return kept
