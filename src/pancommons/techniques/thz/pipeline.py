"""The declaration of pulse-resolved THz pump-probe spectroscopy."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from pancommons.pipelines.declaration import (
    Auto,
    Citation,
    Merit,
    Parameters,
    Pipeline,
    Role,
    Sample,
    Simulator,
    Stage,
    Technique,
    parameter,
)

HERE = "pancommons.techniques.thz"

SPAN = r"^[0-9]*:[0-9]*$"
_NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)"
RANGE = rf"^{_NUMBER}:{_NUMBER}$"


class ThzParameters(Parameters):
    """What can be set for an evaluation."""

    positions: str = parameter(
        ":", "stage positions to evaluate, as START:STOP in their order, counted from 0", group="Data", pattern=SPAN
    )
    samples: PositiveInt | Auto = parameter(
        "auto", "ADC samples of one pulse, an even number; the first half is the signal", group="Data"
    )
    offset: int = parameter(
        0, "by how many pulses the camera is ahead of the ADC", unit="pulse", group="Data", ge=-10000, le=10000
    )
    pixel_to_ps: float = parameter(
        0.0115, "time that one camera pixel stands for", unit="ps", group="Time", gt=0, le=10
    )
    stage_zero: float = parameter(0.0, "position of the delay stage at time zero", unit="mm", group="Time")
    bin: float = parameter(0.02, "width of a time bin", unit="ps", group="Time", gt=0, le=1000)
    jitter: bool = parameter(True, "place each pulse at its own arrival time, not at its position's mean", group="Time")
    filter_delay: float | Auto = parameter(
        "auto",
        "delay of the arrival filter, taken off the times; measured on a sample of pulses",
        unit="pixel",
        group="Time",
    )
    low_cut: float = parameter(
        1e-5, "lower edge of the arrival filter, as a fraction of the Nyquist frequency", group="Arrival", gt=0, lt=0.5
    )
    high_cut: float = parameter(
        0.04, "upper edge of the arrival filter, as a fraction of the Nyquist frequency", group="Arrival", gt=0, lt=1
    )
    least_modulation: float = parameter(
        0.25,
        "a spectrum modulated less than this fraction of its position's median has no pulse",
        group="Arrival",
        ge=0,
        lt=1,
    )
    pump: Literal["trace", "alternate", "none"] = parameter(
        "trace",
        "where pump-off is: second half of each trace, every other pulse, or nowhere",
        group="Signal",
    )
    pumped: Literal["even", "odd"] = parameter(
        "even", "which pulses are pumped where pump-off is every other pulse, counted from 0", group="Signal"
    )
    outliers: float = parameter(
        6.0, "pulses further than this many robust standard deviations are left out; 0 keeps all", group="Signal",
        ge=0, le=100,
    )  # fmt: skip
    intensity: Literal["none", "modulation", "spectrum", "reference"] = parameter(
        "none",
        "what tells a pulse's intensity: modulation of its spectrum, sum of its spectrum, second half of its trace",
        group="Intensity",
    )
    normalise: bool = parameter(False, "divide each signal by its relative intensity", group="Intensity")
    intensity_keep: str = parameter(
        "0:100", "pulses to keep, sorted by intensity, as LOW:HIGH in percent", group="Intensity", pattern=RANGE
    )
    classes: int = parameter(
        1, "classes of equal size that pulses are sorted into by intensity, each with its trace", group="Intensity",
        ge=1, le=16,
    )  # fmt: skip
    window: Literal["hann", "hamming", "blackman", "tukey", "none"] = parameter(
        "hann", "window on the trace before its Fourier transform", group="Spectrum"
    )
    time_range: str = parameter(
        "auto", "times that are transformed, as START:STOP in ps", group="Spectrum", pattern=rf"^auto$|{RANGE}"
    )
    padding: int = parameter(4, "zeros are added up to this many times the trace", group="Spectrum", ge=1, le=64)
    notebook_compatible: bool = parameter(
        False, "write the two text files of the TELBE notebook as well, as it writes them", group="Output"
    )


class SimulationParameters(Parameters):
    """What can be set for a simulated run."""

    positions: int = parameter(24, "positions of the delay stage", group="Scan", ge=1, le=10000)
    pulses: int = parameter(500, "pulses at each position", group="Scan", ge=1, le=10_000_000)
    start: float = parameter(51.1, "first position of the stage", unit="mm", group="Scan")
    step: float = parameter(0.1, "from one position of the stage to the next", unit="mm", group="Scan", gt=0)
    layout: Literal["nexus", "folder"] = parameter(
        "nexus", "one HDF5 file, or a folder as the beamline writes it", group="Scan"
    )
    frequency: float = parameter(0.7, "of the THz wave", unit="THz", group="Signal", gt=0, le=20)
    amplitude: float = parameter(0.2, "of the wave in the integrated signal", group="Signal", ge=0)
    duration: float = parameter(
        2.5, "of the wave, as a standard deviation of its envelope", unit="ps", group="Signal", gt=0
    )
    decay: float = parameter(0.05, "amplitude of a response that decays over 5 ps after the wave", group="Signal", ge=0)
    noise: float = parameter(0.05, "standard deviation of one pulse's integrated signal", group="Signal", ge=0)
    spread: float = parameter(
        0.0, "spread of the pulses' intensity; wave and spectrum's modulation follow it", group="Signal", ge=0, le=0.5
    )
    outliers: float = parameter(0.002, "fraction of pulses whose signal is far off", group="Signal", ge=0, le=0.5)
    jitter: float = parameter(0.6, "standard deviation of the arrival times", unit="ps", group="Arrival", ge=0)
    drift: float = parameter(0.5, "of the arrival time over the run", unit="ps", group="Arrival")
    missing: float = parameter(0.002, "fraction of spectra without a pulse", group="Arrival", ge=0, le=0.5)
    pixels: int = parameter(2048, "pixels of the spectrometer's camera", unit="pixel", group="Arrival", ge=256, le=8192)
    pixel_to_ps: float = parameter(0.0115, "time that one camera pixel stands for", unit="ps", group="Arrival", gt=0)
    samples: int = parameter(96, "ADC samples of one pulse, an even number", group="Arrival", ge=2, le=10000)
    alternate: bool = parameter(False, "pump every other pulse only", group="Signal")
    seed: int = parameter(1, "of the random numbers", group="Scan", ge=0)


PIPELINE = Pipeline(
    name="thz",
    version="1.0",
    title="THz pump-probe, pulse by pulse",
    description="Arrival-time tagging, binning, pump-on/pump-off difference and spectrum of a pulse-resolved THz run.",
    technique=Technique("PaNET01006", "THz photon probe-based techniques"),
    roles=(
        Role("measurement", "run folder as TELBE writes it, or one file in the layout of this pipeline"),
        Role("background", "spectrum without a pulse, where the run folder has none", required=False),
        Role("truth", "a simulation's truth, to score the result against", required=False),
    ),
    parameters=ThzParameters,
    inspect=f"{HERE}.planning:inspect",
    preview=f"{HERE}.planning:preview",
    plan=f"{HERE}.planning:plan",
    warm=f"{HERE}.steps:warm",
    prepare=f"{HERE}.steps:prepare",
    stages=(
        Stage(
            "pulses",
            "Tagging and sorting pulses",
            "pulses",
            process=f"{HERE}.steps:sort_pulses",
            combine=f"{HERE}.write:join",
        ),
    ),
    report=f"{HERE}.figures:report",
    presets={
        "intensity": {"intensity": "modulation", "normalise": True, "intensity_keep": "5:95"},
        "plain": {"outliers": 0.0, "least_modulation": 0.0, "filter_delay": 0.0, "window": "none", "padding": 1},
    },
    merits=(
        Merit("pulses", "Pulses", "", "pulses with a spectrum and a trace"),
        Merit("kept", "Kept pulses", "%", "fraction of the pulses that the result is made of"),
        Merit("jitter", "Jitter", "ps", "standard deviation of the arrival times about their position's mean"),
        Merit("drift", "Drift of the arrival", "ps", "largest less smallest mean arrival of a position"),
        Merit("error", "Error of a bin", "", "median standard error of the trace"),
        Merit("peak_frequency", "Peak of the spectrum", "THz", "frequency of the largest amplitude"),
        Merit("resolution", "Resolution of the spectrum", "THz", "one over the length of the trace transformed"),
        Merit("dynamic_range", "Dynamic range", "dB", "largest amplitude of the spectrum over its noise"),
        Merit("scale", "Scale against the truth", "", "fitted amplitude of the trace over the true one; 1 is right"),
        Merit("time_error", "Time against the truth", "fs", "fitted shift of the trace; positive is late"),
        Merit("chi_squared", "Chi squared against the truth", "", "per bin, by the trace's own errors; 1 is right"),
    ),
    citations=(
        Citation(
            "Kovalev S et al. Probing ultra-fast processes with high dynamic range at 4th-generation light sources: "
            "Arrival time and intensity binning at unprecedented repetition rates. Struct. Dyn. 4, 024301 (2017).",
            "10.1063/1.4978042",
        ),
        Citation(
            "Chu H et al. Phase-resolved Higgs response in superconducting cuprates. Nat. Commun. 11, 1793 (2020).",
            "10.1038/s41467-020-15613-1",
        ),
    ),
    tolerance=1e-6,
    examples=(
        "pan run thz RUNFOLDER",
        "pan run thz RUNFOLDER --pixel-to-ps 0.0115 --stage-zero 51.1 --bin 0.02",
        "pan run thz RUNFOLDER --preset intensity",
        "pan run thz RUNFOLDER --notebook-compatible",
    ),
    simulator=Simulator(SimulationParameters, f"{HERE}.simulate:simulate", "run.nxs"),
    samples=(
        Sample(
            "thz-telbe/900_0p7THz_SYN_2mmZnTe_31K_13.06.2018_0535_02",
            "a run folder as TELBE writes it",
        ),
    ),
)
