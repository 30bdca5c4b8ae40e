"""The steps of an evaluation as the pipeline calls them: a look at a sample, then pulses sorted and added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Found, Outcome, Stored, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.thz.arrival import Arrivals, BandPass, arrivals, band_pass, light
from pancommons.techniques.thz.intensity import Sorting, sorting
from pancommons.techniques.thz.measurement import Measurement, Position
from pancommons.techniques.thz.planning import (
    limits_of,
    pair_count,
    parameters_of,
    position_range,
    run_of,
    samples_in,
)
from pancommons.techniques.thz.signal import notebook_signals, reference, signals, without_outliers
from pancommons.techniques.thz.sums import Sums, add_pulses, empty_sums, stacked

TALLY = ("pulses", "missing", "outliers", "unsorted", "kept")
"""What a unit counts: pulses with a partner, without an arrival, outliers, outside the intensities, and added up."""
_SAMPLE_POSITIONS, _SAMPLE_PULSES, _SAMPLE_SPECTRA = 16, 512, 64


def warm() -> None:
    """Compile every kernel once, on a few pulses."""
    spectra = np.zeros((9, 300), np.uint16)
    spectra[:, 100:120] = 1000
    found = arrivals(spectra, np.zeros(300), band_pass())
    add_pulses(empty_sums(300), found.pixels, found.modulation)


@dataclass(frozen=True)
class Pulses:
    """Pulses of one position that have a spectrum and a trace.

    Attributes
    ----------
    index
        int64 [pulse], their place at the position, as the camera counts.
    pixels
        int32 [pulse], pixels of arrival.
    modulation
        float64 [pulse], counts, see `arrivals`.
    light
        float64 [pulse], counts, see `light`; zeros where it is not wanted.
    traces
        float32 [pulse, sample].
    """

    index: NDArray[np.int64]
    pixels: NDArray[np.int32]
    modulation: NDArray[np.float64]
    light: NDArray[np.float64]
    traces: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.index)


def tagged(
    position: Position, first: int, last: int, background: NDArray[np.float64], band: BandPass, *, samples: int,
    offset: int = 0, as_notebook: bool = False, with_light: bool = False,
) -> Pulses:  # fmt: skip
    """Find the arrivals of pulses ``first`` to ``last`` of a position and put their traces beside them.

    Parameters
    ----------
    offset
        Camera pulse i belongs to trace i - offset; where there is none, the pulse is left out.
    as_notebook
        As the TELBE notebook does: traces are taken from the other end instead, flags subtracted.
    with_light
        Add up the spectra as well.
    """
    where, found, sums = [np.empty(0, np.int64)], [Arrivals(np.empty(0, np.int32), np.empty(0))], [np.empty(0)]
    for block in position.blocks(first, last):
        found.append(arrivals(block.spectra, background, band, flagged=block.flagged, as_notebook=as_notebook))
        where.append(block.first + np.arange(len(block.spectra)))
        above = light(block.spectra, background, flagged=block.flagged) if with_light else np.zeros(len(block.spectra))
        sums.append(above)
    index = np.concatenate(where)
    traces_count = position.trace_values // samples
    partner = index - offset
    if as_notebook:
        partner %= traces_count
    there = (partner >= 0) & (partner < traces_count)
    return Pulses(
        index[there],
        np.concatenate([one.pixels for one in found])[there],
        np.concatenate([one.modulation for one in found])[there],
        np.concatenate(sums)[there],
        _traces(position, partner[there], samples),
    )


def _traces(position: Position, partner: NDArray[np.int64], samples: int) -> NDArray[np.float32]:
    """Read the traces of some pulses, all those between the first and the last in one go."""
    if not len(partner):
        return np.empty((0, samples), np.float32)
    first, last = int(partner.min()), int(partner.max()) + 1
    traces = position.traces(first, last, samples)
    if len(traces) < last - first:
        raise BadInput("ends before its last trace: it changed while it was read", file=position.label)
    return traces if len(partner) == len(traces) and partner[0] == first else traces[partner - first]


def band_of(job: Job) -> BandPass:
    """Return the arrival filter."""
    parameters = parameters_of(job)
    return band_pass(parameters.low_cut, parameters.high_cut)


def intensity_of(job: Job, pulses: Pulses) -> NDArray[np.float64] | None:
    """Return what tells the intensity of pulses: float64 [pulse]; None where nothing is asked for."""
    match parameters_of(job).intensity:
        case "modulation":
            return pulses.modulation
        case "spectrum":
            return pulses.light
        case "reference":
            return reference(pulses.traces)
        case _:
            return None


def prepare(job: Job) -> Outcome:
    """Look at a sample of pulses from the whole run: the filter's delay, the sorting by intensity, an example."""
    run, parameters = run_of(job), parameters_of(job)
    first, last = position_range(parameters, run)
    band = band_of(job)
    found: dict[str, Found] = {}
    spectra = _sample_spectra(run, first, last)
    if parameters.filter_delay == "auto":
        delay, error = measured_delay(spectra, run.background, band, parameters.high_cut)
        how = f"against a filter without delay, on {len(spectra)} pulses, +-{error:.2g}"
        found["filter_delay"] = Found(round(delay, 3), how, None, "pixel")
    arrays: dict[str, NDArray[Any]] = {"example": _example(spectra, run.background, band)}
    if parameters.intensity != "none":
        sample = [_sample_pulses(job, run, index, band) for index in _spread(first, last)]
        values = [value for pulses in sample if (value := intensity_of(job, pulses)) is not None]
        intensities = np.concatenate(values)
        if not len(intensities) or not np.isfinite(intensities).all() or not intensities.mean() > 0:
            raise BadInput(
                f"the pulses' {parameters.intensity} is not positive and cannot be their intensity",
                file=run.path,
                field="intensity",
                remedy="choose another",
            )
        low, high = limits_of(parameters.intensity_keep, "intensity_keep")
        sorts = sorting(intensities, low, high, parameters.classes)
        found["intensity_mean"] = Found(sorts.mean, f"mean of {len(intensities)} pulses")
        arrays["intensity_edges"] = sorts.edges
    return Outcome(found, arrays)


