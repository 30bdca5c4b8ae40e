"""A simulated run: a THz wave sampled by pulses whose arrival jitters and drifts, with the truth apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.write import Field, create
from pancommons.techniques.thz.archive import DEFINITION, describe
from pancommons.techniques.thz.measurement import PS_PER_MM
from pancommons.techniques.thz.pipeline import SimulationParameters

RATE = 100_000
_PULSE_PIXELS, _PULSE_COUNTS, _READ_NOISE = 25.0, 2500.0, 20.0
_LEVEL, _LASER_SPREAD = 0.1, 0.01
_DECAY, _RISE = 5.0, 0.3
_IMAGE_ROWS = 250
_BLOCK = 2000


@dataclass(frozen=True)
class Wave:
    """The response that is sampled: a wave packet, and what decays after it.

    Attributes
    ----------
    frequency
        THz.
    amplitude, decay
        Of the packet and of the rest, in arbitrary units.
    duration
        Standard deviation of the packet's envelope, in ps.
    middle
        When its largest crest comes, in ps.
    """

    frequency: float
    amplitude: float
    duration: float
    decay: float
    middle: float

    def __call__(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signal at some times in ps, in arbitrary units."""
        later = np.maximum(times - self.middle, 0.0)
        packet = np.exp(-0.5 * ((times - self.middle) / self.duration) ** 2)
        packet = packet * np.cos(2 * np.pi * self.frequency * (times - self.middle))
        after = self.decay * np.exp(-later / _DECAY) * (1 - np.exp(-later / _RISE))
        return np.asarray(self.amplitude * packet + after, np.float64)


@dataclass(frozen=True)
class Pulses:
    """The truth about the pulses of one position: arrays [pulse]."""

    pixel: NDArray[np.float64]
    time: NDArray[np.float64]
    strength: NDArray[np.float64]
    signal: NDArray[np.float64]
    outlier: NDArray[np.bool_]
    missing: NDArray[np.bool_]


