"""What was done, by whom and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Principal
from pancommons.catalogue.ledger import audit, take


def record(
    connection: Connection,
    by: Principal,
    what: str,
    at: datetime,
    *,
    kind: str | None = None,
    identifier: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a line of the audit, in the transaction of what it tells of.

    Parameters
    ----------
    what
        A word: put, delete, release, restrict, lift, grant, revoke, adopt, load.
    kind, identifier
        The record, if it was about one.
    facts
        What JSON can hold.
    """
    connection.execute(
        sa.insert(audit).values(
            id=take(connection, "id", 1)[0],
            at=at,
            who=by.name,
            what=what,
            kind=kind,
            identifier=identifier,
            facts=None if facts is None else dict(facts),
        )
    )