def measured_delay(
    spectra: NDArray[np.uint16], background: NDArray[np.float64], band: BandPass, high_cut: float
) -> tuple[float, float]:
    """Measure by how many pixels the filter delays pulses of the shape that they have.

    Each spectrum is filtered as for its arrival, and by the low-pass edge forwards and backwards, which delays nothing;
    the delay is the median distance of the two largest values, and its error that of a median.

    Returns
    -------
    delay, error
        In pixels; the filter's own delay and 0 where there are fewer than eight spectra.
    """
    from scipy.signal import butter, sosfiltfilt

    width = spectra.shape[1]
    if len(spectra) < 8 or width < 64:
        return band.delay, 0.0
    late = arrivals(spectra, background, band).pixels
    smooth = sosfiltfilt(butter(3, high_cut, output="sos"), spectra - background, axis=1)
    top = np.clip(smooth.argmax(axis=1), 1, width - 2)
    below, at, above = (smooth[np.arange(len(top)), top + step] for step in (-1, 0, 1))
    curved = below - 2 * at + above
    exact = top + np.divide(0.5 * (below - above), curved, out=np.zeros(len(top)), where=curved < 0)
    distance = late - exact
    middle = float(np.median(distance))
    near = distance[np.abs(distance - middle) <= max(3.0, band.delay)]
    error = float(near.std() / np.sqrt(len(near))) if len(near) else 0.0
    return float(near.mean()) if len(near) else band.delay, error


def _spread(first: int, last: int) -> list[int]:
    """Choose positions evenly."""
    chosen = np.linspace(first, last - 1, min(_SAMPLE_POSITIONS, last - first)).round().astype(int)
    return [int(index) for index in np.unique(chosen)]


def _sample_spectra(run: Measurement, first: int, last: int) -> NDArray[np.uint16]:
    """Return the first spectra of some positions, without flags: uint16 [pulse, pixel], counts."""
    taken = [np.empty((0, run.pixels), np.uint16)]
    for index in _spread(first, last):
        blocks = run.positions[index].blocks(0, _SAMPLE_SPECTRA)
        taken += [block.spectra & np.uint16(0x7FFF if block.flagged else 0xFFFF) for block in blocks]
    return np.concatenate(taken)


