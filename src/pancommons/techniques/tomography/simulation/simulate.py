"""A simulated scan: an analytic phantom before a drifting beam, written as detectors write, with the truth apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.write import Field, Writer, create
from pancommons.techniques.tomography.phase import propagated
from pancommons.techniques.tomography.pipeline import SimulationParameters
from pancommons.techniques.tomography.simulation import phantom
from pancommons.techniques.tomography.simulation.phantom import Ellipsoid

DARK_COUNTS = 100.0
READ_NOISE = 2.0
TRUTH_SLICES = 8
_BLOCK_BYTES = 64 << 20
_FINE = 2
"""Points per pixel, along each axis, that waves are propagated on."""
_KEY = {"projection": 0, "flat": 1, "dark": 2}


def simulate(
    parameters: SimulationParameters,
    raw: Path,
    truth: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Simulate a scan in bounded memory, whatever its size.

    Frames come in the order darks, flats, projections, flats, one to a chunk. The transmission follows
    Beer-Lambert from exact line integrals averaged over each pixel; photons are Poisson distributed; the
    beam's profile and the pixels' gains are fixed, its intensity drifts linearly over the scan. With a delta over beta,
    the wave behind the sample is carried to the detector (Fresnel), which makes fringes.

    Parameters
    ----------
    parameters
        Of the simulation.
    raw
        The NXtomo file to write: uint16 counts [frame, row, column].
    truth
        The file for the truth: the phantom, the centre, and up to eight slices in 1/cm.
    progress
        Called with the fraction done.
    """
    scan = _Simulation(parameters)
    with create(raw, title="Simulated tomography scan", definition="NXtomo") as nexus:
        detector = scan.describe(nexus)
        scan.fill(detector["data"], progress)
    scan.write_truth(truth)


