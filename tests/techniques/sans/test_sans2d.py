"""SANS2D: banks where the logs say they were, and a curve that comes out of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import models
from pancommons.techniques.sans.detector import pixels_of, solid_angles
from pancommons.techniques.sans.instrument import instrument
from pancommons.techniques.sans.placement import placed
from pancommons.techniques.sans.read import open_run
from tests.techniques.sans.conftest import Reduce

LOGS = {"Front_Det_Z": 2000.0, "Front_Det_X": -500.0, "Front_Det_Rot": -8.0, "Rear_Det_Z": 6000.0, "Rear_Det_X": 150.0}
GUIDES = {"Guide1": 270.0, "Guide2": 270.0, "Guide3": 0.2, "Guide4": 0.1, "Guide5": 270.0}
CORRECTIONS = {"rear_x": -16.0, "rear_z": 47.0, "hab_x": -44.0, "hab_y": -20.0, "hab_z": 10.0, "hab_rot": 1.0}
CENTRE, AXIS, SAMPLE = (155.0, -170.0), 0.306, 19.281
H_OVER_M, RG, SCALE = 3956.0340, 40.0, 0.07
USER = (
    "SANS2D\nL/WAV 2.0 10.0 .25/LIN\nL/Q .01 .6 .04/LOG\nL/R 60 -1\nGRAVITY ON\nDET/MERGE\nDET/RESCALE 1.0\n"
    f"MON/DIRECT=DIRECT.DAT\nSET CENTRE {CENTRE[0]} {CENTRE[1]}\nSET SCALES {SCALE}\n"
    "DET/CORR REAR X -16.0\nDET/CORR REAR Z 47.0\nDET/CORR FRONT X -44.0\nDET/CORR FRONT Y -20.0\n"
    "DET/CORR FRONT Z 10.0\nDET/CORR FRONT ROT 1.0\n"
)


def places() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Place the pixels' middles and their normals by rotation matrices: [pixel, 3], m from the sample's place.

    The front bank turns about a point behind its middle, which the carriage bears.
    """
    row, column = np.divmod(np.arange(192 * 192), 192)
    flat = np.stack([0.48705 - 0.0051 * column, -0.48705 + 0.0051 * row, 0.0 * row], axis=1)
    beam = np.array([*CENTRE, 0.0]) / 1e3
    rear = flat + np.array([0, 0, 6.047]) - beam
    turn = np.deg2rad(-7.0)
    matrix = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    pivot = np.array([0, 0, AXIS])
    stands = np.array([(150.0 - 16.0 + 500.0 + 44.0) / 1e3, -0.02, 2.010])
    front = (flat - pivot) @ matrix.T + pivot + stands - beam
    ahead = np.array([0, 0, 1.0])
    return {"rear": (rear, ahead), "hab": (front, matrix @ ahead)}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run of coils without noise: counts by pixel and time from geometry, many so that rounding is small."""
    folder = tmp_path_factory.mktemp("sans2d")
    times = np.linspace(8000.0, 80_000.0, 145)
    middle = (times[1:] + times[:-1]) / 2
    with h5py.File(folder / "run.nxs", "w") as file:
        group = file.create_group("raw_data_1")
        group["run_number"], group["start_time"], group["instrument/name"] = [20_000], "2013-06-01T12:00:00", "SANS2D"
        for name, value in {**LOGS, **GUIDES}.items():
            group[f"selog/{name}/value"] = np.float32(value)
        counts = []
        for places_of, normal in places().values():
            distance = np.linalg.norm(places_of, axis=1)
            solid = 0.010208334**2 * np.abs(places_of @ normal) / distance**3
            wavelength = H_OVER_M * middle * 1e-6 / (SAMPLE + distance)[:, None]
            fallen = places_of[:, 1, None] + 9.80665 / 2 * (distance[:, None] * wavelength / H_OVER_M) ** 2
            radius = np.hypot(places_of[:, 0, None], fallen)
            q = 4 * np.pi / wavelength * np.sin(np.arctan2(radius, places_of[:, 2, None]) / 2)
            counts.append(models.debye(q, RG, 1.0) * solid[:, None] * (SAMPLE + distance[:, None]) ** -1.0)
        counts = np.concatenate(counts)
        unit = 2e9
        group["detector_1/counts"] = np.rint(counts * unit)[None].astype(np.int32)
        group["detector_1/spectrum_index"] = np.arange(9, 73737, dtype=np.int32)
        group["detector_1/time_of_flight"] = times
        group["detector_1/time_of_flight"].attrs["units"] = "us"
        for number, place in ((1, 7.217), (2, 17.937)):
            group[f"monitor_{number}/data"] = np.full((1, 1, middle.size), unit / place, np.float64)
            group[f"monitor_{number}/spectrum_index"] = [number]
        for name, value in (("thickness", 1.0), ("height", 8.0), ("width", 8.0)):
            group[f"sample/{name}"] = value
            group[f"sample/{name}"].attrs["units"] = "mm"
        group["sample/shape"] = "disc"
    (folder / "user.txt").write_text(USER)
    wavelength = np.arange(0.5, 16, 0.1)
    level = SCALE * 100 / (np.pi * 16)
    rows = "\n".join(f"{x:12.5f}{level:16.6e}{0.0:16.6e}" for x in wavelength)
    size = f"{wavelength.size:5d}    0    0    0    1{wavelength.size:5d}    0"
    head = f" flat\n \n{size}\n{'         0' * 4}\n 3 (F12.5,2E16.6)"
    (folder / "DIRECT.DAT").write_text(f"{head}\n{rows}\n")
    return folder


def test_banks_stand_where_logs_and_corrections_say(measured: Path) -> None:
    found = placed(instrument("SANS2D", "2013-06-01"), open_run(measured / "run.nxs"), CORRECTIONS)
    for name, (known, normal) in places().items():
        pixels = pixels_of(found.banks[name], found, CENTRE, 0.0)
        np.testing.assert_allclose(np.stack([pixels.x, pixels.y, pixels.z], axis=1), known, atol=1e-6)
        distance = np.linalg.norm(known, axis=1)
        small = 0.010208334**2 * np.abs(known @ normal) / distance**3
        np.testing.assert_allclose(solid_angles(pixels), small, rtol=1e-3)


def test_the_collimation_is_as_long_as_guides_are_out(measured: Path) -> None:
    """Guides 1 and 5 of the odd and 4 of the even ones are out: three of 2 m."""
    found = placed(instrument("SANS2D", "2013-06-01"), open_run(measured / "run.nxs"), {})
    assert found.collimation == pytest.approx(2.0045 + 3 * 2)


def test_coils_come_out_of_both_banks(measured: Path, reduce: Reduce) -> None:
    """Monitor and detectors count as many neutrons at every time, so that the norm is flat in them; no noise."""
    run = reduce(sample=measured / "run.nxs", user_file=measured / "user.txt")
    with h5py.File(run.path / "result.nxs") as file:
        for bank, tolerance in (("rear", 0.01), ("hab", 0.01)):
            data = file[f"entry/sasdata01_{bank}"]
            q, intensity = data["Q"][()], data["I"][()]
            ratio = intensity / models.debye(q, RG, 1.0)
            assert np.median(np.abs(ratio / np.median(ratio) - 1)) < tolerance
            assert np.median(ratio) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("selog/Front_Det_Rot", None, "lacks the logs Front_Det_Rot"),
        ("start_time", "2016-03-01T12:00:00", "is known until 2014-02-02; its banks are made of tubes"),
        ("run_number", [600], "whose spectra were in another order before run 684"),
    ],
)
def test_what_is_not_known_of_a_run_is_refused(
    measured: Path, tmp_path: Path, reduce: Reduce, field: str, value: Any, says: str
) -> None:
    raw = tmp_path / "changed.nxs"
    with h5py.File(measured / "run.nxs") as source, h5py.File(raw, "w") as file:
        source.copy("raw_data_1", file)
        del file[f"raw_data_1/{field}"]
        if value is not None:
            file[f"raw_data_1/{field}"] = value
    with pytest.raises(BadInput, match=says):
        reduce(sample=raw, user_file=measured / "user.txt")


def test_logs_of_a_raw_run_are_in_the_text_beside_it(measured: Path, tmp_path: Path) -> None:
    run = replace(open_run(measured / "run.nxs"), path=tmp_path / "run.raw")
    (tmp_path / "run.raw").touch()
    with pytest.raises(BadInput, match=r"put the \.log file of a RAW run beside it"):
        placed(instrument("SANS2D", None), run, {})
    lines = [f"2009-08-06T03:33:15\t{name}\t{value}" for name, value in {**LOGS, **GUIDES}.items()]
    (tmp_path / "run.log").write_text("\n".join(["2009-08-06T03:33:15\tS6\tMedium", *lines]))
    assert placed(instrument("SANS2D", None), run, {}).banks["rear"].z == pytest.approx(SAMPLE + 6.0)


def test_a_transmission_run_has_monitors_alone(measured: Path, tmp_path: Path) -> None:
    with h5py.File(measured / "run.nxs") as source, h5py.File(tmp_path / "through.nxs", "w") as file:
        group = file.create_group("raw_data_1")
        for name in ("instrument", "monitor_1", "monitor_2", "run_number"):
            source.copy(f"raw_data_1/{name}", group)
        group["monitor_1/time_of_flight"] = np.linspace(8000.0, 80_000.0, 145)
        group["monitor_1/time_of_flight"].attrs["units"] = "us"
    run = open_run(tmp_path / "through.nxs")
    assert run.spectra.size == 0
    assert run.spectrum(2).sum() > 0