def _sample_pulses(job: Job, run: Measurement, index: int, band: BandPass) -> Pulses:
    """Return pulses from the middle of a position."""
    position = run.positions[index]
    count = pair_count(position, samples_in(job))
    start = max(0, (count - _SAMPLE_PULSES) // 2)
    stop = min(count, start + _SAMPLE_PULSES)
    light_too = parameters_of(job).intensity == "spectrum"
    return tagged(position, start, stop, run.background, band, samples=samples_in(job), with_light=light_too)


def _example(spectra: NDArray[np.uint16], background: NDArray[np.float64], band: BandPass) -> NDArray[np.float64]:
    """Return one spectrum without background, and filtered: float64 [2, pixel]."""
    from scipy.signal import lfilter

    if not len(spectra):
        return np.zeros((2, len(background)))
    raw = spectra[0] - background
    return np.stack([raw, lfilter(band.b, band.a, raw)])


def sort_pulses(job: Job, unit: Unit) -> dict[str, Stored]:
    """Tag, select and add up the pulses of one unit.

    Returns
    -------
    count, total, squares
        int64 and float64 [state, class, pixel]: sums of the pulses, see `Sums`; two states, pumped and not, where
        every other pulse is pumped, else one.
    tally
        int64 [5], see `TALLY`.
    pixels, signals
        int32 and float64 [pulse], of every pulse, as the notebook has them, where its files are to be written.
    """
    run, parameters = run_of(job), parameters_of(job)
    position = run.positions[unit.span["position"]]
    first, last = unit.span["first"], unit.span["last"]
    band, samples = band_of(job), samples_in(job)
    pulses = tagged(
        position, first, last, run.background, band, samples=samples, offset=parameters.offset,
        with_light=parameters.intensity == "spectrum",
    )  # fmt: skip
    sums, tally = selected(job, pulses)
    arrays = {
        "count": Stored(sums.count),
        "total": Stored(sums.total),
        "squares": Stored(sums.squares),
        "tally": Stored(tally),
    }
    if parameters.notebook_compatible:
        theirs = tagged(
            position, first, last, run.background, band, samples=samples, offset=parameters.offset, as_notebook=True
        )
        arrays["pixels"] = Stored(theirs.pixels)
        arrays["signals"] = Stored(notebook_signals(theirs.traces))
    return arrays


def selected(job: Job, pulses: Pulses) -> tuple[Sums, NDArray[np.int64]]:
    """Select pulses and add them up: sums [state, class, pixel], and the tally."""
    run, parameters = run_of(job), parameters_of(job)
    width = run.pixels
    signal = signals(pulses.traces, parameters.pump)
    there = (pulses.pixels > 0) & (pulses.pixels < width - 1)
    if parameters.least_modulation > 0 and len(pulses):
        usual = float(np.median(pulses.modulation))
        there &= pulses.modulation >= parameters.least_modulation * usual
        there &= pulses.modulation > 0
    intensity = intensity_of(job, pulses)
    classes = np.zeros(len(pulses), np.int64)
    if intensity is not None:
        sorts = Sorting(float(job.found["intensity_mean"].value), job.arrays["intensity_edges"])
        classes = sorts.classes(intensity)
        if parameters.normalise:
            signal = signal / sorts.relative(intensity)
    states = pulses.index % 2 != (parameters.pumped == "odd") if parameters.pump == "alternate" else None
    state = np.zeros(len(pulses), np.int64) if states is None else states.astype(np.int64)
    kept = there & (classes >= 0)
    usable = kept.copy()
    for one in (0, 1) if states is not None else (0,):
        some = np.flatnonzero(usable & (state == one))
        kept[some] = without_outliers(pulses.pixels[some], signal[some], parameters.outliers)
    rows = []
    for one in range(2 if states is not None else 1):
        by_class = []
        for group in range(parameters.classes):
            sums = empty_sums(width)
            some = kept & (state == one) & (classes == group)
            whole = bool(some.all())
            add_pulses(sums, pulses.pixels if whole else pulses.pixels[some], signal if whole else signal[some])
            by_class.append(sums)
        rows.append(stacked(by_class))
    tally = np.array(
        [len(pulses), np.count_nonzero(~there), np.count_nonzero(usable & ~kept),
         np.count_nonzero(there & (classes < 0)), np.count_nonzero(kept)],
        np.int64,
    )  # fmt: skip
    return stacked(rows), tally
