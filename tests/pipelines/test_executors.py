"""Executors: made by name, made anew after an accident, and a retried stage's followers made anew too."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.pipelines import creation, executors, mapping, runner
from pancommons.pipelines.creation import Request
from pancommons.pipelines.declaration import Stage, Stored, Unit
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.job import Job
from tests.pipelines import toy


@pytest.mark.parametrize("on", ["", "thread", "threads:4", "processes:2", "slurm", "Threads"])
def test_names_there_are_not(on: str) -> None:
    with pytest.raises(BadInput, match="threads, processes, dask or dask:ADDRESS"):
        executors.factory(on, 1)


def test_threads_and_processes_call() -> None:
    for on in ("threads", "processes"):
        executor = executors.factory(on, 2)()
        try:
            assert executor.submit(os.getpid).result(60) > 0
            assert (executor.submit(os.getpid).result(60) == os.getpid()) == (on == "threads")
        finally:
            executor.shutdown()


def test_what_counts_as_a_dead_worker() -> None:
    assert executors.worker_died(BrokenProcessPool("x"))
    assert not executors.worker_died(ValueError("x"))
    assert not executors.worker_died(MemoryError())


class Fragile:
    """An executor that calls at once, and is found broken at certain submissions."""

    made = 0
    breaks_at: ClassVar[set[int]] = set()
    submitted = 0

    def __init__(self) -> None:
        Fragile.made += 1

    def submit(self, function: Any, /, *arguments: Any) -> Future[Any]:
        Fragile.submitted += 1
        if Fragile.submitted in self.breaks_at:
            raise BrokenProcessPool("a worker died while nobody looked")
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        pass


@pytest.mark.parametrize("breaks_at", [{1}, {2}, {1, 3}])
def test_pool_found_broken_between_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks_at: set[int]) -> None:
    toy.register(monkeypatch)
    source = toy.write_input(tmp_path / "in.npy")
    monkeypatch.setattr(Fragile, "breaks_at", breaks_at)
    monkeypatch.setattr(Fragile, "submitted", 0)
    monkeypatch.setattr(Fragile, "made", 0)
    monkeypatch.setattr(runner, "factory", lambda on, workers: Fragile)
    folder = creation.create(creation.examine(Request("toy", {"array": [source]}, workers=1)), tmp_path / "r")
    assert runner.execute(folder.path) == "done"
    assert Fragile.made == 1 + len(breaks_at)
    monkeypatch.undo()
    toy.register(monkeypatch)
    from pancommons.pipelines.comparing import compare

    assert compare(toy.run(source, tmp_path / "undisturbed", workers=1).path, folder.path).same
    assert issubclass(BrokenProcessPool, BrokenExecutor) and mapping.BrokenExecutor is BrokenExecutor


def first(job: Job, unit: Unit) -> dict[str, Stored]:
    if unit.index == 1 and (job.directory.parent / "trouble").exists():
        raise OSError("the disk array hiccups")
    return {"rows": Stored(np.load(job.input)[unit.span["start"] : unit.span["stop"]])}


def second(job: Job, unit: Unit) -> dict[str, Stored]:
    total = sum(float(part.read("rows").sum()) for part in job.parts("read"))
    rows = unit.span["stop"] - unit.span["start"]
    return {"values": Stored(np.full((rows, 16), total, np.float32))}


def test_a_mended_stage_is_followed_by_new_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit fails, later stages make do without it; once it succeeds, they must see it."""
    stages = (
        Stage("read", "Reading", "rows", f"{__name__}:first", keep=False),
        replace(toy.PIPELINE.stages[0], process=f"{__name__}:second"),
    )
    toy.register(monkeypatch, replace(toy.PIPELINE, stages=stages, plan=f"{__name__}:two_stages"))
    source = toy.write_input(tmp_path / "in.npy")
    undisturbed = toy.run(source, tmp_path / "undisturbed", workers=1)
    (tmp_path / "trouble").touch()
    folder = creation.create(creation.examine(Request("toy", {"array": [source]}, workers=1)), tmp_path / "r")
    assert runner.execute(folder.path) == "partial"
    assert len(folder.report_facts()["failed"]) == 1
    assert runner.execute(folder.path) == "partial"
    (tmp_path / "trouble").unlink()
    assert runner.execute(folder.path) == "done"
    from pancommons.pipelines.comparing import compare

    found = compare(undisturbed.path, folder.path)
    assert found.same, [(row.name, row.verdict) for row in found.rows]


def two_stages(job: Job) -> dict[str, list[Unit]]:
    units = toy.plan(job)["powers"]
    return {"read": units, "powers": units}


def test_processes_end_when_their_parent_is_killed_at_once(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "from pancommons.pipelines.executors import factory\n"
        "if __name__ == '__main__':\n"
        "    pool = factory('processes', 2)()\n"
        "    print(*[pool.submit(os.getpid).result() for _ in range(4)], flush=True)\n"
        "    pool.submit(time.sleep, 600); pool.submit(time.sleep, 600)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    pids = {int(word) for word in done.stdout.split()}
    assert pids
    import time

    end = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end, "a worker survives its parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_parts_index_names_only_units_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)
    folder = toy.run(toy.write_input(tmp_path / "in.npy"), tmp_path / "r", workers=1)
    with (folder.path / "parts" / "index.jsonl").open("a") as file:
        file.write('{"stage": "powers", "unit": 99, "digest": "x", "bytes": 1}\n{"stage": "powe')
    again = RunFolder(folder.path)
    assert [part.index for part in again.parts("powers")] == [0, 1, 2]
    assert again.whole_parts("powers") == {0, 1, 2}
