"""A simulated scan: an analytic phantom before a drifting beam, written as detectors write, with the truth apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.nexus.write import Field, Writer, create
from pancommons.techniques.tomography import phantom
from pancommons.techniques.tomography.phantom import Ellipsoid
from pancommons.techniques.tomography.pipeline import SimulationParameters

DARK_COUNTS = 100.0
READ_NOISE = 2.0
TRUTH_SLICES = 8
_BLOCK_BYTES = 64 << 20
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
    beam's profile and the pixels' gains are fixed, its intensity drifts linearly over the scan.

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
        self.centre = (parameters.columns - 1) / 2 + parameters.centre_shift
        turn = np.deg2rad(float(parameters.turn))
        closed = parameters.turn == "180"
        self.angles = np.linspace(0, turn, parameters.angles, endpoint=closed)
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
        probe = phantom.sinograms(bodies, self.angles[:: max(1, self.p.angles // 24)], [middle], self.shape)
        scale = self.p.absorption / float(probe.max())
        return [Ellipsoid(**{**asdict(body), "value": body.value * scale}) for body in bodies]

    @property
    def frames(self) -> NDArray[np.int32]:
        """Return the image keys: darks, flats, projections, flats."""
        p = self.p
        kinds = ["dark"] * p.darks + ["flat"] * p.flats + ["projection"] * p.angles + ["flat"] * p.flats
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
            distance=(0.1, "m"),
        )
        nexus.group("sample", "NXsample", name=f"phantom: {p.phantom}", rotation_angle=(angles, "degree"))
        nexus.group("beam", "NXbeam", incident_energy=(25.0, "keV"))
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
        size = max(1, _BLOCK_BYTES // (16 * self.p.rows * self.p.columns))
        time = np.linspace(0, 1, len(projections))
        for index in np.flatnonzero(keys != 0):
            when = 0.0 if index < projections[0] else 1.0
            light = self.beam * (1 + self.p.drift * when) if keys[index] == 1 else np.zeros(self.shape)
            data[index] = self._counts(light)
        for start in range(0, len(projections), size):
            block = slice(start, start + size)
            integrals = phantom.sinograms(
                self.bodies, self.angles[block], range(self.p.rows), self.shape, centre=self.centre
            )
            transmission = np.exp(-integrals.transpose(1, 0, 2).astype(np.float64))
            drift = 1 + self.p.drift * time[block, None, None]
            light = self.beam * self.drifted_gain * drift * transmission
            data[projections[block]] = self._counts(light)
            progress(min(1.0, (start + size) / len(projections)))

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
                    shape=(len(rows), p.columns, p.columns),
                    dtype=np.float32,
                    units="1/cm",
                    long_name="attenuation (1/cm)",
                    compression="bitshuffle-lz4",
                    attributes={"interpretation": "image"},
                ),
                axes=[Field("row", rows, long_name="detector row"), None, None],
            )
            for index, row in enumerate(rows):
                section = phantom.cross_section(self.bodies, int(row), p.rows, p.columns)
                group["slices"][index] = phantom.image(section, p.columns) * per_cm
            bodies: dict[str, Any] = {
                key: np.array([getattr(body, key) for body in self.bodies]) for key in asdict(self.bodies[0])
            }
            nexus.group("phantom", "NXcollection", centre=(self.centre, "pixel"), **bodies)
            nexus.process("simulation", program="pan simulate tomography", parameters=p.model_dump())
