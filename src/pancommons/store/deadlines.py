"""Statements of SQLite ended when their time is over, by a thread that watches the clock for all of them.

A handler that SQLite itself calls every so many steps would have to wait for the interpreter each time, which is long
where other threads compute; a statement that is not over in time is interrupted from outside instead.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_AGAIN = 0.02
"""Seconds between two interruptions: a transaction whose time is over may begin another statement."""


class Deadlines:
    """Interrupts what connections do once their time is over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, sqlite3.Connection]] = {}
        self._sleeps_until = float("inf")
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
        """Interrupt all that a connection does from so many seconds on, until the end of the block and no longer.

        Statements that are interrupted raise `sqlite3.OperationalError`.
        """
        due = time.monotonic() + seconds
        with self._changed:
            self._due[id(connection)] = due, connection
            if self._thread is None or not self._thread.is_alive():  # none yet, or this process was forked
                self._sleeps_until = float("inf")
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif due < self._sleeps_until:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._due[id(connection)]

    def _watch(self) -> None:
        with self._changed:
            while True:
                now, first = time.monotonic(), float("inf")
                for due, connection in self._due.values():
                    if due <= now:
                        with suppress(sqlite3.ProgrammingError):  # it was closed meanwhile
                            connection.interrupt()
                    first = min(first, max(due, now + _AGAIN))
                self._sleeps_until = first
                self._changed.wait(None if first == float("inf") else first - now)
