"""What is answered about a file, and what is not, in this process."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from pancommons.nexus.serving.answering import Answer, Asked, answer
from pancommons.nexus.serving.budget import Budget
from pancommons.nexus.serving.open_files import OpenFiles
from pancommons.nexus.virtual import Part, virtual_stack
from tests.nexus.serving import hostile

SharedData = Callable[[str], Path]
FORMATS = ("json", "bin", "npy", "csv", "tiff")


def ask(
    file: Path,
    what: str,
    path: str = "/",
    *,
    root: Path | None = None,
    budget: Any = None,
    files: OpenFiles | None = None,
    **more: Any,
) -> Answer:
    opened = OpenFiles() if files is None else files
    said = answer(Asked(str(file), what, path, **more), [(root or file.parent).resolve()], budget or Budget(), opened)
    if files is None:
        opened.close()
    assert said.status in (200, 304, 404, 413, 415, 422)
    assert said.fault is None, said.fault
    assert len(said.body) <= Budget().answer_bytes
    assert (said.problem is None) == (said.status in (200, 304))
    return said


def told(*arguments: Any, **more: Any) -> Any:
    said = ask(*arguments, **more)
    assert said.status == 200, said.problem
    return json.loads(said.body)


def everything(file: Path, root: Path | None = None) -> list[Answer]:
    """Ask all there is to ask about every path that is listed."""
    said = [ask(file, "paths", root=root)]
    for path in json.loads(said[0].body) if said[0].status == 200 else []:
        said += [ask(file, what, path, root=root) for what in ("meta", "attr", "stats", "frame", "chunks")]
        said += [ask(file, "meta", path, root=root, resolve_links=links) for links in ("all", "none")]
        said += [ask(file, "data", path, root=root, format=form) for form in FORMATS]
        said += [ask(file, "data", f"{path}/v", root=root), ask(file, "data", path, root=root, dtype="safe")]
        said += [ask(file, "data", path, root=root, selection="0")]
    return said


def _leaks(file: Path, name: str) -> bool:
    with h5py.File(file) as opened:
        thing = opened[name]
        thing = thing if isinstance(thing, h5py.Dataset) else thing["v"]
        try:
            return hostile.CANARY in np.asarray(thing[()]).tobytes()
        except OSError:
            return False


def test_nothing_outside_is_sent(tmp_path: Path) -> None:
    evil = hostile.make_escapes(tmp_path)
    for file in (evil, evil.parent / "hop.h5"):
        for said in everything(file):
            assert hostile.CANARY not in said.body and f"{tmp_path}/outside" not in str(said.touched)
            assert hostile.CANARY not in (said.problem or "").encode()
    assert told(evil, "data", "/good") == ["allowed"]
    kinds = {child["name"]: child["kind"] for child in told(evil, "meta")["children"]}
    assert sum(_leaks(evil, name) for name in kinds) >= len(kinds) - 4, "the library itself follows them"
    assert kinds["good"] == "dataset" and kinds["relative"] == kinds["symlink"] == kinds["folder"] == "external_link"
    assert kinds["soft"] == "soft_link" and kinds["vds"] == kinds["vds_growing"] == "other"
    for name in kinds:
        if name != "good":
            assert ask(evil, "data", f"/{name}").status in (404, 422), name
    for name in ("link.h5", "linked/secret.h5", "../outside/secret.h5", "linked/secret.bin"):
        assert ask(evil.parent / name, "meta", root=evil.parent).status == 404


def test_what_is_denied_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    evil = hostile.make_escapes(tmp_path)
    good = str((evil.parent / "in" / "good.h5").resolve())
    assert good in ask(evil, "data", "/good").touched
    assert ask(evil, "data", "/good", denied=[good]).status == 404
    children = told(evil, "meta", denied=[good])["children"]
    assert next(child for child in children if child["name"] == "good")["kind"] == "external_link"


def test_links_through_too_many_files(tmp_path: Path) -> None:
    for length, status in ((8, 200), (9, 404)):
        folder = tmp_path / str(length)
        folder.mkdir()
        assert ask(hostile.make_chain(folder, length), "data", "/v").status == status


def test_circles_end(tmp_path: Path) -> None:
    file = hostile.make_loops(tmp_path / "loops.h5")
    for said in everything(file):
        assert said.status in (200, 404, 422)
    assert told(file, "data", "/group/up/group/round/up/fine") == [0, 1, 2]
    kinds = {child["name"]: child["kind"] for child in told(file, "meta")["children"]}
    assert kinds == {
        "a": "soft_link", "b": "soft_link", "self": "external_link", "grows": "soft_link", "group": "group",
        "vds": "other", "fine": "dataset",
    }  # fmt: skip
    assert set(told(file, "paths")) == {
        "/", "/a", "/b", "/fine", "/group", "/group/round", "/group/up", "/grows", "/self", "/vds",
    }  # fmt: skip


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile.make_large(tmp_path_factory.mktemp("large") / "large.h5")


def test_large_things_are_refused_before_they_are_read(large: Path) -> None:
    file = large
    for path in ("/huge", "/square", "/chunk", "/words", "/long"):
        said = ask(file, "data", path)
        assert (said.status == 413 and "ask for" in str(said.problem)) or "chunks of" in str(said.problem)
    assert ask(file, "data", "/chunk", selection="0").status == 413
    assert ask(file, "data", "/huge", selection="5:10").status == 200
    assert "along the axes" in str(
        ask(file, "data", "/deep", selection=":,0", budget=Budget(decoded_bytes=10**9)).problem
    )
    assert told(file, "data", "/words", selection="0:4") == ["a", "b", "c", ""]
    assert "for JSON" in str(ask(file, "data", "/deep", selection="0:11").problem)
    assert "for CSV" in str(ask(file, "data", "/deep", selection="0:8", format="csv").problem)
    assert told(file, "data", "/empty") is None and told(file, "data", "/none") == []
    quick = Budget(seconds=0.2)
    assert "takes longer" in str(ask(file, "stats", "/huge", budget=quick).problem)
    assert told(file, "stats", "/square", selection="0:2000")["max"] == 0
    assert told(file, "stats", "/none") == told(file, "stats", "/empty") and told(file, "stats", "/none")["min"] is None
    assert told(file, "attr") == {"large": [0.0] * 60_000, "small": 1}
    assert told(file, "attr", "/dense") == {"gigantic": None}
    assert told(file, "meta", "/dense")["attributes"][0]["problem"] == "is larger than 1048576 bytes"
    assert ask(file, "attr", "/dense", attr_keys=["gigantic"]).status == 413


def test_a_large_group_is_told_in_parts(large: Path) -> None:
    seen = []
    for first, following in ((0, 2000), (2000, 4000), (19_000, None)):
        page = told(large, "meta", "/many", first=first)
        seen += [child["name"] for child in page["children"]]
        assert page["children_total"] == 20_000 and page["next"] == following
    expected = [*range(4000), *range(19_000, 20_000)]
    assert seen == [f"child-{index:05}" for index in expected]
    assert len(told(large, "paths")) == 20_011
    assert ask(large, "paths", budget=Budget(paths=100)).status == 413
    assert ask(large, "meta", "/many", first=20_001).status == 422


def test_every_type_is_told(tmp_path: Path) -> None:
    file = hostile.make_types(tmp_path / "types.h5")
    everything(file)
    expected = {
        "scalar": 3.5, "numbers": [[0, 1, 2], [3, 4, 5]], "big_endian": [0, 1, 2, 3], "half": [0, 1, 2, 3],
        "wide": [0, 1, 2], "complex": [[1, 2], [None, 0]], "bools": [True, False], "not_finite": [None, None, None, 1],
        "text": "µm", "bytes": ["a\ufffd", "b"], "texts": ["ä", "b"], "compound": [[1, 2.5, "\ufffd"]],
        "ragged": [[0, 1], [0, 1, 2]], "enum": [0, 1], "array": [[[[0, 0], [0, 0]]]] * 2,
    }  # fmt: skip
    assert {name: told(file, "data", f"/{name}") for name in expected} == expected
    assert "reference" in told(file, "data", "/references")[0]
    attributes = told(file, "attr")
    assert attributes["latin"] == "Ch\ufffdteau" and attributes["broken"] == "\ufffdt\ufffd"
    assert attributes["\ufffdt\ufffd"] == 1 and attributes["empty"] is None
    assert told(file, "attr", attr_keys=["latin"]) == {"latin": "Ch\ufffdteau"}
    assert ask(file, "attr", attr_keys=["nothing"]).status == 404
    assert ask(file, "data", "/opaque", format="bin").body == b"\x00\x01\xff"
    assert ask(file, "data", "/texts", format="bin").status == 422
    assert told(file, "meta", "/type")["kind"] == "datatype"
    kinds = {child["name"]: child.get("type", {}).get("class") for child in told(file, "meta")["children"]}
    assert (
        kinds["compound"] == h5py.h5t.COMPOUND
        and kinds["ragged"] == h5py.h5t.VLEN
        and kinds["opaque"] == h5py.h5t.OPAQUE
    )
    for path in ("/nothing", "/scalar/x", "/numbers/x/y", "/a\x00b", "//", ""):
        assert ask(file, "data", path).status in (404, 422)


def test_every_format_holds_the_same_values(tmp_path: Path) -> None:
    values = np.arange(12, dtype=">u2").reshape(3, 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = values
    path = tmp_path / "a.h5"
    assert ask(path, "data", "/v", format="bin").body == values.tobytes()
    assert ask(path, "data", "/v", format="bin", dtype="safe").body == values.astype("<u2").tobytes()
    np.testing.assert_array_equal(np.load(io.BytesIO(ask(path, "data", "/v", format="npy").body)), values)
    np.testing.assert_array_equal(
        np.loadtxt(io.BytesIO(ask(path, "data", "/v", format="csv").body), delimiter=","), values
    )
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(ask(path, "data", "/v", format="tiff").body)), values)
    assert told(path, "data", "/v", selection="1, ::2", flatten=True) == [4, 6]
    assert told(path, "data", "/v", flatten=True) == list(range(12))
    for wrong in ({"format": "png"}, {"dtype": "f4"}, {"selection": "9"}, {"selection": "0,0,0"}, {"selection": ""}):
        assert ask(path, "data", "/v", **wrong).status == 422
    assert ask(path, "meta", resolve_links="perhaps").status == 422


def test_statistics_in_slabs_are_those_of_the_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(5, 2, (700, 4000))
    values[3, :7], values[9, 9] = np.nan, np.inf
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", data=values, chunks=(64, 100), compression="lzf")
        file["counts"] = np.arange(-3, 7)
    finite = values[np.isfinite(values)]
    said = told(tmp_path / "a.h5", "stats", "/v")
    assert said["min"] == finite.min() and said["max"] == finite.max()
    assert said["strict_positive_min"] == finite[finite > 0].min() == said["positive_min"]
    assert math.isclose(said["mean"], finite.mean(), rel_tol=1e-12) and math.isclose(
        said["std"], finite.std(), rel_tol=1e-12
    )
    assert told(tmp_path / "a.h5", "stats", "/counts") == {
        "strict_positive_min": 1, "positive_min": 0, "min": -3, "max": 6, "mean": 1, "std": 2,
    }  # fmt: skip


def test_missing_sources_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pancommons.nexus.serving.seen.SETTLED_NS", 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.ones((2, 3))
    with h5py.File(tmp_path / "main.h5", "w") as file:
        pieces = [Part("a.h5", "/v", (2, 3), (0, 0)), Part("b.h5", "/v", (2, 3), (2, 0))]
        virtual_stack(file, "stack", pieces, dtype="f8")
    said = told(tmp_path / "main.h5", "meta", "/stack")
    assert said["missing_sources"] == ["b.h5"] and said["missing_sources_total"] == 1
    assert told(tmp_path / "main.h5", "data", "/stack", selection="0") == [1, 1, 1]
    before = ask(tmp_path / "main.h5", "meta", "/stack").headers["ETag"]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["v"] = np.ones((2, 3))
    after = ask(tmp_path / "main.h5", "meta", "/stack", unless=[before])
    assert after.status == 200 and "missing_sources" not in json.loads(after.body)
    assert ask(tmp_path / "main.h5", "meta", "/stack", unless=[after.headers["ETag"]]).status == 304


@pytest.mark.parametrize("what", ["meta", "paths", "attr"])
def test_what_is_no_file_is_refused_in_one_sentence(tmp_path: Path, what: str) -> None:
    for name, path in hostile.make_broken(tmp_path).items():
        said = ask(path, what)
        if not name.startswith("noisy"):
            assert said.status == 415 and str(tmp_path) not in str(said.problem)
        everything(path)
    assert ask(tmp_path / "nowhere.h5", what).status == 404 and ask(tmp_path, what, root=tmp_path).status == 404


@pytest.mark.real
def test_every_example_is_told_or_refused(shared_data: SharedData) -> None:
    root = shared_data("nexus-examples")
    opened = 0
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        said = ask(file, "paths", root=root)
        if file.suffix == ".txt":
            assert said.problem == "the file is no HDF5 file"
            continue
        opened += 1
        listed = json.loads(said.body)
        for path in listed[:: max(1, len(listed) // 25)]:
            assert ask(file, "meta", path, root=root).status == 200
            assert ask(file, "attr", path, root=root).status in (200, 404)
            assert ask(file, "data", path, root=root).status in (200, 404, 413, 422)
    assert opened == 21
