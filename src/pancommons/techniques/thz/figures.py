"""What an evaluation shows of itself: trace, arrivals, spectrum, counts, figures of merit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from pancommons.nexus.read import open_file
from pancommons.pipelines.declaration import Figure, Findings
from pancommons.pipelines.job import Job
from pancommons.techniques.thz.fourier import peak_of
from pancommons.techniques.thz.measurement import PS_PER_MM
from pancommons.techniques.thz.planning import parameters_of
from pancommons.techniques.thz.quality import Score, score

_AROUND = 250
"""Pixels that are shown on either side of an arrival."""
_BLUE, _RED, _GREY = "#1f5f99", "#b3401f", "#777777"


def report(job: Job) -> Findings:
    """Draw the figures and work out the figures of merit."""
    folder = job.directory / "figures"
    truth = _truth(job)
    with open_file(job.directory / "result.nxs") as file:
        result = _Result(file["entry"])
    if not np.isfinite(result.mean).any():
        return Findings((), {"pulses": float(job.found["pulses"].value), "kept": float(job.found["kept"].value)})
    against = score(result.edges, result.mean, result.error, *truth) if truth else None
    figures = [_trace(job, result, truth, folder)]
    if result.classes is not None:
        figures.append(_classes(result, folder))
    figures += [_arrivals(job, result, folder), _counts(result, folder)]
    if result.frequency is not None:
        figures.insert(1, _spectrum(result, folder))
    return Findings(tuple(figures), _merits(job, result, against))


class _Result:
    """The arrays of the result that figures need."""

    def __init__(self, entry: h5py.Group) -> None:
        trace = entry["trace"]
        self.times, self.edges = trace["time"][()], trace["time_edges"][()]
        self.mean, self.error, self.count = trace["signal"][()], trace["signal_errors"][()], trace["count"][()]
        self.states = {
            name: (entry[name]["signal"][()], entry[name]["signal_errors"][()])
            for name in ("pumped", "unpumped")
            if name in entry
        }
        self.classes: NDArray[np.float64] | None = entry["classes/signal"][()] if "classes" in entry else None
        self.classes_errors = entry["classes/signal_errors"][()] if "classes" in entry else self.error
        self.frequency: NDArray[np.float64] | None = None
        if "spectrum" in entry:
            spectrum = entry["spectrum"]
            self.frequency, self.amplitude = spectrum["frequency"][()], spectrum["amplitude"][()]
            self.noise, self.resolution = float(spectrum["noise"][()]), float(spectrum["resolution"][()])
            self.start, self.stop = float(spectrum["start"][()]), float(spectrum["stop"][()])
        self.by_position = entry["sums/count"][()].sum(axis=(0, 1))
        self.stages = entry["sums/stage"][()]
        pixels = np.arange(self.by_position.shape[1])
        pulses = self.by_position.sum(axis=1)
        unknown = np.full(len(pulses), np.nan)
        self.arrival = np.divide(self.by_position @ pixels, pulses, out=unknown, where=pulses > 0)

    @property
    def peak(self) -> float:
        """Return the frequency of the largest amplitude, in THz."""
        assert self.frequency is not None  # noqa: S101 - asked for only then
        return peak_of(self.frequency, self.amplitude, self.resolution)

    def jitter(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return arrivals about their position's mean: distances in whole pixels, and pulses at each."""
        width = self.by_position.shape[1]
        counts = np.zeros(2 * width + 1, np.int64)
        for row, mean in zip(self.by_position, self.arrival, strict=True):
            if np.isfinite(mean):
                shift = width - round(float(mean))
                counts[shift : shift + width] += row
        return np.arange(-width, width + 1), counts


def _trace(job: Job, result: _Result, truth: tuple[Any, Any] | None, folder: Path) -> Figure:
    """The signal over time with its errors."""
    drawing = Drawing(figsize=(11, 4.6), layout="constrained")
    axis = drawing.subplots()
    for (name, (mean, error)), colour in zip(result.states.items(), ("#5b8f3c", _GREY), strict=False):
        _curve(axis, result.times, mean, error, colour, name)
    label = "pumped less unpumped" if result.states else "measured"
    _curve(axis, result.times, result.mean, result.error, _BLUE, label)
    if truth:
        inside = (truth[0] > result.edges[0]) & (truth[0] < result.edges[-1])
        axis.plot(truth[0][inside], truth[1][inside], color=_RED, lw=1.0, label="truth")
    low, high = _range((result.mean, result.error), *result.states.values())
    axis.set(xlabel="time (ps)", ylabel="signal (arb. units)", xlim=(result.edges[0], result.edges[-1]))
    axis.set_ylim(low, high)
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right", frameon=False)
    drawing.savefig(folder / "trace.png", dpi=120)
    error = float(np.nanmedian(result.error))
    return Figure(
        "trace.png",
        "Trace",
        f"Mean signal in bins of {parameters_of(job).bin:g} ps; the band is its standard error, {error:.2g} in the "
        f"median of {np.count_nonzero(np.isfinite(result.mean))} bins.",
        f"A curve from {result.edges[0]:.1f} to {result.edges[-1]:.1f} ps, between {np.nanmin(result.mean):.3g} and "
        f"{np.nanmax(result.mean):.3g}.",
    )