def simulate(
    parameters: SimulationParameters,
    raw: Path,
    truth: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Simulate a run, a position at a time.

    The delay stage moves evenly; at each position pulses arrive with a Gaussian jitter about a mean that drifts
    linearly over the run. A spectrum is a smooth background with a Gaussian peak at the pixel of arrival and Gaussian
    noise; a trace is a level that both halves share, in the first half with the signal, and Gaussian noise.

    Parameters
    ----------
    parameters
        Of the simulation.
    raw
        What to write: a file, or a folder as the beamline writes it.
    truth
        The file for the truth: the wave over time, and for each pulse where and when it came and what it measured.
    progress
        Called with the fraction done.
    """
    if parameters.samples % 2:
        raise BadInput(f"{parameters.samples} is odd, a trace has two halves of equal length", field="samples")
    made = _Simulation(parameters)
    if parameters.layout == "folder":
        made.write_folder(raw, progress)
    else:
        made.write_file(raw, progress)
    made.write_truth(truth)


class _Simulation:
    """What all positions of a simulated run share."""

    def __init__(self, parameters: SimulationParameters) -> None:
        p = self.p = parameters
        self.random = np.random.default_rng(p.seed)
        self.stages = np.round(p.start + p.step * np.arange(p.positions), 6)
        at = np.linspace(-1, 1, p.pixels)
        self.background = np.round(950 + 350 * np.exp(-((at - 0.1) ** 2) / 0.6), 3)
        self.mean_pixel = 0.45 * p.pixels
        middle = float(self.stages.mean()) * PS_PER_MM + self.mean_pixel * p.pixel_to_ps
        self.wave = Wave(p.frequency, p.amplitude, p.duration, p.decay, middle)
        self.pulses: list[Pulses] = []

    def position(self, index: int) -> Pulses:
        """Draw the pulses of a position."""
        p, random = self.p, self.random
        run = (index + np.arange(p.pulses) / p.pulses) / p.positions - 0.5
        late = p.jitter * random.standard_normal(p.pulses) + p.drift * run
        pixel = np.clip(self.mean_pixel + late / p.pixel_to_ps, 0.1 * p.pixels, 0.9 * p.pixels)
        time = self.stages[index] * PS_PER_MM + pixel * p.pixel_to_ps
        strength = np.maximum(1 + p.spread * random.standard_normal(p.pulses), 0.2)
        signal = strength * self.wave(time)
        if p.alternate:
            signal[1::2] = 0
        pulses = Pulses(
            pixel, time, strength, signal, random.random(p.pulses) < p.outliers, random.random(p.pulses) < p.missing
        )
        self.pulses.append(pulses)
        return pulses

    def spectra(self, pulses: Pulses, rows: slice) -> NDArray[np.uint16]:
        """Return what the camera sees: uint16 [pulse, pixel], counts."""
        height = (_PULSE_COUNTS * pulses.strength * ~pulses.missing)[rows].astype(np.float32)
        at = np.arange(self.p.pixels, dtype=np.float32) - pulses.pixel[rows, None].astype(np.float32)
        counts = np.exp(at * at * np.float32(-0.5 / _PULSE_PIXELS**2))
        counts *= height[:, None]
        counts += self.background.astype(np.float32)
        counts += np.float32(_READ_NOISE) * self.random.standard_normal(counts.shape, np.float32)
        return np.asarray(np.clip(np.rint(counts), 0, 32767), np.uint16)

    def traces(self, pulses: Pulses) -> NDArray[np.float32]:
        """Return what the ADC sees: float32 [pulse, sample], V."""
        p, half = self.p, self.p.samples // 2
        count = len(pulses.signal)
        level = _LEVEL * (1 + _LASER_SPREAD * self.random.standard_normal(count))
        wrong = pulses.outlier * self.random.choice([-1, 1], count) * (20 * p.noise + 2 * p.amplitude + 0.5)
        traces = np.repeat(level[:, None], p.samples, axis=1)
        traces[:, :half] += ((pulses.signal + wrong) / half)[:, None]
        traces += p.noise / np.sqrt(p.samples) * self.random.standard_normal(traces.shape)
        return traces.astype(np.float32)

    def write_file(self, path: Path, progress: Callable[[float], None]) -> None:
        """Write one file of this pipeline's layout."""
        p = self.p
        counts = [p.pulses] * p.positions
        title = f"Simulated THz run, {p.frequency:g} THz"
        with create(path, title=title, definition=DEFINITION, start_time="2026-01-01T12:00:00") as nexus:
            spectra, traces, _ = describe(
                nexus, stages=list(self.stages), counts=counts, trace_counts=counts, background=self.background,
                samples=p.samples, rate=RATE,
            )  # fmt: skip
            nexus.group("sample", "NXsample", name="simulated")
            nexus.process("simulation", program="pan simulate thz", parameters=p.model_dump())
            for index in range(p.positions):
                pulses, start = self.position(index), index * p.pulses
                for row in range(0, p.pulses, _BLOCK):
                    some = self.spectra(pulses, slice(row, row + _BLOCK))
                    spectra[start + row : start + row + len(some)] = some
                    nexus.check()
                traces[start : start + p.pulses] = self.traces(pulses)
                progress((index + 1) / p.positions)

    def write_folder(self, path: Path, progress: Callable[[float], None]) -> None:
        """Write a folder as the beamline does."""
        import tifffile

        p, date = self.p, "01.01.2026_1200_00"
        name = f"900_{p.frequency:g}THz_SIM_2mmZnTe_300K".replace(".", "p")
        path.mkdir()
        np.savetxt(path / f"{name}_BG_{date}.txt", self.background[None], fmt="%.3f")
        digits = max(2, len(f"{p.step:g}".partition(".")[2]), len(f"{p.start:g}".partition(".")[2]))
        for index, stage in enumerate(self.stages):
            pulses = self.position(index)
            images = path / f"{name}_SD_{RATE}Hz_{stage:.{digits}f}mm{date}"
            images.mkdir()
            for number, row in enumerate(range(0, p.pulses, _IMAGE_ROWS)):
                some = self.spectra(pulses, slice(row, row + _IMAGE_ROWS))
                tifffile.imwrite(images / f"img_{number:05d}.tif", some, metadata=None)
            traces = path / f"{name}_Experiment_{RATE}Hz_{stage:.{digits}f}mm{date}.dat"
            self.traces(pulses).astype(">f4").tofile(traces)
            progress((index + 1) / p.positions)

    def write_truth(self, path: Path) -> None:
        """Write the wave, and the truth about every pulse."""
        p = self.p
        every = {
            name: np.concatenate([getattr(one, name) for one in self.pulses]) for name in Pulses.__dataclass_fields__
        }
        first, last = float(every["time"].min()) - 2, float(every["time"].max()) + 2
        times = np.arange(first, last, 0.005)
        with create(path, title="Truth of a simulated THz run") as nexus:
            nexus.data(
                "truth",
                signal=Field("signal", self.wave(times), long_name="signal (arb. units)"),
                axes=[Field("time", times, "ps", long_name="time with the stage's zero at 0 mm (ps)")],
            )
            nexus.group(
                "pulses",
                "NXcollection",
                stage=(np.repeat(self.stages, p.pulses), "mm"),
                pixel=(every["pixel"], "pixel"),
                time=(every["time"], "ps"),
                strength=(every["strength"], ""),
                signal=(every["signal"], ""),
                outlier=every["outlier"].astype(np.uint8),
                missing=every["missing"].astype(np.uint8),
            )
            nexus.process("simulation", program="pan simulate thz", parameters=p.model_dump())
