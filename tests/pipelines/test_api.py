"""The Python face is equal in power to the command."""

from __future__ import annotations

import inspect
from pathlib import Path

import h5py
import numpy as np
import pytest

import pancommons
from pancommons.base.errors import BadInput, PanError, RunStopped
from pancommons.pipelines import api, creation
from pancommons.pipelines.events import Event
from tests.pipelines import toy


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return toy.write_input(tmp_path / "in.npy")


def test_everything_the_command_can(source: Path) -> None:
    Path("p.toml").write_text("scale = 2.0\n")
    told: list[Event] = []
    run = pancommons.run(
        "toy", "in.npy", extra=["in.npy", source], preset="cubes", params="p.toml", level="0.5 count", workers=2,
        memory="1G", on="threads", out="r", listeners=(told.append,),
    )  # fmt: skip
    record = toy.RunFolder(run.path).record()
    assert run.path == source.parent / "r" and run.state == "done"
    assert [file.path for file in record.inputs["extra"]] == [str(source)] * 2
    assert record.parameters == {"power": 3, "level": 0.5, "scale": 2.0, "poison": -1}
    assert (record.workers, record.memory, record.preset) == (2, 1 << 30, "cubes")
    assert [told[0]["event"], told[-1]["event"]] == ["started", "ended"]
    values = (np.load(source) - 0.5).astype(np.float32)
    with run.open() as file:
        np.testing.assert_array_equal(file["entry/data/data"][()], np.float32(2) * values**3)


def test_the_command_and_the_function_take_the_same() -> None:
    from pancommons.pipelines.registry import RUN_OPTIONS

    taken = set(inspect.signature(pancommons.run).parameters)
    of_the_command = {"dry_run", "json", "help", "server", "quiet", "table", "name"}
    assert RUN_OPTIONS - of_the_command <= taken


def test_what_a_run_tells(source: Path) -> None:
    run = pancommons.run("toy", source, listeners=())
    assert run.path.name == "in-toy-1"
    assert run.merits["nothing"] is None and run.merits["total"] == pytest.approx(run.report["merits"][0]["value"])
    assert run.found["level"] == pytest.approx(float(np.median(np.load(source))))
    assert run.warnings == ["the toy is a toy", "found a level", "a figure was drawn"]
    assert run.result == run.path / "result.nxs"
    html = run._repr_html_()
    assert "Total" in html and "data:image/png;base64," in html and "a curve that rises" in html
    again = pancommons.open_run(str(run.path))
    assert again.merits == run.merits and again.state == "done"


def test_primary_input_by_name(source: Path) -> None:
    assert pancommons.run("toy", array="in.npy", out="r", listeners=()).state == "done"


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        (("in.npy", "in.npy"), {}, "takes one path"),
        ((), {}, "'array' is missing"),
        (("in.npy",), {"pwer": 2}, "did you mean power"),
        (("in.npy",), {"extra": 5}, "is no path"),
        (("in.npy",), {"preset": "none"}, "known are: cubes"),
        (("in.npy",), {"params": "nowhere.toml"}, "No such file"),
        (("in.npy",), {"memory": "lots"}, "no size"),
        (("in.npy",), {"on": "cloud"}, "no executor"),
        (("in.npy",), {"power": np.array([1, 2])}, "power"),
        (("in.npy",), {"level": float("nan")}, "finite"),
        (("in.npy",), {"out": "in.npy"}, "cannot be made"),
    ],
)
def test_refusals_write_nothing(source: Path, arguments: tuple[str, ...], named: dict[str, object], words: str) -> None:
    before = set(source.parent.rglob("*"))
    (source.parent / "r").mkdir()
    with pytest.raises(BadInput, match=words):
        pancommons.run("toy", *arguments, **{"out": "r", **named})  # type: ignore[arg-type]
    assert set(source.parent.rglob("*")) - before == {source.parent / "r"}


def test_failed_partial_stopped(source: Path) -> None:
    with pytest.raises(BadInput, match="no run"):
        pancommons.open_run("nowhere")
    partial = pancommons.run("toy", source, out="p", poison=1, workers=1, listeners=())
    assert partial.state == "partial" and len(partial.report["failed"]) == 1
    assert "unit 1" in partial.report["failed"][0]
    with h5py.File(partial.result) as file:
        sums = file["entry/data/sums"][()]
    assert np.isnan(sums[4:8]).all() and np.isfinite(sums[:4]).all() and np.isfinite(sums[8:]).all()

    def stop(event: Event) -> None:
        if event["event"] == "stage":
            Path("s/stop").touch()

    with pytest.raises(RunStopped, match="pan resume"):
        pancommons.run("toy", source, out="s", listeners=(stop,))
    with pytest.raises(PanError, match="no result yet"):
        pancommons.open_run("s")
    assert pancommons.resume("s", listeners=()).state == "done"
    assert pancommons.resume("s", listeners=()).state == "done"


def test_a_listener_that_raises_ends_the_run_which_resumes(source: Path) -> None:
    def angry(event: Event) -> None:
        if event["event"] == "unit":
            raise KeyboardInterrupt

    with pytest.raises(RunStopped, match="pan resume"):
        pancommons.run("toy", source, out="r", listeners=(angry,), workers=1)
    assert pancommons.resume("r", listeners=()).state == "done"
    other = pancommons.run("toy", source, out="other", listeners=(), workers=1)
    from pancommons.pipelines.comparing import compare

    assert compare(Path("r"), other.path).same


def test_a_finished_run_is_not_run_again(source: Path) -> None:
    folder = toy.run(source, Path("r"))
    before = folder.result.stat().st_mtime_ns
    assert api.finished(folder)
    pancommons.resume("r")
    assert folder.result.stat().st_mtime_ns == before


def test_arguments_are_kept_for_the_provenance(source: Path) -> None:
    record = creation.examine(creation.Request("toy", {"array": [source]}, {"level": "2 count"})).record
    assert record.given == {"level": "2 count"} and record.parameters["level"] == 2.0
