"""Chunks passed on by the server itself: to nobody who may not have them, and never of a file that changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import put
from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.nexus.serving.seen import SETTLED_NS, Seen, seen
from pancommons.server.hdf5 import asking, passing
from pancommons.server.hdf5.readers import Readers
from tests.server.hdf5.conftest import AT, Portal
from tests.server.hdf5.test_kept import CHANGES, STEP, asked
from tests.server.hdf5.test_routes import refused

__all__ = ["asked"]

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


def _written(file: Path, value: float) -> Path:
    with h5py.File(file, "w") as opened:
        opened["before"] = np.zeros(int(value) * 100)
        opened.create_dataset("image", data=np.full((5, 8, 8), value), chunks=(1, 8, 8), compression="gzip")
    return file


@pytest.fixture
def stack(portal: Portal, asked: list[Asked]) -> Path:
    """Give a file of frames; the reader is asked nothing yet."""
    _written(portal.root / "embargoed.h5", 7)
    time.sleep(STEP)
    file = _written(portal.root / "new.h5", 1)
    with h5py.File(file, "a") as opened:
        opened["hidden"] = h5py.ExternalLink("embargoed.h5", "/image")
    file.rename(portal.root / "main.h5")
    time.sleep(STEP)
    return portal.root / "main.h5"


def _whole(portal: Portal, file: str, path: str = "/image", **more: object) -> bytes:
    answer = portal.get(file, "chunks", path=path, **more)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


def test_a_reader_is_asked_once(portal: Portal, stack: Path, asked: list[Asked]) -> None:
    for index in range(5):
        one = Asked(str(stack), "chunks", "/image", selection=str(index))
        answer = portal.get("main", "chunks", path="/image", selection=index)
        assert [again.what for again in asked] == ["layout"]
        through = portal.readers.ask(one)
        asked.pop()
        assert answer.content == through.body and len(through.body) > 100
        assert answer.headers["content-type"] == through.headers["Content-Type"]
        tag = {"If-None-Match": answer.headers["etag"]}
        again = portal.get("main", "chunks", path="/image", selection=index, headers=tag)
        assert again.status_code == 304 and not again.content and again.headers["etag"] == answer.headers["etag"]
        other = portal.get("main", "chunks", path="/image", selection="0:2", headers=tag)
        assert other.status_code == 200
    wrong = [portal.get("main", "chunks", path="/image", selection=text) for text in ("9", "x", "2:2")]
    assert all(refused(answer, 422) for answer in wrong) and [again.what for again in asked] == ["layout"]


def test_one_who_may_not_has_no_chunks(portal: Portal, stack: Path) -> None:
    tags: dict[str, str] = {}
    for who in (ANONYMOUS, portal.team, ANONYMOUS, portal.team):
        portal.asking = who
        for name, path in (("embargoed", "/image"), ("main", "/hidden")):
            answer = portal.get(name, "chunks", path=path, selection="1")
            assert answer.status_code == (200 if who is portal.team else 404)
            tags |= {name: answer.headers["etag"]} if who is portal.team else {}
            headers = {"If-None-Match": tags.get(name, '"none"')}
            again = portal.get(name, "chunks", path=path, selection="1", headers=headers)
            assert again.status_code == (304 if who is portal.team else 404)
    portal.asking = ANONYMOUS
    assert _whole(portal, "main", selection="1")


def _also_of_a_closed_dataset(portal: Portal) -> None:
    terms = Terms(open_from=None, discoverable_from=None, fixed=True, proposal="p1")
    record = Dataset(
        pid="closed", kind="raw", title="closed", creation_date=AT, terms=terms, documents=("p1",),
        files=(File(root="data", path="main.h5"),),
    )  # fmt: skip
    with portal.app.state.services.database.write() as connection:
        put(connection, record, policy=read_policy(), by=LOCAL_USER, at=AT)


def test_another_record_of_the_same_place_keeps_it_back(portal: Portal, stack: Path) -> None:
    assert _whole(portal, "main", selection="1") and portal.get("main", "data", path="/image").status_code == 200
    _also_of_a_closed_dataset(portal)
    for what in ("chunks", "data"):
        assert refused(portal.get("main", what, path="/image", selection="1"), 404)
    portal.asking = portal.team
    assert _whole(portal, "main", selection="1") and portal.get("main", "data", path="/image").status_code == 200


@pytest.mark.parametrize("what", ["chunks", "data"])
def test_what_takes_long_is_decided_on_again(
    portal: Portal, stack: Path, asked: list[Asked], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Access that ends while a file is read has ended when the answer is sent."""
    really = Readers._ask

    def slowly(self: Readers, one: Asked) -> Answer | None:
        found = really(self, one)
        _also_of_a_closed_dataset(portal)
        time.sleep(1.2 * asking._JUST_NOW)
        return found

    monkeypatch.setattr(Readers, "_ask", slowly)
    assert refused(portal.get("main", what, path="/image", selection="1"), 404)


