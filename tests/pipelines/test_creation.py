"""From a request to a folder: roles, batches, what is planned, and what is refused before anything is written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines import api, creation, inputs, runner
from pancommons.pipelines.creation import Request
from pancommons.pipelines.folder import RunFolder
from tests.pipelines import toy


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return toy.write_input(tmp_path / "in.npy")


_words = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["array", "extra"]), st.text("ab/= ", min_size=1, max_size=6)).map("=".join),
        st.text("abc./ ", min_size=1, max_size=6),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(_words)
def test_every_argument_is_assigned_once_and_in_order(words: list[str]) -> None:
    primary, others = inputs.assign(toy.PIPELINE, words)
    extra = [Path(word.partition("=")[2]) for word in words if word.startswith("extra=")]
    assert others == ({"extra": extra} if extra else {})
    assert primary == [Path(word.removeprefix("array=")) for word in words if not word.startswith("extra=")]


def test_what_looks_like_a_role_is_one_or_a_file(source: Path) -> None:
    with pytest.raises(BadInput, match=r"exta=in\.npy.*array, extra"):
        inputs.assign(toy.PIPELINE, ["exta=in.npy"])
    Path("exta=in.npy").touch()
    assert inputs.assign(toy.PIPELINE, ["exta=in.npy"]) == ([Path("exta=in.npy")], {})
    for path in ("a/exta=in.npy", "a b=c", "300K=x", "=x"):
        assert inputs.assign(toy.PIPELINE, [path]) == ([Path(path)], {})


def test_roles_are_filled_as_declared(source: Path) -> None:
    for given_, words in (
        ({}, "'array' is missing"),
        ({"array": [source, source]}, "takes one path, 2 were given"),
        ({"array": [source], "flats": [source]}, "no input 'flats'"),
        ({"array": [source.with_name("nowhere")]}, "No such file"),
    ):
        with pytest.raises(BadInput, match=words):
            creation.examine(Request("toy", given_))
    many = creation.examine(Request("toy", {"array": [source], "extra": [source, source.parent]}))
    assert [file.folder for file in many.record.inputs["extra"]] == [False, True]


def test_examining_writes_nothing(source: Path) -> None:
    before = set(source.parent.rglob("*"))
    prepared = creation.examine(Request("toy", {"array": [source]}, {"power": 3}))
    assert set(source.parent.rglob("*")) == before
    assert prepared.record.parameters["power"] == 3 and prepared.record.given == {"power": 3}
    assert len(prepared.record.plan["powers"]) == 2 or len(prepared.record.plan["powers"]) == 3
    assert "of memory" in str(prepared.estimate)


def test_relative_paths_are_kept_absolute_and_links_as_links(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("link.npy").symlink_to("in.npy")
    record = creation.examine(Request("toy", {"array": [Path("link.npy")]})).record
    assert record.inputs["array"][0].path == str(source.with_name("link.npy"))


def test_first_free_name(source: Path) -> None:
    prepared = creation.examine(Request("toy", {"array": [source]}))
    assert creation.free_name(prepared) == Path("in-toy-1")
    Path("in-toy-1").mkdir()
    Path("in-toy-2").touch()
    assert creation.free_name(prepared) == Path("in-toy-3")


@pytest.mark.parametrize("stem", ["ä b", "a;rm -rf", "...", "-x", "x" * 200])
def test_names_of_folders_are_harmless(source: Path, stem: str) -> None:
    named = source.rename(source.with_name(f"{stem}.npy"))
    folder = creation.create(creation.examine(Request("toy", {"array": [named]})))
    assert folder.path.parent == source.parent
    assert not set(folder.path.name) & set(" ;/'\"$")


def test_an_empty_folder_will_do_and_a_full_one_not(source: Path) -> None:
    prepared = creation.examine(Request("toy", {"array": [source]}))
    Path("empty").mkdir()
    creation.create(prepared, Path("empty"))
    with pytest.raises(BadInput, match=r"not empty.*pan resume"):
        creation.create(prepared, Path("empty"))
    Path("full").mkdir()
    Path("full/x").touch()
    with pytest.raises(BadInput, match="not empty; name a new one"):
        creation.create(prepared, Path("full"))


def test_too_little_disk_is_seen_before(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 1000}))
    with pytest.raises(BadInput, match=r"of disk, (1000 B|1\.0 kB) are free"):
        creation.create(creation.examine(Request("toy", {"array": [source]})), Path("new/r"))
    assert not Path("new").exists()


def test_memory_and_workers_given_configured_or_found(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def allowed(**given_: object) -> tuple[int, int]:
        record = creation.examine(Request("toy", {"array": [source]}, **given_)).record  # type: ignore[arg-type]
        return record.workers, record.memory

    monkeypatch.setattr(creation.machine, "cores", lambda: 5)
    monkeypatch.setattr(creation.machine, "memory_free", lambda: 10 << 30)
    assert allowed() == (5, 5 << 30)
    monkeypatch.setenv("PANCOMMONS_WORKERS", "3")
    monkeypatch.setenv("PANCOMMONS_MEMORY", "2G")
    assert allowed() == (3, 2 << 30)
    assert allowed(workers=1, memory="300M") == (1, 300 << 20)


def test_preview_changes_parameters_not_the_request(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="has no preview"):
        creation.examine(Request("toy", {"array": [source]}, preview=True))
    toy.register(monkeypatch, replace(toy.PIPELINE, preview="tests.pipelines.toy:preview"))
    record = creation.examine(Request("toy", {"array": [source]}, {"power": 4}, preview=True)).record
    assert record.parameters["power"] == 1 and record.given == {"power": 4} and record.preview


def test_resume_is_allowed_more_or_less(source: Path) -> None:
    folder = creation.create(creation.examine(Request("toy", {"array": [source]}, workers=2, memory="1G")), Path("r"))
    creation.allow(folder, None, "2G")
    creation.allow(folder, 7, None)
    record = folder.record()
    assert (record.workers, record.memory) == (7, 2 << 30)
    with pytest.raises(BadInput, match="no size"):
        creation.allow(folder, None, "much")


def test_numbers_from_numpy_are_numbers(source: Path) -> None:
    import numpy as np

    done = api.run(
        "toy", source, out="r", level=np.float32(1.5), power=np.int64(3), scale=np.array(2.0), listeners=()
    )  # fmt: skip
    assert RunFolder(done.path).record().given == {"level": 1.5, "power": 3, "scale": 2.0}


def test_an_executor_there_is_not_is_refused_before_anything_is_written(source: Path) -> None:
    with pytest.raises(BadInput, match="no executor"):
        api.run("toy", source, out="r", on="cloud")
    assert not Path("r").exists()


def test_record_keeps_what_a_later_version_adds(source: Path) -> None:
    folder = creation.create(creation.examine(Request("toy", {"array": [source]})), Path("r"))
    stored = json.loads(Path("r/run.json").read_text())
    stored["later"] = {"a": 1}
    stored["inputs"]["array"][0]["checksum"] = "x"
    Path("r/run.json").write_text(json.dumps(stored))
    runner.execute(folder.path)
    again = json.loads(Path("r/run.json").read_text())
    assert again["later"] == {"a": 1} and again["inputs"]["array"][0]["checksum"] == "x"


def test_a_folder_that_moved_is_resumed_where_it_is(source: Path) -> None:
    toy.run(source, Path("undisturbed"))
    folder = creation.create(creation.examine(Request("toy", {"array": [source]})), Path("r"))
    folder.path.rename("moved")
    runner.execute(Path("moved").absolute())
    from pancommons.pipelines.comparing import compare

    assert compare(Path("undisturbed"), Path("moved")).same


@pytest.mark.parametrize("change", ["gone", "grown", "touched", "a folder"])
def test_an_input_that_changed_is_noticed(source: Path, change: str) -> None:
    folder = creation.create(creation.examine(Request("toy", {"array": [source]})), Path("r"))
    if change == "gone":
        source.unlink()
    elif change == "grown":
        source.write_bytes(source.read_bytes() + b"x")
    elif change == "touched":
        os.utime(source, (1, 1))
    else:
        source.unlink()
        source.mkdir()
    with pytest.raises(BadInput, match="gone or was changed"):
        runner.execute(folder.path)
    assert not folder.result.exists()


def test_a_technique_that_fails_to_inspect_leaves_nothing(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: object) -> None:
        raise PanError("No.")

    monkeypatch.setattr(toy, "plan", broken)
    with pytest.raises(PanError, match="No"):
        api.run("toy", source, out="r")
    assert not Path("r").exists()
