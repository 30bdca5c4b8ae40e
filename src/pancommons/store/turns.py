"""One at a time: what two processes must not do at once, each does when it is its turn."""

from __future__ import annotations

from enum import IntEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection


class Turn(IntEnum):
    """What is done by one at a time."""

    TABLES = 0x70616E7461626C  # "pantabl"
    """Bringing the tables to a version, and putting into them what every catalogue has."""
    RUNS = 0x70616E72756E  # "panrun"
    """Deciding what runs."""


def take_turn(connection: Connection, what: Turn) -> None:
    """Wait until nobody else does this; it holds to the end of the transaction, or to the end of the process.

    On PostgreSQL it is an advisory lock, which ends with the connection however its holder dies. On SQLite writing
    alone is enough.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(what))))
