"""Files that a crash leaves whole: the old or the new, never half of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base import durable

_CRASH = """
import os, signal, sys
from pathlib import Path
from pancommons.base import durable

moment, file = sys.argv[1], Path(sys.argv[2])
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if moment == "before the sync":
    durable._sync = die
else:
    Path.replace = die
durable.write_json(file, {"new": 1})
"""


@pytest.mark.parametrize("moment", ["before the sync", "before the rename"])
def test_killed_while_replacing_leaves_the_old_file(tmp_path: Path, moment: str) -> None:
    file = tmp_path / "run.json"
    durable.write_json(file, {"old": 1})
    killed = subprocess.run([sys.executable, "-c", _CRASH, moment, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert json.loads(file.read_text()) == {"old": 1}
    durable.write_json(file, {"newer": 1})
    assert json.loads(file.read_text()) == {"newer": 1}


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "part.h5"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), durable.replacing(file) as beside:
        beside.write_text("half of it")
        raise KeyboardInterrupt
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_numbers_that_json_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        durable.write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


_events = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3)


@given(lines=st.lists(_events, max_size=5), after=_events, cut=st.integers(1, 60))
def test_a_cut_last_line_is_left_out_and_the_next_is_kept(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, object]], after: dict[str, object], cut: int
) -> None:
    file = tmp_path_factory.mktemp("lines") / "events.jsonl"
    for line in lines:
        durable.append_line(file, json.dumps(line, ensure_ascii=False))
    whole = file.read_bytes() if lines else b""
    file.write_bytes(whole[: max(0, len(whole) - cut)])
    kept = durable.read_lines(file)
    assert kept == lines[: len(kept)]
    assert len(kept) >= whole[: max(0, len(whole) - cut)].count(b"\n")
    durable.append_line(file, json.dumps(after, ensure_ascii=False))
    assert durable.read_lines(file) == [*kept, after]


@pytest.mark.parametrize("rubbish", [b"\xff\xfe", b"[1, 2]", b"null", b"\x00\x00\x00", b'{"a": '])
def test_lines_that_are_no_events_are_left_out(tmp_path: Path, rubbish: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"a": 1}\n' + rubbish + b'\n{"b": 2}\n')
    assert durable.read_lines(file) == [{"a": 1}, {"b": 2}]
    assert durable.read_lines(tmp_path / "absent") == []


@pytest.mark.parametrize("ends", [RuntimeError, KeyboardInterrupt])
def test_a_folder_that_was_not_finished_is_removed_with_all_it_holds(tmp_path: Path, ends: type[BaseException]) -> None:
    with pytest.raises(ends), durable.replacing(tmp_path / "run") as beside:
        (beside / "images").mkdir(parents=True)
        (beside / "images" / "one.tif").write_bytes(b"II")
        raise ends
    assert list(tmp_path.iterdir()) == []
    with durable.replacing(tmp_path / "run") as beside:
        (beside / "images").mkdir(parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
