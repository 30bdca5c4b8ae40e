"""A published run executed again: found inputs, refused inputs, other versions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.pipelines import packing
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.reproducing import reproduce
from tests.pipelines import toy


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    return toy.write_input(tmp_path / "in.npy")


def again(published: Path, tmp_path: Path, **inputs: Path) -> Any:
    return reproduce(published, inputs, out=tmp_path / "again", on="threads")


def test_a_run_is_reproduced_bit_by_bit(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run", preset="cubes", scale=1.5)
    folder, comparison, notes = again(run.path, tmp_path)
    assert notes == []
    assert comparison.same and comparison.tolerance == 0 and comparison.differences == []
    then, now = run.record(), folder.record()
    assert now.reproduces == then.id and now.id != then.id
    assert (now.given, now.preset, now.parameters) == (then.given, then.preset, then.parameters)
    assert now.parameters["level"] == "auto"
    assert folder.report_facts()["reproduces"] == then.id


def test_the_plan_is_followed_whatever_the_machine(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run", workers=7)
    assert len(run.record().plan["powers"]) == 2
    folder, comparison, _ = again(run.path, tmp_path)
    assert folder.record().plan == run.record().plan
    assert comparison.same


def test_a_packed_result_is_reproduced_where_its_folder_is_gone(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    archive = packing.pack(run.path, tmp_path / "published.zip")
    run.path.rename(tmp_path / "gone")
    moved = source.rename(tmp_path / "moved.npy")
    with pytest.raises(BadInput, match=r"no longer there; give it as array=PATH") as refused:
        again(archive, tmp_path)
    assert str(source) in str(refused.value)
    _, comparison, _ = again(archive, tmp_path, array=moved)
    assert comparison.same


@pytest.mark.parametrize("place", ["recorded", "given"])
def test_another_input_is_refused_with_both_digests(source: Path, tmp_path: Path, place: str) -> None:
    run = toy.run(source, tmp_path / "run")
    recorded = run.record().inputs["array"][0].sha256
    other = toy.write_input(source if place == "recorded" else tmp_path / "other.npy", seed=9)
    with pytest.raises(BadInput) as refused:
        again(run.path, tmp_path, **({} if place == "recorded" else {"array": other}))
    digests = [word.strip(",;") for word in str(refused.value).split() if len(word.strip(",;")) == 64]
    assert len(set(digests)) == 2 and recorded in digests
    assert not (tmp_path / "again").exists()


def test_an_unknown_role_is_refused(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    with pytest.raises(BadInput, match="no input 'scan'; its inputs are: array"):
        again(run.path, tmp_path, scan=source)


def test_a_role_of_several_files_is_given_as_their_folder(source: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    extra = [toy.write_input(old / f"{number}.npy", seed=number) for number in range(2)]
    run = toy.run(source, tmp_path / "run", extra=extra)
    old.rename(new)
    with pytest.raises(BadInput, match="give it as extra=FOLDER"):
        again(run.path, tmp_path)
    folder, comparison, _ = again(run.path, tmp_path, extra=new)
    assert comparison.same
    assert [Path(file.path).parent for file in folder.record().inputs["extra"]] == [new, new]


def test_files_the_input_refers_to_are_checked(source: Path, tmp_path: Path) -> None:
    linked = source.with_suffix(".linked")
    linked.write_text("linked data")
    run = toy.run(source, tmp_path / "run")
    new = tmp_path / "new"
    new.mkdir()
    moved = source.rename(new / "other-name.npy")
    with pytest.raises(BadInput, match="the run read this file too"):
        again(run.path, tmp_path, array=moved)
    moved = moved.rename(new / source.name)
    (new / linked.name).write_text("something else")
    with pytest.raises(BadInput, match="this is not the file the run's inputs refer to"):
        again(run.path, tmp_path, array=moved)
    (new / linked.name).write_text("linked data")
    _, comparison, _ = again(run.path, tmp_path, array=moved)
    assert comparison.same


def slightly_off(job: Any, unit: Any) -> Any:
    part = toy.process(job, unit)
    return {"values": dataclasses.replace(part["values"], array=part["values"].array * np.float32(1.00001))}


@pytest.mark.parametrize(("tolerance", "same"), [(1e-4, True), (1e-7, False)])
def test_another_version_is_said_and_has_the_tolerance(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerance: float, same: bool
) -> None:
    run = toy.run(source, tmp_path / "run")
    stage = dataclasses.replace(toy.PIPELINE.stages[0], process=f"{__name__}:slightly_off")
    newer = dataclasses.replace(toy.PIPELINE, version="1.3.0", stages=(stage,), tolerance=tolerance)
    toy.register(monkeypatch, newer)
    _, comparison, notes = again(run.path, tmp_path)
    assert "pipeline toy 1.2.0, this one with 1.3.0" in notes[0]
    assert comparison.tolerance == tolerance
    assert comparison.same is same
    assert any(row.verdict == "within tolerance" for row in comparison.rows) is same


def test_the_same_version_has_no_tolerance(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = toy.run(source, tmp_path / "run")
    stage = dataclasses.replace(toy.PIPELINE.stages[0], process=f"{__name__}:slightly_off")
    toy.register(monkeypatch, dataclasses.replace(toy.PIPELINE, stages=(stage,), tolerance=1.0))
    _, comparison, notes = again(run.path, tmp_path)
    assert notes == [] and not comparison.same


def test_another_processor_is_said(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = toy.run(source, tmp_path / "run")
    monkeypatch.setattr("pancommons.pipelines.environment.processor_family", lambda: "another")
    _, comparison, notes = again(run.path, tmp_path)
    assert "processor family" in notes[0] and "another" in notes[0]
    assert comparison.tolerance == toy.PIPELINE.tolerance and comparison.same
    assert any(text.startswith("processor family") for text in comparison.differences)


def test_a_preview_is_reproduced_as_a_preview(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch, dataclasses.replace(toy.PIPELINE, preview=f"{toy.__name__}:preview"))
    run = toy.run(source, tmp_path / "run", preview=True)
    assert run.record().parameters["power"] == 1
    folder, comparison, _ = again(run.path, tmp_path)
    assert folder.record().preview and comparison.same


def test_a_run_without_a_result_is_refused(source: Path, tmp_path: Path) -> None:
    run: RunFolder = toy.run(source, tmp_path / "run")
    run.result.unlink()
    with pytest.raises(BadInput, match="no result"):
        again(run.path, tmp_path)
