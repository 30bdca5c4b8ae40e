"""Two results side by side: equal, close, different, missing."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.pipelines import comparing, packing
from pancommons.pipelines.folder import RunFolder
from tests.pipelines import toy


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RunFolder, RunFolder]:
    toy.register(monkeypatch)
    source = toy.write_input(tmp_path / "in.npy")
    return toy.run(source, tmp_path / "a"), toy.run(source, tmp_path / "b")


def change(folder: RunFolder, name: str, value: object) -> None:
    with h5py.File(folder.result, "r+") as file:
        del file[name]
        file[name] = value


def row(comparison: comparing.Comparison, name: str) -> comparing.Row:
    return next(row for row in comparison.rows if row.name == name)


def test_two_runs_of_one_request_are_the_same(pair: tuple[RunFolder, RunFolder]) -> None:
    found = comparing.compare(pair[0].path, pair[1].path)
    assert found.same
    assert [row.name for row in found.rows] == ["entry/data/data", "entry/data/sums"]
    assert all(row.bitwise and row.verdict == "identical" and row.largest == 0 for row in found.rows)
    assert found.differences == []


def test_a_gap_in_the_parts_is_seen(pair: tuple[RunFolder, RunFolder]) -> None:
    pair[1].part_file("powers", 1).unlink()
    found = comparing.compare(pair[0].path, pair[1].path)
    assert not found.same
    assert row(found, "entry/data/data").unpaired == 4 * 16
    assert row(found, "entry/data/sums").agrees


def test_numbers_of_a_difference(pair: tuple[RunFolder, RunFolder]) -> None:
    sums = np.array([1.0, 2.0, -8.0, np.nan])
    change(pair[0], "entry/data/sums", sums)
    change(pair[1], "entry/data/sums", sums + np.array([0.0, 0.4, 0.0, np.nan]))
    found = row(comparing.compare(pair[0].path, pair[1].path), "entry/data/sums")
    assert found.verdict == "different" and not found.agrees and not found.bitwise
    assert found.largest == pytest.approx(0.4)
    assert found.relative == pytest.approx(0.4 / 8)
    assert found.rms == pytest.approx(0.4 / np.sqrt(3))
    assert found.cells() == ("0.4", "0.05", "0.231")


@pytest.mark.parametrize(("tolerance", "same"), [(0.0, False), (0.049, False), (0.051, True)])
def test_the_tolerance_is_relative_to_the_largest_magnitude(
    pair: tuple[RunFolder, RunFolder], tolerance: float, same: bool
) -> None:
    change(pair[0], "entry/data/sums", np.array([1.0, 8.0]))
    change(pair[1], "entry/data/sums", np.array([1.4, 8.0]))
    assert comparing.compare(pair[0].path, pair[1].path, tolerance=tolerance).same is same


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (np.zeros(3), np.zeros(4), "shapes differ: 3 and 4"),
        (np.zeros(3, "f4"), np.zeros(3, "f8"), "types differ: float32 and float64"),
        (np.array([0.0, 1.0]), np.array([-0.0, 1.0]), "different: in bits only"),
        (np.array([np.nan, 1.0]), np.array([2.0, 1.0]), "different: 1 places have a number in one only"),
        (np.array([np.inf, 1.0]), np.array([2.0, 1.0]), "different"),
        (np.array([1, 2**62]), np.array([1, 2**62 + 1]), "different: in bits only"),
        (np.array([np.inf, np.nan]), np.array([np.inf, -np.nan]), "identical"),
        (np.zeros(3, "<f4"), np.zeros(3, ">f4"), "identical"),
        (np.float64(3), np.float64(3), "identical"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "identical"),
        (np.array([1 + 2j]), np.array([1 + 3j]), "different"),
        (np.array([True, False]), np.array([True, True]), "different"),
    ],
)
def test_verdicts(pair: tuple[RunFolder, RunFolder], one: object, other: object, verdict: str) -> None:
    change(pair[0], "entry/data/sums", one)
    change(pair[1], "entry/data/sums", other)
    found = comparing.compare(pair[0].path, pair[1].path)
    assert row(found, "entry/data/sums").verdict == verdict
    assert found.same is (verdict == "identical")
    json.dumps(found.as_json(), allow_nan=False)


def test_arrays_in_one_only_and_tables(pair: tuple[RunFolder, RunFolder]) -> None:
    table = np.array([(1, 2.0, b"x")], dtype=[("h", "i4"), ("intensity", "f4"), ("name", "S1")])
    for folder in pair:
        with h5py.File(folder.result, "r+") as file:
            file["entry/table"] = table
            table["intensity"] += 1
    with h5py.File(pair[1].result, "r+") as file:
        file["entry/more"] = [1.0]
    found = comparing.compare(pair[0].path, pair[1].path)
    assert row(found, "entry/more").verdict == "only in B"
    assert row(found, "entry/table:h").agrees
    assert not row(found, "entry/table:intensity").agrees
    assert comparing.compare(pair[1].path, pair[0].path).rows[-2].shapes is not None


def test_blocks_do_not_change_the_numbers(pair: tuple[RunFolder, RunFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(7, 5, 11))
    change(pair[0], "entry/data/sums", values)
    change(pair[1], "entry/data/sums", values + np.random.default_rng(1).normal(size=values.shape))
    whole = row(comparing.compare(pair[0].path, pair[1].path), "entry/data/sums")
    monkeypatch.setattr(packing, "BLOCK", 300)
    cut = row(comparing.compare(pair[0].path, pair[1].path), "entry/data/sums")
    assert (cut.largest, cut.relative) == (whole.largest, whole.relative)
    assert cut.rms == pytest.approx(whole.rms, rel=1e-12)


def test_what_else_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)
    a = toy.run(toy.write_input(tmp_path / "a.npy"), tmp_path / "a")
    b = toy.run(toy.write_input(tmp_path / "b.npy", seed=2), tmp_path / "b", power=3, poison=2)
    record = b.record()
    record.software_version = "99"
    b.write(record)
    said = "\n".join(comparing.compare(a.path, b.path).differences)
    assert "parameter power: 2 in A, 3 in B" in said
    assert "software version" in said and "99 in B" in said
    assert "state: done in A, partial in B" in said
    for start in ("found level: ", "figure of merit total: ", "sha256 of input array: "):
        assert start in said


def test_what_is_no_result_is_refused(pair: tuple[RunFolder, RunFolder], tmp_path: Path) -> None:
    pair[1].result.unlink()
    with pytest.raises(BadInput, match="no result"):
        comparing.compare(pair[0].path, pair[1].path)
    with pytest.raises(BadInput, match="no such"):
        comparing.compare(pair[0].path, tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"run\.json"):
        comparing.compare(pair[0].path, tmp_path)
