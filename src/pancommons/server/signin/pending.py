"""Sign-ins that began and have not come back: each bound to a browser, taken once, and not for long."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.people import pending_sign_ins as _rows
from pancommons.server.signin.secret import digest, secret
from pancommons.server.signin.verifying import Refused
from pancommons.store.schema import floor

LASTS = timedelta(minutes=10)
MOST = 10_000
_SECRET = re.compile(r"[\w-]{43}")


@dataclass(frozen=True)
class Begun:
    """A sign-in: where it is, where it leads, and what only those who take part in it know.

    Attributes
    ----------
    account
        Who is to sign in again; None for whoever it is.
    at
        When it began; known of one that was kept.
    """

    provider: str
    next: str
    account: int | None = None
    at: datetime | None = field(default=None, compare=False)
    state: str = field(default_factory=secret)
    nonce: str = field(default_factory=secret)
    verifier: str = field(default_factory=secret)


def browser(held: str | None) -> str:
    """Return what a browser is known by while it signs in: what it holds already, for it may do so in two tabs."""
    return held if held and _SECRET.fullmatch(held) else secret()


def keep(connection: Connection, begun: Begun, held: str, at: datetime) -> None:
    """Keep a sign-in until it comes back; those too old are removed.

    Raises
    ------
    Refused
        If more than ``MOST`` are kept.
    """
    connection.execute(sa.delete(_rows).where(_rows.c.expires_at <= floor(at)))
    if connection.execute(sa.select(sa.func.count()).select_from(_rows)).scalar_one() >= MOST:
        raise Refused("too many sign-ins are under way")
    row = {
        "state": digest(begun.state),
        "browser": digest(held),
        "provider": begun.provider,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": begun.next,
        "account_id": begun.account,
        "expires_at": at + LASTS,
    }
    connection.execute(sa.insert(_rows).values(row))


def take(connection: Connection, state: str, held: str | None, provider: str, at: datetime) -> Begun | None:
    """Return the sign-in of a state, which is no more then; None if it is another's, too old, or there is none."""
    one = sa.delete(_rows).where(
        _rows.c.state == digest(state),
        _rows.c.browser == digest(held or ""),
        _rows.c.provider == provider,
        _rows.c.expires_at > floor(at),
    )
    found = connection.execute(one.returning(_rows)).first()
    if found is None:
        return None
    began = found.expires_at - LASTS
    return Begun(found.provider, found.next, found.account_id, began, state, found.nonce, found.verifier)
