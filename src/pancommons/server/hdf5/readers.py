"""The processes that read for the server: how they are started, asked, and ended when they do not answer."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pancommons.base.machine import cores
from pancommons.nexus.serving import wire
from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.nexus.serving.budget import Budget
from pancommons.nexus.serving.child import Child
from pancommons.server.hdf5.kept import KeptAnswers

log = logging.getLogger(__name__)

_MOST_READERS = 4
_MOST_WAITING = 32
_GRACE = 5.0
_START_SECONDS = 60.0
_REMEMBERED = 8
_LOST = "the process that read the file ended: it may be damaged, or need more memory than is allowed"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")
_SET = {
    "LANG": "C.UTF-8",
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Busy(Exception):
    """All readers have more to do than they manage."""


class Readers:
    """A few reading processes, started when they are needed, and what they answered that is worth keeping.

    Parameters
    ----------
    roots
        The folders that they may read from.
    processes
        How many of one server share the cores.
    """

    def __init__(
        self, roots: Iterable[Path], budget: Budget | None = None, count: int | None = None, processes: int = 1
    ) -> None:
        self.budget = budget or Budget()
        self._roots = [str(root) for root in roots]
        self.count = count or max(1, min(_MOST_READERS, cores() // processes)) + 1
        self._free = threading.BoundedSemaphore(self.count)
        self.kept = KeptAnswers()
        self._idle: list[_Reader] = []
        self._all: set[_Reader] = set()
        self._lock, self._waiting, self._closed = threading.Lock(), 0, False
        self._end = weakref.finalize(self, _end_all, self._all)

    def ask(self, asked: Asked) -> Answer:
        """Have a request answered; one whose reader was lost is tried once more.

        Raises
        ------
        Busy
            If no reader was free in time.
        """
        began = time.time_ns()
        if not self._closed and (known := self.kept.find(asked)) is not None:
            return known
        with self._lock:
            if self._waiting >= _MOST_WAITING or self._closed:
                raise Busy
            self._waiting += 1
        try:
            if not self._free.acquire(timeout=self.budget.seconds):
                raise Busy
        finally:
            with self._lock:
                self._waiting -= 1
        try:
            answer = self._ask(asked) or self._ask(asked) or Answer(422, problem=_LOST)
        finally:
            self._free.release()
        self.kept.keep(asked, answer, began)
        return answer

    def may_read(self, real: str) -> bool:
        """Say whether a file, links in its path resolved, lies in a folder that they may read from."""
        return any(real.startswith(os.path.realpath(root).rstrip("/") + "/") for root in self._roots)

    def close(self) -> None:
        """End all readers."""
        self._closed = True
        self._end()
        self.kept.clear()

    def processes(self) -> list[int]:
        """List the ids of the processes that are there."""
        return [reader.process.pid for reader in list(self._all)]

    def states(self) -> dict[str, int]:
        """Count the processes that read, and those that wait for something to read."""
        with self._lock:
            idle = len(self._idle)
            return {"busy": max(0, len(self._all) - idle), "idle": idle}

    def _ask(self, asked: Asked) -> Answer | None:
        with self._lock:
            reader = self._took(asked.file)
        if reader is None:
            try:
                reader = _Reader(self._roots, self.budget)
            except (wire.Closed, TimeoutError):
                log.error("a process that reads HDF5 files did not start")
                return None
            self._all.add(reader)
        try:
            answer = reader.ask(asked)
        except wire.Closed:
            self._lose(reader)
            return None
        except TimeoutError:
            self._lose(reader)
            log.warning("reading %s took too long: its process was ended", asked.file)
            return Answer(503, problem=f"reading took longer than {self.budget.seconds:g} s; ask for less")
        if answer.fault:
            log.warning("reading %s: %s", asked.file, answer.fault)
        if answer.worn:
            self._lose(reader)
        else:
            with self._lock:
                self._idle.append(reader)
        return answer

    def _took(self, file: str) -> _Reader | None:
        """Take an idle process, if there is one: that which read this file lately may have it open."""
        for place in reversed(range(len(self._idle))):
            if file in self._idle[place].files:
                return self._idle.pop(place)
        return self._idle.pop() if self._idle else None

    def _lose(self, reader: _Reader) -> None:
        self._all.discard(reader)
        reader.end()


class _Reader:
    """One process that reads."""

    def __init__(self, roots: list[str], budget: Budget) -> None:
        self._budget = budget
        self.files: deque[str] = deque(maxlen=_REMEMBERED)
        folder = tempfile.TemporaryDirectory(prefix="pan-hdf5-")
        environment = _SET | {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment["MPLCONFIGDIR"] = folder.name
        self._child = Child("pancommons.nexus.serving.reader", environment, folder, shared=budget.answer_bytes)
        self.process, self.end = self._child.process, self._child.end
        try:
            told = self._exchange({"roots": roots, "budget": asdict(budget)}, _START_SECONDS)[0]
        except (wire.Closed, TimeoutError):
            self.end()
            raise
        if not told.get("confined"):
            log.info("this kernel has no Landlock: readers of HDF5 files are held by their own checks alone")

    def ask(self, asked: Asked) -> Answer:
        if asked.file not in self.files:
            self.files.append(asked.file)
        head, body = self._exchange(asdict(asked), self._budget.seconds + _GRACE)
        try:
            looked = head.pop("looked")
            if looked is not None:
                looked = {path: None if then is None else tuple(then) for path, then in looked.items()}
            return Answer(**head, body=body, looked=looked)
        except (AttributeError, KeyError, TypeError):
            raise wire.Closed from None

    def _exchange(self, head: dict[str, Any], seconds: float) -> tuple[dict[str, Any], bytes]:
        return self._child.exchange(head, time.monotonic() + seconds, self._budget.answer_bytes)


def _end_all(readers: set[_Reader]) -> None:
    while readers:
        readers.pop().end()