def _curve(axis: Axes, times: Any, mean: Any, error: Any, colour: str, label: str) -> None:
    axis.fill_between(times, mean - error, mean + error, color=colour, alpha=0.3, lw=0)
    axis.plot(times, mean, color=colour, lw=0.8, marker=".", ms=2, label=label)


def _range(*curves: tuple[NDArray[np.float64], NDArray[np.float64]]) -> tuple[float, float]:
    """Return the range of signals to draw: that of bins with small errors, so that lone pulses do not rule it."""
    sure = [mean[error <= 3 * np.nanmedian(error)] for mean, error in curves]
    values = np.concatenate(sure)
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.array([-1.0, 1.0])
    margin = 0.08 * float(np.ptp(values)) or 1.0
    return float(values.min()) - margin, float(values.max()) + 2 * margin


def _classes(result: _Result, folder: Path) -> Figure:
    """The trace of each class of intensity."""
    import matplotlib

    assert result.classes is not None  # noqa: S101 - drawn only then
    drawing = Drawing(figsize=(11, 4.2), layout="constrained")
    axis = drawing.subplots()
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(result.classes)))
    for index, (mean, colour) in enumerate(zip(result.classes, colours, strict=True)):
        axis.plot(result.times, mean, color=colour, lw=0.9, label=f"{index}")
    axis.set(xlabel="time (ps)", ylabel="signal (arb. units)", xlim=(result.edges[0], result.edges[-1]))
    axis.set_ylim(*_range((result.classes, result.classes_errors)))
    axis.grid(alpha=0.3)
    axis.legend(title="class, weak to strong", ncols=4, frameon=False, loc="upper right")
    drawing.savefig(folder / "classes.png", dpi=110)
    return Figure(
        "classes.png",
        "Traces sorted by intensity",
        "The pulses in classes of equal size from the weakest to the strongest, each with its trace.",
        f"{len(result.classes)} curves over the same times.",
    )


def _spectrum(result: _Result, folder: Path) -> Figure:
    """The amplitude spectrum with its noise."""
    assert result.frequency is not None  # noqa: S101 - drawn only then
    peak = result.peak
    nyquist = float(result.frequency[-1])
    most = min(nyquist, max(3.0, 4 * peak if np.isfinite(peak) else 3.0))
    shown = (result.frequency > 0) & (result.frequency <= most)
    drawing = Drawing(figsize=(11, 4.0), layout="constrained")
    for axis, scale in zip(drawing.subplots(1, 2), ("linear", "log"), strict=True):
        axis.plot(result.frequency[shown], result.amplitude[shown], color=_BLUE, lw=1.2)
        axis.axhline(result.noise, color=_GREY, lw=1.0, ls="--", label="expected noise")
        if np.isfinite(peak):
            axis.axvline(peak, color=_RED, lw=0.9, ls=":", label=f"{peak:.3f} THz")
        axis.set(xlabel="frequency (THz)", ylabel="amplitude (arb. units)", yscale=scale, xlim=(0, most))
        axis.grid(alpha=0.3)
    axis.legend(loc="upper right", frameon=False)
    drawing.savefig(folder / "spectrum.png", dpi=110)
    return Figure(
        "spectrum.png",
        "Amplitude spectrum",
        f"Fourier transform of the trace from {result.start:.1f} to {result.stop:.1f} ps, linear and logarithmic; the "
        "dashed line is the noise to expect from the errors of the trace.",
        f"A spectrum with its largest amplitude at {peak:.3f} THz; resolution {result.resolution:.3f} THz.",
    )


