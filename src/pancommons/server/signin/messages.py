"""Messages of providers, each taken once: who kept one ends no session with it later."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.people import logout_messages as _rows
from pancommons.server.signin.secret import digest
from pancommons.server.signin.verifying import REMEMBERED, Refused
from pancommons.store.schema import floor


def first_time(connection: Connection, issuer: str, message: str, at: datetime) -> None:
    """Remember a message by its name; those too old to be believed are forgotten.

    Raises
    ------
    Refused
        If it came before.
    """
    connection.execute(sa.delete(_rows).where(_rows.c.expires_at <= floor(at)))
    key = digest(f"{issuer}\n{message}")
    if connection.execute(sa.select(_rows.c.digest).where(_rows.c.digest == key)).first() is not None:
        raise Refused("a logout token came a second time")
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(_rows).values(digest=key, expires_at=at + REMEMBERED))
    except sa.exc.IntegrityError:
        raise Refused("a logout token came a second time") from None
