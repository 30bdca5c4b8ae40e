"""Who saw what when: reads of protected data and refusals, noted by requests and written down beside them.

A request only puts a note into a dictionary. Every two seconds one thread finds out which notes are about what not
everybody may have, and writes those into the audit in one transaction. The same note within ten minutes is one line.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import Counter as Counted
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from pancommons.catalogue import audit
from pancommons.runs.keeping import SERVER
from pancommons.server.services import Now
from pancommons.server.sighted import Kind, Note, recognise
from pancommons.server.visitor import Asking, Visitor, Who
from pancommons.store.engine import Database

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=10)
"""Within which the same access by the same person is one line."""

EVERY = 2.0
"""Seconds until a note is written down; what a server that is killed loses."""

MOST = {False: 50_000, True: 5_000}
"""Notes that wait to be written, of what was given and of what was refused; more are counted and not kept."""

_REMEMBERED = 100_000
_SWEEP = timedelta(days=1)


class Sightings:
    """Keeps notes until they are written; no request waits for the database.

    Parameters
    ----------
    database
        With the audit.
    keep_days
        After which what was seen is forgotten.
    """

    def __init__(self, database: Database, keep_days: int) -> None:
        self.open = Counted("pancommons_open_data", "Open data asked for.", ("access",), registry=None)
        self._database, self._keep = database, timedelta(days=keep_days)
        self._waiting: dict[bool, dict[Note, datetime]] = {False: {}, True: {}}
        self._being_written: dict[Note, datetime] = {}
        self._written: dict[Note, datetime] = {}
        self._lost: Counter[bool] = Counter()
        self._swept: datetime | None = None
        self._latest: datetime | None = None
        self._lock, self._writing, self._ending = threading.Lock(), threading.Lock(), threading.Event()
        self._soon = False
        self._writer = ThreadPoolExecutor(1, "sightings")

    def note(self, note: Note, at: datetime) -> None:
        """Note that somebody asked for something now."""
        waiting = self._waiting[note.refused]
        with self._lock:
            last = self._written.get(note)
            if note in waiting or note in self._being_written or (last is not None and at - last < WINDOW):
                return
            if len(waiting) >= MOST[note.refused]:
                self._lost[note.refused] += 1
                return
            waiting[note], self._latest = at, at
            if self._soon or self._ending.is_set():
                return
            self._soon = True
        self._writer.submit(self._later)

    def close(self) -> None:
        """Write what is noted, and end."""
        self._ending.set()
        self._writer.shutdown()
        self.flush()

    def flush(self) -> None:
        """Write what is noted now; what cannot be written is kept for the next time."""
        with self._writing:
            with self._lock:
                self._soon = False
                batch = self._being_written = self._waiting[False] | self._waiting[True]
                lost, self._lost, at = self._lost, Counter(), self._latest
                for waiting in self._waiting.values():
                    waiting.clear()
            if at is None or not batch:
                return
            try:
                self._write(batch, lost, at)
            except (OperationalError, NoConnection) as error:
                log.warning("cannot write down who saw what (%d notes wait): %s", len(batch), error)
                with self._lock:
                    for note, noted in batch.items():
                        self._waiting[note.refused].setdefault(note, noted)
                    self._lost += lost
            except (SQLAlchemyError, ValueError):
                with self._lock:
                    self._lost += lost
                self._write_each(batch, at)
            finally:
                with self._lock:
                    self._being_written = {}

    def _later(self) -> None:
        self._ending.wait(EVERY)
        self.flush()

    def _write_each(self, batch: dict[Note, datetime], at: datetime) -> None:
        """Write notes one after the other, so that one which the database does not take keeps no other from it."""
        for note, noted in batch.items():
            try:
                self._write({note: noted}, Counter(), at)
            except (SQLAlchemyError, ValueError) as error:
                log.warning("cannot write down that %s asked for %.200r: %s", note.who, note.key, error)

    def _write(self, batch: dict[Note, datetime], lost: Counter[bool], at: datetime) -> None:
        with self._database.read() as connection:
            found = recognise(connection, batch)
        lines = found.lines
        if lost:
            facts = {"seen": lost[False], "refused": lost[True]}
            lines.append(audit.Told(at, SERVER.name, audit.OVERLOOKED, None, None, facts))
        due = self._swept is None or at - self._swept >= _SWEEP
        if lines:
            with self._database.write() as connection:
                audit.record_many(connection, lines)
                if due:
                    audit.forget_seen(connection, at - self._keep)
        for what, count in found.open.items():
            self.open.labels(what).inc(count)
        with self._lock:
            if lines and due:
                self._swept = at
            if len(self._written) + len(found.protected) > _REMEMBERED:
                self._written = {note: last for note, last in self._written.items() if at - last < WINDOW}
            if len(self._written) + len(found.protected) > _REMEMBERED:
                self._written.clear()
            self._written |= {note: batch[note] for note in found.protected}


class Noting:
    """Notes what the one who asks now gets to see, or does not."""

    def __init__(self, request: Request, who: Who, asking: Asking, at: Now) -> None:
        self._kept: Sightings = request.app.state.sightings
        self._who, self._by, self._at = who.name, _by(asking), at

    def saw(self, what: str, kind: Kind, *keys: str) -> None:
        """Note what is given.

        Parameters
        ----------
        what
            The kind of access, of `audit.READS`.
        kind, keys
            What of, as `Note` has it.
        """
        self._note(what, kind, keys, refused=False)

    def refused(self, what: str, kind: Kind, *keys: str) -> None:
        """Note what is not given, be it there or not."""
        self._note(what, kind, keys, refused=True)

    def _note(self, what: str, kind: Kind, keys: Iterable[str], *, refused: bool) -> None:
        for key in keys:
            self._kept.note(Note(self._who, self._by, what, kind, key, refused), self._at)


def _by(asking: Visitor) -> tuple[str, int] | None:
    return (asking.by, asking.key) if asking.by in ("session", "token") and asking.key is not None else None


async def noting(request: Request, who: Who, asking: Asking, at: Now) -> Noting:
    """Return what notes for a request; nothing is waited for."""
    return Noting(request, who, asking, at)


Noted = Annotated[Noting, Depends(noting)]
