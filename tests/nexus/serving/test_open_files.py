"""Files kept open between requests: what changed is read anew, and nothing hostile stays."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

from pancommons.nexus.serving import open_files
from pancommons.nexus.serving.open_files import OpenFiles
from pancommons.nexus.virtual import Part, virtual_stack
from tests.nexus.serving import hostile
from tests.nexus.serving.test_answering import ask, told

STEP = 0.03  # longer than the steps in which file systems count time


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Take files for settled at once, and note each that is opened."""
    monkeypatch.setattr("pancommons.nexus.serving.seen.SETTLED_NS", 0)
    noted: list[Path] = []
    really = open_files._opened
    monkeypatch.setattr(open_files, "_opened", lambda real: noted.append(real) or really(real))
    return noted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return _written(tmp_path / "in" / "a.h5", 1)


def _written(path: Path, value: int, length: int = 24) -> Path:
    with h5py.File(path, "w") as made:
        for name in ("v", "w") if value % 2 else ("w", "v"):  # what HDF5 knew is wrong once it changed
            made[name] = np.full((length, 32, 32), value if name == "v" else 0)
        made["data/v"] = h5py.SoftLink("/v")
        made["data"].attrs.update({"NX_class": "NXdata", "signal": "v"})
    time.sleep(STEP)
    return path


def _overwritten(path: Path, other: Path) -> None:
    """Put the bytes of another file into the same one, as somebody who writes it does."""
    with path.open("r+b") as raw:
        raw.write(other.read_bytes())
        raw.truncate()
    time.sleep(STEP)


KINDS: dict[str, dict[str, Any]] = {
    "meta": {}, "attr": {}, "paths": {}, "look": {"path": "/data"}, "picture": {"path": "/data"},
    "data": {"path": "/v", "selection": "0"}, "stats": {"path": "/v", "selection": "0"},
    "frame": {"path": "/v", "selection": "1", "max_px": 16},
}  # fmt: skip


@pytest.mark.parametrize("what", KINDS)
def test_opened_once(file: Path, opened: list[Path], what: str) -> None:
    ask(file, what, **KINDS[what])  # what is imported the first time may hold on to who imported it
    opened.clear()
    files = OpenFiles()
    for _ in range(3):
        assert ask(file, what, files=files, **KINDS[what]).status == 200
        assert len(files) == 1
    tag = ask(file, what, files=files, **KINDS[what]).headers["ETag"]
    assert ask(file, what, files=files, **KINDS[what], unless=[tag]).status == 304 and len(files) == 1
    assert opened == [file]
    files.close()


def _changed_in_place(file: Path) -> None:
    _overwritten(file, _written(file.with_name("b.h5"), 2))


def _replaced(file: Path) -> None:
    _written(file.with_name("b.h5"), 2).rename(file)


def _cut_short(file: Path) -> None:
    os.truncate(file, 100)


def _longer(file: Path) -> None:
    _overwritten(file, _written(file.with_name("b.h5"), 2, 30))


def _removed(file: Path) -> None:
    file.unlink()


