"""Answers kept in the server: handed out to nobody who may not have them, and never of a file that changed."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import h5py
import httpx
import numpy as np
import psutil
import pytest

from pancommons.catalogue.access import ANONYMOUS
from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.nexus.serving.seen import SETTLED_NS, seen
from pancommons.server.hdf5.kept import KeptAnswers
from pancommons.server.hdf5.readers import Readers
from tests.server.hdf5.conftest import Portal
from tests.server.hdf5.test_routes import refused

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

STEP = 0.03  # longer than the steps in which file systems count time
FRAME = {"path": "/image", "max_px": 16}


def _written(path: Path, value: float, edge: int = 64) -> Path:
    """Write an image, at another place in the file for each value."""
    with h5py.File(path, "w") as file:
        file["before"] = np.zeros(int(value) * 100)
        file["image"] = np.full((edge, edge), value)
    return path


def _value(answer: httpx.Response) -> float:
    assert answer.status_code == 200, answer.text
    values = np.frombuffer(answer.content, answer.headers["x-dtype"])
    assert (values == values[0]).all()
    return float(values[0])


@pytest.fixture
def asked(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Take files for settled at once, and note what the readers are asked."""
    monkeypatch.setattr("pancommons.nexus.serving.seen.SETTLED_NS", 0)
    noted: list[Asked] = []
    really = Readers._ask
    monkeypatch.setattr(Readers, "_ask", lambda self, one: noted.append(one) or really(self, one))
    _written(portal.root / "embargoed.h5", 7)
    with h5py.File(portal.root / "main.h5", "a") as file:
        file["image"] = np.eye(40)
        file["hidden"] = h5py.ExternalLink("embargoed.h5", "/image")
    time.sleep(STEP)
    return noted


def test_computed_once(portal: Portal, asked: list[Asked]) -> None:
    for what, path in (("frame", "/image"), ("stats", "/image")):
        first = portal.get("main", what, path=path)
        asked.clear()
        again = portal.get("main", what, path=path)
        assert again.content == first.content and again.headers["etag"] == first.headers["etag"] and not asked
        same = portal.get("main", what, path=path, headers={"If-None-Match": first.headers["etag"]})
        assert same.status_code == 304 and not same.content and same.headers["etag"] == first.headers["etag"]
        assert not asked
        portal.get("main", what, path=path, selection="::2")
        assert len(asked) == 1, "another part is another answer"


def test_one_who_may_not_has_no_answer_that_was_kept(portal: Portal, asked: list[Asked]) -> None:
    portal.asking = portal.team
    tags = {}
    for name, path in (("embargoed", "/image"), ("main", "/hidden")):
        answer = portal.get(name, "frame", path=path)
        assert _value(answer) == 7
        tags[name] = answer.headers["etag"]
    assert portal.readers.kept.size > 0
    for asking, status in ((ANONYMOUS, 404), (portal.team, 200), (ANONYMOUS, 404)):
        portal.asking = asking
        for name, path in (("embargoed", "/image"), ("main", "/hidden")):
            answer = portal.get(name, "frame", path=path)
            assert answer.status_code == status
            shown = portal.get(name, "frame", path=path, headers={"If-None-Match": tags[name]})
            assert shown.status_code == (304 if status == 200 else 404)
    asked.clear()
    assert refused(portal.get("main", "frame", path="/hidden"), 404)
    assert [one.denied for one in asked] == [[str(portal.root / "embargoed.h5")]], "the refusal alone is asked again"


def _changed_in_place(file: Path) -> None:
    other = _written(file.with_name("other.h5"), 2)
    with file.open("r+b") as raw:
        raw.write(other.read_bytes())
        raw.truncate()


def _replaced(file: Path) -> None:
    _written(file.with_name("other.h5"), 2).rename(file)


def _replaced_by_link(file: Path) -> None:
    other = _written(file.with_name("other.h5"), 2)
    file.unlink()
    file.symlink_to(other)


def _cut_short(file: Path) -> None:
    os.truncate(file, 100)


def _appended(file: Path) -> None:
    with h5py.File(file, "a") as opened:
        opened["image"][...] = 2
        opened["more"] = np.zeros(1000)


CHANGES = {_changed_in_place: 200, _replaced: 200, _replaced_by_link: 200, _cut_short: 415, _appended: 200}


