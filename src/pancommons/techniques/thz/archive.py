"""A run in one HDF5 file: the layout of this pipeline, ``/entry`` with ``definition`` PAN_thz_pump_probe.

Pulses of all positions lie one after another; ``first_pulse`` tells where each position begins, for spectra and traces
apart, because there may be more of one than of the other.

=================================================  ==============================================
``/entry/instrument/stage/position``               float64 [position], mm
``/entry/instrument/spectrometer/data``            uint16 [spectrum, pixel], counts
``/entry/instrument/spectrometer/first_pulse``     int64 [position + 1]
``/entry/instrument/spectrometer/flagged``         uint8 [spectrum], whether the highest bit is a flag (optional)
``/entry/instrument/spectrometer/background``      float64 [pixel], counts
``/entry/instrument/detector/data``                float32 [trace, sample]
``/entry/instrument/detector/first_pulse``         int64 [position + 1]
``/entry/instrument/source/frequency``             pulses per second (optional)
=================================================  ==============================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import entries, member, number, open_file, read_block, text, value
from pancommons.nexus.write import Field, Writer, create
from pancommons.techniques.thz.folder import read_background
from pancommons.techniques.thz.measurement import Block, Measurement

DEFINITION = "PAN_thz_pump_probe"
_SPECTRA, _TRACES, _STAGE = "instrument/spectrometer", "instrument/detector", "instrument/stage/position"
_ROWS = 1024


def open_archive(path: Path, background: Path | None = None) -> Measurement:
    """Open a file of this layout.

    Raises
    ------
    BadInput
        Naming what is missing or does not fit together.
    """
    with open_file(path) as file:
        entry = next((one for one in entries(file) if DEFINITION in one.definitions), None)
        if entry is None:
            raise BadInput(
                f"is no THz run: no entry with the definition {DEFINITION}",
                file=path,
                remedy="name a run folder of the beamline, or a file written by save_measurement",
            )
        group = file[entry.path]
        spectra, traces = _dataset(group, f"{_SPECTRA}/data", path), _dataset(group, f"{_TRACES}/data", path)
        stages = np.atleast_1d(np.asarray(_dataset(group, _STAGE, path)[()], np.float64))
        starts = _starts(group, f"{_SPECTRA}/first_pulse", path, len(stages), len(spectra))
        trace_starts = _starts(group, f"{_TRACES}/first_pulse", path, len(stages), len(traces))
        if background is not None:
            spectrum = read_background(background)
        else:
            spectrum = np.asarray(_dataset(group, f"{_SPECTRA}/background", path)[()], np.float64)
        if spectra.ndim != 2 or spectra.dtype != np.uint16 or spectra.shape[1:] != spectrum.shape:
            raise BadInput(
                f"{spectra.dtype} of shape {spectra.shape} found, uint16 [spectrum, {len(spectrum)}] expected",
                file=path,
                field=f"{entry.path}/{_SPECTRA}/data",
            )
        if traces.ndim != 2:
            raise BadInput("[trace, sample] expected", file=path, field=f"{entry.path}/{_TRACES}/data")
        positions = tuple(
            ArchivePosition(
                path, entry.path, float(stage), len(spectrum), traces.shape[1], *map(int, (*at, *trace_at))
            )
            for stage, at, trace_at in zip(
                stages,
                pairwise(starts),
                pairwise(trace_starts),
                strict=True,
            )
        )  # fmt: skip
        return Measurement(
            path=path,
            positions=positions,
            background=spectrum,
            samples=traces.shape[1],
            title=entry.title,
            start_time=text(group, "start_time"),
            repetition_rate=number(group, "instrument/source/frequency", "Hz", "Hz", positive=True),
        )


@dataclass(frozen=True)
class ArchivePosition:
    """One position of a run in one file."""

    path: Path
    entry: str
    stage: float
    pixels: int
    samples: int
    start: int
    stop: int
    trace_start: int
    trace_stop: int

    @property
    def label(self) -> str:
        """Return what names the position in messages."""
        return f"{self.stage:g} mm"

    @property
    def spectra_count(self) -> int:
        """Return the number of spectra."""
        return self.stop - self.start

    @property
    def trace_values(self) -> int:
        """Return the number of ADC samples of all traces together."""
        return (self.trace_stop - self.trace_start) * self.samples

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return nothing: what is wrong with a file is refused when it is opened."""
        return ()

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Give the spectra of pulses ``first`` to ``last``, some at a time."""
        with open_file(self.path) as file:
            group = file[f"{self.entry}/{_SPECTRA}"]
            flags = value(group, "flagged")
            for begin in range(first, min(last, self.spectra_count), _ROWS):
                end = min(begin + _ROWS, last, self.spectra_count)
                rows = slice(self.start + begin, self.start + end)
                spectra = read_block(group["data"], rows)
                flagged = np.zeros(len(spectra), bool) if flags is None else np.asarray(flags[rows], bool)
                changes = np.flatnonzero(np.diff(flagged)) + 1
                for a, b in zip([0, *changes], [*changes, len(spectra)], strict=True):
                    yield Block(begin + int(a), spectra[a:b], bool(flagged[a]))

    def traces(self, first: int, last: int, samples: int) -> NDArray[np.float32]:
        """Return the ADC traces of pulses ``first`` to ``last``: float32 [pulse, sample], arbitrary units."""
        last = min(last, self.trace_stop - self.trace_start)
        with open_file(self.path) as file:
            data = file[f"{self.entry}/{_TRACES}/data"]
            rows = slice(self.trace_start + first, self.trace_start + max(first, last))
            return np.asarray(read_block(data, rows), np.float32)


def save_measurement(run: Measurement, path: Path, samples: int) -> None:
    """Write a run, such as a folder, into one file of this layout.

    Spectra that are missing in the midst of a position are written as zeros, in which no pulse is found.

    Parameters
    ----------
    run
        As `open_measurement` gives it.
    path
        The file; an existing one is replaced.
    samples
        ADC samples of one pulse.
    """
    counts = [position.spectra_count for position in run.positions]
    trace_counts = [position.trace_values // samples for position in run.positions]
    with create(path, title=run.title or "THz run", definition=DEFINITION, start_time=run.start_time) as nexus:
        spectra, traces, flagged = describe(
            nexus,
            stages=[position.stage for position in run.positions],
            counts=counts,
            trace_counts=trace_counts,
            background=run.background,
            samples=samples,
            rate=run.repetition_rate,
        )
        start = trace_start = 0
        for position, count, trace_count in zip(run.positions, counts, trace_counts, strict=True):
            for block in position.blocks(0, count):
                rows = slice(start + block.first, start + block.first + len(block.spectra))
                spectra[rows], flagged[rows] = block.spectra, block.flagged
                nexus.check()
            traces[trace_start : trace_start + trace_count] = position.traces(0, trace_count, samples)
            start, trace_start = start + count, trace_start + trace_count
        nexus.process("conversion", parameters={"source": str(run.path), "samples": samples})


def describe(
    nexus: Writer,
    *,
    stages: list[float],
    counts: list[int],
    trace_counts: list[int],
    background: NDArray[np.float64],
    samples: int,
    rate: float | None = None,
) -> tuple[h5py.Dataset, h5py.Dataset, h5py.Dataset]:
    """Write everything but spectra, traces and flags; return these three datasets, which are to be filled."""
    pixels, total, total_traces = len(background), sum(counts), sum(trace_counts)
    nexus.group("instrument", "NXinstrument", name="TELBE")
    nexus.group("instrument/source", "NXsource", name="ELBE", probe="THz", frequency=(rate, "Hz") if rate else None)
    nexus.group(
        "instrument/stage",
        "NXpositioner",
        description="delay stage",
        position=Field("position", np.array(stages), "mm"),
    )
    spectrometer = nexus.group(
        "instrument/spectrometer",
        "NXdetector",
        data=Field(
            "data", shape=(total, pixels), dtype=np.uint16, units="counts", compression="bitshuffle-lz4",
            chunks=(max(1, min(256, total)), pixels), attributes={"interpretation": "spectrum"},
        ),
        flagged=Field("flagged", shape=(total,), dtype=np.uint8),
        first_pulse=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        background=(background, "counts"),
    )  # fmt: skip
    detector = nexus.group(
        "instrument/detector",
        "NXdetector",
        data=Field("data", shape=(total_traces, samples), dtype=np.float32, units="V"),
        first_pulse=np.concatenate([[0], np.cumsum(trace_counts)]).astype(np.int64),
    )
    nexus.data(
        "spectra",
        signal=Field("spectra", link="/entry/instrument/spectrometer/data"),
        axes=[None, Field("pixel", np.arange(pixels), long_name="pixel")],
    )
    return spectrometer["data"], detector["data"], spectrometer["flagged"]


def _dataset(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    found = member(group, name)
    if not isinstance(found, h5py.Dataset):
        raise BadInput("is missing", file=path, field=f"{group.name}/{name}", remedy="write it as the layout says")
    return found


def _starts(group: h5py.Group, name: str, path: Path, positions: int, pulses: int) -> NDArray[np.int64]:
    starts = np.asarray(_dataset(group, name, path)[()], np.int64)
    if starts.shape != (positions + 1,) or (np.diff(starts) < 0).any() or starts[0] < 0 or starts[-1] > pulses:
        raise BadInput(
            f"{positions + 1} rising indices from 0 to at most {pulses} expected, for {positions} positions",
            file=path,
            field=f"{group.name}/{name}",
        )
    return starts
