"""What was done, by whom and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Line:
    """A line of the audit."""

    id: int
    at: datetime
    who: str
    what: str
    kind: str | None
    identifier: str | None
    facts: Mapping[str, Any] | None


def search(
    connection: Connection,
    *,
    who: str | None = None,
    what: str | None = None,
    identifier: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """Find lines of the audit, the newest first; whether somebody may see them is decided by who calls.

    Parameters
    ----------
    who, identifier
        A part of the name of the person, all of the identifier of the record.
    what
        The word.
    since, until
        From this moment on, before that one.
    before
        Go on after the line with this id.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if who:
        conditions.append(audit.c.who.contains(who, autoescape=True))
    if what:
        conditions.append(audit.c.what == what)
    if identifier:
        conditions.append(audit.c.identifier == identifier)
    if since:
        conditions.append(audit.c.at >= since)
    if until:
        conditions.append(audit.c.at < until)
    if before is not None:
        conditions.append(audit.c.id < before)
    rows = connection.execute(sa.select(audit).where(*conditions).order_by(audit.c.id.desc()).limit(limit))
    return [Line(row.id, row.at, row.who, row.what, row.kind, row.identifier, row.facts) for row in rows]


def words(connection: Connection) -> list[str]:
    """List the words that tell what was done, as far as it was done."""
    return list(connection.execute(sa.select(audit.c.what).distinct().order_by(audit.c.what)).scalars())
