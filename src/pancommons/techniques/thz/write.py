"""The result: the trace with its errors, the spectrum, and the sums that any other bins can be made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.nexus.write import Field, create
from pancommons.pipelines.declaration import Found, Outcome
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.thz import notebook
from pancommons.techniques.thz.fourier import Spectrum, spectrum
from pancommons.techniques.thz.measurement import PS_PER_MM
from pancommons.techniques.thz.planning import limits_of, parameters_of, position_range, run_of
from pancommons.techniques.thz.steps import TALLY
from pancommons.techniques.thz.sums import Binned, Sums, bin_sums, empty_sums

_FEW_GAPS = 0.02


@dataclass(frozen=True)
class Trace:
    """The signal over time.

    Attributes
    ----------
    times, edges
        float64 [bin] and [bin + 1], ps.
    mean, error
        float64 [..., bin], arbitrary units; NaN where there is no pulse.
    count
        int64 [..., bin], pulses; of the scarcer state where there are two.
    """

    times: NDArray[np.float64]
    edges: NDArray[np.float64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    count: NDArray[np.int64]


def added(parts: list[Part], positions: int, first: int) -> tuple[Sums, NDArray[np.int64]]:
    """Add up parts in the order of their units: sums [state, class, position, pixel], and the tally."""
    shape = parts[0].shape("count")
    sums = empty_sums(positions, *shape)
    tally = np.zeros(len(TALLY), np.int64)
    for part in parts:
        where = int(part.span["position"]) - first
        sums.count[where] += part.read("count")
        sums.total[where] += part.read("total")
        sums.squares[where] += part.read("squares")
        tally += part.read("tally")
    moved = Sums(np.moveaxis(sums.count, 0, 2), np.moveaxis(sums.total, 0, 2), np.moveaxis(sums.squares, 0, 2))
    return moved, tally


def times_of(
    sums: Sums, stages: NDArray[np.float64], *, pixel_to_ps: float, stage_zero: float, delay: float, jitter: bool
) -> NDArray[np.float64]:
    """Return the time of each pixel at each position: float64 [position, pixel], ps.

    Without the correction of jitter all pixels of a position have its mean time.
    """
    pixels = np.arange(sums.count.shape[-1], dtype=np.float64)
    if jitter:
        arrival = np.broadcast_to(pixels, (len(stages), len(pixels)))
    else:
        counts = sums.count.sum(axis=(0, 1))
        mean = (counts @ pixels) / np.maximum(counts.sum(axis=1), 1)
        overall = float(counts.sum(axis=0) @ pixels) / max(1, int(counts.sum()))
        arrival = np.broadcast_to(np.where(counts.any(axis=1), overall, mean)[:, None], (len(stages), len(pixels)))
    return (arrival - delay) * pixel_to_ps + ((stages - stage_zero) * PS_PER_MM)[:, None]


def trace_of(binned: Binned) -> Trace:
    """Return the signal over time; sums [state, ..., bin] of two states become their difference."""
    sums = binned.sums
    if sums.count.shape[0] == 1:
        return Trace(binned.centres, binned.edges, sums.mean()[0], sums.error()[0], sums.count[0])
    on, off = sums[0], sums[1]
    count = np.minimum(on.count, off.count)
    return Trace(binned.centres, binned.edges, on.mean() - off.mean(), np.hypot(on.error(), off.error()), count)


def all_classes(sums: Sums) -> Sums:
    """Add up the classes: sums [state, position, pixel]."""
    return Sums(sums.count.sum(axis=1), sums.total.sum(axis=1), sums.squares.sum(axis=1))


def join(job: Job, parts: list[Part]) -> Outcome:
    """Add up the parts and write ``result.nxs``; the notebook's files as well where they are wanted."""
    run, parameters = run_of(job), parameters_of(job)
    first, last = position_range(parameters, run)
    stages = np.array([position.stage for position in run.positions[first:last]])
    sums, tally = added(parts, last - first, first)
    times = times_of(
        sums,
        stages,
        pixel_to_ps=parameters.pixel_to_ps,
        stage_zero=parameters.stage_zero,
        delay=float(job.value("filter_delay")),
        jitter=parameters.jitter,
    )
    whole = bin_sums(all_classes(sums), times, parameters.bin)
    trace = trace_of(whole)
    limits = None if parameters.time_range == "auto" else limits_of(parameters.time_range, "time_range")
    transformed = spectrum(
        trace.times, trace.mean, trace.error, window=parameters.window, limits=limits, padding=parameters.padding
    )
    _write(job, trace, whole, transformed, sums, stages, times)
    warnings = _warnings(parts, tally, transformed, whole)
    if parameters.notebook_compatible:
        _write_notebook(job, parts)
    counted = dict(zip(TALLY, (int(number) for number in tally), strict=True))
    found = {
        "pulses": Found(counted["pulses"], "counted"),
        "kept": Found(round(100 * counted["kept"] / max(1, counted["pulses"]), 4), "counted", None, "%"),
        "left_out": Found({name: counted[name] for name in ("missing", "outliers", "unsorted")}, "counted"),
    }
    return Outcome(found, {}, tuple(warnings))


