"""What was done and what was seen, by whom and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue import parts
from pancommons.catalogue.access import Action, Principal
from pancommons.catalogue.ledger import audit, take
from pancommons.catalogue.people import accounts
from pancommons.catalogue.read import find
from pancommons.catalogue.tables import RECORDS, datasets
from pancommons.store.functions import among

READS = (
    "download",
    "look inside",
    "picture",
    "list files",
    "metadata",
    "report",
    "log",
    "provenance",
    "export",
)
"""Words for what was seen."""

REFUSED = "refuse"
"""The word for data that somebody asked for and was not given."""

OVERLOOKED = "overlook"
"""The word for how much of this was too much at a time to be written down."""

SEEN = (*READS, REFUSED, OVERLOOKED)
"""All words for what changed nothing; every other word is a change."""

CHANGES = (
    "adopt", "approve device", "delete", "deny device", "disable", "edit", "enable", "end", "end refused session",
    "end session", "end sessions", "grant", "lift", "load", "make token", "put", "read entitlements",
    "refuse sign-in", "release", "restrict", "resume", "revoke", "revoke token", "run", "sign in", "sign out",
    "sign out at provider", "stop",
)  # fmt: skip
"""Words for what was done, as people may ask for them."""

_MOST_PEOPLE = 1000


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
        A word, of `CHANGES`.
    kind, identifier
        The record, if it was about one.
    facts
        What JSON can hold.
    """
    record_many(connection, [Told(at, by.name, what, kind, identifier, facts)])


class Told(NamedTuple):
    """What a line is to say; see `record`."""

    at: datetime
    who: str
    what: str
    kind: str | None = None
    identifier: str | None = None
    facts: Mapping[str, Any] | None = None


def record_many(connection: Connection, several: Iterable[Told]) -> None:
    """Write lines of the audit in their order; see `record`."""
    lines = [one._asdict() for one in several]
    if not lines:
        return
    for line, key in zip(lines, take(connection, "id", len(lines)), strict=True):
        line |= {"id": key, "facts": None if line["facts"] is None else dict(line["facts"])}
    connection.execute(sa.insert(audit), lines)


def forget_seen(connection: Connection, before: datetime) -> int:
    """Remove what was seen before a moment, and return how many lines that were; changes stay."""
    old = sa.and_(audit.c.at < before, audit.c.what.in_(SEEN))
    return connection.execute(sa.delete(audit).where(old)).rowcount


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


def shown_to(principal: Principal, facts: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return facts as somebody may have them: a token that reads no data is not told the names of files either."""
    if not facts or "files" not in facts or principal.scopes is None or Action.READ in principal.scopes:
        return facts
    return {**facts, "files": list(facts["files"])}


def search(
    connection: Connection,
    *,
    who: str | None = None,
    what: str | None = None,
    about: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """Find lines of the audit, the newest first; whether somebody may see them is decided by who calls.

    Parameters
    ----------
    who
        A part of how the person is known here, of their name or of their e-mail address.
    what
        The word; ``reads`` for all of `READS`, ``changes`` for all but what was seen.
    about
        Identifier or PID of a record, identifier of a run or of a file: of a file what was seen of it.
    since, until
        From this moment on, before that one.
    before
        Go on after the line with this id.
    """
    if any("\0" in text for text in (who, what, about) if text):  # PostgreSQL holds no text with one
        return []
    conditions: list[sa.ColumnElement[bool]] = []
    if who:
        conditions.append(
            sa.or_(audit.c.who.contains(who, autoescape=True), among(audit.c.who, _called(connection, who)))
        )
    if what in ("reads", "changes"):
        conditions.append(audit.c.what.in_(READS) if what == "reads" else audit.c.what.not_in(SEEN))
    elif what:
        conditions.append(audit.c.what == what)
    if about:
        conditions += _about(connection, about)
    if since:
        conditions.append(audit.c.at >= since)
    if until:
        conditions.append(audit.c.at < until)
    if before is not None:
        conditions.append(audit.c.id < before)
    rows = connection.execute(sa.select(audit).where(*conditions).order_by(audit.c.id.desc()).limit(limit))
    return [Line(row.id, row.at, row.who, row.what, row.kind, row.identifier, row.facts) for row in rows]


def _called(connection: Connection, text: str) -> list[str]:
    """List the people whose name or e-mail address has a text in it."""
    has = (
        sa.func.lower(column).contains(text.lower(), autoescape=True) for column in (accounts.c.name, accounts.c.email)
    )
    return list(connection.execute(sa.select(accounts.c.person).where(sa.or_(*has)).limit(_MOST_PEOPLE)).scalars())


def _about(connection: Connection, key: str) -> list[sa.ColumnElement[bool]]:
    for kind in RECORDS:
        if (found := find(connection, kind, key)) is not None:
            table = RECORDS[kind]
            named = connection.scalar(sa.select(table.c.identifier).where(table.c.id == found))
            return [audit.c.identifier == named]
    of = sa.select(datasets.c.identifier).join(parts.files, parts.files.c.dataset_id == datasets.c.id)
    dataset = connection.scalar(of.where(parts.files.c.identifier == key))
    if dataset is None:
        return [audit.c.identifier == key]
    text = sa.cast(audit.c.facts, sa.Text)
    return [audit.c.identifier == dataset, audit.c.what.in_(SEEN), text.contains(f'"{key}"', autoescape=True)]
