"""When sessions and tokens were last seen, written beside the requests and at most once a minute."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pancommons.store.engine import Database

log = logging.getLogger(__name__)

_EVERY = timedelta(minutes=1)
_REMEMBERED = 10_000


class LastSeen:
    """Notes that a row was seen; no request waits for it, however long others write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[tuple[str, int], datetime] = {}
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "last-seen")

    def note(self, table: sa.Table, key: int, seen_at: datetime | None, at: datetime) -> None:
        """Note that a row, last seen some time ago, is seen now."""
        with self._lock:
            last = max((one for one in (seen_at, self._noted.get((table.name, key))) if one), default=None)
            if last is not None and at - last < _EVERY:
                return
            if len(self._noted) >= _REMEMBERED:
                self._noted.clear()
            self._noted[table.name, key] = at
        self._writer.submit(self._write, table, key, at)

    def close(self) -> None:
        """Write what is noted, and end."""
        self._writer.shutdown()

    def _write(self, table: sa.Table, key: int, at: datetime) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(sa.update(table).where(table.c.id == key).values(seen_at=at))
        except SQLAlchemyError as error:
            log.warning("cannot note that a row of %s was seen: %s", table.name, error)