def test_what_changed_is_read_anew(portal: Portal, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any way in which a file becomes another."""
    monkeypatch.setattr("tests.server.hdf5.test_kept._written", _written)
    was = _through(_written(portal.root / "as.h5", 1), portal)
    for change, status in CHANGES.items():
        stack.unlink(missing_ok=True)
        _written(portal.root / "was.h5", 1).rename(stack)
        time.sleep(STEP)
        first = portal.get("main", "chunks", path="/image", selection="1")
        assert first.content == was == _whole(portal, "main", selection="1")
        change(stack)
        time.sleep(STEP)
        again = portal.get(
            "main", "chunks", path="/image", selection="1", headers={"If-None-Match": first.headers["etag"]}
        )
        assert again.status_code == status, change
        assert status != 200 or again.content == _through(stack, portal), change
        assert again.content != first.content, change


def _through(file: Path, portal: Portal) -> bytes:
    """Return what a reader answers for a frame."""
    return portal.readers.ask(Asked(str(file), "chunks", "/image", selection="1")).body


def test_a_file_that_was_changed_just_now_is_left_to_the_readers(
    portal: Portal, stack: Path, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pancommons.nexus.serving.seen.SETTLED_NS", SETTLED_NS)
    os.utime(stack)
    assert _whole(portal, "main", selection="1") and _whole(portal, "main", selection="1")
    assert [one.what for one in asked] == ["chunks", "chunks"]


def _cut(file: Path) -> None:
    os.truncate(file, 3000)


def _another(file: Path) -> None:
    _written(file.with_name("other.h5"), 2).rename(file)


def _a_link(file: Path) -> None:
    file.rename(file.with_name("aside.h5"))
    file.symlink_to(file.with_name("aside.h5"))


@pytest.mark.parametrize("change", [_cut, _another, _a_link, Path.unlink])
def test_a_file_that_changes_on_the_way(tmp_path: Path, new_database: object, change: Callable[[Path], None]) -> None:
    file = _written(tmp_path / "a.h5", 1)
    then, places = seen(file), [(0, 100), (2000, 1500)]
    assert then is not None
    stored = passing._read(then, places)
    assert stored is not None and [len(one) for one in stored] == [100, 1500]
    time.sleep(STEP)
    change(file)
    assert passing._read(then, places) is None


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, new_database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, really = _written(tmp_path / "a.h5", 1), os.pread
    then = seen(file)
    assert then is not None and passing._read(then, [(file.stat().st_size - 10, 20)]) is None, "ends before"

    def pread(handle: int, size: int, begin: int) -> bytes:
        with file.open("r+b") as other:
            other.write(b"x")
        return really(handle, size, begin)

    time.sleep(STEP)
    monkeypatch.setattr(os, "pread", pread)
    assert passing._read(then, [(0, 100)]) is None


def test_a_reader_that_lies_leads_nowhere_else(tmp_path: Path, new_database: object) -> None:
    """What is told to lie elsewhere is passed on neither from outside of the roots nor without being decided on."""
    (tmp_path / "in").mkdir()
    inside, outside = _written(tmp_path / "in" / "a.h5", 1), _written(tmp_path / "outside.h5", 2)
    beside = _written(tmp_path / "in" / "b.h5", 3)
    readers = Readers([tmp_path / "in"])
    one = Asked(str(inside), "chunks", "/image", selection="1")
    honest = readers.ask(replace(one, what="layout", selection=None))
    assert honest.looked is not None and isinstance(passing._passed(one, honest, readers), passing.Passed)
    for other in (outside, beside):
        forged = honest.body.replace(str(inside).encode(), str(other).encode())
        size = len(honest.body) - len(str(inside)) + len(str(other))
        assert len(forged) == size and forged != honest.body
        forged = (int.from_bytes(forged[:4], "little") + size - len(honest.body)).to_bytes(4, "little") + forged[4:]
        looked: dict[str, Seen | None] = {**honest.looked, str(other): seen(other)}
        lies = [replace(honest, body=forged), replace(honest, body=forged, looked=looked)]
        if other is outside:
            lies.append(replace(honest, body=forged, looked=looked, touched=[str(inside), str(outside)]))
        for lie in lies:
            assert passing._passed(one, lie, readers) is None
    readers.close()
