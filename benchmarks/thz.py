"""THz pump-probe against the TELBE notebook's algorithm: sorting pulses, and binning them.

The notebook's steps are written afresh here as the baseline, on the same files, one process. Sorting is everything from
the folder to a pixel and a signal for each pulse; binning is everything from there to a mean for each bin of 0.02 ps.

The baseline of the binning is measured at two million pulses and grows in proportion to the pulses;
PANCOMMONS_BENCH_FULL=1 measures it at a hundred million too, which takes minutes and some ten gigabytes of memory.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import butter, lfilter

from benchmarks import Row, cpu_seconds
from pancommons.techniques.thz import simulate
from pancommons.techniques.thz.arrival import band_pass
from pancommons.techniques.thz.pipeline import SimulationParameters
from pancommons.techniques.thz.read import open_measurement
from pancommons.techniques.thz.signal import notebook_signals
from pancommons.techniques.thz.steps import tagged, warm
from pancommons.techniques.thz.sums import Sums, add_pulses, bin_sums, empty_sums

SCALE, WIDTH, SAMPLES = 0.0115, 0.02, 96
POSITIONS, PULSES = 4, 2500
FEW, MANY = 2_000_000, 100_000_000
SCAN, STEP = 10, 0.3 * 2 / 0.299792458
"""Positions of the scan that is binned, and what a stage that moves by 0.3 mm changes the time by, in ps."""
OFF_THE_EDGES = 0.00137
"""Added to all times in ps: no pixel falls on the edge of a bin, where rounding would decide."""
MM_TO_PS = 1 / 299792458 * 2 * 10**9


def measure() -> Iterator[Row]:
    """Return the rows for THz."""
    warm()
    yield from _sorting()
    yield from _binning()


def _sorting() -> Iterator[Row]:
    parameters = SimulationParameters(positions=POSITIONS, pulses=PULSES, layout="folder", start=51.1, step=0.3)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "900_0p7THz_SIM_01.01.2026_1200_00"
        simulate.simulate(parameters, folder, Path(place) / "truth.nxs")
        theirs = notebook_sorting(folder)
        ours = sorting(folder)
        equal = float(np.mean(theirs[:, 0] == ours[0])), float(np.abs(theirs[:, 1] - ours[1]).max())
        peer = cpu_seconds(lambda: notebook_sorting(folder), 3)
        own = cpu_seconds(lambda: sorting(folder), 9)
    pulses = POSITIONS * PULSES
    yield Row(
        f"sorting {pulses} pulses of 2048 pixels, times faster than the notebook",
        peer / own,
        10,
        detail=f"{pulses / own / 1e3:.0f} and {pulses / peer / 1e3:.1f} thousand pulses/s",
    )
    yield Row("pixels of arrival that differ from the notebook's, %", 100 * (1 - equal[0]), 0, at_least=False)
    yield Row("largest difference of a signal", equal[1], 0, at_least=False)


def notebook_sorting(folder: Path) -> NDArray[np.float64]:
    """Sort as the notebook does: float64 [pulse, 2], pixel and signal."""
    folders = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    files = [entry.path for entry in os.scandir(folder) if entry.is_file()]
    background_file = fnmatch.filter(files, "*_BG_*")[0]
    sorted_positions = []
    for place in folders:
        stage = re.findall("_([0-9.]*)mm", place)[-1]
        traces_file = fnmatch.filter(files, f"*Experiment*{stage}*")[0]
        b, a = butter(3, [0.00001, 0.04], btype="band")
        background = np.genfromtxt(background_file, max_rows=1)
        found = np.array([])
        for name in sorted(os.listdir(place)):  # noqa: PTH208
            counts = np.array(Image.open(os.path.join(place, name)), dtype=np.uint16)  # noqa: PTH118
            if counts[0, 0] > 2**15 - 1:
                counts = counts - 2**15
            peaks = [np.argmax(lfilter(b, a, counts[row, :] - background)) for row in range(counts.shape[0])]
            found = np.concatenate([found, peaks])
        values = np.fromfile(traces_file, dtype=">f")
        signal = np.zeros(len(found))
        half = SAMPLES // 2
        for pulse in range(len(found)):
            start = SAMPLES * pulse
            signal[pulse] = np.sum(values[start : start + half]) - np.sum(values[start + half : start + SAMPLES])
        pixels = (found + float(stage) * MM_TO_PS / SCALE).astype(int)
        sorted_positions.append(np.vstack((pixels, np.roll(signal, 0))).T)
    return np.concatenate(sorted_positions)


def sorting(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sort with our functions: pixel on the notebook's scale, and signal."""
    run, band = open_measurement(folder), band_pass()
    pixels, signal = [], []
    for position in run.positions:
        pulses = tagged(position, 0, position.spectra_count, run.background, band, samples=SAMPLES)
        pixels.append((pulses.pixels + position.stage * MM_TO_PS / SCALE).astype(np.int64))
        signal.append(notebook_signals(pulses.traces))
    return np.concatenate(pixels), np.concatenate(signal)


