"""Hostile files over HTTP, and what becomes of the processes that read them."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import psutil
import pytest

from pancommons.nexus.serving.budget import Budget
from pancommons.server.hdf5.readers import Readers
from tests.nexus.serving.hostile import CANARY
from tests.server.hdf5.conftest import Portal
from tests.server.hdf5.test_routes import refused

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


def test_hostile_files(portal: Portal) -> None:
    for name in portal.files:
        if name in ("slow", "embargoed") or name.startswith("noisy"):
            continue
        listed = portal.get(name, "paths")
        for path in listed.json()[:40] if listed.status_code == 200 else ["/"]:
            for what in ("meta", "attr", "data"):
                answer = portal.get(name, what, path=path)
                assert answer.status_code in (200, 404, 413, 415, 422), (name, path, what, answer.text)
                assert CANARY not in answer.content and b"Traceback" not in answer.content
                assert str(portal.root).encode() not in answer.content
                assert answer.status_code == 200 or refused(answer, answer.status_code)
    assert refused(portal.get("text", "meta"), 415) and refused(portal.get("truncated", "meta"), 415)


def test_a_reader_killed_while_it_reads(portal: Portal) -> None:
    portal.readers.close()
    portal.app.state.readers = Readers([portal.root], replace(Budget(), seconds=3.0))
    assert portal.get("main", "meta").status_code == 200
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(portal.get, "slow", "stats", path="/v")
        time.sleep(0.5)
        for process in portal.readers.processes():
            os.kill(process, signal.SIGKILL)
        answer = asked.result()
    assert refused(answer, 413), "it was asked once more, and had not the time"
    assert portal.get("main", "data", path="/v", selection="0,0").json() == [0, 1, 2, 3]


def test_a_reader_that_dies_each_time(portal: Portal) -> None:
    ended = threading.Event()

    def kill() -> None:
        while not ended.is_set():
            for process in portal.readers.processes():
                if psutil.pid_exists(process) and psutil.Process(process).cpu_times().user > 0:
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    answer = portal.get("slow", "stats", path="/v")
    ended.set()
    thread.join()
    assert refused(answer, 422) and "ended" in answer.json()["message"]
    assert portal.get("main", "meta").status_code == 200


def test_a_reader_that_hangs_is_ended(portal: Portal) -> None:
    portal.readers.close()
    quick = Readers([portal.root], replace(Budget(), seconds=1.0), count=1)
    portal.app.state.readers = quick
    assert portal.get("main", "meta").status_code == 200
    (process,) = quick.processes()
    os.kill(process, signal.SIGSTOP)
    assert refused(portal.get("main", "meta"), 503)
    assert not psutil.pid_exists(process) and portal.get("main", "meta").status_code == 200


def test_what_a_reader_has(portal: Portal) -> None:
    os.environ["PANCOMMONS_DATABASE_PASSWORD_OF_TEST"] = "secret"
    try:
        assert portal.get("main", "meta").status_code == 200
        process = psutil.Process(portal.readers.processes()[0])
        told = process.environ()
        assert not [name for name in told if name.startswith("PANCOMMONS") or "PG" in name]
        assert process.rlimit(psutil.RLIMIT_AS)[0] < 4 << 30 and process.rlimit(psutil.RLIMIT_CORE)[0] == 0
        assert all(Path(opened.path).suffix != ".db" for opened in process.open_files())
        assert process.net_connections(kind="inet") == []
    finally:
        del os.environ["PANCOMMONS_DATABASE_PASSWORD_OF_TEST"]


def test_readers_end_with_the_server(portal: Portal) -> None:
    assert portal.get("main", "meta").status_code == 200
    processes = portal.readers.processes()
    portal.readers.close()
    assert processes and not any(psutil.pid_exists(process) for process in processes)
    assert refused(portal.get("main", "meta"), 503)


def test_memory_stays_bounded(portal: Portal) -> None:
    with h5py.File(portal.root / "main.h5", "a") as file:
        words = file.create_dataset("bomb", (3000,), h5py.string_dtype())
        words[0] = "x" * (4 << 20)
    _share_one_text(portal.root / "main.h5")
    before = psutil.Process().memory_info().rss
    answer = portal.get("main", "data", path="/bomb")
    assert refused(answer, 413, 422)
    assert portal.get("main", "data", path="/v", selection="0,0").status_code == 200
    largest = max(psutil.Process(process).memory_info().rss for process in portal.readers.processes())
    assert psutil.Process().memory_info().rss - before < 100 << 20 and largest < Budget().memory_bytes


def _share_one_text(path: Path) -> None:
    """Let each of the values of ``bomb`` be the same stored text."""
    with h5py.File(path) as file:
        place, size = file["bomb"].id.get_offset(), file["bomb"].id.get_storage_size()
    with path.open("r+b") as raw:
        raw.seek(place)
        first = raw.read(size // 3000)
        raw.seek(place)
        raw.write(first * 3000)
