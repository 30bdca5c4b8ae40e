"""Events of a run: neutrons one by one, each with its spectrum and its time in a frame; frames have a date.

They are counted in bins of time of flight while they are read, block by block, so that memory holds the counts and one
block. A frame is a pulse of the source; those of a period, or of a slice of the clock, count together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import Measured, member, numbers, open_file, read_block, unit_of, value

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_BLOCK = 1 << 21
"""Events in memory at once."""


@dataclass(frozen=True)
class Chosen:
    """Frames that count together: those of a period, counted from 0, that begin in a window of the clock, s."""

    period: int
    window: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Events:
    """The frames of a run in event mode; the events stay in the file.

    Attributes
    ----------
    path, group
        The file and the events' group in it.
    first
        int64 [frame + 1], where in the file a frame's events begin.
    starts
        float64 [frame], s after the first.
    charge
        float64 [frame], proton charge, or 1 where it is not said: what a frame is worth.
    period
        int64 [frame], from 0.
    to_us
        What times of flight are multiplied by.
    """

    path: Path
    group: str
    first: Integers
    starts: Floats
    charge: Floats
    period: Integers
    to_us: float

    @property
    def duration(self) -> float:
        """Return how long the run took, s: from the first frame to the end of the last."""
        if self.starts.size < 2:
            return 0.0
        return float(self.starts[-1] + np.median(np.diff(self.starts)))

    def frames(self, chosen: Chosen) -> NDArray[np.bool_]:
        """Return bool [frame]: those that were chosen."""
        keep: NDArray[np.bool_] = self.period == chosen.period
        if chosen.window is not None:
            keep &= (self.starts >= chosen.window[0]) & (self.starts < chosen.window[1])
        return keep

    def share(self, chosen: Chosen) -> float:
        """Return the part of their period's proton charge that the frames chosen took."""
        whole = float(self.charge[self.period == chosen.period].sum())
        return float(self.charge[self.frames(chosen)].sum()) / whole if whole > 0 else 0.0


def read_events(group: h5py.Group, path: Path) -> Events | None:
    """Read the frames of an entry's ``detector_1_events``, or return None where it has none.

    Raises
    ------
    BadInput
        If fields are missing, or do not fit together because the file was cut short.
    """
    events = member(group, "detector_1_events")
    if not isinstance(events, h5py.Group):
        return None
    ids, offsets = member(events, "event_id"), member(events, "event_time_offset")
    index, zero = value(events, "event_index"), numbers(events, "event_time_zero", "s")
    lacking = [
        name
        for name, field in zip(
            ("event_id", "event_time_offset", "event_index", "event_time_zero"),
            (ids, offsets, index, zero),
            strict=True,
        )
        if field is None
    ]
    if lacking or not isinstance(ids, h5py.Dataset) or not isinstance(offsets, h5py.Dataset):
        raise BadInput(f"lacks {', '.join(lacking)} of its events", file=path, field=events.name)
    assert zero is not None  # noqa: S101 - it is not lacking
    starts, factor = zero.to("s"), Measured(np.ones(1), unit_of(offsets) or "us", True).to("us")
    if starts is None or factor is None:
        raise BadInput("has events whose times have no unit of time", file=path, field=events.name)
    first = np.asarray(index, np.int64).ravel()
    if first.size != starts.size or np.any(np.diff(first) < 0) or ids.shape != offsets.shape or ids.ndim != 1:
        raise BadInput(
            "has frames and events that do not fit together", file=path, field=events.name,
            remedy="expected event_index and event_time_zero of one length, event_id and event_time_offset too",
        )  # fmt: skip
    if first.size == 0 or first[0] < 0 or first[-1] > ids.size:
        raise BadInput(
            "has frames whose events are not in it",
            file=path,
            field=events.name,
            remedy="copy it again from its source",
        )
    charge, periods = numbers(group, "framelog/proton_charge/value"), value(group, "framelog/period_log/value")
    good = charge is not None and charge.values.size == first.size
    known = periods is not None and np.size(periods) == first.size
    return Events(
        path,
        events.name,
        np.append(first, ids.size),
        starts.ravel() - starts.flat[0],
        np.asarray(charge.values, np.float64).ravel() if charge is not None and good else np.ones(first.size),
        np.maximum(np.asarray(periods, np.int64).ravel() - 1, 0) if known else np.zeros(first.size, np.int64),
        float(factor[0]),
    )


@lru_cache(maxsize=4)
def _counted(events: Events, spectra: bytes, edges: bytes, chosen: Chosen) -> NDArray[np.int32]:
    numbers_of, times = np.frombuffer(spectra, np.int64), np.frombuffer(edges, np.float64)
    rows = np.full(int(numbers_of.max(initial=0)) + 1, -1, np.int64)
    rows[numbers_of] = np.arange(numbers_of.size)
    counts = np.zeros((numbers_of.size, times.size - 1), np.int32)
    keep = events.frames(chosen)
    wanted = np.flatnonzero(keep)
    if wanted.size:
        every = wanted.size == 1 + wanted[-1] - wanted[0]
        with open_file(events.path) as file:
            group = file[events.group]
            low, high = int(events.first[wanted[0]]), int(events.first[wanted[-1] + 1])
            for start in range(low, high, _BLOCK):
                block = np.s_[start : min(start + _BLOCK, high)]
                ids = np.asarray(read_block(group["event_id"], block), np.int64)
                offsets = np.asarray(read_block(group["event_time_offset"], block), np.float64) * events.to_us
                if every:
                    counting = np.ones(ids.size, np.bool_)
                else:
                    frames = np.searchsorted(events.first, np.arange(block.start, block.stop), side="right") - 1
                    counting = keep[frames]
                count_events(ids, offsets, counting, rows, times, counts)
    counts.flags.writeable = False
    return counts


@njit(nogil=True, cache=True)
def count_events(
    ids: Integers, offsets: Floats, keep: NDArray[np.bool_], rows: Integers, times: Floats, counts: NDArray[np.int32]
) -> None:
    """Count events in bins.

    Parameters
    ----------
    ids, offsets, keep
        int64, float64 and bool [event]: number of the spectrum, time of flight in us, and whether it counts.
    rows
        int64 [number], where a spectrum stands in `counts`, or -1.
    times
        float64 [time + 1], edges, us; an event on an edge belongs to the bin above.
    counts
        int32 [spectrum, time], added to.
    """
    last = times.size - 1
    for event in range(ids.size):
        if not keep[event] or ids[event] < 0 or ids[event] >= rows.size:
            continue
        row, time = rows[ids[event]], offsets[event]
        if row < 0 or time < times[0] or time >= times[last]:
            continue
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            if time < times[middle]:
                high = middle
            else:
                low = middle
        counts[row, low] += 1


class EventReader:
    """Counts the events of the frames chosen for each period of a run, in bins of time of flight."""

    def __init__(self, events: Events, spectra: Integers, edges: Floats, chosen: tuple[Chosen, ...]) -> None:
        self.events, self.spectra, self.edges, self.chosen = events, spectra, edges, chosen

    def __call__(self, period: int) -> NDArray[np.int32]:
        """Return int32 [spectrum, time]."""
        return _counted(self.events, self.spectra.tobytes(), self.edges.tobytes(), self.chosen[period])
