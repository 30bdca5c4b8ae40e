"""Accounts of those who have signed in: known by issuer and subject, never by an e-mail address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal
from pancommons.catalogue.audit import record
from pancommons.catalogue.ledger import grants, take
from pancommons.catalogue.people import accounts, device_authorisations, sessions, tokens
from pancommons.catalogue.principals import principal
from pancommons.catalogue.tables import documents, instruments
from pancommons.server.signin.roles import Rule, with_entitlements
from pancommons.store.schema import floor, instant_text


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as a provider says.

    Attributes
    ----------
    name, email, orcid
        For display only.
    entitlements
        All that the claims hold, of whatever form.
    """

    issuer: str
    subject: str
    name: str | None = None
    email: str | None = None
    orcid: str | None = None
    entitlements: tuple[str, ...] = field(default=())

    @property
    def person(self) -> str:
        """Return how grants, owners and the audit name them."""
        return f"{self.issuer}#{self.subject}"


class Disabled(Exception):
    """The account may not sign in."""


def note_sign_in(connection: Connection, who: Identity, at: datetime) -> int:
    """Make the account of somebody who signs in, or bring it up to date; return its id.

    Raises
    ------
    Disabled
        If it was disabled.
    """
    told = {
        "name": who.name,
        "email": who.email,
        "orcid": who.orcid,
        "entitlements": list(who.entitlements),
        "entitled_at": at,
        "signed_in_at": at,
    }
    key = take(connection, "id", 1)[0]  # taken first, so that two sign-ins of a new person take turns
    found = connection.execute(
        sa.select(accounts.c.id, accounts.c.disabled_at).where(accounts.c.person == who.person)
    ).first()
    if found is None:
        keys = {"id": key, "person": who.person, "issuer": who.issuer, "subject": who.subject, "created_at": at}
        connection.execute(sa.insert(accounts).values(**keys, **told))
        return key
    if found.disabled_at is not None:
        raise Disabled
    connection.execute(sa.update(accounts).where(accounts.c.id == found.id).values(**told))
    return int(found.id)


def note_entitlements(connection: Connection, account: int, entitlements: Sequence[str], at: datetime) -> None:
    """Replace what a provider said that somebody is entitled to, unless it said something newer meanwhile."""
    told = {"entitlements": list(entitlements), "entitled_at": at}
    older = sa.or_(accounts.c.entitled_at.is_(None), accounts.c.entitled_at <= floor(at))
    connection.execute(sa.update(accounts).where(accounts.c.id == account, older).values(**told))


def principal_of(
    connection: Connection,
    account: Any,
    rules: Sequence[Rule],
    at: datetime,
    *,
    fresh_days: int,
    scopes: frozenset[Action] | None = None,
) -> Principal:
    """Gather the roles of an account: those granted here, and those its entitlements give while they are fresh."""
    who = principal(connection, account.person, scopes)
    if at - (account.entitled_at or account.signed_in_at) > timedelta(days=fresh_days):
        return who
    return with_entitlements(connection, who, rules, account.entitlements)


def disable(connection: Connection, person: str, *, by: Principal, at: datetime) -> None:
    """Keep somebody from signing in, and end all their sessions and tokens."""
    key = _known(connection, person)
    connection.execute(sa.update(accounts).where(accounts.c.id == key).values(disabled_at=at))
    for table in (sessions, tokens, device_authorisations):
        connection.execute(sa.delete(table).where(table.c.account_id == key))
    record(connection, by, "disable", at, facts={"person": person})


def sign_out(connection: Connection, person: str, *, by: Principal, at: datetime) -> int:
    """End all sessions of somebody, who may sign in again; return how many there were."""
    key = _known(connection, person)
    count = connection.execute(sa.delete(sessions).where(sessions.c.account_id == key)).rowcount
    record(connection, by, "end sessions", at, facts={"person": person, "sessions": count})
    return count


def enable(connection: Connection, person: str, *, by: Principal, at: datetime) -> None:
    """Let somebody sign in again."""
    key = _known(connection, person)
    connection.execute(sa.update(accounts).where(accounts.c.id == key).values(disabled_at=None))
    record(connection, by, "enable", at, facts={"person": person})


def everybody(connection: Connection) -> list[dict[str, Any]]:
    """List all who have signed in or hold a role that was granted, with these roles, by their names here."""
    known = {row.person: row for row in connection.execute(sa.select(accounts))}
    held: defaultdict[str, list[dict[str, str | None]]] = defaultdict(list)
    joined = grants.outerjoin(documents, documents.c.id == grants.c.proposal_id).outerjoin(
        instruments, instruments.c.id == grants.c.instrument_id
    )
    query = sa.select(grants.c.person, grants.c.role, documents.c.pid, instruments.c.pid).select_from(joined)
    for person, role, proposal, place in connection.execute(query.order_by(grants.c.id)):
        held[person].append({"role": role, "proposal": proposal, "instrument": place})
    return [
        {
            "person": person,
            "name": row.name if (row := known.get(person)) else None,
            "email": row.email if row else None,
            "orcid": row.orcid if row else None,
            "signed_in": instant_text(row.signed_in_at) if row else None,
            "disabled": instant_text(row.disabled_at) if row and row.disabled_at else None,
            "roles": held[person],
        }
        for person in sorted({*known, *held})
    ]


def _known(connection: Connection, person: str) -> int:
    found: int | None = connection.execute(sa.select(accounts.c.id).where(accounts.c.person == person)).scalar()
    if found is None:
        raise BadInput(f"nobody has signed in as {person}", field="PERSON", remedy="see: pan people list")
    return found
