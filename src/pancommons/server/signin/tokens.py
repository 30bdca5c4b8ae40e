"""Personal tokens: what a program shows instead of a session, for some actions and some time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action
from pancommons.catalogue.ledger import take
from pancommons.catalogue.people import accounts, tokens
from pancommons.server.signin.secret import digest, secret
from pancommons.store.schema import floor

PREFIX = "pan_"
MOST = 100
"""Tokens of one account at a time."""

_NAME = 100
_WHOSE = ("person", "issuer", "subject", "entitlements", "entitled_at", "signed_in_at")


def make(
    connection: Connection, account: int, name: str, scopes: Collection[Action], days: int, at: datetime
) -> tuple[int, str]:
    """Make a token; return its id and the token itself, which is not kept.

    Raises
    ------
    BadInput
        If it has no name or no scope, or the account has too many.
    """
    name = " ".join(name.split())
    if not name or len(name) > _NAME or not name.isprintable():
        raise BadInput(f"a token needs a name of at most {_NAME} characters", field="name")
    if not scopes:
        raise BadInput("a token that allows nothing is of no use", field="scopes", remedy="choose at least one")
    connection.execute(sa.delete(tokens).where(tokens.c.account_id == account, tokens.c.expires_at <= floor(at)))
    if len(of(connection, account)) >= MOST:
        raise BadInput(f"you have {MOST} tokens already", field="name", remedy="revoke some")
    made, key = PREFIX + secret(), take(connection, "id", 1)[0]
    row = {
        "id": key,
        "digest": digest(made),
        "account_id": account,
        "name": name,
        "scopes": [one.value for one in Action if one in scopes],
        "created_at": at,
        "expires_at": at + timedelta(days=days),
    }
    connection.execute(sa.insert(tokens).values(row))
    return key, made


def find(connection: Connection, shown: str, at: datetime) -> Any | None:
    """Return the token that was shown with its account, if it holds and the account is not disabled."""
    query = (
        sa.select(
            tokens,
            accounts.c.name.label("called"),
            *(accounts.c[name] for name in _WHOSE),
        )
        .join(accounts, accounts.c.id == tokens.c.account_id)
        .where(tokens.c.digest == digest(shown), accounts.c.disabled_at.is_(None), tokens.c.expires_at > floor(at))
    )
    return connection.execute(query).first()


def of(connection: Connection, account: int) -> Sequence[Any]:
    """List the tokens of an account, the newest first."""
    query = sa.select(tokens).where(tokens.c.account_id == account)
    return connection.execute(query.order_by(tokens.c.created_at.desc(), tokens.c.id.desc())).all()


def revoke(connection: Connection, account: int, key: int) -> Any | None:
    """End a token of an account and return what it was."""
    mine = sa.and_(tokens.c.account_id == account, tokens.c.id == key)
    return connection.execute(sa.delete(tokens).where(mine).returning(tokens)).first()