class _Simulation:
    """What all frames of a simulated scan share."""

    def __init__(self, parameters: SimulationParameters) -> None:
        self.p = parameters
        self.shape = (parameters.rows, parameters.columns)
        half = parameters.field_of_view == "half"
        middle = parameters.columns * 15 / 16 if half else (parameters.columns - 1) / 2
        self.centre = middle + parameters.centre_shift
        if not 0 <= self.centre <= parameters.columns - 1:
            raise BadInput(
                f"puts the axis at column {self.centre:g}, outside of the detector's 0 to {parameters.columns - 1}",
                field="centre_shift",
                remedy=f"it is counted from column {middle:g}",
            )
        self.width = int(2 * max(self.centre, parameters.columns - 1 - self.centre)) + 1 if half else parameters.columns
        turn = np.deg2rad(float(parameters.turn))
        closed = parameters.turn == "180"
        angles = np.linspace(0, turn, parameters.angles, endpoint=closed)
        self.angles = angles[angles <= turn - np.deg2rad(parameters.missing) + 1e-9] if parameters.missing else angles
        self.bodies = self._bodies()
        random = np.random.default_rng(parameters.seed)
        rows, columns = np.ogrid[-1 : 1 : parameters.rows * 1j, -1 : 1 : parameters.columns * 1j]
        profile = np.exp(-0.3 * (rows**2 + columns**2))
        self.beam = parameters.counts * profile * (1 + 0.02 * random.standard_normal(self.shape))
        self.drifted_gain = 1 + parameters.stripes * random.standard_normal(self.shape)
        self.random = random

    def _bodies(self) -> list[Ellipsoid]:
        if self.p.phantom == "disc":
            bodies = [Ellipsoid(1.0, 0.8, 0.8, c=1e6)]
        else:
            bodies = phantom.shepp_logan(self.p.seed)
        middle = self.p.rows // 2
        shape = (self.p.rows, self.width)
        probe = phantom.sinograms(bodies, self.angles[:: max(1, self.p.angles // 24)], [middle], shape)
        scale = self.p.absorption / float(probe.max())
        return [Ellipsoid(**{**asdict(body), "value": body.value * scale}) for body in bodies]

    @property
    def frames(self) -> NDArray[np.int32]:
        """Return the image keys: darks, flats, projections, flats."""
        p = self.p
        kinds = ["dark"] * p.darks + ["flat"] * p.flats + ["projection"] * len(self.angles) + ["flat"] * p.flats
        return np.array([_KEY[kind] for kind in kinds], np.int32)

    def describe(self, nexus: Writer) -> h5py.Group:
        """Write everything but the frames; return the detector group, whose ``data`` is to be filled."""
        p, keys = self.p, self.frames
        angles = np.zeros(len(keys))
        angles[keys == 0] = np.rad2deg(self.angles)
        angles[np.flatnonzero(keys == 0)[-1] + 1 :] = np.rad2deg(self.angles[-1])
        data = Field(
            "data",
            shape=(len(keys), *self.shape),
            dtype=np.uint16,
            units="counts",
            chunks=(1, *self.shape) if p.compression != "none" else None,
            compression="bitshuffle-lz4" if p.compression != "none" else None,
            attributes={"interpretation": "image"},
        )
        nexus.group("instrument", "NXinstrument", name="simulated beamline")
        nexus.group("instrument/source", "NXsource", name="simulated", type="Synchrotron X-ray Source", probe="x-ray")
        detector = nexus.group(
            "instrument/detector",
            "NXdetector",
            data=data,
            image_key=keys,
            x_pixel_size=(p.pixel_size, "um"),
            y_pixel_size=(p.pixel_size, "um"),
            distance=(p.distance / 1e3, "m"),
            **({"field_of_view": "Half"} if p.field_of_view == "half" else {}),
        )
        nexus.group("sample", "NXsample", name=f"phantom: {p.phantom}", rotation_angle=(angles, "degree"))
        nexus.group("beam", "NXbeam", incident_energy=(p.energy, "keV"))
        nexus.data(
            "data",
            signal=Field("data", link="/entry/instrument/detector/data"),
            axes=[Field("rotation_angle", link="/entry/sample/rotation_angle"), None, None],
        )
        nexus.field("data", Field("image_key", link="/entry/instrument/detector/image_key"))
        nexus.process("simulation", program="pan simulate tomography", parameters=p.model_dump())
        return detector

    def fill(self, data: h5py.Dataset, progress: Callable[[float], None]) -> None:
        """Write the frames block by block."""
        keys = self.frames
        projections = np.flatnonzero(keys == 0)
        points = _FINE**2 if self.p.delta_beta else 4 if self.p.tilt else 1
        size = max(1, _BLOCK_BYTES // (16 * points * self.p.rows * self.p.columns))
        time = np.linspace(0, 1, len(projections))
        for index in np.flatnonzero(keys != 0):
            when = 0.0 if index < projections[0] else 1.0
            light = self.beam * (1 + self.p.drift * when) if keys[index] == 1 else np.zeros(self.shape)
            data[index] = self._counts(light)
        for start in range(0, len(projections), size):
            block = slice(start, start + size)
            transmission = self._transmission(self.angles[block])
            drift = 1 + self.p.drift * time[block, None, None]
            if self.p.flicker:
                drift = drift * (1 + self.p.flicker * self.random.standard_normal(drift.shape))
            light = self.beam * self.drifted_gain * drift * transmission
            counts = self._counts(light)
            if self.p.zingers:
                self._hit(counts)
            data[projections[block]] = counts
            progress(min(1.0, (start + size) / len(projections)))

    def _transmission(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each projection lets through: float64 [angle, row, column]."""
        p = self.p
        if p.delta_beta:
            fine = self._projections(angles, (_FINE, _FINE))
            lengths = {"pixel_size": p.pixel_size * 1e-6, "distance": p.distance * 1e-3}
            return propagated(fine, **lengths, energy=p.energy, delta_beta=p.delta_beta, supersampling=_FINE)
        if p.tilt:
            fine = self._projections(angles, (1, 4))
            averaged: NDArray[np.float64] = fine.reshape(*fine.shape[:2], p.columns, 4).mean(3, dtype=np.float64)
            return np.exp(-averaged)
        integrals = phantom.sinograms(
            self.bodies, angles, range(p.rows), self.shape, centre=self.centre, scale=self.width
        )
        return np.exp(-integrals.transpose(1, 0, 2).astype(np.float64))

    def _projections(self, angles: NDArray[np.float64], points: tuple[int, int]) -> NDArray[np.float32]:
        tilt = np.deg2rad(self.p.tilt)
        return phantom.projections(
            self.bodies, angles, self.shape, centre=self.centre, scale=self.width, tilt=tilt, points=points
        )

    def _hit(self, counts: NDArray[np.uint16]) -> None:
        """Let stray photons fall on frames, each of them onto one pixel."""
        for frame in counts:
            struck = self.random.integers(0, frame.size, self.random.poisson(self.p.zingers))
            bright = self.random.uniform(0.5, 2, struck.size) * self.p.counts
            frame.reshape(-1)[struck] = np.minimum(frame.reshape(-1)[struck] + bright, 65535).astype(np.uint16)

    def _counts(self, photons: NDArray[np.float64]) -> NDArray[np.uint16]:
        if self.p.noise:
            photons = self.random.poisson(photons) + READ_NOISE * self.random.standard_normal(photons.shape)
        return np.clip(np.rint(photons + DARK_COUNTS), 0, 65535).astype(np.uint16)

    def write_truth(self, file: Path) -> None:
        """Write the phantom, the centre, and slices on evenly spaced rows."""
        p = self.p
        rows = np.unique(np.linspace(0, p.rows - 1, min(TRUTH_SLICES, p.rows)).round().astype(np.int64))
        per_cm = 1e4 / p.pixel_size
        with create(file, title="Truth of a simulated tomography scan") as nexus:
            group = nexus.data(
                "truth",
                signal=Field(
                    "slices",
                    shape=(len(rows), self.width, self.width),
                    dtype=np.float32,
                    units="1/cm",
                    long_name="attenuation (1/cm)",
                    compression="bitshuffle-lz4",
                    attributes={"interpretation": "image"},
                ),
                axes=[Field("row", rows, long_name="detector row"), None, None],
            )
            for index, row in enumerate(rows):
                section = phantom.cross_section(self.bodies, int(row), p.rows, self.width)
                group["slices"][index] = phantom.image(section, self.width) * per_cm
            bodies: dict[str, Any] = {
                key: np.array([getattr(body, key) for body in self.bodies]) for key in asdict(self.bodies[0])
            }
            nexus.group("phantom", "NXcollection", centre=(self.centre, "pixel"), **bodies)
            nexus.group("axis", "NXcollection", tilt=(p.tilt, "degree"))
            nexus.process("simulation", program="pan simulate tomography", parameters=p.model_dump())
