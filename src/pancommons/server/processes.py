"""Several processes that answer on one socket, and looking after them: one that ends by itself is started anew.

Python computes in one thread of a process at a time: a server of one process has one core, however many threads.
Each of several is a server of its own on the same database, as several on several machines are; visitors' limits
and what is counted are shared.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from pancommons.base.errors import BadInput, PanError
from pancommons.server.buckets import Table
from pancommons.server.serving import END_SECONDS
from pancommons.server.together import WORKER
from pancommons.server.worker import Told

log = logging.getLogger(__name__)

_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Where `prometheus_client` keeps numbers; it has to be known before that is imported."""
_SOON, _MOST_SOON = 10.0, 5
"""Seconds within which an end comes soon after the start, and how many of these in a row are too many."""
_PAUSE, _GRACE = 1.0, 5.0
_SIGNALS = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)


def serve_several(count: int, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve with so many processes until SIGINT or SIGTERM.

    Parameters
    ----------
    listener
        Listens already.
    started
        Called once all of them are ready.

    Raises
    ------
    BadInput
        If the settings are not such that a server can begin.
    PanError
        If the processes end as soon as they begin.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        with tempfile.TemporaryDirectory(prefix="pan-serve-") as folder:
            _Workers(count, listener, Path(folder)).go(started)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Workers:
    """The processes of a server, with all signals blocked."""

    def __init__(self, count: int, listener: socket.socket, folder: Path) -> None:
        self._count, self._listener, self._folder, self._table = count, listener, folder, Table()
        self._all: dict[subprocess.Popen[bytes], float] = {}

    def go(self, started: Callable[[], None]) -> None:
        """Start them, and look after them until the end."""
        try:
            for ready in [self._start() for _ in range(self._count)]:
                _wait(ready)
            started()
            self._look_after()
        finally:
            self._end()

    def _start(self) -> int:
        """Start one; return the descriptor at which it says how it began."""
        ready, other = os.pipe()
        memory = self._table.memory
        told = Told(os.getpid(), self._count, self._listener.fileno(), other, memory, str(self._folder))
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, told.argument()],
                pass_fds=[one for one in (told.listener, other, memory) if one is not None],
                env={**os.environ, _COUNTS: str(self._folder)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to this process alone
            )
        finally:
            os.close(other)
        self._all[process] = time.monotonic()
        return ready

    def _look_after(self) -> None:
        soon = 0
        while signal.sigwait(_SIGNALS) == signal.SIGCHLD:
            for process, began in [one for one in self._all.items() if one[0].poll() is not None]:
                del self._all[process]
                mark_process_dead(process.pid, str(self._folder))  # type: ignore[no-untyped-call]
                soon = soon + 1 if time.monotonic() - began < _SOON else 0
                if soon >= _MOST_SOON:
                    raise PanError("The processes of the server end as soon as they begin: see above why.")
                log.warning("a process of the server ended (%s); another one is started", process.returncode)
                time.sleep(_PAUSE)
                os.close(self._start())

    def _end(self) -> None:
        """Let them finish what they answer; end what does not."""
        for process in self._all:
            process.terminate()
        until = time.monotonic() + END_SECONDS + _GRACE
        for process in self._all:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            process.kill()
            process.wait()


def _wait(ready: int) -> None:
    """Wait until a process is ready, or says why it is not."""
    with os.fdopen(ready, encoding="utf-8") as told:
        text = told.read()
    if not text:
        raise PanError("A process of the server ended before it was ready: see above why.")
    if "problem" in (said := json.loads(text)):
        raise (_Refused if said["input"] else PanError)(said["problem"])


class _Refused(PanError):
    """What a process said of its input, which is whole already."""

    exit_code = BadInput.exit_code
