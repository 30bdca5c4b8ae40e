"""Opening the database, reading from a snapshot, writing in one transaction at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from pancommons.base.errors import BadInput, PanError
from pancommons.base.home import home
from pancommons.base.settings import settings
from pancommons.store import functions, postgresql
from pancommons.store.deadlines import Deadlines

_BUSY_MS = 30_000
_deadlines = Deadlines()


class TookTooLong(PanError):
    """A statement ran past the time it was given."""


@dataclass(frozen=True)
class Database:
    """An open database: connections for reading, and one for writing.

    Attributes
    ----------
    reader, writer
        Engines. On PostgreSQL they are the same.
    """

    reader: Engine
    writer: Engine
    _turn: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self.reader.dialect.name

    @contextmanager
    def read(self, seconds: float | None = None, *, by_key: bool = False) -> Iterator[Connection]:
        """Give a connection that sees one state of the database and cannot change it.

        Parameters
        ----------
        seconds
            What a statement may take (on SQLite: all of them together).
        by_key
            Whether all that is asked for is asked for by keys, for which one plan is as good as another: PostgreSQL
            then keeps the plans it made.

        Raises
        ------
        TookTooLong
            If that was exceeded.
        """
        if self.dialect == "postgresql":
            begun = postgresql.transaction(self.reader, postgresql.reading(seconds, by_key=by_key))
        else:
            begun = self.reader.begin()
        with begun as connection, _limited(connection, seconds):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end, rolled back on any exception.

        On SQLite writers take turns: threads by a lock, processes by ``BEGIN IMMEDIATE`` and a busy timeout.
        """
        if self.dialect == "postgresql":
            with postgresql.transaction(self.writer, postgresql.WRITING) as connection:
                yield connection
            return
        with self._turn, self.writer.begin() as connection:
            yield connection

    def analyse(self) -> None:
        """Let the database look at its tables anew; called after much was loaded."""
        if self.dialect == "postgresql":
            postgresql.sent(self.writer, "VACUUM (ANALYZE)").close()
            return
        with self.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))

    def close(self) -> None:
        """Close every connection."""
        self.reader.dispose()
        self.writer.dispose()


def open_database(url: str | None = None) -> Database:
    """Open the database of the settings, or the one given; it is not created or upgraded here.

    Parameters
    ----------
    url
        ``sqlite:///FILE`` or ``postgresql://...``; that of the settings, else the file ``pancommons.db``
        under PANCOMMONS_HOME when not given.

    Raises
    ------
    BadInput
        If the URL cannot be understood, names another kind of database, or the driver is not installed.
    """
    place = _url(url or settings().database)
    try:
        if place.get_backend_name() == "sqlite":
            return _sqlite(place)
        engine = postgresql.new_engine(place)
        return Database(engine, engine)
    except ModuleNotFoundError:
        raise BadInput(
            "the driver of PostgreSQL is not installed",
            field="database",
            remedy="run: pip install 'pancommons[postgresql]'",
        ) from None


def _url(given: str | None) -> URL:
    if given is None:
        return URL.create("sqlite", database=str(home() / "pancommons.db"))
    try:
        place = make_url(given)
    except ArgumentError:
        raise BadInput("this is not the URL of a database", field="database", remedy=_FORMS) from None
    if place.get_backend_name() == "postgresql":
        return place.set(drivername="postgresql+psycopg")
    if place.drivername != "sqlite" or place.database in (None, "", ":memory:"):
        raise BadInput("only a SQLite file and PostgreSQL are supported", field="database", remedy=_FORMS)
    return place


_MAPPED_BYTES = 0x7FFF0000
"""Of a file that connections map instead of reading it: the most that SQLite allows; it takes addresses, not memory."""

_FORMS = "write sqlite:////FOLDER/FILE.db or postgresql://USER@HOST/NAME"


def _sqlite(place: URL) -> Database:
    Path(str(place.database)).parent.mkdir(parents=True, exist_ok=True)
    reader = sa.create_engine(place, pool_size=8, max_overflow=24, connect_args={"check_same_thread": False})
    writer = sa.create_engine(
        place, pool_size=1, max_overflow=0, pool_timeout=_BUSY_MS / 1000, connect_args={"check_same_thread": False}
    )
    for engine, begin in ((reader, "BEGIN"), (writer, "BEGIN IMMEDIATE")):
        _prepare_sqlite(engine, begin, read_only=engine is reader)
    return Database(reader, writer)


def _prepare_sqlite(engine: Engine, begin: str, *, read_only: bool) -> None:
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        functions.register(connection)
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16384",  # KiB; what is mapped is not copied into it, and to write, more makes nothing faster
            f"mmap_size = {_MAPPED_BYTES}",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        if connection.get_isolation_level() != "AUTOCOMMIT":
            connection.exec_driver_sql(begin)

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)


@contextmanager
def _limited(connection: Connection, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    limit: AbstractContextManager[None] = nullcontext()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        limit = _deadlines.within(driver, seconds)
    try:
        with limit:
            yield
    except DBAPIError as error:
        if _interrupted(error):
            raise TookTooLong(f"the query took longer than {seconds:g} s and was stopped") from None
        raise


def _interrupted(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.OperationalError):
        return isinstance(error, OperationalError) and "interrupted" in str(error.orig)
    return getattr(error.orig, "sqlstate", None) == "57014"
