"""Connections to PostgreSQL, and transactions on them in as few messages as they need.

The driver begins no transaction by itself: the first message of each says how it is to be, and finds out whether the
connection is there still. After PostgreSQL was restarted none is, and nobody who asks has to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import OperationalError

WRITING = "BEGIN"

_SETTINGS = (
    "timezone=UTC",
    "jit=off",
    "plan_cache_mode=force_custom_plan",  # the best plan for a rare word is the worst for a common one
    "idle_in_transaction_session_timeout=300000",
)
_ANSWERED = "answered"
"""Noted with a connection that has answered: when it does so no more, it is lost and not the whole server."""


def new_engine(place: URL) -> Engine:
    """Make the engine of a database; whoever connects to it begins transactions by `transaction`.

    The connection that was used last is used next: what it keeps is in reach, and those of a burst rest for the next.
    """
    return sa.create_engine(
        place,
        isolation_level="AUTOCOMMIT",
        pool_size=16,
        max_overflow=16,
        pool_use_lifo=True,
        connect_args={"options": " ".join(f"-c {setting}" for setting in _SETTINGS)},
    )


def reading(seconds: float | None, *, by_key: bool) -> str:
    """Return what begins a transaction that reads, see `pancommons.store.engine.Database.read`."""
    commands = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]
    if seconds is not None:
        commands.append(f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}")
    if by_key:
        commands.append("SET LOCAL plan_cache_mode = auto")
    return "; ".join(commands)


@contextmanager
def transaction(engine: Engine, begin: str) -> Iterator[Connection]:
    """Give a connection in a transaction, committed at the end, rolled back on any exception.

    Parameters
    ----------
    begin
        The commands that begin it.
    """
    with sent(engine, begin) as connection, connection.begin():
        yield connection


def sent(engine: Engine, commands: str) -> Connection:
    """Return a connection that was sent some commands: another one where one is lost, until one is new.

    Raises
    ------
    OperationalError
        If a new connection does not take them either.
    """
    while True:
        connection = engine.connect()
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(commands, prepare=False)  # of what is prepared, each is one command
        except engine.dialect.loaded_dbapi.Error as error:
            again = driver.closed and _ANSWERED in connection.info
            connection.invalidate()
            connection.close()
            if not again:
                raise OperationalError(commands, None, error) from error
        else:
            connection.info[_ANSWERED] = True
            return connection
