"""A simulated measurement on LOQ: spheres, coils or a flat scatterer, from the ray to pixel and time of flight.

For each pixel and time of flight the expected counts are: neutrons of that wavelength on the sample, times
transmission, times scattering per solid angle at the Q of the ray, averaged over rays that start in the first aperture,
pass the second, end anywhere in the pixel and in the bin of time and left the moderator early or late. Then counts are
drawn. As at the instrument, direct beams are calibrated against the monitor as the reduction treats it, its prompt
pulse replaced by a line; else the reduction shares no code with this but the instrument's positions. Everything a
reduction needs is in one file, see `sources`; the truth is in another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.write import Field, Writer, create
from pancommons.techniques.sans import models
from pancommons.techniques.sans.instrument import Bank, instrument
from pancommons.techniques.sans.monitors import without_background, without_prompt
from pancommons.techniques.sans.pipeline import SimulationParameters
from pancommons.techniques.sans.rays import H_OVER_M, draw_rays, trace

Floats = NDArray[np.float64]
EDGES: Floats = np.asarray(3500.0 * 1.025 ** np.arange(103), np.float64)
"""Times of flight, us."""
RAYS = 6
"""Rays that a pixel takes, each of which is mirrored to four."""
_DRAWN = 1009
FRAMES = 25
"""Frames in a second, in event mode."""
_MOST_EVENTS = 5e7
SCALE = 1.5
"""The instrument's factor to absolute units, which the user file says."""
_BACKGROUND = (34000.0, 39000.0)
_LOWEST = 1.0e-3
_HIGHEST, _Q_STEPS = 6.0, 60_001
_DATE = "2012-11-05T12:00:00"


def simulate(
    parameters: SimulationParameters, raw: Path, truth: Path, progress: Callable[[float], None] = lambda _: None
) -> None:
    """Write a measurement - five runs, user file, flat cell, direct beams - and its truth.

    Parameters
    ----------
    parameters
        Of the simulation.
    raw
        The measurement, for ``pan run sans``.
    truth
        The scattering without instrument: ``Q`` in 1/Angstrom and ``I`` in 1/cm.
    progress
        Called with the fraction done.
    """
    measurement = _Measurement(parameters)
    with create(raw, title=measurement.title, definition="ISISTOFRAW", entry="raw_data_1", start_time=_DATE) as nexus:
        measurement.write_scattering(nexus, nexus.entry, 1, "sample", progress)
        for number, name in enumerate(("can", "sample_transmission", "can_transmission", "direct"), 2):
            group = nexus.file.create_group(name)
            group.attrs["NX_class"] = "NXentry"
            group["start_time"] = _DATE
            group["title"] = f"{measurement.title}: {name.replace('_', ' ')}"
            if name == "can":
                measurement.write_scattering(nexus, group, number, name, progress)
            else:
                measurement.write_transmission(nexus, group, number, name)
        measurement.write_calibration(nexus)
        nexus.process("simulation", program="pan simulate sans", parameters=parameters.model_dump())
    measurement.write_truth(truth)


