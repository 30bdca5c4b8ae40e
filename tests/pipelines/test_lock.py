"""One runner per folder, on one machine or two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pancommons.base.errors import PanError
from pancommons.pipelines import lock
from pancommons.pipelines.lock import RunLock, holder, is_running

_HOLD = """
import sys, time
from pathlib import Path
from pancommons.pipelines.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_held_then_free(tmp_path: Path) -> None:
    assert not is_running(tmp_path) and holder(tmp_path) is None
    with RunLock(tmp_path):
        assert is_running(tmp_path)
        who = holder(tmp_path)
        assert who is not None and who.pid == os.getpid() and abs(who.heartbeat - time.time()) < 5
        with pytest.raises(PanError, match=f"has a runner already .process {os.getpid()} on"), RunLock(tmp_path):
            pass
        assert is_running(tmp_path)
    assert not is_running(tmp_path) and holder(tmp_path) is None
    with RunLock(tmp_path):
        pass


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    assert is_running(tmp_path)
    with pytest.raises(PanError, match=f"process {process.pid}"), RunLock(tmp_path):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not is_running(tmp_path)
    with RunLock(tmp_path):
        assert holder(tmp_path).pid == os.getpid()  # type: ignore[union-attr]


@pytest.mark.parametrize(("age", "alive"), [(1.0, True), (lock.STALE + 5, False)])
def test_a_runner_on_another_host_counts_by_its_heartbeat(tmp_path: Path, age: float, alive: bool) -> None:
    facts = {"host": "elsewhere", "pid": 1, "start": time.time() - 100, "heartbeat": time.time() - age}
    (tmp_path / "lock").write_text(json.dumps(facts))
    assert is_running(tmp_path) == alive
    if alive:
        with pytest.raises(PanError, match="process 1 on elsewhere"), RunLock(tmp_path):
            pass
        assert json.loads((tmp_path / "lock").read_text()) == facts
    else:
        with RunLock(tmp_path):
            assert is_running(tmp_path)


def test_one_of_many_wins(tmp_path: Path) -> None:
    won, barrier, over = [], threading.Barrier(8), threading.Event()

    def try_it() -> None:
        barrier.wait()
        try:
            with RunLock(tmp_path):
                won.append(1)
                over.wait(5)
        except PanError:
            pass
        finally:
            if len(won) and threading.active_count() < 4:
                over.set()

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_heart_beats_and_ends_before_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.02)
    with RunLock(tmp_path):
        first = holder(tmp_path)
        time.sleep(0.2)
        second = holder(tmp_path)
        assert first is not None and second is not None and second.heartbeat > first.heartbeat
    assert (tmp_path / "lock").read_bytes() == b""
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"host": "x"}', b'"x"', b"7"])
def test_a_damaged_lock_is_free(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert not is_running(tmp_path)
    with RunLock(tmp_path):
        assert is_running(tmp_path)


def test_a_disk_too_full_for_the_lock_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock.os, "pwrite", full)
    with pytest.raises(PanError, match=r"cannot be written \(No space left"), RunLock(tmp_path):
        pass
    monkeypatch.undo()
    with RunLock(tmp_path):
        pass
