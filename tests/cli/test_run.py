"""``pan run`` and its family: roles, batches, dry runs, presets, files of parameters, previews, events, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.conftest import Command, Said


def volume(run: Path) -> NDArray[np.float32]:
    with h5py.File(run / "result.nxs") as file:
        data: NDArray[np.float32] = file["entry/data/data"][()]
        return data


def request(run: Path) -> dict[str, object]:
    stored: dict[str, object] = json.loads((run / "run.json").read_text())
    return stored


def events(said: Said) -> list[dict[str, object]]:
    """Read what was printed as lines of JSON, all of it."""
    return [json.loads(line) for line in said.out.splitlines()]


def test_default_folder_is_stem_pipeline_number(pan: Command, here: Path, scan: Path) -> None:
    assert pan("run", "tomography", "scan.nxs").code == 0
    said = pan("run", "tomography", "scan.nxs")
    assert "scan-tomography-2/result.nxs" in said.out
    np.testing.assert_array_equal(volume(here / "scan-tomography-1"), volume(here / "scan-tomography-2"))


def test_plain_lines_where_there_is_no_terminal(pan: Command, here: Path, scan: Path) -> None:
    said = pan("run", "tomography", "scan.nxs", "truth=scan-truth.nxs", "--out", "r")
    assert "\x1b" not in said.err and "\r" not in said.err and "━" not in said.err
    assert "Reading frames: 31 frames" in said.err
    assert "Reconstructing slices: 6 of 6 slices" in said.err
    assert "Found centre = " in said.err and "confidence" in said.err
    assert "PSNR against the truth" in said.out and "Result:  r/result.nxs" in said.out


def test_dry_run_writes_nothing(pan: Command, here: Path, scan: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    said = pan("run", "tomography", "scan.nxs", "--dry-run", "--out", "r")
    assert said.code == 0
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before
    for word in ("into r", "memory", "disk", "31 frames", "6 slices", "columns: 32"):
        assert word in said.out, said.out


def test_dry_run_for_machines(pan: Command, here: Path, scan: Path) -> None:
    said = pan("run", "tomography", "scan.nxs", "--dry-run", "--json", "--rows", "1:3")
    (plan,) = events(said)
    assert plan["event"] == "planned" and plan["out"] == str(here / "scan-tomography-1")
    assert plan["units"] == {"frames": 1, "slices": 1}
    assert plan["parameters"]["rows"] == "1:3"  # type: ignore[index]
    assert said.err == "" and not list(here.glob("*tomography*"))


def test_events_are_json_and_alone_on_stdout(pan: Command, here: Path, scan: Path) -> None:
    said = pan("run", "tomography", "scan.nxs", "--json", "--out", "r")
    assert said.code == 0 and said.err == ""
    told = events(said)
    kinds = [event["event"] for event in told]
    assert kinds[:2] == ["created", "started"] and kinds[-1] == "ended"
    assert told[0]["out"] == str(here / "r") and told[-1]["state"] == "done"
    logged = [json.loads(line) for line in (here / "r" / "events.jsonl").read_text().splitlines()]
    assert told[1:] == logged
    times = [event["time"] for event in logged]
    assert times == sorted(times)


def test_errors_for_machines(pan: Command, here: Path, scan: Path) -> None:
    said = pan("run", "tomography", "nowhere.nxs", "--json")
    (error,) = events(said)
    assert (said.code, error["event"], error["exit"]) == (2, "error", 2)
    assert "nowhere.nxs" in str(error["text"]) and said.err == ""
    said = pan("run", "tomography", "nowhere.nxs", "nothing.nxs", "--json")
    assert said.code == 2 and [event["event"] for event in events(said)] == ["error", "error"]


def test_batch_makes_a_folder_each(pan: Command, here: Path, scan: Path) -> None:
    (here / "b").mkdir()
    for name in ("b/scan.nxs", "ä and b.nxs"):
        shutil.copy(scan, here / name)
    said = pan("run", "tomography", "scan.nxs", "b/scan.nxs", "ä and b.nxs", "--preview", "--out", "all")
    assert said.code == 0, said.err
    assert sorted(path.name for path in (here / "all").iterdir()) == ["scan", "scan-2", "ä and b"]
    inputs = [request(here / "all" / name)["inputs"]["scan"][0]["path"] for name in ("scan", "scan-2")]  # type: ignore[index]
    assert inputs == [str(here / "scan.nxs"), str(here / "b" / "scan.nxs")]


def test_batch_goes_on_after_a_bad_input_and_ends_with_the_worst_code(pan: Command, here: Path, scan: Path) -> None:
    (here / "bad.nxs").write_text("no")
    said = pan("run", "tomography", "bad.nxs", "scan.nxs", "--preview", "--out", "all")
    assert said.code == 2 and "bad.nxs" in said.err
    assert [path.name for path in (here / "all").iterdir()] == ["scan"]
    assert (here / "all" / "scan" / "result.nxs").exists()


def test_path_with_an_equals_sign(pan: Command, here: Path, scan: Path) -> None:
    for name in ("x=1.nxs", "T=300K, p=1.nxs", "flats=dir/scan.nxs"):
        (here / name).parent.mkdir(exist_ok=True)
        shutil.copy(scan, here / name)
    for argument in ("x=1.nxs", "T=300K, p=1.nxs", "scan=x=1.nxs", "./flats=dir/scan.nxs"):
        said = pan("run", "tomography", argument, "--dry-run")
        assert said.code == 0, (argument, said.err)
    said = pan("run", "tomography", "x=1.nxs")
    assert said.code == 0 and (here / "x_1-tomography-1" / "result.nxs").exists()


def test_spaces_unicode_and_links(pan: Command, here: Path, scan: Path) -> None:
    folder = here / "データ and more"
    folder.mkdir()
    shutil.move(scan, folder / "Größe 1.nxs")
    (here / "link.nxs").symlink_to(folder / "Größe 1.nxs")
    (here / "linked").symlink_to(folder)
    assert pan("run", "tomography", "link.nxs", "--preview", "--out", "out 1/ü").code == 0
    assert pan("run", "tomography", "linked/../linked/Größe 1.nxs", "--preview", "--out", "r").code == 0
    np.testing.assert_array_equal(volume(here / "out 1" / "ü"), volume(here / "r"))
    for command in ("status", "report"):
        assert pan(command, "out 1/ü").code == 0


def test_resumed_from_another_folder(
    pan: Command, here: Path, scan: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pancommons.pipelines import creation

    request = creation.Request("tomography", {"scan": [Path("scan.nxs")]}, {"centre": 16.5})
    creation.create(creation.examine(request), Path("r"))
    monkeypatch.chdir(tmp_path)
    assert "pan resume" in pan("status", "here/r").out
    assert pan("resume", "here/r").code == 0
    assert volume(here / "r").shape == (6, 32, 32)
    assert "nothing is left to do" in pan("resume", "here/r").out


def test_preview_is_the_same_slices_as_the_whole(pan: Command, here: Path, scan: Path) -> None:
    truth = ("truth=scan-truth.nxs", "--centre", "16.99")
    assert pan("run", "tomography", "scan.nxs", *truth, "--preview", "--tiff", "--out", "p").code == 0
    assert pan("run", "tomography", "scan.nxs", *truth, "--out", "r").code == 0
    rows = ("--rows", "1:5", "--no-resolution")  # which a preview does not look for
    assert pan("run", "tomography", "scan.nxs", *truth, *rows, "--out", "rows").code == 0
    whole = volume(here / "r")[1:5]
    np.testing.assert_allclose(volume(here / "p"), whole, atol=1e-5 * float(whole.max()))
    np.testing.assert_array_equal(volume(here / "p"), volume(here / "rows"))
    assert request(here / "p")["facts"]["first_row"] == 1  # type: ignore[index]
    scores = [json.loads((here / run / "report.json").read_text())["merits"] for run in ("p", "rows")]
    assert scores[0] == scores[1]


def test_parameters_from_file_preset_and_command_line(pan: Command, here: Path, scan: Path) -> None:
    (here / "p.toml").write_text('filter = "hann"\nmask = 0.5\nrows = "2:3"\ntiff = true\n')
    (here / "p.json").write_text('{"filter": "hann", "mask": 0.5, "rows": "2:3", "tiff": true}')
    plans = []
    for name in ("p.toml", "p.json"):
        said = pan(
            "run",
            "tomography",
            "scan.nxs",
            "--params",
            name,
            "--preset",
            "small",
            "--mask",
            "0.25",
            "--dry-run",
            "--json",
        )
        plans.append(events(said)[0]["parameters"])
    assert plans[0] == plans[1]
    assert {name: plans[0][name] for name in ("filter", "mask", "rows", "tiff", "type")} == {  # type: ignore[index]
        "filter": "hann", "mask": 0.25, "rows": "2:3", "tiff": True, "type": "uint16"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "micrometres"),
    [("0.65 um", 0.65), ("650nm", 0.65), ("6.5e-4 mm", 0.65), ("0.65", 0.65), ("0.65µm", 0.65), ("0.65 μm", 0.65)],
)
def test_units(pan: Command, here: Path, scan: Path, text: str, micrometres: float) -> None:
    said = pan("run", "tomography", "scan.nxs", "--pixel-size", text, "--dry-run", "--json")
    assert events(said)[0]["parameters"]["pixel_size"] == pytest.approx(micrometres)  # type: ignore[index]


@pytest.mark.parametrize(
    ("option", "guess"), [("--centr", "--centre"), ("--filtre", "--filter"), ("--wokers", "--workers")]
)
def test_misspelt_option(pan: Command, here: Path, scan: Path, option: str, guess: str) -> None:
    said = pan("run", "tomography", "scan.nxs", option, "4")
    assert said.code == 2 and guess in said.err and "No such option" in said.err


def test_flats_and_darks_in_other_files(pan: Command, here: Path, scan: Path) -> None:
    data, keys = "entry/instrument/detector/data", "entry/instrument/detector/image_key"
    with h5py.File(scan) as file:
        frames, key = file[data][()], file[keys][()]
    for name, wanted in (("flats.h5", 1), ("darks.h5", 2)):
        with h5py.File(here / name, "w") as file:
            file["somewhere/frames"] = frames[key == wanted]
    bare = shutil.copy(scan, here / "bare.nxs")
    with h5py.File(bare, "r+") as file:
        file[keys][...] = np.where(key == 0, 0, 3)
    centre = ("--centre", "17")
    assert pan("run", "tomography", "scan.nxs", *centre, "--out", "a").code == 0
    assert pan("run", "tomography", "bare.nxs", "flats=flats.h5", "darks=darks.h5", *centre, "--out", "b").code == 0
    np.testing.assert_array_equal(volume(here / "a"), volume(here / "b"))
    assert set(request(here / "b")["inputs"]) == {"scan", "flats", "darks"}  # type: ignore[call-overload]
    refused = pan("run", "tomography", "bare.nxs", "flats=bare.nxs", "--out", "c")
    assert refused.code == 2 and not (here / "c").exists()


def test_what_a_finished_run_answers(pan: Command, here: Path, scan: Path) -> None:
    assert pan("run", "tomography", "scan.nxs", "--out", "r").code == 0
    assert "r: done" in pan("status", "r").out.splitlines()[0]
    status = json.loads(pan("status", "r", "--json").out)
    assert status["state"] == "done" and status["runner"] is None
    assert [stage["finished"] for stage in status["stages"]] == [31, 6]
    assert pan("stop", "r").code == 2
    assert "Slices" in pan("report", "r").out
    assert json.loads(pan("report", "r", "--json").out)["state"] == "done"
    assert pan("compare", "r", "r").code == 0
    assert pan("run", "tomography", "scan.nxs", "--centre", "14", "--out", "other").code == 0
    assert pan("compare", "r", "other").code == 1
    same = pan("reproduce", "r", "--out", "again")
    assert same.code == 0 and "The results are the same." in same.out
    np.testing.assert_array_equal(volume(here / "again"), volume(here / "r"))


def test_simulated_data_is_the_same_for_the_same_seed(pan: Command, here: Path) -> None:
    small = ("--columns", "32", "--rows", "2", "--angles", "9", "--flats", "2", "--darks", "2")
    for name, seed in (("a.nxs", "1"), ("b.nxs", "1"), ("c.nxs", "2")):
        said = pan("simulate", "tomography", f"new folder/{name}", *small, "--seed", seed)
        assert said.code == 0 and f"new folder/{name}" in said.out
    frames = []
    for name in "abc":
        with h5py.File(here / "new folder" / f"{name}.nxs") as file:
            frames.append(file["entry/instrument/detector/data"][()])
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()
    assert pan("simulate", "tomography", "new folder/a.nxs", *small).code == 2
    assert sorted(path.name for path in (here / "new folder").iterdir()) == sorted(
        f"{name}{ending}.nxs" for name in "abc" for ending in ("", "-truth")
    )
