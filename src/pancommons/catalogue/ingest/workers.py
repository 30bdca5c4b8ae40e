"""Processes that read files for one that writes: a file that crashes, fills or holds up a reader costs only itself."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from pancommons.base.digests import sha256
from pancommons.base.errors import PanError
from pancommons.catalogue.ingest.crates import harvest_run
from pancommons.catalogue.ingest.harvest import Harvest, harvest
from pancommons.catalogue.ingest.mapping import Mappings
from pancommons.catalogue.ingest.roots import Roots

_SECONDS = 120.0
_SECONDS_PER_BYTE = 1 / 20e6
_MEMORY = 4 << 30
_NICE = 10


@dataclass(frozen=True)
class Task:
    """Something to read.

    Attributes
    ----------
    path
        A file, or the folder of a run.
    known
        sha256 of what is in the catalogue for this file; if it is still that, nothing else is read.
    """

    path: Path
    known: str | None = None


@dataclass(frozen=True)
class Reading:
    """How files are read: handed to every worker."""

    mappings: Mappings
    roots: Roots
    digests: bool = True
    pictures: bool = True

    def read(self, task: Task) -> Harvest:
        """Read a file, or a run's folder."""
        if task.path.is_dir():
            return harvest_run(task.path, self.roots, mapping=self.mappings.digest, pictures=self.pictures)
        if task.known is not None:
            try:
                if sha256(task.path) == task.known:
                    return Harvest(task.path, same=True)
            except (OSError, PanError) as error:
                return Harvest(task.path, problem=f"cannot be read ({error})")
        return harvest(
            task.path, self.mappings, self.roots, digest=_digests() if self.digests else None, pictures=self.pictures
        )


def _digests() -> Callable[[Path], str]:
    """Return a function that reads each file once for its digest."""
    known: dict[Path, str] = {}

    def digest(path: Path) -> str:
        if path not in known:
            known[path] = sha256(path)
        return known[path]

    return digest


T = TypeVar("T")


def read_all(
    tasks: Iterable[Task | T], reading: Reading, workers: int = 2, *, seconds: float = _SECONDS
) -> Iterator[Harvest | T]:
    """Read files in processes of their own, a file at a time each; results come as they are ready.

    Tasks are taken one by one, so that any number of them needs the same memory; what among them is no task is
    given back as it is.

    Parameters
    ----------
    seconds
        What a file may take, beside the time its digest needs; a process that takes longer is ended.
    """
    waiting = iter(tasks)
    pool: deque[_Worker] = deque()
    ended = False
    try:
        while True:
            while not ended and sum(one.task is not None for one in pool) < workers:
                task = next(waiting, None)
                if task is None:
                    ended = True
                    break
                if not isinstance(task, Task):
                    yield task
                    continue
                idle = next((one for one in pool if one.task is None), None)
                if idle is None:
                    idle = _Worker(reading)
                    pool.append(idle)
                idle.give(task, seconds)
            busy = [one for one in pool if one.task is not None]
            if not busy:
                return
            ready = wait(
                [one.pipe for one in busy], timeout=max(0.0, min(one.until for one in busy) - time.monotonic())
            )
            for one in busy:
                harvested = one.take(one.pipe in ready)
                if harvested is not None:
                    if one.broken:
                        pool.remove(one)
                    yield harvested
    finally:
        for one in pool:
            one.end()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, reading: Reading) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, reading), daemon=True)
        self.process.start()
        other.close()
        self.task: Task | None = None
        self.until = 0.0
        self.broken = False

    def give(self, task: Task, seconds: float) -> None:
        size = task.path.stat().st_size if task.path.is_file() else 0
        self.task, self.until = task, time.monotonic() + seconds + size * _SECONDS_PER_BYTE
        try:
            self.pipe.send(task)
        except OSError:
            self.broken = True

    def take(self, ready: bool) -> Harvest | None:
        """Return what came of the task, or that nothing will; None while there is time."""
        assert self.task is not None  # noqa: S101
        task, problem = self.task, "took too long to read"
        if ready:
            try:
                answer: Harvest = self.pipe.recv()
                self.task = None
                return answer
            except (EOFError, OSError):
                problem = "made the process that read it crash"
        elif time.monotonic() < self.until:
            return None
        self.task, self.broken = None, True
        self.end()
        return Harvest(task.path, problem=problem)

    def end(self) -> None:
        self.pipe.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def _work(pipe: Connection[Any, Any], reading: Reading) -> None:
    os.nice(_NICE)  # a server that takes up results has people waiting for other things
    _bound_memory()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(reading.read(task))
        except KeyboardInterrupt:
            return


def _bound_memory() -> None:
    """Let this process have so much more memory than it has now; what wants more gets a MemoryError."""
    page = resource.getpagesize()
    now = int(Path("/proc/self/statm").read_text().split()[0]) * page if Path("/proc/self/statm").exists() else 0
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = now + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