def _same_age(file: Path) -> None:
    before = file.stat()
    _changed_in_place(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _folder_replaced(file: Path) -> None:
    file.parent.rename(file.parents[1] / "old")
    file.parent.mkdir()
    _written(file, 2)


CHANGES = {
    _changed_in_place: 200, _replaced: 200, _cut_short: 415, _longer: 200, _removed: 404, _same_age: 200,
    _folder_replaced: 200,
}  # fmt: skip


@pytest.mark.parametrize(("change", "status"), CHANGES.items())
def test_what_changed_is_read_anew(file: Path, opened: list[Path], change: Callable[[Path], None], status: int) -> None:
    files = OpenFiles()
    before = ask(file, "data", "/v", selection="0,0,0", files=files)
    assert json.loads(before.body) == 1 and len(files) == 1
    change(file)
    after = ask(file, "data", "/v", selection="0,0,0", files=files, unless=[before.headers["ETag"]])
    assert after.status == status
    if status == 200:
        assert json.loads(after.body) == 2
        assert told(file, "meta", "/v", files=files)["shape"][0] == (30 if change is _longer else 24)
    files.close()


@pytest.mark.parametrize("held", ["a.h5", "other.h5", "main.h5"])
@pytest.mark.parametrize("name", ["a.h5", "other.h5", "main.h5"])
def test_a_file_by_another_name_and_as_a_source(file: Path, opened: list[Path], held: str, name: str) -> None:
    """The library shares what it knows of a file that is open: it must not be open still when it is opened anew."""
    (file.parent / "other.h5").hardlink_to(file)
    with h5py.File(file.parent / "main.h5", "w") as main:
        virtual_stack(main, "v", [Part("a.h5", "/v", (24, 32, 32), (0, 0, 0))], dtype="i8")
    _overwritten(file, _written(file.with_name("b.h5"), 1))
    files = OpenFiles()
    assert told(file.parent / held, "data", "/v", selection="0,0,0", files=files) == 1 and len(files) == 1
    _changed_in_place(file)
    assert told(file.parent / name, "data", "/v", selection="0,0,0", files=files) == 2
    files.close()


def test_a_source_that_appears(file: Path, opened: list[Path]) -> None:
    files = OpenFiles()
    with h5py.File(file.parent / "main.h5", "w") as main:
        virtual_stack(main, "stack", [Part("late.h5", "/v", (24, 32, 32), (0, 0, 0))], dtype="i8")
    time.sleep(STEP)
    first = ask(file.parent / "main.h5", "stats", "/stack", files=files)
    assert json.loads(first.body)["max"] == 0 and len(files) == 1
    assert first.looked is not None and first.looked[str(file.parent / "late.h5")] is None
    shutil.copy(file, file.parent / "late.h5")
    time.sleep(STEP)
    assert told(file.parent / "main.h5", "stats", "/stack", files=files)["max"] == 1
    files.close()


def test_what_is_denied_stays_so(file: Path, opened: list[Path]) -> None:
    with h5py.File(file.parent / "main.h5", "w") as main:
        main["theirs"] = h5py.ExternalLink("a.h5", "/v")
    time.sleep(STEP)
    files = OpenFiles()
    theirs = {"path": "/theirs", "selection": "0,0,0", "files": files}
    assert told(file.parent / "main.h5", "data", **theirs) == 1 and len(files) == 2
    said = ask(file.parent / "main.h5", "data", **theirs, denied=[str(file)])
    assert said.status == 404 and str(file) in said.touched
    assert ask(file, "data", "/v", denied=[str(file)], files=files).status == 404
    files.close()


def test_nothing_stays_open_where_something_went_wrong(tmp_path: Path, opened: list[Path]) -> None:
    files = OpenFiles()
    evil = hostile.make_escapes(tmp_path)
    broken = hostile.make_broken(tmp_path)
    time.sleep(STEP)
    for path in [evil, *broken.values()]:
        for what in ("meta", "data", "stats", "look"):
            for inside in ("/", "/vds", "/v", "/nothing"):
                said = ask(path, what, inside, root=path.parent, files=files)
                assert said.status == 200 or path.resolve() not in files
    files.close()
    assert ask(evil, "meta", files=files).status == 200 and evil.resolve() in files
    assert ask(evil, "meta", resolve_links="perhaps", files=files).status == 422 and evil.resolve() not in files
    files.close()
    assert len(files) == 0 and not _held(tmp_path)


def test_no_more_than_so_many(tmp_path: Path, opened: list[Path]) -> None:
    files = OpenFiles(most=2)
    for index in range(5):
        ask(_written(tmp_path / f"{index}.h5", index, 1), "meta", files=files)
        assert len(files) == min(index + 1, 2)
    assert sorted(_held(tmp_path)) == [str(tmp_path / "3.h5"), str(tmp_path / "4.h5")]
    ask(tmp_path / "3.h5", "meta", files=files)
    ask(tmp_path / "0.h5", "meta", files=files)
    assert sorted(_held(tmp_path)) == [str(tmp_path / "0.h5"), str(tmp_path / "3.h5")], "the least used went"
    files.close()
    assert not _held(tmp_path)


def test_what_was_just_written_is_not_kept(file: Path) -> None:
    files = OpenFiles()
    first = ask(file, "data", "/v", selection="0,0,0", files=files)
    assert len(files) == 0 and not _held(file.parent)
    again = ask(file, "data", "/v", selection="0,0,0", files=files, unless=[first.headers["ETag"]])
    assert again.status == 200, "it could have changed without its time of change showing it"


def _held(folder: Path) -> list[str]:
    return [one.path for one in psutil.Process().open_files() if Path(one.path).is_relative_to(folder)]