def test_what_changed_is_computed_anew(portal: Portal, asked: list[Asked]) -> None:
    """By any way in which a file becomes another; asked of readers that have it open."""
    file, was = portal.root / "main.h5", portal.root / "was.h5"
    for change, status in CHANGES.items():
        file.unlink(missing_ok=True)
        _written(was, 1).rename(file)
        time.sleep(STEP)
        first = portal.get("main", "frame", **FRAME)
        assert _value(first) == 1 and _value(portal.get("main", "frame", **FRAME)) == 1
        change(file)
        time.sleep(STEP)
        again = portal.get("main", "frame", **FRAME, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == status, change
        assert status != 200 or _value(again) == 2, change


def test_a_file_that_readers_have_open_and_that_grows(portal: Portal, asked: list[Asked]) -> None:
    """Readers keep open what was settled; so that they do, it takes as long as that."""
    file = portal.root / "main.h5"
    time.sleep(SETTLED_NS / 1e9 + 0.1)
    for _ in range(3):
        assert portal.get("main", "data", path="/image", selection="0,0").json() == 1
    reader = next(iter(portal.readers._all))
    assert any(one.path == str(file) for one in psutil.Process(reader.process.pid).open_files())
    for value in range(2, 6):
        with h5py.File(file, "a") as opened:
            opened["image"][0, 0] = value
            opened[f"more {value}"] = np.zeros(10 * value)
        assert portal.get("main", "data", path="/image", selection="0,0").json() == value
        assert f"/more {value}" in portal.get("main", "paths").json()
        assert portal.get("main", "stats", path="/image").json()["max"] == value
    file.unlink()
    assert refused(portal.get("main", "stats", path="/image"), 404)


def test_a_link_that_is_led_elsewhere(portal: Portal, asked: list[Asked]) -> None:
    """What was tried on the way counts, be it the target of a link or a file that was not there."""
    first, second = _written(portal.root / "first.h5", 1), _written(portal.root / "second.h5", 2)
    link = portal.root / "latest.h5"
    link.symlink_to(first)
    with h5py.File(portal.root / "main.h5", "a") as file:
        file["latest"] = h5py.ExternalLink("latest.h5", "/image")
        layout = h5py.VirtualLayout((64, 64), "f8")
        layout[:] = h5py.VirtualSource("late.h5", "image", (64, 64), "f8")
        file.create_virtual_dataset("late", layout)
    time.sleep(STEP)
    assert _value(portal.get("main", "frame", path="/latest")) == 1
    assert _value(portal.get("main", "frame", path="/late")) == 0
    link.unlink()
    link.symlink_to(second)
    second.with_name("late.h5").hardlink_to(second)
    assert _value(portal.get("main", "frame", path="/latest")) == 2
    assert _value(portal.get("main", "frame", path="/late")) == 2


def test_no_more_bytes_than_that(tmp_path: Path, new_database: object) -> None:
    kept, file = KeptAnswers(most=100_000), _written(tmp_path / "a.h5", 1)
    looked = {str(file): seen(file)}
    began = time.time_ns() + 2 * SETTLED_NS
    answer = Answer(200, bytes(5000), {"ETag": '"a"'}, touched=[str(file)], looked=looked)
    asked = [Asked(str(file), "frame", selection=str(index)) for index in range(100)]
    for one in asked:
        kept.keep(one, answer, began)
        assert kept.size <= 100_000
        assert kept.find(asked[0]) is answer, "what is used stays"
    there = [index for index, one in enumerate(asked) if kept.find(one) is not None]
    assert there == [0, *range(100 - len(there) + 1, 100)] and 5 < len(there) < 16
    kept.keep(asked[1], replace(answer, body=bytes(20_000)), began)
    assert kept.find(asked[1]) is None, "one answer is not worth all others"
    for not_kept in (replace(answer, status=404), replace(answer, looked=None)):
        kept.keep(asked[2], not_kept, began)
        assert kept.find(asked[2]) is None
    kept.keep(asked[2], answer, began - 4 * SETTLED_NS)
    assert kept.find(asked[2]) is None, "the file may have changed since without showing it"
    kept.keep(replace(asked[2], what="data"), answer, began)
    assert kept.find(replace(asked[2], what="data")) is None
    kept.clear()
    assert kept.size == 0 and kept.find(asked[0]) is None


def test_all_that_was_asked_tells_answers_apart(tmp_path: Path, new_database: object) -> None:
    kept, file = KeptAnswers(), _written(tmp_path / "a.h5", 1)
    asked = Asked(str(file), "frame")
    answer = Answer(200, b"x", {"ETag": '"a"'}, looked={str(file): seen(file)})
    kept.keep(asked, answer, time.time_ns() + 2 * SETTLED_NS)
    others = {"file": "b", "what": "stats", "path": "/x", "selection": "1", "dtype": "safe", "max_px": 100,
              "denied": [str(file)], "format": "bin", "flatten": True, "first": 1, "row": 1, "column": 1,
              "attr_keys": ["a"], "resolve_links": "none"}  # fmt: skip
    assert kept.find(replace(asked, unless=['"b"'])) is answer
    found = kept.find(replace(asked, unless=['"a"']))
    assert found is not None and found.status == 304 and found.body == b"" and found.touched == answer.touched
    assert set(others) | {"unless"} == set(Asked.__dataclass_fields__), "a new one has to be told apart, too"
    for name, value in others.items():
        assert kept.find(replace(asked, **{name: value})) is None, name
