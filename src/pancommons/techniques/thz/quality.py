"""A trace against the true wave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Score:
    """How near a trace is to the truth.

    Attributes
    ----------
    scale
        Fitted amplitude over the true one.
    shift
        Fitted shift in ps; positive is late.
    chi_squared
        Of what remains after the fit, per degree of freedom.
    level
        Fitted constant beneath the wave.
    """

    scale: float
    shift: float
    chi_squared: float
    level: float


def score(
    edges: NDArray[np.float64],
    mean: NDArray[np.float64],
    error: NDArray[np.float64],
    true_times: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> Score | None:
    """Fit the true wave, averaged over each bin, to a trace: amplitude, shift and level, by weighted least squares.

    Parameters
    ----------
    edges
        float64 [bin + 1], ps.
    mean, error
        float64 [bin], arbitrary units.
    true_times, truth
        float64 [time], ps and arbitrary units, evenly spaced.

    Returns
    -------
    None where fewer than eight bins have a value.
    """
    there = np.isfinite(mean) & np.isfinite(error) & (error > 0)
    if np.count_nonzero(there) < 8:
        return None
    step = float(true_times[1] - true_times[0])
    slope = np.gradient(truth, step)
    inner = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(5) + 0.5) / 5
    weights = 1 / error[there]
    scale, shift, level = 1.0, 0.0, 0.0
    for _ in range(8):
        wave = np.interp(inner - shift, true_times, truth).mean(axis=1)[there]
        change = np.interp(inner - shift, true_times, slope).mean(axis=1)[there]
        columns = np.stack([wave, -change, np.ones_like(wave)], axis=1) * weights[:, None]
        found = np.linalg.lstsq(columns, mean[there] * weights, rcond=None)[0]
        scale, level = float(found[0]), float(found[2])
        shift += float(found[1] / scale) if abs(scale) > 1e-12 else 0.0
    rest = (mean[there] - scale * np.interp(inner - shift, true_times, truth).mean(axis=1)[there] - level) * weights
    return Score(scale, shift, float(rest @ rest) / (len(rest) - 3), level)
