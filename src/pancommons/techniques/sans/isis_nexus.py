"""ISIS NeXus files: an entry ``raw_data_1`` with a group for each monitor, ``detector_1`` with counts, or events."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import entries, groups, member, number, numbers, open_file, read_block, text, value
from pancommons.techniques.sans.events import Chosen, EventReader, Events, read_events
from pancommons.techniques.sans.run import Run, SampleShape

_SHAPES = {"cylinder": 1, "flat plate": 2, "flatplate": 2, "disc": 3}


def read_nexus(path: Path, entry: str = "raw_data_1") -> Run:
    """Open a run in an ISIS NeXus file; the detectors' counts are read when they are asked for.

    Raises
    ------
    BadInput
        If the file or a field that every run has is missing or damaged.
    """
    with open_file(path) as file:
        group = member(file, entry)
        if not isinstance(group, h5py.Group):
            present = entries(file)
            if any("NXcanSAS" in found.definitions for found in present):
                raise BadInput(
                    "is NXcanSAS, reduced already", file=path, remedy="give the run or the image that was measured"
                )
            there = ", ".join(found.path.strip("/") for found in present) or "no entry"
            raise BadInput(
                f"expected an ISIS NeXus run with the entry {entry}, found {there}",
                file=path,
                remedy="give a run as ISIS writes it, .nxs or .raw, or an image of one wavelength",
            )
        events = read_events(group, path)
        counts = member(group, "detector_1/counts")
        histogram: h5py.Dataset | NDArray[np.int32] | None = (
            counts if isinstance(counts, h5py.Dataset) and counts.ndim == 3 else None
        )
        alone = events is None and "detector_1" not in group
        times, spectra = _times(group, path, events is not None or alone), _spectra(group)
        if alone and times is not None and any(name.startswith("monitor_") for name, _ in groups(group)):
            histogram, spectra = np.zeros((_periods(group, None), 0, times.size - 1), np.int32), np.zeros(0, np.int64)
        if times is None or spectra is None or (histogram is None and events is None):
            raise BadInput(
                "holds no counts of detectors",
                file=path,
                field=f"{entry}/detector_1",
                remedy="expected counts [period, spectrum, time] with spectrum_index and time_of_flight, or events",
            )
        if histogram is not None and (times.shape != (histogram.shape[2] + 1,) or spectra.size != histogram.shape[1]):
            raise BadInput("times, spectra and counts do not fit together", file=path, field=f"{entry}/detector_1")
        periods = histogram.shape[0] if histogram is not None else _periods(group, events)
        read: Callable[[int], NDArray[np.int32]]
        if isinstance(histogram, np.ndarray):
            read = histogram.__getitem__
        elif histogram is not None:
            read = _Reader(path, histogram.name, path.stat().st_mtime_ns)
        else:
            assert events is not None  # noqa: S101 - see above
            read = EventReader(events, spectra, times, tuple(Chosen(period) for period in range(periods)))
        return Run(
            path=path,
            entry=entry,
            instrument=(text(group, "instrument/name") or text(group, "name") or "").strip(),
            number=int(number(group, "run_number", "", "") or 0),
            title=(text(group, "title") or "").strip(),
            start=text(group, "start_time"),
            edges=times,
            periods=periods,
            monitors=_monitors(group, (periods, times.size - 1), path),
            spectra=spectra,
            read=read,
            shape=_shape(group),
            charge=_charge(group),
            events=events,
        )


def _times(group: h5py.Group, path: Path, events: bool) -> NDArray[np.float64] | None:
    """Return the edges of the detectors' bins of time, us; those of the monitors where events have none."""
    names = [name for name, _ in groups(group) if name.startswith("monitor_")] if events else []
    for name in ("detector_1", *sorted(names)):
        found = numbers(group, f"{name}/time_of_flight", "us")
        times = None if found is None else found.to("us")
        if times is None:
            continue
        if times.ndim != 1 or times.size < 2 or np.any(np.diff(times) <= 0):
            raise BadInput("times do not grow", file=path, field=f"{group.name}/{name}/time_of_flight")
        return times
    return None


def _spectra(group: h5py.Group) -> NDArray[np.int64] | None:
    """Return the numbers of the detectors' spectra; from ISIS's own table where events leave them out."""
    own = value(group, "detector_1/spectrum_index")
    if own is not None:
        return np.asarray(own, np.int64).ravel()
    table = value(group, "isis_vms_compat/SPEC")
    if table is None:
        return None
    monitors = [
        int(np.ravel(index)[0])
        for name, monitor in groups(group)
        if name.startswith("monitor_") and (index := value(monitor, "spectrum_index")) is not None
    ]
    return np.setdiff1d(np.asarray(table, np.int64).ravel(), [0, *monitors])


def _periods(group: h5py.Group, events: Events | None) -> int:
    said = number(group, "periods/number", "", "")
    return int(said) if said else 1 + int(events.period.max(initial=0)) if events is not None else 1


def _monitors(group: h5py.Group, shape: tuple[int, ...], path: Path) -> dict[int, NDArray[np.float64]]:
    monitors = {}
    for name, monitor in groups(group):
        index, data = value(monitor, "spectrum_index"), member(monitor, "data")
        if not name.startswith("monitor_") or index is None or not isinstance(data, h5py.Dataset):
            continue
        counts = np.asarray(read_block(data), np.float64).reshape(-1, data.shape[-1])
        if counts.shape != shape:
            raise BadInput("is not counted in the times of the detectors", file=path, field=monitor.name)
        monitors[int(np.ravel(index)[0])] = counts
    return monitors


def _shape(group: h5py.Group) -> SampleShape:
    """Read the sample from ISIS's own tables, else from the NXsample."""
    codes, sizes = value(group, "isis_vms_compat/SPB"), value(group, "isis_vms_compat/RSPB")
    if codes is not None and sizes is not None and np.size(codes) > 2 and np.size(sizes) > 5:
        thickness, height, width = (float(size) for size in np.ravel(sizes)[3:6])
        return SampleShape(int(np.ravel(codes)[2]), thickness, height, width)
    code = _SHAPES.get((text(group, "sample/shape") or "").lower(), 0)
    sizes_mm = (number(group, f"sample/{name}", "mm", "mm") or 0.0 for name in ("thickness", "height", "width"))
    return SampleShape(code, *sizes_mm)


def _charge(group: h5py.Group) -> float | None:
    """Return the proton charge, uA h, whose unit ISIS spells as no one else does."""
    found = numbers(group, "proton_charge")
    return float(found.values.flat[0]) if found is not None and found.values.size else None


class _Reader:
    """Reads a period's counts from the file; the last read is kept."""

    def __init__(self, path: Path, dataset: str, mtime: int) -> None:
        self._path, self._dataset, self._mtime = path, dataset, mtime

    def __call__(self, period: int) -> NDArray[np.int32]:
        return _counts(self._path, self._dataset, self._mtime, period)


@lru_cache(maxsize=4)
def _counts(path: Path, dataset: str, mtime: int, period: int) -> NDArray[np.int32]:
    with open_file(path) as file:
        counts = np.ascontiguousarray(read_block(file[dataset], np.s_[period]), np.int32)
    counts.flags.writeable = False
    return counts
