"""One runner per folder: a lock that says who, since when, and that he still lives."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pancommons.base.errors import BadInput, PanError

BEAT = 5.0
"""Seconds between heartbeats."""
STALE = 60.0
"""Seconds without a heartbeat after which a runner on another host counts as dead."""
_SIZE = 512


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    host: str
    pid: int
    start: float
    heartbeat: float

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.start))
        return f"process {self.pid} on {self.host}, since {since}"


class RunLock:
    """Hold a run folder as its only runner, as a context manager.

    The lock is the kernel's (``flock``), so it ends with its holder however he dies. Hosts that do not
    see each other's locks are kept apart by the heartbeat written into the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "lock"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beats, name="heartbeat", daemon=True)
        self._handle = -1
        self._start = 0.0

    def __enter__(self) -> RunLock:
        try:
            self._handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BadInput(
                f"the run folder cannot be written ({error.strerror})",
                file=self._folder,
                remedy="make it writable, or run as its owner",
            ) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise PanError(f"{self._folder}: this run has a runner already ({holder(self._folder)}).") from None
        other = holder(self._folder)
        if other and other.host != socket.gethostname() and time.time() - other.heartbeat < STALE:
            os.close(self._handle)
            raise PanError(f"{self._folder}: this run has a runner already ({other}).")
        self._start = time.time()
        try:
            self._beat()
        except OSError as error:
            os.close(self._handle)
            raise PanError(f"{self._folder}: the run folder cannot be written ({error.strerror}).") from None
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        try:
            os.ftruncate(self._handle, 0)
        finally:
            os.close(self._handle)

    def _beats(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(OSError):
                self._beat()

    def _beat(self) -> None:
        facts = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "start": self._start,
            "heartbeat": time.time(),
        }
        os.pwrite(self._handle, json.dumps(facts).ljust(_SIZE).encode(), 0)


def holder(folder: Path) -> Holder | None:
    """Return who wrote last into a folder's lock and did not leave in order, alive or not."""
    try:
        facts = json.loads((folder / "lock").read_text())
        return Holder(facts["host"], facts["pid"], facts["start"], facts["heartbeat"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_running(folder: Path) -> bool:
    """Tell whether a runner holds the folder now."""
    other = holder(folder)
    if other is None:
        return False
    if other.host != socket.gethostname():
        return time.time() - other.heartbeat < STALE
    try:
        handle = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)
