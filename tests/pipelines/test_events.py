"""Events: whole lines in order, from many threads, read while written, whatever a crash left."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from pancommons.pipelines import events
from pancommons.pipelines.events import EventLog


def test_events_from_many_threads_are_whole_and_told_in_the_order_written(tmp_path: Path) -> None:
    told: list[events.Event] = []
    log = EventLog(tmp_path / "events.jsonl", (told.append,))

    def work(number: int) -> None:
        for index in range(10):
            log.add("unit", stage="s", unit=index, text="ä\n€" * number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events.read(tmp_path / "events.jsonl") == told
    assert len(told) == 60
    assert len((tmp_path / "events.jsonl").read_bytes().splitlines()) == 60


def test_read_while_written_never_breaks(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log, over = EventLog(file), threading.Event()
    seen: list[int] = []

    def follow() -> None:
        while not over.is_set():
            seen.append(len(events.read(file)))

    reader = threading.Thread(target=follow)
    reader.start()
    for index in range(100):
        log.add("found", name=f"n{index}", value=[1.5] * 50)
    over.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(events.read(file)) == 100


def test_a_log_cut_anywhere_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.add("started", pid=1)
    log.add("ended", state="done", text="ü")
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        before = events.read(file)
        EventLog(file).add("started", pid=2)
        after = events.read(file)
        assert after[: len(before)] == before and after[-1]["pid"] == 2 and len(after) == len(before) + 1


def test_a_listener_that_raises_is_heard(tmp_path: Path) -> None:
    def angry(event: events.Event) -> None:
        raise RuntimeError("no more")

    log = EventLog(tmp_path / "events.jsonl", (angry,))
    with pytest.raises(RuntimeError, match="no more"):
        log.add("started")
    assert json.loads((tmp_path / "events.jsonl").read_text())["event"] == "started"
