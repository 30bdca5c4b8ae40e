"""One at a time: whoever decides what runs decides alone, whatever the number of servers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_LOCK = 0x70616E72756E  # "panrun"


def take_turn(connection: Connection) -> None:
    """Wait until nobody else decides; it holds to the end of the transaction. On SQLite writing alone is enough."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
