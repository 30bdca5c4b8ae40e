"""Programs that ask for a token while somebody elsewhere, in a browser, says yes (RFC 8628)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Action
from pancommons.catalogue.ledger import take
from pancommons.catalogue.people import accounts, device_authorisations
from pancommons.server.signin import tokens
from pancommons.server.signin.secret import digest, secret
from pancommons.store.schema import floor

LASTS = timedelta(minutes=10)
INTERVAL = 5
"""Seconds a program is told to wait between two questions; more each time it does not."""

MOST = 1000
"""Authorisations under way at a time, which keeps a guess of a code hopeless."""

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
_NAME = 100

_rows = device_authorisations


class Refusal(StrEnum):
    """Why a program gets no token, in the words of the standard."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"
    DENIED = "access_denied"


class TooMany(Exception):
    """More authorisations are under way than are kept."""


@dataclass(frozen=True)
class Asked:
    """What a program is told: one code for itself, one for the person."""

    device_code: str
    user_code: str


@dataclass(frozen=True)
class Granted:
    """A token for a program, and whose and which it is."""

    token: str
    key: int
    person: str
    name: str
    scopes: tuple[Action, ...]


def ask(connection: Connection, name: str, scopes: Collection[Action], at: datetime) -> Asked:
    """Begin an authorisation; those that are over are removed.

    Raises
    ------
    TooMany
        If there are ``MOST`` already.
    """
    connection.execute(sa.delete(_rows).where(_rows.c.expires_at <= floor(at)))
    if connection.execute(sa.select(sa.func.count()).select_from(_rows)).scalar_one() >= MOST:
        raise TooMany
    asked = Asked(secret(), "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))
    shown = "".join(one for one in " ".join(name.split()) if one.isprintable())[:_NAME]
    row = {
        "id": take(connection, "id", 1)[0],
        "device": digest(asked.device_code),
        "user_code": asked.user_code,
        "name": shown or "a program",
        "scopes": [one.value for one in Action if one in scopes],
        "state": "pending",
        "interval": INTERVAL,
        "expires_at": at + LASTS,
    }
    connection.execute(sa.insert(_rows).values(row))
    return asked


def shown(user_code: str) -> str:
    """Write a code as people read it."""
    return f"{user_code[:4]}-{user_code[4:]}"


def typed(text: str) -> str:
    """Read a code as people type it."""
    return "".join(one for one in text.upper() if one in _LETTERS)


def waiting(connection: Connection, user_code: str, at: datetime) -> Any | None:
    """Return the authorisation of a code that nobody has answered yet."""
    query = sa.select(_rows).where(
        _rows.c.user_code == typed(user_code), _rows.c.state == "pending", _rows.c.expires_at > floor(at)
    )
    return connection.execute(query).first()


def answer(connection: Connection, user_code: str, account: int, at: datetime, *, yes: bool) -> Any | None:
    """Answer for a program and return what it asked for; None if no code like this waits."""
    found = waiting(connection, user_code, at)
    if found is None:
        return None
    told = {"state": "approved" if yes else "denied", "account_id": account}
    unanswered = sa.and_(_rows.c.id == found.id, _rows.c.state == "pending")
    done = connection.execute(sa.update(_rows).where(unanswered).values(told))
    return found if done.rowcount else None


def poll(connection: Connection, device_code: str, days: int, at: datetime) -> Granted | Refusal:
    """Answer the program: with a token, once, or with why there is none."""
    mine = _rows.c.device == digest(device_code)
    found = connection.execute(sa.select(_rows).where(mine)).first()
    if found is None or found.expires_at <= floor(at):
        return Refusal.EXPIRED
    if found.asked_at is not None and at - found.asked_at < timedelta(seconds=found.interval - 0.5):
        slower = {"asked_at": at, "interval": found.interval + INTERVAL}
        connection.execute(sa.update(_rows).where(mine).values(slower))
        return Refusal.SLOW_DOWN
    if found.state == "pending":
        connection.execute(sa.update(_rows).where(mine).values(asked_at=at))
        return Refusal.PENDING
    taken = connection.execute(sa.delete(_rows).where(mine)).rowcount
    if not taken:
        return Refusal.EXPIRED
    if found.state == "denied":
        return Refusal.DENIED
    scopes = tuple(Action(one) for one in found.scopes)
    person = connection.execute(sa.select(accounts.c.person).where(accounts.c.id == found.account_id)).scalar_one()
    key, token = tokens.make(connection, found.account_id, found.name, scopes, days, at)
    return Granted(token, key, person, found.name, scopes)
