"""What happened in a run, as lines of JSON: written by its runner, followed by anybody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pancommons.base import durable

Event = dict[str, Any]
Listener = Callable[[Event], None]


class EventLog:
    """Append events to a run's ``events.jsonl`` and tell them to listeners.

    Every event has ``time`` (seconds since 1970, UTC) and ``event``:

    ==============  ======================================================================
    started         host, pid, on, workers
    phase           name (prepare, combine, report, digests), title
    warning         text
    found           name, value, method, confidence, unit
    stage           name, title, noun, units, total, finished (sizes in nouns)
    unit            stage, unit, size, seconds, bytes
    unit-failed     stage, unit, size, error
    trouble         text: a worker died and units are tried again
    ended           state (done, partial, stopped, failed), text
    ==============  ======================================================================
    """

    def __init__(self, file: Path, listeners: tuple[Listener, ...] = ()) -> None:
        self._file = file
        self._listeners = listeners
        self._lock = threading.Lock()

    def add(self, event: str, **facts: Any) -> None:
        """Record an event."""
        line: Event = {"time": round(time.time(), 3), "event": event, **facts}
        with self._lock:
            durable.append_line(self._file, json.dumps(line, ensure_ascii=False))
            for listener in self._listeners:
                listener(line)


def read(file: Path) -> list[Event]:
    """Read all events so far; a last line still being written is left out."""
    return durable.read_lines(file)
