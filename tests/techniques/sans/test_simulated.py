"""Simulated measurements with known truth through the whole pipeline, what it writes, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.sans.pipeline import PIPELINE, SimulationParameters
from tests.techniques.sans.conftest import Reduce

CENTRE = (324.6, 328.0)


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Simulate spheres of 45 Angstrom; not to be changed."""
    return simulate(PIPELINE, SimulationParameters(), tmp_path_factory.mktemp("spheres") / "spheres.nxs")


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Simulate a scatterer of 1/cm at every Q; not to be changed."""
    parameters = SimulationParameters(sample="flat", intensity=1.0)
    return simulate(PIPELINE, parameters, tmp_path_factory.mktemp("flat") / "flat.nxs")


def merits(run: Any) -> dict[str, Any]:
    return {merit["name"]: merit["value"] for merit in run.report["merits"]}


def test_spheres_come_out_with_their_radius(spheres: tuple[Path, Path], reduce: Reduce) -> None:
    raw, truth = spheres
    run = reduce(sample=raw, truth=truth, model="sphere", centre="find", wavelength_bands=3, qxy_binning="auto")
    found = merits(run)
    assert found["size"] == pytest.approx(45, rel=0.002)
    assert 0.6 < found["fit_chi_square"] < 1.5
    assert np.hypot(found["centre_x"] - CENTRE[0], found["centre_y"] - CENTRE[1]) < 0.1
    assert found["centre_confidence"] > 0.5
    with h5py.File(run.path / "result.nxs") as file:
        entry = file["entry"]
        assert {f"sasdata01_band_{band}" for band in (1, 2, 3)} < set(entry)
        plane = entry["sasdata01_plane"]
        seen = np.isfinite(plane["I"][()])
        assert np.array_equal(seen, plane["mask"][()] == 0)
        assert (plane["Qxdev"][()][seen] > 0).all()
        assert (plane["Qydev"][()][seen] > 0).all()


def test_a_flat_scatterer_is_flat_on_the_absolute_scale(flat: tuple[Path, Path], reduce: Reduce) -> None:
    raw, truth = flat
    run = reduce(sample=raw, truth=truth)
    found = merits(run)
    assert found["rescale"] == pytest.approx(1, abs=3 * found["rescale_error"])
    assert found["rescale_error"] < 0.03
    assert found["deviation"] < 1.2
    with h5py.File(run.path / "result.nxs") as file:
        for bank in ("rear", "hab"):
            data = file[f"entry/sasdata01_{bank}"]
            assert np.average(data["I"][()], weights=data["Idev"][()] ** -2) == pytest.approx(1, abs=0.01)


def test_spheres_are_no_further_from_the_truth_than_their_errors_say(
    spheres: tuple[Path, Path], reduce: Reduce
) -> None:
    """The median of |normal| is 0.67; errors of the factor move all bins at high Q together."""
    found = merits(reduce(sample=spheres[0], truth=spheres[1]))
    assert found["deviation"] == pytest.approx(0.67, abs=0.3)
    assert found["rescale"] == pytest.approx(1, abs=2 * found["rescale_error"])


def test_a_sector_and_a_range_of_wavelengths(flat: tuple[Path, Path], reduce: Reduce) -> None:
    run = reduce(sample=flat[0], bank="rear", sector="-30:30", wavelength_range="3:6", q_binning="0.02:0.2:10%")
    with h5py.File(run.path / "result.nxs") as file:
        data = file["entry/sasdata01"]
        assert "sasdata01_rear" not in file["entry"]
        assert np.average(data["I"][()], weights=data["Idev"][()] ** -2) == pytest.approx(1, abs=0.03)
        assert data["Q"][0] > 0.02


def test_the_result_is_nxcansas_and_cansas_xml(flat: tuple[Path, Path], reduce: Reduce) -> None:
    run = reduce(sample=flat[0])
    with h5py.File(run.path / "result.nxs") as file:
        entry = file["entry"]
        assert entry.attrs["canSAS_class"] == "SASentry"
        assert entry["definition"].asstr()[()] == "NXcanSAS"
        assert entry.attrs["default"] == "sasdata01"
        data = entry["sasdata01"]
        assert (data.attrs["canSAS_class"], data.attrs["signal"], data.attrs["I_axes"]) == ("SASdata", "I", "Q")
        assert data["I"].attrs["units"] == "1/cm"
        assert data["Q"].attrs["units"] == "1/angstrom"
        assert data["I"].attrs["uncertainties"] == "Idev"
        assert data["Q"].attrs["resolutions"] == "Qdev"
        assert (data["Qdev"][()] > 0).all()
        assert (data["Idev"][()] > 0).all()
        intensity = data["I"][()]
        spectrum = entry["sastransmission_spectrum01"]
        assert spectrum["T"].shape == spectrum["lambda"].shape
    root = ElementTree.parse(run.path / "curve.xml").getroot()
    space = "{urn:cansas1d:1.1}"
    names = [child.tag.removeprefix(space) for child in root.find(f"{space}SASentry") or ()]
    order = ["Title", "Run", "SASdata", *["SAStransmission_spectrum"] * 2]
    assert names == [*order, "SASsample", "SASinstrument", "SASprocess", "SASnote"]
    written = [float(point.text or "") for point in root.iter(f"{space}I")]
    np.testing.assert_array_equal(written, intensity)


def test_periods_are_units_of_their_own(flat: tuple[Path, Path], reduce: Reduce, tmp_path: Path) -> None:
    raw = shutil.copy(flat[0], tmp_path / "two.nxs")
    with h5py.File(raw, "r+") as file:
        for name in ("detector_1/counts", "monitor_1/data", "monitor_2/data"):
            group, leaf = file["raw_data_1"][name.split("/")[0]], name.split("/")[1]
            counts = group[leaf][()]
            del group[leaf]
            group[leaf] = np.concatenate([counts, 2 * counts])
    run = reduce(sample=raw)
    with h5py.File(run.path / "result.nxs") as file:
        first, second = (file[f"entry/sasdata0{number}_rear/I"][()] for number in (1, 2))
        assert np.median(np.abs(second / first - 1)) < 0.01
    only = reduce(sample=raw, period=2)
    with h5py.File(only.path / "result.nxs") as file:
        assert "sasdata01" not in file["entry"]
        np.testing.assert_array_equal(file["entry/sasdata02_rear/I"][()], second)
    with pytest.raises(BadInput, match="has 2 periods"):
        reduce(sample=raw, period=3)


def changed(flat: tuple[Path, Path], tmp_path: Path, path: str, value: Any) -> Path:
    """Copy the measurement with one dataset replaced, or removed."""
    raw = tmp_path / "changed.nxs"
    shutil.copy(flat[0], raw)
    with h5py.File(raw, "r+") as file:
        del file[path]
        if value is not None:
            file[path] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("raw_data_1/instrument/name", "ZOOM", "geometry of the instrument ZOOM is not known; known are: LOQ, SANS2D"),
        ("can/instrument/name", "SANS2D", "is a run of SANS2D, the sample's is one of LOQ"),
        ("raw_data_1/monitor_2", None, "has no monitor spectrum 2"),
        ("direct/detector_1/spectrum_index", np.arange(4, 10), "has no monitor spectrum 3"),
        ("raw_data_1/detector_1/counts", None, "holds no counts of detectors"),
        ("direct", None, "the input 'direct' is missing"),
        ("calibration/user_file", None, "the input 'user_file' is missing"),
        ("calibration/direct_beam_hab", None, "names no direct beam of the high-angle bank"),
        ("calibration/user_file/data", "SANS2D\nL/R 38 750", "is for SANS2D, the runs are of LOQ"),
        ("calibration/user_file/data", "LOQ\nMON/SPECTRUM=7", "monitor spectrum 7, whose position on LOQ is not known"),
        ("raw_data_1/sample/thickness", 0.0, "does not say the thickness of the sample"),
        ("raw_data_1", None, "expected an ISIS NeXus run"),
    ],
)
def test_what_is_missing_or_foreign_is_said_before_the_start(
    flat: tuple[Path, Path], tmp_path: Path, reduce: Reduce, path: str, value: Any, says: str
) -> None:
    with pytest.raises(PanError, match=says):
        reduce(sample=changed(flat, tmp_path, path, value))


def test_a_transmission_above_one_is_refused(flat: tuple[Path, Path], tmp_path: Path, reduce: Reduce) -> None:
    raw = tmp_path / "swapped.nxs"
    shutil.copy(flat[0], raw)
    with h5py.File(raw, "r+") as file:
        file.move("direct", "spare")
        file.move("sample_transmission", "direct")
        file.move("spare", "sample_transmission")
    with pytest.raises(BadInput, match=r"is 1\.\d+ \+- 0\.\d+, above 1; check that the runs are not swapped"):
        reduce(sample=raw)


def test_roles_of_the_wrong_kind_are_refused(runs_74044: dict[str, Path], reduce: Reduce) -> None:
    with pytest.raises(BadInput, match="so it is a transmission run"):
        reduce(**{**runs_74044, "sample": runs_74044["direct"]})
    with pytest.raises(BadInput, match="so it is a scattering run"):
        reduce(**{**runs_74044, "direct": runs_74044["can"]})
    with pytest.raises(BadInput, match="input 'user_file' is missing"):
        reduce(**{role: path for role, path in runs_74044.items() if role != "user_file"})


def test_folders_empty_files_and_stumps_are_refused(
    flat: tuple[Path, Path], runs_54431: dict[str, Path], tmp_path: Path, reduce: Reduce
) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        reduce(sample=tmp_path)
    (tmp_path / "empty.nxs").touch()
    with pytest.raises(BadInput, match="is empty"):
        reduce(sample=tmp_path / "empty.nxs")
    (tmp_path / "letter.txt").write_text("dear colleague" * 50)
    with pytest.raises(BadInput, match="neither an ISIS NeXus nor an ISIS RAW file"):
        reduce(sample=tmp_path / "letter.txt")
    for source in (flat[0], runs_54431["sample"]):
        stump = tmp_path / f"stump{source.suffix}"
        stump.write_bytes(source.read_bytes()[:300_000])
        with pytest.raises(BadInput, match="is cut short"):
            reduce(**{**runs_54431, "sample": stump})


@pytest.mark.parametrize(
    ("parameter", "value", "says"),
    [
        ("wavelength_range", "9:3", "is no range"),
        ("wavelength_range", "2:40", "the direct beam covers"),
        ("q_binning", "0.3:0.1:0.01", "makes no bins"),
        ("qxy_binning", "0.1:0", "makes no pattern"),
        ("overlap", "0.3:0.1", "is no range"),
        ("wavelength_bands", 20, None),
    ],
)
def test_parameters_that_make_no_sense(
    flat: tuple[Path, Path], reduce: Reduce, parameter: str, value: Any, says: str | None
) -> None:
    if says is None:
        assert reduce(sample=flat[0], **{parameter: value}).path.exists()
    else:
        with pytest.raises(BadInput, match=says):
            reduce(sample=flat[0], **{parameter: value})
