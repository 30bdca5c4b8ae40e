"""Slices of the clock: a run in event mode cut into times, each of which is then reduced as a period is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.events import Chosen, EventReader
from pancommons.techniques.sans.run import Run

_MOST = 1000


def windows(text: str, duration: float) -> list[tuple[float, float]]:
    """Return the slices that a text asks for, s.

    Parameters
    ----------
    text
        ``4`` for so many of equal length, or ``START:STOP:WIDTH`` in s; the last may be shorter.
    duration
        Of the run, s.

    Raises
    ------
    BadInput
        If they make no sense, or lie outside the run.

    Examples
    --------
    >>> windows("0:50:20", 60.0)
    [(0.0, 20.0), (20.0, 40.0), (40.0, 50.0)]
    """
    words = [float(word) for word in text.split(":")]
    start, stop, width = words if len(words) == 3 else (0.0, duration, duration / max(words[0], 1))
    if not start < stop or not width > 0 or (stop - start) / width > _MOST or (len(words) == 1 and words[0] < 1):
        raise BadInput(
            f"{text!r} makes no slices", field="time-slices",
            remedy=f"write a number up to {_MOST}, or START:STOP:WIDTH in s",
        )  # fmt: skip
    count = int(np.ceil((stop - start) / width - 1e-9))
    edges = [*(start + width * np.arange(count)), stop]
    if edges[-2] >= duration:
        raise BadInput(
            f"{text!r} asks for times up to {stop:g} s, the run took {duration:.1f} s", field="time-slices",
            remedy="end them earlier",
        )  # fmt: skip
    return [(float(low), float(high)) for low, high in pairwise(edges)]


def sliced(run: Run, text: str) -> Run:
    """Cut each period of a run into slices, which are the periods of what is returned.

    The monitors were counted over the whole period: a slice has the share of them that its frames have of the period's
    proton charge.

    Raises
    ------
    BadInput
        If the run has no events, or a slice no proton charge.
    """
    if run.events is None:
        raise BadInput(
            f"run {run.number} holds histograms, which cannot be cut into times", file=run.path, field="time-slices",
            remedy="give a run in event mode",
        )  # fmt: skip
    cuts = windows(text, run.events.duration)
    slices = tuple((period, *cut) for period in range(run.periods) for cut in cuts)
    chosen = tuple(Chosen(period, (start, stop)) for period, start, stop in slices)
    shares = np.array([run.events.share(one) for one in chosen])
    if np.any(shares <= 0):
        _, start, stop = slices[int(np.flatnonzero(shares <= 0)[0])]
        raise BadInput(
            f"run {run.number} took no proton charge from {start:g} to {stop:g} s", file=run.path,
            field="time-slices", remedy="choose other times",
        )  # fmt: skip
    origin = [period for period, _, _ in slices]
    return replace(
        run,
        periods=len(chosen),
        monitors={number: counts[origin] * shares[:, None] for number, counts in run.monitors.items()},
        read=EventReader(run.events, run.spectra, run.times, chosen),
        detector_edges=run.times,
        charge=None if run.charge is None else run.charge * float(shares.sum()),
        slices=slices,
    )


def counted_in(run: Run, edges: NDArray[np.float64]) -> Run:
    """Return a run whose events are counted in other bins of time of flight, us; histograms stay as they are."""
    if run.events is None:
        return run
    chosen = tuple(Chosen(period) for period in range(run.periods))
    return replace(run, read=EventReader(run.events, run.spectra, edges, chosen), detector_edges=edges)
