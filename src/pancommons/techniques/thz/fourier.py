"""The amplitude spectrum of a trace, and the noise it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Spectrum:
    """A one-sided amplitude spectrum: a wave of amplitude A in the trace gives a line of height A.

    Attributes
    ----------
    frequency
        float64 [frequency], THz.
    amplitude
        float64 [frequency], in the unit of the trace.
    noise
        Expected amplitude where there is noise only, from the errors of the trace; NaN where these are unknown.
    resolution
        One over the length of the trace, in THz.
    start, stop
        Of what was transformed, in ps.
    bins
        How many bins were transformed.
    filled
        How many of them are empty, so that a straight line between their neighbours stands in for them.
    """

    frequency: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    noise: float
    resolution: float
    start: float
    stop: float
    bins: int
    filled: int

    def peak(self) -> float:
        """Return the frequency of the largest amplitude, in THz."""
        return peak_of(self.frequency, self.amplitude, self.resolution)


def peak_of(frequency: NDArray[np.float64], amplitude: NDArray[np.float64], resolution: float) -> float:
    """Return the frequency of the largest amplitude in the unit of frequencies, between samples by a parabola.

    What lies below one and a half times the resolution is drift and does not count; NaN where there is nothing else.
    """
    allowed = np.flatnonzero(frequency >= 1.5 * resolution)
    if allowed.size < 3:
        return float("nan")
    top = int(allowed[np.argmax(amplitude[allowed])])
    if not 0 < top < len(frequency) - 1:
        return float(frequency[top])
    below, at, above = amplitude[top - 1 : top + 2]
    curved = below - 2 * at + above
    shift = 0.5 * (below - above) / curved if curved < 0 else 0.0
    return float(frequency[top] + shift * (frequency[1] - frequency[0]))


def spectrum(
    times: NDArray[np.float64],
    trace: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    window: str = "hann",
    limits: tuple[float, float] | None = None,
    padding: int = 4,
) -> Spectrum | None:
    """Transform an evenly spaced trace.

    Parameters
    ----------
    times
        float64 [bin], ps, evenly spaced.
    trace, errors
        float64 [bin]; NaN for an empty bin.
    window
        A window that `scipy.signal.get_window` knows, or "none".
    limits
        The times that are transformed; where not given, the longest run of times in which at least every other bin is
        filled, which leaves out the few pulses of the tails.
    padding
        Zeros are added up to this many times the length.

    Returns
    -------
    None where fewer than eight bins can be transformed.
    """
    from scipy.signal import get_window

    first, last = _inside(times, trace, limits)
    if last - first < _FEWEST:
        return None
    times, trace, errors = times[first:last], trace[first:last], errors[first:last]
    there = np.isfinite(trace)
    step = float(times[1] - times[0])
    values = np.interp(times, times[there], trace[there])
    count = len(values)
    shape: Any = {"none": "boxcar", "tukey": ("tukey", 0.25)}.get(window, window)
    weights = np.asarray(get_window(shape, count, fftbins=False), np.float64)
    values = values - np.average(values, weights=weights)
    length = count * padding
    amplitude = 2 * np.abs(np.fft.rfft(values * weights, length)) / weights.sum()
    known = errors[there & np.isfinite(errors)]
    spread = float(np.sqrt(np.mean(known**2))) if known.size else float("nan")
    noise = spread * float(np.sqrt(np.pi * np.sum(weights**2)) / weights.sum())
    return Spectrum(
        frequency=np.asarray(np.fft.rfftfreq(length, step), np.float64),
        amplitude=amplitude,
        noise=noise,
        resolution=1 / (count * step),
        start=float(times[0] - step / 2),
        stop=float(times[-1] + step / 2),
        bins=count,
        filled=int(np.count_nonzero(~there)),
    )


_FEWEST = 8
_REACH = 8


def _inside(
    times: NDArray[np.float64], trace: NDArray[np.float64], limits: tuple[float, float] | None
) -> tuple[int, int]:
    """Return the first bin to transform and the one after the last; both ends are filled."""
    there = np.isfinite(trace)
    if limits is not None:
        chosen = np.flatnonzero(there & (times >= limits[0]) & (times <= limits[1]))
        return (int(chosen[0]), int(chosen[-1]) + 1) if chosen.size else (0, 0)
    dense = np.convolve(there, np.ones(2 * _REACH + 1), "same") > _REACH
    best, start = (0, 0), None
    for index, inside in enumerate([*dense, False]):
        if inside and start is None:
            start = index
        elif not inside and start is not None:
            best = max(best, (start, index), key=lambda one: one[1] - one[0])
            start = None
    filled = np.flatnonzero(there[best[0] : best[1]])
    return (best[0] + int(filled[0]), best[0] + int(filled[-1]) + 1) if filled.size else (0, 0)
