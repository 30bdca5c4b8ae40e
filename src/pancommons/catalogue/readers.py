"""Who saw a record and when: lines of the audit for those who answer for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Action, Principal, Resource, allows
from pancommons.catalogue.audit import READS, REFUSED, shown_to
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts


@dataclass(frozen=True)
class Seen:
    """Somebody saw something of a record, or was refused it.

    Attributes
    ----------
    person, name
        As signed in, and as their provider calls them, if it does.
    what
        The kind of access, of `pancommons.catalogue.audit.READS`.
    files
        Names of the files that were seen, if it was files; their identifiers to whoever may not have the names.
    """

    id: int
    at: datetime
    person: str
    name: str | None
    what: str
    refused: bool
    files: tuple[str, ...]


def may_ask(principal: Principal, about: Resource, at: datetime) -> bool:
    """Say whether somebody may know who saw a record: its principal investigators and those who run the facility."""
    return allows(principal, Action.PUBLISH, about, at)


def readers(
    connection: Connection,
    identifier: str,
    about: Resource,
    principal: Principal,
    at: datetime,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[Seen] | None:
    """List who saw a record, the newest first; None if the principal may not know.

    Who was refused is told to those alone who administer: an attempt is no reader, and may have been a slip.

    Parameters
    ----------
    before
        Go on after the line with this id.
    """
    if not may_ask(principal, about, at):
        return None
    words = (*READS, REFUSED) if allows(principal, Action.ADMINISTER, about, at) else READS
    query = (
        sa.select(audit, accounts.c.name)
        .outerjoin(accounts, accounts.c.person == audit.c.who)
        .where(audit.c.identifier == identifier, audit.c.what.in_(words))
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(audit.c.id < before)
    found = []
    for row in connection.execute(query):
        facts = row.facts or {}
        what = facts.get("access", row.what)
        shown = (shown_to(principal, facts) or {}).get("files", ())
        files = tuple(shown.values() if isinstance(shown, Mapping) else shown)
        found.append(Seen(row.id, row.at, row.who, row.name, what, row.what == REFUSED, files))
    return found
