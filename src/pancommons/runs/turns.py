"""One at a time: whoever decides what runs decides alone, whatever the number of servers."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from pancommons.store.turns import Turn
from pancommons.store.turns import take_turn as take

_VANISHED = "30s"
"""How long a machine that vanished in the middle of a decision keeps others from theirs (PostgreSQL)."""


def take_turn(connection: Connection) -> None:
    """Wait until nobody else decides; it holds to the end of the transaction."""
    take(connection, Turn.RUNS)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_VANISHED}'")
