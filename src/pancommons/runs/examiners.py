"""The processes that look at data for the server: one kept ready, a few at a time, no look longer than it may be."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.base.settings import Settings
from pancommons.nexus.serving import wire
from pancommons.nexus.serving.child import Child
from pancommons.runs.asked import TooMany
from pancommons.runs.environment import environment

SECONDS = 60.0
BYTES = 3 << 30
_AT_A_TIME = 2
_MOST_WAITING = 16
_START_SECONDS = 60.0
_IDLE_SECONDS = 600.0
_GRACE = 2.0
_LOST = "looking at the data failed: they may be damaged, or need more memory than is allowed"


class Examiners:
    """A few processes, each with one request at a time; one is kept for the next request.

    Parameters
    ----------
    settings
        Of this installation.
    seconds
        What looking at data may take.
    """

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        self._settings, self._seconds = settings, seconds
        self._free = threading.BoundedSemaphore(_AT_A_TIME)
        self._lock, self._waiting = threading.Lock(), 0
        self._spare: list[_Examiner] = []
        self._timer: threading.Timer | None = None
        self._end = weakref.finalize(self, _end_all, self._spare)

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        """Have a request answered.

        Raises
        ------
        TooMany
            If others have more to do than is managed in time.
        BadInput
            If it took too long, or the process was lost.
        """
        with self._lock:
            if self._waiting >= _MOST_WAITING:
                raise TooMany("Too many runs are being prepared at the moment; try again in a minute.")
            self._waiting += 1
        try:
            if not self._free.acquire(timeout=self._seconds):
                raise TooMany("Too many runs are being prepared at the moment; try again in a minute.")
        finally:
            with self._lock:
                self._waiting -= 1
        try:
            return self._ask(told)
        finally:
            self._free.release()

    def get_ready(self) -> None:
        """Start a process ahead, for a request that may come soon."""
        with self._lock:
            if not self._spare:
                self._spare.append(_Examiner(self._settings))
            self._restart_timer()

    def close(self) -> None:
        """End all that wait."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._end()

    def _ask(self, told: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            examiner = self._spare.pop() if self._spare else None
        if examiner is None or examiner.process.poll() is not None:
            examiner = _Examiner(self._settings)
        kept = False
        try:
            answer = examiner.ask({**told, "seconds": self._seconds, "bytes": BYTES}, self._seconds)
            kept = self._keep(examiner)
        except (TimeoutError, wire.Closed) as error:
            if isinstance(error, TimeoutError) or examiner.took_too_long():
                problem, remedy = f"looking at the data took longer than {self._seconds:g} s", "choose a smaller input"
            else:
                problem, remedy = _LOST, "choose another input"
            raise BadInput(problem, remedy=remedy) from None
        finally:
            if not kept:
                examiner.end()
                self.get_ready()
        return answer

    def _keep(self, examiner: _Examiner) -> bool:
        """Keep a process for the next request, unless there is one."""
        with self._lock:
            if self._spare:
                return False
            self._spare.append(examiner)
            self._restart_timer()
        return True

    def _restart_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_IDLE_SECONDS, _end_all, [self._spare])
        self._timer.daemon = True
        self._timer.start()


class _Examiner:
    """One process that looks at data."""

    def __init__(self, settings: Settings) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pan-examining-")
        self._started = time.monotonic()
        self._child = Child("pancommons.runs.examining", environment(settings), folder)
        self.process, self.end = self._child.process, self._child.end

    def ask(self, told: dict[str, Any], seconds: float) -> dict[str, Any]:
        return self._child.exchange(told, max(time.monotonic(), self._started + _START_SECONDS) + seconds)[0]

    def took_too_long(self) -> bool:
        """Say whether the process, which is gone, ended itself because its time was over."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(_GRACE) == -signal.SIGALRM
        return False


def _end_all(examiners: list[_Examiner]) -> None:
    while examiners:
        examiners.pop().end()
