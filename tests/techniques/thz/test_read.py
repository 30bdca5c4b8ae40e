"""Run folders as they come: ragged, flagged, incomplete, damaged; and the layout in one file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from pancommons.base.errors import BadInput
from pancommons.pipelines.parameters import build
from pancommons.techniques.thz.archive import save_measurement
from pancommons.techniques.thz.folder import read_background, stage_text
from pancommons.techniques.thz.measurement import Measurement
from pancommons.techniques.thz.pipeline import SimulationParameters
from pancommons.techniques.thz.read import open_measurement, samples_of
from pancommons.techniques.thz.simulate import simulate
from pancommons.techniques.thz.tiff import DamagedImage, look
from tests.techniques.thz.conftest import SHARED

PIXELS, SAMPLES = 256, 8


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folder")
    wanted = {"positions": 3, "pulses": 600, "pixels": PIXELS, "samples": SAMPLES, "layout": "folder", "jitter": 0.1}
    model = build(SimulationParameters, wanted)
    assert isinstance(model, SimulationParameters)
    simulate(model, place / "run", place / "truth.nxs")
    return place / "run"


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "900_SIM_01.02.2026_1234_56"))


def spectra(run: Measurement, index: int = 0) -> dict[int, np.ndarray]:
    """Return every spectrum of a position by the index of its pulse."""
    return {
        block.first + row: counts.copy()
        for block in run.positions[index].blocks(0, 10**9)
        for row, counts in enumerate(block.spectra)
    }


def position(folder: Path, index: int = 0) -> Path:
    return sorted(one for one in folder.iterdir() if one.is_dir())[index]


def traces(folder: Path, index: int = 0) -> Path:
    return sorted(folder.glob("*Experiment*"))[index]


def test_a_run_folder(folder: Path) -> None:
    run = open_measurement(folder)
    assert [one.stage for one in run.positions] == [51.1, 51.2, 51.3]
    assert run.start_time == "2026-02-01T12:34:56"
    assert (run.pixels, run.repetition_rate, samples_of(run)) == (PIXELS, 100_000, SAMPLES)
    assert sorted(spectra(run)) == list(range(600))
    np.testing.assert_array_equal(spectra(run)[251], tifffile.imread(sorted(position(folder).iterdir())[1])[1])
    some = run.positions[1].traces(5, 9, SAMPLES)
    np.testing.assert_array_equal(some, np.fromfile(traces(folder, 1), ">f4").reshape(-1, SAMPLES)[5:9])
    assert not run.warnings


def test_some_pulses_across_images(folder: Path) -> None:
    run = open_measurement(folder)
    blocks = list(run.positions[0].blocks(240, 510))
    assert [(block.first, len(block.spectra)) for block in blocks] == [(240, 10), (250, 250), (500, 10)]


def test_the_last_number_before_mm_is_the_position() -> None:
    assert stage_text("038_LSCO_2mmZnTe_31K_SD_101523Hz_51.10mm13.06.2018_0535_02") == "51.10"
    assert stage_text("x_-1.25mm") == "-1.25"
    assert stage_text("x_.5mm") == ".5"
    assert stage_text("x_mm") is None


@pytest.mark.parametrize("kind", ["big endian", "compressed", "8 bit", "strips", "float"])
def test_images_of_other_kinds(folder: Path, kind: str) -> None:
    file = sorted(position(folder).iterdir())[0]
    counts = tifffile.imread(file) // 16
    options: dict[str, object] = {
        "big endian": {"byteorder": ">"}, "compressed": {"compression": "zlib"}, "strips": {"rowsperstrip": 7},
    }.get(kind, {})  # fmt: skip
    stored = counts.astype({"8 bit": np.uint8, "float": np.float32}.get(kind, np.uint16))
    tifffile.imwrite(file, stored, **options)  # type: ignore[arg-type]
    read = spectra(open_measurement(folder))
    np.testing.assert_array_equal(np.stack([read[row] for row in range(250)]), stored.astype(np.uint16))


def test_an_image_cut_short_keeps_the_place_of_the_pulses_after_it(folder: Path) -> None:
    file = sorted(position(folder).iterdir())[0]
    whole = spectra(open_measurement(folder))
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 2 * PIXELS * 100 - 7])
    run = open_measurement(folder)
    read = spectra(run)
    assert sorted(read) == [*range(149), *range(250, 600)]
    np.testing.assert_array_equal(read[250], whole[250])
    assert "is cut short: 149 of 250 spectra" in run.positions[0].warnings[0]


@pytest.mark.parametrize("content", [b"", b"no image", b"II*\0\xff\xff\xff\xff", b"II*\0"])
def test_an_image_that_is_none_ends_its_position(folder: Path, content: bytes) -> None:
    sorted(position(folder).iterdir())[1].write_bytes(content)
    run = open_measurement(folder)
    assert sorted(spectra(run)) == list(range(250))
    assert "the 1 after it" in run.positions[0].warnings[0]
    assert sorted(spectra(run, 1)) == list(range(600))


def test_what_cannot_be_used_is_left_out_with_a_warning(folder: Path) -> None:
    for file in position(folder, 0).iterdir():
        file.unlink()
    traces(folder, 1).unlink()
    (folder / "notes.txt").write_text("nothing")
    (folder / "screenshots").mkdir()
    run = open_measurement(folder)
    assert [one.stage for one in run.positions] == [51.3]
    assert any("holds no images" in text for text in run.warnings)
    assert any("has no file of ADC traces" in text for text in run.warnings)


def test_two_scans_over_the_same_positions(folder: Path) -> None:
    shutil.copytree(position(folder), folder / f"again_{position(folder).name}")
    shutil.copy(traces(folder), folder / f"again_{traces(folder).name}")
    assert sorted(one.stage for one in open_measurement(folder).positions) == [51.1, 51.1, 51.2, 51.3]


def refused(folder: Path, *said: str, background: Path | None = None) -> None:
    with pytest.raises(BadInput) as caught:
        open_measurement(folder, background)
    text = str(caught.value)
    assert "\n" not in text and all(one in text for one in said), text


def test_refusals(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere", "no such folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no run", "_51.10mm", "beamline wrote it")
    refused(tmp_path, "holds no run", f"perhaps {folder.name} in it")
    folder = folder.rename(tmp_path / f"{folder.name}_2mmZnTe")
    refused(tmp_path, "holds no run", f"perhaps {folder.name} in it")
    background = next(folder.glob("*_BG_*"))
    text = background.read_text()
    for wrong in ("", "one two three\n", "nan " * PIXELS):
        background.write_text(wrong)
        refused(folder, background.name, "no spectrum", "background=FILE")
    background.write_text("1 2 3\n")
    refused(folder, "none of its 3 positions", "256 pixels, the background has 3")
    background.unlink()
    refused(folder, "_BG_", "background=FILE")
    (tmp_path / "dark.txt").write_text(text)
    assert len(open_measurement(folder, tmp_path / "dark.txt").positions) == 3
    for file in folder.glob("*Experiment*"):
        file.unlink()
    refused(folder, "none of its 3 positions", "ADC traces", background=tmp_path / "dark.txt")


def test_a_background_with_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "bg.txt").write_text("# counts\n926,35 927,5\n1 2\n")
    np.testing.assert_array_equal(read_background(tmp_path / "bg.txt"), [926.35, 927.5])


def test_samples_follow_from_most_positions(folder: Path) -> None:
    for index in (0, 1, 2):
        data = traces(folder, index).read_bytes()
        traces(folder, index).write_bytes(data[: -4 * SAMPLES * (2 if index == 0 else 0) or None])
    assert samples_of(open_measurement(folder)) == SAMPLES
    for index in (1, 2):
        traces(folder, index).write_bytes(traces(folder, index).read_bytes()[:-3])
    assert samples_of(open_measurement(folder)) is None


def test_one_file_holds_what_the_folder_holds(folder: Path, tmp_path: Path) -> None:
    file = sorted(position(folder).iterdir())[1]
    tifffile.imwrite(file, tifffile.imread(file) | np.uint16(0x8000))
    data = traces(folder, 2).read_bytes()
    traces(folder, 2).write_bytes(data[: len(data) - 4 * SAMPLES * 50])
    run = open_measurement(folder)
    save_measurement(run, tmp_path / "run.nxs", SAMPLES)
    again = open_measurement(tmp_path / "run.nxs")
    np.testing.assert_array_equal(again.background, run.background)
    assert (again.title, again.start_time, again.repetition_rate) == (run.title, run.start_time, run.repetition_rate)
    assert again.samples == SAMPLES
    for index, (one, other) in enumerate(zip(run.positions, again.positions, strict=True)):
        assert (one.stage, one.spectra_count, one.trace_values) == (
            other.stage, other.spectra_count, other.trace_values,
        )  # fmt: skip
        mine, theirs = spectra(run, index), spectra(again, index)
        assert all((mine[pulse] == theirs[pulse]).all() for pulse in range(600))
        np.testing.assert_array_equal(one.traces(3, 700, SAMPLES), other.traces(3, 700, SAMPLES))
    flags = [(block.first, block.flagged) for block in again.positions[0].blocks(0, 600)]
    assert flags == [(0, False), (250, True), (500, False)]


def test_files_that_are_no_run(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.nxs"
    save_measurement(open_measurement(folder), path, SAMPLES)
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        refused(path, "run.nxs", "copy it again")
    for name in ("spectrometer/data", "spectrometer/first_pulse", "stage/position", "spectrometer/background"):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            del file[f"entry/instrument/{name}"]
        refused(path, "run.nxs", f"instrument/{name}", "is missing")
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/detector/first_pulse"][-1] = 10**6
    refused(path, "detector/first_pulse", "rising indices")
    with h5py.File(path, "r+") as file:
        del file["entry/definition"]
    refused(path, "PAN_thz_pump_probe", "run folder")


def test_a_tiff_of_colours_is_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 3), np.uint8), photometric="rgb")
    with pytest.raises(DamagedImage, match="no rows of pixels"):
        look(tmp_path / "a.tif")


def test_the_shared_run(shared_data: Callable[[str], Path]) -> None:
    run = open_measurement(shared_data(SHARED))
    assert [one.stage for one in run.positions] == [51.1, 51.4, 51.7]
    assert [one.spectra_count for one in run.positions] == [400, 400, 400]
    assert (run.pixels, samples_of(run), run.start_time) == (2048, 96, "2018-06-13T05:35:02")
