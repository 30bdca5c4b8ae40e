"""Several processes of one server: one portal to whoever asks, whatever ends; one memory of what visitors have left."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import httpx
import psutil
import pytest

from pancommons.base.settings import Rate
from pancommons.server.buckets import Buckets, Table
from pancommons.server.together import WORKER

AT_ONCE = 30
VISITOR = {"X-Forwarded-For": "198.51.100.7", "Accept": "text/html"}


class Serving:
    """A server of several processes, started by the command."""

    def __init__(self, folder: Path, *arguments: str, **more: object) -> None:
        told = {
            "server": {"proxies": ["127.0.0.1"]},
            "limits.search": {"a_second": 0.001, "at_once": AT_ONCE},
            "[signin.providers]": {
                "name": "facility", "title": "Facility", "issuer": "https://login.invalid", "client_id": "portal",
                **more,
            },
        }  # fmt: skip
        lines = [
            line
            for table, values in told.items()
            for line in (f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()))
        ]
        (folder / "pancommons.toml").write_text("\n".join(lines) + "\n")
        self.log = folder / "log"
        with self.log.open("w") as written:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pancommons", "serve", "--port", "0", *arguments],
                env={"PATH": "/usr/bin:/bin", "PANCOMMONS_HOME": str(folder)}, stdout=written, stderr=written,
            )  # fmt: skip

    def begin(self) -> None:
        until = time.monotonic() + 120
        while not (said := re.search(r"http://\S+", self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)
        self.address = said[0]

    def workers(self) -> list[psutil.Process]:
        found = []
        for one in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # it ends at this moment
                if WORKER in one.cmdline():
                    found.append(one)
        return found

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask over a connection of its own, which either of the processes may take."""
        return httpx.get(f"{self.address}{path}", headers=headers, timeout=30)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path, "--processes", "2")
    try:
        server.begin()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def until_true(what: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_processes_are_one_server(two: Serving) -> None:
    first = two.workers()
    assert len(first) == 2
    with ThreadPoolExecutor(8) as asking:
        answers = list(asking.map(lambda _: two.get("/datasets", **VISITOR).status_code, range(2 * AT_ONCE)))
    assert Counter(answers) == {200: AT_ONCE, 429: AT_ONCE}, "a visitor has left what is left with both"
    told = two.get("/metrics").text
    assert 'pancommons_requests_total{method="GET",route="/datasets",status="200"} 30.0' in told
    assert 'pancommons_refused_total{kind="search"} 30.0' in told
    assert float(re.findall(r"^process_resident_memory_bytes (\S+)", told, re.MULTILINE)[0]) > 2 * 50e6
    busy = [one.cpu_times().user for one in first]
    with ThreadPoolExecutor(8) as asking:
        assert {one.status_code for one in asking.map(lambda _: two.get("/about/policy"), range(200))} == {200}
    assert all(one.cpu_times().user > before for one, before in zip(first, busy, strict=True)), "both answer"

    first[0].kill()
    assert {two.get("/about/policy").status_code for _ in range(40)} == {200}, "the other one answers"
    until_true(lambda: len(now := two.workers()) == 2 and first[0] not in now)
    told = two.get("/metrics").text
    assert 'pancommons_requests_total{method="GET",route="/datasets",status="200"} 30.0' in told, (
        "what was counted stays"
    )
    assert two.get("/datasets", **VISITOR).status_code == 429
    assert "a process of the server ended" in two.log.read_text()

    last = two.workers()
    two.process.send_signal(signal.SIGTERM)
    assert two.process.wait(30) == 0
    assert not [one for one in last if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_all_end_with_the_one_that_looks_after_them(two: Serving) -> None:
    workers = two.workers()
    two.process.kill()
    two.process.wait()
    gone, there = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), there) == (2, [])
    with pytest.raises(httpx.ConnectError):
        two.get("/health")


def test_what_is_wrong_with_the_settings_is_said_once(tmp_path: Path) -> None:
    server = Serving(tmp_path, "--processes", "2", client_secret_file="nowhere")
    assert server.process.wait(60) == 2
    told = server.log.read_text()
    assert told.count("cannot be read") == 1 and len(told.splitlines()) == 1, told


def test_processes_that_cannot_stay_are_not_started_for_ever(two: Serving) -> None:
    until = time.monotonic() + 60
    while two.process.poll() is None:
        assert time.monotonic() < until
        with suppress(psutil.NoSuchProcess):
            for one in two.workers():
                one.kill()
        time.sleep(0.1)
    assert two.process.returncode == 1
    assert "end as soon as they begin" in two.log.read_text()


def _took(memory: int) -> int:
    buckets = Buckets(Rate(a_second=1e-9, at_once=100), Table(memory=memory), "search")
    return sum(buckets.take("somebody") == 0 for _ in range(100))


def test_what_is_left_is_the_same_for_all_processes() -> None:
    table = Table()
    if table.memory is None:
        pytest.skip("this system has no memory that processes share by a descriptor")
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as several:
        assert sum(several.map(_took, [table.memory] * 4)) == 100
    assert len(table) == 1
    assert Buckets(Rate(a_second=1, at_once=100), table, "search").take("somebody") > 0
    assert Buckets(Rate(a_second=1, at_once=100), table, "reading").take("somebody") == 0, "another kind"