class _Measurement:
    """What all runs of a simulated measurement share."""

    def __init__(self, parameters: SimulationParameters) -> None:
        if parameters.mode == "events" and parameters.counts > _MOST_EVENTS:
            raise BadInput(
                f"{parameters.counts:g} events are more than fit into memory", field="counts",
                remedy=f"ask for up to {_MOST_EVENTS:g}",
            )  # fmt: skip
        self.p = parameters
        self.loq = instrument("LOQ", _DATE)
        self.random = np.random.default_rng(parameters.seed)
        self.title = f"simulated {parameters.sample}"
        random = np.random.default_rng(parameters.seed + 1)
        self.efficiency = {
            name: 1 + 0.05 * bank.has_flat_cell * random.standard_normal(bank.spectra.size)
            for name, bank in self.loq.banks.items()
        }
        self.flux = 1.0
        self.flux = parameters.counts / sum(
            float(self._expected(bank, name, "sample", self._rays(), 1).sum()) for name, bank in self.loq.banks.items()
        )

    def scattering(self, q: Floats) -> Floats:
        """Return the scattering of the sample alone, 1/cm."""
        p = self.p
        if p.sample == "flat":
            return np.full(np.shape(q), p.intensity)
        shape = models.sphere if p.sample == "spheres" else models.debye
        return shape(q, p.radius if p.sample == "spheres" else p.gyration_radius, p.intensity) + p.background

    def _all_scattering(self, q: Floats, kind: str) -> Floats:
        """Return the scattering of the can, or of the sample in it, 1/cm of sample."""
        can = 0.02 + 0.3 * np.exp(-((q / 0.03) ** 2))
        return np.asarray(can if kind == "can" else can + self.scattering(q))

    def transmission(self, wavelength: Floats, kind: str) -> Floats:
        """Return what goes straight through: of the direct beam all, of the can most, of the sample in it less."""
        if kind == "direct":
            return np.ones_like(wavelength)
        can = np.exp(-0.01 - 0.002 * wavelength)
        return can if kind == "can" else can * np.exp(-0.1 - 0.02 * wavelength)

    def _spectrum(self, wavelength: Floats) -> Floats:
        """Return neutrons on the sample per Angstrom: a cold moderator, and a chopper that stops the slow ones."""
        x = wavelength / 3.2
        open_ = 1 / (1 + np.exp(np.clip((wavelength - 10.8) / 0.12, -50, 50)))
        return np.asarray(self.flux * x**-5 * np.exp(-(x**-2)) * open_)

    def _monitor(self, wavelength: Floats) -> Floats:
        """Return the efficiency of the incident monitor, which grows with the wavelength."""
        return 1e-3 * wavelength

    def _ratio(self, wavelength: Floats, name: str) -> Floats:
        """Return the efficiency of a bank over that of the monitor: the direct beam."""
        full = 1 - np.exp(-0.4 * wavelength)
        return np.asarray(full / self._monitor(wavelength) * (1.0 if name == "rear" else 0.8))

    def _rays(self) -> Floats:
        if not self.p.smearing:
            return np.zeros((1, 4, 8))
        loq = self.loq
        return draw_rays(
            _DRAWN, loq.source_aperture / 1e3, self.p.diameter / 1e3, loq.moderator_spread / 1e6, self.p.seed
        )

    def _expected(
        self, bank: Bank, name: str, kind: str, rays: Floats, own: int = RAYS, scattering: str = ""
    ) -> Floats:
        """Return the counts to expect, float64 [pixel, time]; with `scattering` of that part of what is in the beam."""
        loq, p = self.loq, self.p
        x, y = bank.x.copy(), bank.y.copy()
        if bank.moves:
            x += (loq.centre_origin[0] - p.centre_x) / 1e3
            y += (loq.centre_origin[1] - p.centre_y) / 1e3
        z = bank.z - loq.sample_z
        distance = np.sqrt(x**2 + y**2 + z**2)
        solid = bank.size[0] * bank.size[1] * z / distance**3
        wavelengths = np.linspace(0.1, 20, 4000)
        seen = self._spectrum(wavelengths) * self._monitor(wavelengths) * self._ratio(wavelengths, name)
        seen *= self.transmission(wavelengths, kind)
        counts = trace(
            x, y, z, loq.sample_z + distance, rays, own, loq.collimation, bank.size[0], bank.size[1], EDGES, p.gravity,
            wavelengths[0], wavelengths[1] - wavelengths[0], seen,
            _HIGHEST / (_Q_STEPS - 1), self._all_scattering(np.linspace(0, _HIGHEST, _Q_STEPS), scattering or kind),
        )  # fmt: skip
        return np.asarray(counts * (solid * self.efficiency[name] * p.thickness / 10)[:, None])

    def _drawn(self, expected: Floats) -> NDArray[np.int32]:
        return (self.random.poisson(expected) if self.p.noise else np.rint(expected)).astype(np.int32)

    def _monitor_expected(self, position: float, kind: str) -> tuple[Floats, Floats]:
        """Return the counts of a monitor to expect, float64 [time]: of the beam, and with prompt pulse and background.

        The pulse comes at 20 ms, the background evenly in time.
        """
        middle = (EDGES[1:] + EDGES[:-1]) / 2
        wavelength = middle * 1e-6 * H_OVER_M / position
        per_time = self._spectrum(wavelength) * self._monitor(wavelength) * 1e-6 * H_OVER_M / position
        beam = per_time * np.diff(EDGES) * self.transmission(wavelength, kind)
        widths = np.diff(EDGES)
        background = 1e-4 * beam.sum() / widths.sum() * widths
        prompt = 0.02 * beam.sum() * ((EDGES[1:] > 19900) & (EDGES[:-1] < 20400))
        return beam, np.asarray(beam + background + prompt, np.float64)

    def _monitor_counts(self, position: float, kind: str) -> NDArray[np.int32]:
        """Return the counts of a monitor, int32 [time]."""
        return self._drawn(self._monitor_expected(position, kind)[1])

    def _treated_monitor(self, wavelength: Floats) -> Floats:
        """Return what the reduction makes of the incident monitor, relative to the beam; 1 where nothing comes."""
        loq = self.loq
        position = loq.monitors[loq.incident_monitor]
        beam, whole = self._monitor_expected(position, "direct")
        assert loq.monitor_prompt is not None  # noqa: S101 - LOQ has one
        treated, error = without_prompt(EDGES, whole, np.sqrt(whole), loq.monitor_prompt)
        treated, _ = without_background(EDGES, treated, error, _BACKGROUND)
        ratio = np.divide(treated, beam, out=np.ones_like(beam), where=beam > 1e-6 * beam.max())
        place = np.searchsorted(EDGES, wavelength * position / H_OVER_M * 1e6) - 1
        return np.asarray(np.where((place >= 0) & (place < ratio.size), ratio[np.clip(place, 0, ratio.size - 1)], 1.0))

    def write_scattering(
        self, nexus: Writer, group: h5py.Group, number: int, kind: str, progress: Callable[[float], None]
    ) -> None:
        """Write a run on both banks: ISIS's layout, spectra 1 and 2 the monitors, from 3 the detectors."""
        spectra = np.arange(3, 17793)
        counts = np.zeros((1, spectra.size, EDGES.size - 1), np.int32)
        grown = np.zeros(counts.shape[1:]) if self.p.mode == "events" and self.p.growth else None
        rays = self._rays()
        for index, (name, bank) in enumerate(self.loq.banks.items()):
            expected = self._expected(bank, name, kind, rays)
            counts[0, bank.spectra - 3] = self._drawn(expected)
            if grown is not None and kind == "sample":
                still = self._expected(bank, name, kind, rays, scattering="can")
                grown[bank.spectra - 3] = 1 - np.divide(still, expected, out=np.ones_like(still), where=expected > 0)
            progress(0.5 * (number - 1) + 0.25 * (index + 1))
        self._write_run(nexus, group, number, spectra, counts, grown)

    def write_transmission(self, nexus: Writer, group: h5py.Group, number: int, name: str) -> None:
        """Write a run of monitors: spectrum 3 is the one behind the sample."""
        kind = name.removesuffix("_transmission")
        behind = self._monitor_counts(self.loq.monitors[3], kind)
        counts = np.zeros((1, 6, EDGES.size - 1), np.int32)
        counts[0, 0] = behind
        self._write_run(nexus, group, number, np.arange(3, 9), counts)

    def _write_run(
        self,
        nexus: Writer,
        group: h5py.Group,
        number: int,
        spectra: NDArray[np.int64],
        counts: NDArray[np.int32],
        grown: Floats | None = None,
    ) -> None:
        made = partial(_made, nexus, group)

        group["run_number"] = np.array([number], np.int32)
        made("instrument", "NXinstrument", name=Field("name", "LOQ"))
        if self.p.mode == "events" and spectra.size > 100:
            made(
                "detector_1", "NXdata", spectrum_index=Field("spectrum_index", spectra.astype(np.int32), ""),
                time_of_flight=Field("time_of_flight", EDGES, "us"),
            )  # fmt: skip
            self._write_events(nexus, group, number, spectra, counts[0], grown)
        else:
            made(
                "detector_1", "NXdata",
                counts=Field("counts", counts, "counts", compression="gzip", chunks=(1, spectra.size, counts.shape[2])),
                spectrum_index=Field("spectrum_index", spectra.astype(np.int32), ""),
                time_of_flight=Field("time_of_flight", EDGES, "us"),
            )  # fmt: skip
        for monitor in (1, 2):
            data = self._monitor_counts(self.loq.monitors[2], "direct")[None, None]
            made(
                f"monitor_{monitor}", "NXmonitor", data=Field("data", data, "counts"),
                spectrum_index=Field("spectrum_index", np.array([monitor], np.int32)),
            )  # fmt: skip
        size = self.p.diameter
        made(
            "sample", "NXsample", shape=Field("shape", "disc"), thickness=Field("thickness", self.p.thickness, "mm"),
            height=Field("height", size, "mm"), width=Field("width", size, "mm"),
        )  # fmt: skip

    def _write_events(
        self,
        nexus: Writer,
        group: h5py.Group,
        number: int,
        spectra: NDArray[np.int64],
        counts: NDArray[np.int32],
        grown: Floats | None,
    ) -> None:
        """Write counts as events: any time in their bin, any frame, those of the growing part rather the later ones."""
        random = np.random.default_rng([self.p.seed, number])
        starts = np.arange(max(1, round(self.p.duration * FRAMES))) / FRAMES
        charge = random.uniform(0.8, 1.2, starts.size)
        clock = (np.arange(starts.size) + 0.5) / starts.size - 0.5
        rows, times = np.nonzero(counts)
        often = counts[rows, times]
        rows, times = np.repeat(rows, often), np.repeat(times, often)
        later = np.zeros(rows.size, bool) if grown is None else random.random(rows.size) < grown[rows, times]
        frames = np.empty(rows.size, np.int64)
        for these, worth in ((~later, charge), (later, charge * (1 + self.p.growth * clock))):
            whole = np.cumsum(worth)
            drawn = random.random(int(np.count_nonzero(these))) * whole[-1]
            frames[these] = np.minimum(np.searchsorted(whole, drawn, side="right"), starts.size - 1)
        order = np.argsort(frames, kind="stable")
        rows, times = rows[order], times[order]
        offsets = EDGES[times] + random.uniform(0.01, 0.99, rows.size) * np.diff(EDGES)[times]
        _made(
            nexus, group, "detector_1_events", "NXevent_data",
            event_id=Field("event_id", spectra[rows].astype(np.int32), compression="gzip"),
            event_time_offset=Field("event_time_offset", offsets.astype(np.float32), "us", compression="gzip"),
            event_index=Field("event_index", np.searchsorted(frames[order], np.arange(starts.size)).astype(np.uint64)),
            event_time_zero=Field("event_time_zero", starts, "s"),
        )  # fmt: skip
        _made(nexus, group, "framelog", "NXcollection")
        _made(nexus, group, "framelog/proton_charge", "NXlog", value=Field("value", charge, "uAh"))

    def write_calibration(self, nexus: Writer) -> None:
        """Write user file, flat cell and direct beams as the text of their files."""
        group = nexus.file.create_group("calibration")
        group.attrs["NX_class"] = "NXcollection"
        wavelength = np.arange(0.5, 15, 0.01)
        ones = np.concatenate([[0.0, 0.0], np.ones(17790)])
        rear = self.loq.banks["rear"]
        ones[rear.spectra - 1] = self.efficiency["rear"]
        files = {
            "user_file": self._user_file(),
            "flat_cell": _rkh(np.arange(1.0, 17793), ones, ones * 1e-3),
            "direct_beam": _rkh(wavelength, self._calibrated(wavelength, "rear"), wavelength * 0),
            "direct_beam_hab": _rkh(wavelength, self._calibrated(wavelength, "hab"), wavelength * 0),
        }
        for name, content in files.items():
            note = group.create_group(name)
            note.attrs["NX_class"] = "NXnote"
            note["type"], note["data"] = "text/plain", content

    def _calibrated(self, wavelength: Floats, name: str) -> Floats:
        """Return a direct beam in the units that `SCALE` turns into 1/cm.

        The reduction multiplies by 100 SCALE / pi over area and thickness in mm, so that the direct beam holds area.
        """
        area = np.pi * self.p.diameter**2 / 4
        ratio = self._ratio(wavelength, name) / self._treated_monitor(wavelength)
        return np.asarray(ratio * (SCALE * 100 / np.pi) / area / 10)

    def _user_file(self) -> str:
        p = self.p
        return "\n".join(
            [
                "LOQ", "! made by pan simulate sans", "DET/MERGE", "L/R 38 750", "L/WAV 2.2 10.0 .035/LOG",
                "L/Q .008 1.2 .05/LOG", "L/QXY 0 0.2 .004/LIN", "BACK/MON/TIMES {:g} {:g}".format(*_BACKGROUND),
                "FIT/TRANS/YLOG 2.2 10.0", "MASK/T 19711.5 21228.5", "MASK/T 39354.5 41348.5", "SAMPLE/OFFSET 0.0",
                f"SET CENTRE {p.centre_x} {p.centre_y}", f"SET SCALES {SCALE}", "DET/RESCALE/FIT 0.13 0.25",
                f"GRAVITY {'ON' if p.gravity else 'OFF'}",
            ]
        )  # fmt: skip

    def write_truth(self, file: Path) -> None:
        """Write the scattering without instrument, and the parameters."""
        p = self.p
        q = np.geomspace(_LOWEST, 3.0, 4000)
        with create(file, title=f"Truth of a measurement of {self.title}") as nexus:
            signal = Field("I", self.scattering(q), "1/cm")
            nexus.data("truth", signal=signal, axes=[Field("Q", q, "1/angstrom")], log=True, log_axes=True)
            nexus.group(
                "sample", "NXsample", name=self.title, radius=(p.radius, "angstrom"),
                gyration_radius=(p.gyration_radius, "angstrom"), background=(p.background, "1/cm"),
                centre=(np.array([p.centre_x, p.centre_y]), "mm"),
            )  # fmt: skip
            nexus.process("simulation", program="pan simulate sans", parameters=p.model_dump())


def _made(nexus: Writer, group: h5py.Group, path: str, nx_class: str, **fields: Field) -> None:
    inner = group.require_group(path)
    inner.attrs["NX_class"] = nx_class
    for field in fields.values():
        nexus.field(inner, field)


def _rkh(x: Floats, y: Floats, error: Floats) -> str:
    rows = "\n".join(f"{a:12.5f}{b:16.6e}{c:16.6e}" for a, b, c in zip(x, y, error, strict=True))
    head = f" simulated\n \n{x.size:5d}    0    0    0    1{x.size:5d}    0\n{'         0' * 4}\n 3 (F12.5,2E16.6)"
    return f"{head}\n{rows}\n"
