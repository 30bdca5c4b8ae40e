"""Monitor spectra: the prompt pulse taken out, a flat background subtracted, in bins of wavelength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import rebin_counts, wavelength
from pancommons.techniques.sans.instrument import Instrument
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.user_file import UserFile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Treatment:
    """Windows, us: where the prompt pulse is, and where only background is counted; None leaves the step out.

    `own` are the windows of background of single monitors, which go before.
    """

    prompt: tuple[float, float] | None
    background: tuple[float, float] | None
    own: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, user: UserFile, instrument: Instrument) -> Treatment:
        """Take the windows of the user file; the instrument's prompt pulse where it names none."""
        return cls(user.monitor_prompt or instrument.monitor_prompt, user.monitor_background, user.monitor_backgrounds)


def monitor(
    run: Run, number: int, position: float, bins: Floats, treatment: Treatment, period: int = 0
) -> tuple[Floats, Floats]:
    """Return a monitor's counts in bins of wavelength, and their variance.

    Parameters
    ----------
    run, number, period
        Which monitor.
    position
        Its metres from the moderator.
    bins
        float64 [wavelength + 1], Angstrom.
    treatment
        Prompt pulse and background.

    Raises
    ------
    BadInput
        If the run has no such monitor, or it counted nothing there.
    """
    counts = run.spectrum(number, period)
    error = np.sqrt(counts)
    background = treatment.own.get(number, treatment.background)
    for window in (treatment.prompt, background):
        if window is not None and not run.edges[0] <= window[0] < window[1] <= run.edges[-1]:
            raise BadInput(
                f"a window of {window[0]:g} to {window[1]:g} us for monitor {number} lies outside the times "
                f"{run.edges[0]:g} to {run.edges[-1]:g} us of the run",
                file=run.path,
                remedy="correct FIT/MONITOR or BACK/MON/TIMES in the user file",
            )
    if treatment.prompt is not None:
        counts, error = without_prompt(run.edges, counts, error, treatment.prompt)
    if background is not None:
        counts, error = without_background(run.edges, counts, error, background)
    rebinned, variance = rebin_counts(wavelength(run.edges, position), counts, error**2, bins)
    if not np.any(rebinned > 0):
        raise BadInput(
            f"monitor spectrum {number} of run {run.number} counted nothing above background from "
            f"{bins[0]:g} to {bins[-1]:g} Angstrom",
            file=run.path,
            remedy="give a run with this monitor, or another wavelength range",
        )
    return rebinned, variance


def without_prompt(edges: Floats, counts: Floats, error: Floats, window: tuple[float, float]) -> tuple[Floats, Floats]:
    """Replace the bins that the prompt pulse touches by a line in the number of the bin.

    The slope is (after - before) / (n + 2) for n bins replaced, as Mantid has it; n + 1 would meet the bin after.
    """
    counts, error = counts.copy(), error.copy()
    first = max(1, int(np.searchsorted(edges, window[0], "left")) - 1)
    after = min(int(np.searchsorted(edges, window[1], "left")), counts.size - 1)
    place = np.arange(after - first)
    counts[first:after] = counts[first - 1] + (place + 1) * (counts[after] - counts[first - 1]) / (place.size + 2)
    error[first:after] = (error[first - 1] + error[after]) / 2
    return counts, error


def without_background(
    edges: Floats, counts: Floats, error: Floats, window: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Subtract the mean rate in a window; what falls below zero is set to zero, its error to the background's size."""
    widths = np.diff(edges)
    rate, rate_error = counts / widths, error / widths
    first = int(np.searchsorted(edges, window[0], "left")) - 1
    last = int(np.searchsorted(edges, window[1], "left")) - 1
    inside = slice(max(first, 0), last + 1)
    background = float(np.mean(rate[inside]))
    spread = float(np.sum(rate_error[inside] ** 2)) / rate[inside].size ** 2
    lowered = rate - background
    lowered_error = np.sqrt(rate_error**2 + spread)
    negative = lowered < 0
    lowered[negative] = 0
    lowered_error[negative] = np.maximum(rate_error[negative], background)
    return lowered * widths, lowered_error * widths