def _arrivals(job: Job, result: _Result, folder: Path) -> Figure:
    """How an arrival is found, how arrivals are spread, and how they drift."""
    scale = parameters_of(job).pixel_to_ps
    raw, filtered = job.arrays["example"]
    drawing = Drawing(figsize=(11, 3.6), layout="constrained")
    example, spread, drift = drawing.subplots(1, 3)
    example.plot(raw, color=_GREY, lw=0.6, label="spectrum")
    example.plot(filtered, color=_BLUE, lw=1.2, label="filtered")
    arrival = int(np.argmax(filtered))
    example.axvline(arrival, color=_RED, lw=1.0, ls="--", label="arrival")
    example.set_xlim(max(0, arrival - _AROUND), min(len(raw), arrival + _AROUND))
    example.set(xlabel="pixel", ylabel="counts above background", title="One pulse")
    example.legend(frameon=False, fontsize="small")
    distance, counts = result.jitter()
    some = np.flatnonzero(counts)
    low, high = (int(some[0]), int(some[-1]) + 1) if some.size else (0, 1)
    group = max(1, (high - low) // 120)
    edges = np.arange(low, high + group, group)
    summed = np.add.reduceat(np.append(counts, np.zeros(group + 1, np.int64)), edges)[:-1]
    spread.stairs(summed, (edges - len(result.by_position[0]) - 0.5) * scale, fill=True, color=_BLUE, alpha=0.8)
    spread.set(xlabel="arrival about its position's mean (ps)", ylabel="pulses", title="Jitter")
    drift.plot(result.stages, (result.arrival - np.nanmean(result.arrival)) * scale, ".-", color=_BLUE, lw=0.8, ms=4)
    drift.set(xlabel="stage (mm)", ylabel="mean arrival (ps)", title="Drift")
    for axis in (example, spread, drift):
        axis.grid(alpha=0.3)
    drawing.savefig(folder / "arrivals.png", dpi=110)
    jitter = _jitter(distance, counts) * scale
    return Figure(
        "arrivals.png",
        "Arrival times",
        "One pulse's spectrum before and after the filter, whose largest value is the arrival; arrivals about the mean "
        "of their stage position; and that mean over the run.",
        f"A peak and its filtered form; a histogram {jitter:.2g} ps wide; mean arrivals of {len(result.stages)} "
        "positions.",
    )


def _counts(result: _Result, folder: Path) -> Figure:
    """How many pulses each bin has."""
    drawing = Drawing(figsize=(11, 3.0), layout="constrained")
    axis = drawing.subplots()
    axis.stairs(result.count, result.edges, fill=True, color=_BLUE, alpha=0.8)
    axis.set(xlabel="time (ps)", ylabel="pulses in the bin", xlim=(result.edges[0], result.edges[-1]))
    axis.grid(alpha=0.3)
    drawing.savefig(folder / "counts.png", dpi=110)
    return Figure(
        "counts.png",
        "Counts per bin",
        "Pulses that each bin is the mean of. Bins that are no whole number of pixels wide take turns in having one "
        "pixel more.",
        f"Between {result.count.min()} and {result.count.max()} pulses in {len(result.count)} bins.",
    )


def _jitter(distance: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    total = max(1, int(counts.sum()))
    mean = float(counts @ distance) / total
    return float(np.sqrt(counts @ (distance - mean) ** 2 / total))


def _truth(job: Job) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the true wave on the time axis of the result: ps and arbitrary units."""
    path = job.path("truth")
    if path is None:
        return None
    with open_file(path) as file:
        times, signal = file["entry/truth/time"][()], file["entry/truth/signal"][()]
    return times - parameters_of(job).stage_zero * PS_PER_MM, signal


def _merits(job: Job, result: _Result, against: Score | None) -> dict[str, float | None]:
    scale = parameters_of(job).pixel_to_ps
    merits: dict[str, float | None] = {
        "pulses": float(job.found["pulses"].value),
        "kept": float(job.found["kept"].value),
        "jitter": _jitter(*result.jitter()) * scale,
        "drift": float(np.nanmax(result.arrival) - np.nanmin(result.arrival)) * scale,
        "error": float(np.nanmedian(result.error)),
    }
    if result.frequency is not None:
        peak = result.peak
        merits["resolution"] = result.resolution
        if np.isfinite(peak):
            merits["peak_frequency"] = peak
            largest = float(result.amplitude[np.argmin(np.abs(result.frequency - peak))])
            if result.noise > 0:
                merits["dynamic_range"] = float(20 * np.log10(largest / result.noise))
    if against is not None:
        merits |= {"scale": against.scale, "time_error": 1e3 * against.shift, "chi_squared": against.chi_squared}
    return merits