def _pulses(count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Draw the pulses of a scan, position after position, with a jitter of 0.6 ps: pixels and signals."""
    random = np.random.default_rng(1)
    pixels = random.standard_normal(count, np.float32)
    pixels *= 52
    pixels += 900
    return np.clip(pixels, 0, 2047).astype(np.int32), random.random(count)


def _times(pixels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return what the notebook bins: the time of each pulse in ps."""
    times = pixels * SCALE
    each = len(pixels) // SCAN
    for index in range(SCAN):
        times[index * each : (index + 1) * each] += index * STEP + OFF_THE_EDGES
    return times


def _binning() -> Iterator[Row]:
    full = os.environ.get("PANCOMMONS_BENCH_FULL") == "1"
    pixels, signal = _pulses(FEW)
    times = _times(pixels)
    expected = notebook_binning(times, signal)
    found = binning(pixels, signal).mean()[0]
    bins = int(np.isfinite(expected).sum())
    difference = float(np.abs(expected[np.isfinite(expected)] - found[np.isfinite(found)]).max())
    few_peer = cpu_seconds(lambda: notebook_binning(times, signal))
    few = cpu_seconds(lambda: binning(pixels, signal), 9)
    yield Row(
        f"binning {FEW:.0e} pulses of {SCAN} positions, times faster than masks",
        few_peer / few,
        300,
        detail=f"{FEW / few / 1e6:.0f} and {FEW / few_peer / 1e6:.2f} million pulses/s, {bins} bins",
    )
    yield Row("largest difference of a bin's mean", difference, 1e-12, at_least=False)
    pixels, signal = _pulses(MANY)
    binning(pixels, signal)
    many = cpu_seconds(lambda: binning(pixels, signal), 3)
    tracemalloc.start()
    binning(pixels, signal)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if full:
        times = _times(pixels)
        peer = cpu_seconds(lambda: notebook_binning(times, signal))
    else:
        peer = few_peer * MANY / FEW
    yield Row(
        f"binning {MANY:.0e} pulses of {SCAN} positions, times faster than masks",
        peer / many,
        300,
        detail=f"{MANY / many / 1e6:.0f} million pulses/s; {peer:.0f} s there"
        f"{'' if full else f', in proportion to {FEW:.0e}'}",
    )
    yield Row("memory that binning takes for them, MB", memory / 1e6, 10, at_least=False)


def notebook_binning(times: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bin as the notebook does, which goes through all pulses for each bin: the means."""
    first, last = int(np.floor(times.min() / WIDTH)), int(np.ceil(times.max() / WIDTH))
    edges = np.linspace(first, last, num=last - first + 1) * WIDTH
    number = np.digitize(times, edges)
    means = np.full(len(edges), np.nan)
    for index in range(len(edges)):
        some = signal[number == index]
        if len(some):
            means[index] = np.mean(some)
    return means


def binning(pixels: NDArray[np.int32], signal: NDArray[np.float64]) -> Sums:
    """Bin with our functions: one pass over the pulses, then the bins from the sums."""
    sums, each = empty_sums(1, SCAN, 2048), len(pixels) // SCAN
    for index in range(SCAN):
        some = slice(index * each, (index + 1) * each)
        here = Sums(sums.count[0, index], sums.total[0, index], sums.squares[0, index])
        add_pulses(here, pixels[some], signal[some])
    starts = np.arange(SCAN) * STEP + OFF_THE_EDGES
    return bin_sums(sums, starts[:, None] + np.arange(2048) * SCALE, WIDTH).sums
