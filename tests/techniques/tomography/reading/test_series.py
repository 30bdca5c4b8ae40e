"""Scans in TIFF files: as PSI writes them, and as plain folders."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.reading.opening import open_scan
from pancommons.techniques.tomography.reading.series import read_log

ROWS, COLUMNS = 6, 10

LOG = """User ID : e11126
FAST-TOMO scan of sample {prefix} started on Mon Oct 06 18:51:01 2008
--------------------Beamline Settings-------------------------
Ring current [mA]           : 400.650
Beam energy  [keV]          : 21.000
Monostripe                  : Ru/C
--------------------Detector Settings-------------------------
Objective                   : 4.00
Actual pixel size [um]      : 1.600
Exposure time [ms]          : 150
------------------------Scan Settings-------------------------
Sample folder                : /data/{prefix}
File Prefix                  : {prefix}
Number of projections        : {projections}
Number of darks              : {darks}
Number of flats              : {flats}
Number of inter-flats        : {inter}
Inner scan flag              : 0
Flat frequency               : {every}
Rot Y min position  [deg]    : 0.000
Rot Y max position  [deg]    : 180.000
Angular step [deg]           : 1.000
Sample In   [um]             : 0
--------------------------------------------------------------
Start logging activity...
"""


def psi(folder: Path, frames: np.ndarray, projections: int, darks: int, flats: int, inter: int = 0, every: int = 0):
    """Write a series numbered from 1 and its log."""
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames, 1):
        tifffile.imwrite(folder / f"lung_{number:04d}.tif", frame)
    words = {"projections": projections, "darks": darks, "flats": flats, "inter": inter, "every": every}
    log = folder / "lung_.log"
    log.write_text(LOG.format(prefix="lung_", **words))
    return log


def numbered(count: int) -> np.ndarray:
    """Make frames that show their number."""
    return (np.zeros((count, ROWS, COLUMNS)) + np.arange(1, count + 1)[:, None, None]).astype(np.uint16)


def test_darks_flats_projections(tmp_path: Path) -> None:
    log = psi(tmp_path / "scan", numbered(2 + 3 + 7), 7, 2, 3)
    for path in (log, log.parent):
        scan = open_scan(path)
        assert (scan.layout, scan.count, scan.rows, scan.columns) == ("PSI TIFF series", 7, ROWS, COLUMNS)
        np.testing.assert_array_equal(scan.read_frames()[:, 0, 0], np.arange(6, 13))
        np.testing.assert_array_equal(scan.read_darks()[0][:, 0, 0], [1, 2])
        np.testing.assert_array_equal(scan.read_flats()[0][:, 0, 0], [3, 4, 5])
        np.testing.assert_allclose(np.rad2deg(scan.angles), np.linspace(0, 180, 7))
        assert scan.energy == 21
        assert scan.pixel_size == pytest.approx(1.6e-6)
        assert log in scan.files


def test_flats_in_between_and_afterwards(tmp_path: Path) -> None:
    # 1 dark, 2 flats, then 3 projections and 2 flats twice, 3 projections, and 2 flats again
    frames = numbered(1 + 2 + 9 + 4 + 2)
    scan = open_scan(psi(tmp_path, frames, 9, 1, 2, inter=2, every=3))
    np.testing.assert_array_equal(scan.read_frames()[:, 0, 0], [4, 5, 6, 9, 10, 11, 14, 15, 16])
    assert [flats[:, 0, 0].tolist() for flats in scan.read_flats()] == [[2, 3], [7, 8], [12, 13], [17, 18]]
    assert [flats.position for flats in scan.flats] == [0, 3, 6, 9]


def test_a_series_cut_short_is_refused(tmp_path: Path) -> None:
    log = psi(tmp_path, numbered(11), 7, 2, 3)
    with pytest.raises(BadInput, match="2 darks, 3 flats and 7 projections, but there are 11 frames"):
        open_scan(log)
    (tmp_path / "lung_0007.tif").write_bytes(b"no TIFF")
    tifffile.imwrite(tmp_path / "lung_0012.tif", numbered(1)[0])
    scan = open_scan(log)
    with pytest.raises(BadInput, match=r"lung_0007.tif.*cannot be read as TIFF"):
        scan.read_frames()
    tifffile.imwrite(tmp_path / "lung_0007.tif", np.zeros((3, 3), np.uint16))
    with pytest.raises(BadInput, match="has a frame of"):
        scan.read_frames()


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ("Number of projections        : 7", "", "is not said"),
        ("Number of darks              : 2", "Number of darks : some", "where a number was expected"),
        ("Number of flats              : 3", "Number of flats : 2.5", "where a number of frames was expected"),
        ("File Prefix                  : lung_", "File Prefix : heart_", "whose name begins with 'heart_'"),
    ],
)
def test_logs_that_say_nothing(tmp_path: Path, line: str, instead: str, words: str) -> None:
    log = psi(tmp_path, numbered(12), 7, 2, 3)
    text = log.read_text()
    assert line in text
    log.write_text(text.replace(line, instead))
    with pytest.raises(BadInput, match=words):
        open_scan(log)


def test_log_without_optional_lines(tmp_path: Path) -> None:
    file = tmp_path / "scan.log"
    file.write_text("Number of projections : 5\nNumber of flats : 1\nNumber of darks : 0\nBeam energy [keV] : XXX\n")
    log = read_log(file)
    assert (log.projections, log.flats, log.darks, log.energy, log.last) == (5, 1, 0, None, 180)


def folder(path: Path, count: int, first: int = 0) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        tifffile.imwrite(path / f"p{number}.tif", numbered(first + number + 1)[-1])
    return path


def test_plain_folders(tmp_path: Path) -> None:
    scans = folder(tmp_path / "projections", 12)  # p10 comes after p9
    folder(scans / "flats_1", 2, 100)
    folder(scans / "flats_2", 2, 200)
    folder(tmp_path / "darks", 3, 50)
    scan = open_scan(scans)
    np.testing.assert_array_equal(scan.read_frames()[:, 0, 0], np.arange(1, 13))
    assert [flats[:, 0, 0].tolist() for flats in scan.read_flats()] == [[101, 102], [201, 202]]
    assert [flats.position for flats in scan.flats] == [0, 12]
    assert scan.read_darks()[0][:, 0, 0].tolist() == [51, 52, 53]
    np.testing.assert_allclose(np.rad2deg(scan.angles), np.linspace(0, 180, 12))
    assert "no file of angles" in scan.warnings[0]
    np.testing.assert_allclose(np.rad2deg(open_scan(scans, turn=360).angles), np.arange(12) * 30)
    (scans / "angles.txt").write_text("\n".join(str(15 * number) for number in range(12)))
    np.testing.assert_allclose(np.rad2deg(open_scan(scans).angles), np.arange(12) * 15)
    (scans / "angles.txt").write_text("1 2 3")
    with pytest.raises(BadInput, match=r"angles.txt.*holds 3 angles for 12 projections"):
        open_scan(scans)
    (scans / "angles.txt").write_text("one two")
    with pytest.raises(BadInput, match="something else than numbers"):
        open_scan(scans)


def test_flats_given_and_flats_lacking(tmp_path: Path) -> None:
    scans = folder(tmp_path / "a" / "projections", 4)
    with pytest.raises(BadInput, match=r"no flat fields.*flats=FOLDER"):
        open_scan(scans)
    scan = open_scan(scans, flats=folder(tmp_path / "bright", 2, 30))
    assert scan.read_flats()[0][:, 0, 0].tolist() == [31, 32]
    many = tmp_path / "many.tif"
    tifffile.imwrite(many, numbered(5))
    assert open_scan(many, flats=tmp_path / "bright").count == 5
    tifffile.imwrite(tmp_path / "wide.tif", np.zeros((2, ROWS, COLUMNS + 1), np.uint16))
    with pytest.raises(BadInput, match="projections have"):
        open_scan(scans, flats=tmp_path / "wide.tif")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadInput, match="no TIFF files"):
        open_scan(empty)


def test_a_folder_of_that_name_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    scans = folder(tmp_path / "projections", 4)
    (tmp_path / "flats").mkdir()
    (tmp_path / "flats" / "notes.txt").write_text("later")
    with pytest.raises(BadInput, match=r"no flat fields.*flats=FOLDER"):
        open_scan(scans)
    assert open_scan(scans, flats=folder(tmp_path / "bright", 2, 30)).count == 4


def test_a_range_of_angles_that_is_missing_is_told(tmp_path: Path) -> None:
    scans = folder(tmp_path / "p", 40)
    folder(scans / "flats", 1, 90)
    angles = np.concatenate([np.linspace(0, 60, 20), np.linspace(120, 180, 20)])
    (scans / "angles.txt").write_text("\n".join(map(str, angles)))
    assert any("no projections between 60 and 120 degrees" in warning for warning in open_scan(scans).warnings)


def test_tomcat_expands(tmp_path: Path) -> None:
    """The preset on a scan of PSI's shape: the steps of the notebook, fringes gone, near the truth."""
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    made = pipeline.simulator.parameters(
        columns=96, rows=48, angles=121, flats=10, darks=3, delta_beta=253.3, distance=190, energy=21,
        pixel_size=1.6, absorption=0.05, drift=0, centre_shift=0, phantom="disc",
    )  # fmt: skip
    raw, _ = simulate(pipeline, made, tmp_path / "scan.nxs")
    with h5py.File(raw) as file:
        frames = file["entry/instrument/detector/data"][: 3 + 10 + 121]
    log = psi(tmp_path / "series", frames, 121, 3, 10)
    run = pancommons.run("tomography", log, preset="tomcat-expands", out=tmp_path / "r", listeners=(), rows="20:28")
    settings = json.loads((run.path / "run.json").read_text())["parameters"]
    found = {name: settings[name] for name in ("phase", "filter", "padding", "mask", "distance", "energy")}
    assert found == {
        "phase": "paganin", "filter": "parzen", "padding": "edge", "mask": 0.95, "distance": 190.0, "energy": 21.0,
    }  # fmt: skip
    with h5py.File(run.path / "result.nxs") as file:
        slices = file["entry/data/data"][()]
    y, x = np.mgrid[:96, :96] - 47.5
    inside = np.hypot(x, y) < 30
    density = 0.05 / (2 * 0.8 * 48) / 1.6e-4  # absorption over the disc's diameter, 1/cm
    assert slices[4][inside].mean() == pytest.approx(density, rel=0.02)
    assert np.all(slices[:, np.hypot(x, y) > 0.95 * 48 + 1] == 0)
