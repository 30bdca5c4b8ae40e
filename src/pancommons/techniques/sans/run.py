"""One run of a time-of-flight instrument, whatever file it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.events import Events


@dataclass(frozen=True)
class SampleShape:
    """The sample as the run describes it, mm; `code` is that of ISIS: 1 cylinder, 2 flat plate, 3 disc."""

    code: int
    thickness: float
    height: float
    width: float

    @property
    def area(self) -> float:
        """Return the area the beam goes through, mm2."""
        if self.code == 3:
            return float(np.pi) * self.width**2 / 4
        return self.width * self.height if self.code in (1, 2) else 0.0


@dataclass(frozen=True)
class Run:
    """A run: its times, monitors and spectra.

    Attributes
    ----------
    path, entry
        The file, and the entry in it where it has several runs; "" for all other files.
    instrument, number, title, start
        As the file says; `start` in ISO 8601, or None.
    edges
        float64 [time + 1], time of flight, us.
    periods
        How many periods were counted.
    monitors
        float64 [period, time] counts, by number of spectrum.
    spectra
        int64 [spectrum], numbers of the detectors' spectra, in the order of `read`.
    read
        Returns int32 [spectrum, time] counts of a period, which is counted from 0.
    shape
        The sample.
    charge
        Proton charge, uA h; None where not said.
    events
        What was counted, one by one, where the run has events.
    detector_edges
        float64 [time + 1], us: what `read` counts in, where it is not `edges`.
    slices
        Where periods were cut by the clock, for each period of this run: the period that was measured, counted from 0,
        and from when to when, s.
    """

    path: Path
    entry: str
    instrument: str
    number: int
    title: str
    start: str | None
    edges: NDArray[np.float64]
    periods: int
    monitors: Mapping[int, NDArray[np.float64]]
    spectra: NDArray[np.int64]
    read: Callable[[int], NDArray[np.int32]]
    shape: SampleShape
    charge: float | None
    events: Events | None = None
    detector_edges: NDArray[np.float64] | None = None
    slices: tuple[tuple[int, float, float], ...] = ()

    @property
    def times(self) -> NDArray[np.float64]:
        """Return the edges in which detectors are counted, float64 [time + 1], us."""
        return self.edges if self.detector_edges is None else self.detector_edges

    @property
    def measured_periods(self) -> int:
        """Return how many periods were measured, slices of the clock not counted."""
        return 1 + max(period for period, _, _ in self.slices) if self.slices else self.periods

    def measured(self, period: int) -> int:
        """Return the period, counted from 0, that was measured when this one, perhaps a slice of it, was."""
        return self.slices[period][0] if self.slices else period

    def label(self, period: int) -> str:
        """Say which period this is, or which time of it."""
        if not self.slices:
            return f"period {period + 1}"
        own, start, stop = self.slices[period]
        which = f"period {own + 1}, " if self.measured_periods > 1 else ""
        return f"{which}{start:g} to {stop:g} s"

    def spectrum(self, number: int, period: int = 0) -> NDArray[np.float64]:
        """Return the counts of one spectrum, float64 [time], monitor or detector.

        Raises
        ------
        BadInput
            If the run has no such spectrum.
        """
        period = min(period, self.periods - 1)
        if number in self.monitors:
            return np.array(self.monitors[number][period], np.float64)
        place = np.flatnonzero(self.spectra == number)
        if place.size == 0:
            raise BadInput(
                f"run {self.number} has no monitor spectrum {number}",
                file=self.path,
                remedy="give a run in which this monitor was counted",
            )
        counts: NDArray[np.float64] = self.read(period)[place[0]].astype(np.float64)
        return counts

    def places(self, spectra: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where spectra stand in what `read` returns, int64; -1 where the run does not have one."""
        order = np.argsort(self.spectra, kind="stable")
        found = np.searchsorted(self.spectra, spectra, sorter=order)
        found = order[np.minimum(found, self.spectra.size - 1)]
        return np.where(self.spectra[found] == spectra, found, -1)
