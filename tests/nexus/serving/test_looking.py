"""What a page shows of a path: values against NumPy, plots against what was written, and nothing from outside."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pancommons.nexus.serving.answering import Answer, Asked, answer
from pancommons.nexus.serving.budget import Budget
from pancommons.nexus.serving.open_files import OpenFiles
from pancommons.nexus.serving.selection import select
from pancommons.nexus.serving.shows import reduced, written
from tests.nexus.serving import hostile

YELLOW, VIOLET = np.array([253, 231, 37]), np.array([68, 1, 84])


def ask(file: Path, what: str, root: Path | None = None, **told: Any) -> Answer:
    files = OpenFiles()
    try:
        return answer(Asked(str(file), what, **told), [(root or file.parent).resolve()], Budget(), files)
    finally:
        files.close()


def look(file: Path, path: str = "/", **told: Any) -> dict[str, Any]:
    found = ask(file, "look", path=path, **told)
    assert found.problem is None, found.problem
    shown: dict[str, Any] = json.loads(found.body)
    return shown


def pixels(found: Answer) -> np.ndarray[Any, np.dtype[np.int64]]:
    assert found.problem is None and found.headers["Content-Type"] == "image/png", found.problem
    return np.asarray(Image.open(io.BytesIO(found.body)).convert("RGB"), dtype=np.int64)


def near(picture: np.ndarray[Any, np.dtype[np.int64]], colour: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.abs(picture - np.asarray(colour)).sum(axis=-1) < 12)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "file.h5", "w") as made:
        made["image"] = np.repeat([[0.0, 1.0]], 60, axis=0).repeat(30, axis=1)
        made["stack"] = np.arange(5 * 40 * 30).reshape(5, 40, 30)
        made["line"], made["number"], made["name"] = np.arange(250) ** 2, 2.5, "a sample"
        made["number"].attrs["units"] = "Å"
        made["rows"] = np.array([(1, 2.5), (3, np.nan)], dtype=[("i", "i4"), ("f", "f8")])
        made["rgb"] = np.full((20, 30, 3), (255, 0, 0), "u1")
        made["rgb"].attrs["interpretation"] = "rgb-image"
        made.create_group("empty")
    return tmp_path / "file.h5"


@given(st.data())
def test_a_selection_written_reads_the_same(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    parts = [
        data.draw(st.sampled_from([str(length - 1), ":", "1:", f":{length - 1}", "::2", "1::3", f"0:{length}:4"]))
        for length in shape
    ]
    chosen = select(",".join(parts), shape)
    again = select(written(chosen, shape), shape)
    values = np.arange(np.prod(shape)).reshape(shape)
    index = [tuple(along.piece(0, along.count) for along in one.axes) for one in (chosen, again)]
    np.testing.assert_array_equal(values[index[0]], values[index[1]])
    assert again.shape == chosen.shape and len(reduced(chosen, 2).shape) == min(2, len(chosen.shape))


def test_values_are_those_of_the_file(file: Path) -> None:
    told = look(file, "/stack", selection="3", row=20, column=16)["values"]
    values = np.arange(5 * 40 * 30).reshape(5, 40, 30)[3]
    assert told["slice"] == "3,:,:" and (told["rows"], told["columns"]) == (40, 30)
    assert [line[0] for line in told["lines"]] == [str(row) for row in range(20, 40)]
    assert told["heads"] == [str(column) for column in range(16, 30)]
    assert [[int(cell) for cell in line[1:]] for line in told["lines"]] == values[20:40, 16:30].tolist()
    every = look(file, "/line", selection="10:200:3", row=1)["values"]
    assert [int(line[1]) for line in every["lines"]] == (np.arange(250) ** 2)[10:200:3][1:].tolist()
    assert every["lines"][0] == ["13", "169"]
    assert look(file, "/number")["values"]["single"] == "2.5" and look(file, "/name")["values"]["single"] == "a sample"
    assert look(file, "/rows")["values"]["lines"] == [["0", "1", "2.5"], ["1", "3", "nan"]]
    assert look(file, "/stack")["values"]["slice"] == "2,:,:" == look(file, "/stack")["draws"]["slice"]


def test_members_one_level_at_a_time(file: Path) -> None:
    rows = {one["name"]: one for one in look(file)["members"]}
    assert rows["number"]["value"] == "2.5" and rows["number"]["unit"] == "Å" and rows["name"]["is"] == "text"
    assert rows["stack"]["shape"] == [5, 40, 30] and rows["stack"]["is"] == "int64" and rows["empty"]["kind"] == "group"
    assert rows["rows"]["is"] == "table of 2 columns" and look(file, "/empty")["members_total"] == 0
    with h5py.File(file, "a") as made:
        for index in range(450):
            made[f"empty/m{index:03}"] = index
    assert [one["name"] for one in look(file, "/empty", first=400)["members"]] == [f"m{i:03}" for i in range(400, 450)]


def test_an_image_is_drawn_as_it_is(file: Path) -> None:
    drawn = pixels(ask(file, "picture", path="/image"))
    low, high = near(drawn, VIOLET), near(drawn, YELLOW)
    body = slice(60, 500)
    columns = [np.flatnonzero(one[body].mean(axis=0) > 0.5) for one in (low, high)]
    assert columns[0].size > 100 and columns[0].max() < columns[1].min(), "the left half is low, the right high"
    red = pixels(ask(file, "picture", path="/rgb"))
    assert near(red, (255, 0, 0)).sum() > 10_000
    assert not np.array_equal(pixels(ask(file, "picture", path="/stack")), pixels(ask(file, "picture", path="/image")))


def test_a_curve_has_its_axes_and_scales(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "sas.h5", "w") as made:
        entry = made.create_group("sasentry01")
        entry.attrs["canSAS_class"], entry["definition"] = "SASentry", "NXcanSAS"
        data = entry.create_group("sasdata")
        data.attrs["signal"], data.attrs["I_axes"], data.attrs["NX_class"] = "I", "Q", "NXdata"
        data["Q"], data["I"] = np.geomspace(0.01, 1, 80), np.geomspace(0.01, 1, 80) ** -4.0
        data["Q"].attrs["units"], data["I"].attrs["units"] = "1/angstrom", "1/cm"
    told = look(tmp_path / "sas.h5")["draws"]
    assert told["log"] and told["log_axes"] and told["names"] == ["Q"] and told["group"] == "/sasentry01/sasdata"
    assert told["label"] == "I (1/cm)" and told["axes"][0]["name"] == "Q (1/angstrom)"
    inside = near(pixels(ask(tmp_path / "sas.h5", "picture")), (11, 101, 112))
    down, across = np.nonzero(inside)
    fit = np.polyfit(across, down, 1)
    assert np.abs(down - np.polyval(fit, across)).max() < 12, "a power law is a straight line on logarithmic scales"


def test_nothing_is_drawn_from_outside(tmp_path: Path) -> None:
    file = hostile.make_plots(tmp_path)
    root = file.parent
    for name in ("signal", "all", "linked", "led", "loop", "odd", "crowd"):
        found = ask(file, "picture", root, path=f"/{name}")
        assert found.status in (404, 422, 413), (name, found.status)
        assert not [one for one in found.touched if "outside" in one]
    for name, lost in (("axis", "axes"), ("errors", "errors"), ("title", "title")):
        draws = look(file, f"/{name}")["draws"]
        assert not (draws["axes"][0]["name"] if lost == "axes" else draws[lost]), name
        assert pixels(ask(file, "picture", root, path=f"/{name}")).size
    for path in ("/", "/all/data", "/axis/data/axis", "/errors/data/signal_errors", "/title/data/title", "/linked"):
        told = json.dumps(look(file, path))
        assert hostile.CANARY.decode() not in told and str(root) not in told
    assert pixels(ask(file, "picture", root, path="/loud")).size
    assert ask(file, "picture", root, path="/large").problem is not None


def test_an_answer_that_is_still_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pancommons.nexus.serving.seen.SETTLED_NS", 0)
    first = ask(file, "picture", path="/image")
    again = ask(file, "picture", path="/image", unless=[first.headers["ETag"]])
    assert again.status == 304 and not again.body