def _write(
    job: Job, trace: Trace, whole: Binned, transformed: Spectrum | None, sums: Sums,
    stages: NDArray[np.float64], times: NDArray[np.float64],
) -> None:  # fmt: skip
    run, parameters = run_of(job), parameters_of(job)
    title = run.title or "THz pump-probe"
    with create(job.directory / "result.nxs", title=title, start_time=run.start_time) as nexus:
        nexus.group("instrument", "NXinstrument", name="TELBE")
        nexus.process("evaluation", parameters={"raw": str(run.path), **_settings(job)})
        time = Field("time", trace.times, "ps", long_name="time (ps)")
        signal = Field("signal", trace.mean, long_name="signal (arb. units)", errors=trace.error)
        nexus.data("trace", signal=signal, axes=[time], default=True)
        nexus.field("trace", Field("time_edges", trace.edges, "ps"))
        nexus.field("trace", Field("count", trace.count, long_name="pulses in the bin"))
        if whole.sums.count.shape[0] == 2:
            for name, state in (("pumped", whole.sums[0]), ("unpumped", whole.sums[1])):
                nexus.data(
                    name,
                    signal=Field("signal", state.mean(), long_name="signal (arb. units)", errors=state.error()),
                    axes=[Field("time", link="/entry/trace/time")],
                    title=f"{name} pulses",
                )
        if parameters.classes > 1:
            _write_classes(nexus, trace_of(bin_sums(sums, times, parameters.bin)), job)
        if transformed is not None:
            nexus.data(
                "spectrum",
                signal=Field("amplitude", transformed.amplitude, long_name="amplitude (arb. units)"),
                axes=[Field("frequency", transformed.frequency, "THz", long_name="frequency (THz)")],
                title="Amplitude spectrum",
                log=True,
            )
            for name, value, unit in (
                ("noise", transformed.noise, ""), ("resolution", transformed.resolution, "THz"),
                ("start", transformed.start, "ps"), ("stop", transformed.stop, "ps"),
            ):  # fmt: skip
                nexus.field("spectrum", Field(name, value, unit))
        group = {"compression": "bitshuffle-zstd"}
        nexus.group(
            "sums",
            "NXcollection",
            description="pulses added up by state, class, stage position and pixel of arrival; sums of runs add up",
            count=Field("count", sums.count, **group),  # type: ignore[arg-type]
            total=Field("total", sums.total, **group),  # type: ignore[arg-type]
            squares=Field("squares", sums.squares, **group),  # type: ignore[arg-type]
            stage=(stages, "mm"),
            time=Field("time", times, "ps", **group),  # type: ignore[arg-type]
        )


def _write_classes(nexus: Any, trace: Trace, job: Job) -> None:
    edges = job.arrays["intensity_edges"]
    nexus.data(
        "classes",
        signal=Field("signal", trace.mean, long_name="signal (arb. units)", errors=trace.error),
        axes=[
            Field("intensity_class", np.arange(len(trace.mean)), long_name="class, from weak to strong"),
            Field("time", trace.times, "ps", long_name="time (ps)"),
        ],
        title="Traces of pulses sorted by intensity",
    )
    nexus.field("classes", Field("intensity_edges", edges))


def _write_notebook(job: Job, parts: list[Part]) -> None:
    run, parameters = run_of(job), parameters_of(job)
    pixels, values = [], []
    for part in parts:
        stage = run.positions[part.span["position"]].stage
        pixels.append(notebook.on_scale(part.read("pixels"), stage, parameters.stage_zero, parameters.pixel_to_ps))
        values.append(part.read("signals"))
    every, signals = np.concatenate(pixels), np.concatenate(values)
    curve = notebook.binned(every, signals, parameters.pixel_to_ps, parameters.bin)
    notebook.write(job.directory / "notebook", run.path.name, every, signals, curve, parameters.bin)


def _warnings(parts: list[Part], tally: NDArray[np.int64], transformed: Spectrum | None, whole: Binned) -> list[str]:
    pulses, missing, outliers, _, kept = (int(number) for number in tally)
    warnings = []
    if kept == 0:
        warnings.append("No pulse was kept; the trace is empty.")
    if missing > 0.05 * pulses:
        warnings.append(
            f"{100 * missing / pulses:.2g} % of the spectra show no arrival; check the background and the filter."
        )
    if outliers > 0.05 * pulses:
        warnings.append(f"{100 * outliers / pulses:.2g} % of the pulses are outliers; check --outliers.")
    if transformed is None:
        warnings.append("Too few bins are filled for a spectrum.")
    elif transformed.filled > _FEW_GAPS * transformed.bins:
        warnings.append(
            f"{transformed.filled} of {transformed.bins} bins within the trace are empty and were bridged for the "
            "spectrum; wider bins avoid that."
        )
    return warnings


def _settings(job: Job) -> dict[str, object]:
    settings = job.parameters.model_dump(mode="json")
    return settings | {name: found.value for name, found in job.found.items() if name in settings}
