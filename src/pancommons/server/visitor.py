"""Who asks: somebody who signed in, the one local user on this machine itself, or anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from pancommons.base.settings import LOOPBACK
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.people import tokens as token_table
from pancommons.server.mounting import FORWARDED
from pancommons.server.services import STATEMENT_SECONDS, Now, services
from pancommons.server.signin import cookies, sessions, tokens
from pancommons.server.signin.accounts import principal_of
from pancommons.server.signin.desk import Desk, desk


@dataclass(frozen=True)
class Visitor:
    """Whoever sent a request.

    Attributes
    ----------
    principal
        What every decision on access is made with.
    name
        What pages call them; None for anybody.
    by
        How they are known: by a session of a browser, by a token, by sitting at this machine, or not at all.
    account
        The id of their account; None for the local user and for anybody.
    key
        The id of the session or the token they are known by.
    """

    principal: Principal
    name: str | None
    by: Literal["session", "token", "machine", "nothing"]
    account: int | None = None
    key: int | None = None


NOBODY = Visitor(ANONYMOUS, None, "nothing")


async def visitor(request: Request, at: Now) -> Visitor:
    """Decide who asks, once for a request; only what has to be looked up takes a way to another thread and back.

    Raises
    ------
    HTTPException
        With 401, if a token is shown that is none, or no more; what then answers takes the visitor for anybody.
    """
    nothing = bearer(request) is None and cookies.shown(request, cookies.SESSION) is None
    if nothing or hasattr(request.state, "visitor"):
        return decide(request, at)
    return await run_sync(decide, request, at)


def decide(request: Request, at: datetime) -> Visitor:
    """Do what `visitor` does, in this thread."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is None:
        request.state.visitor = NOBODY
        known = request.state.visitor = _found(request, at)
    return known


def still(request: Request, asking: Visitor, at: datetime) -> Principal | None:
    """Return with whose rights an answer goes on that began some time ago; None if what was shown holds no more.

    That an answer goes on is no sign of anybody there: a session is not seen by it.
    """
    if asking.account is None:
        return asking.principal
    at_desk, token, held = desk(request), bearer(request), cookies.shown(request, cookies.SESSION)
    try:
        if asking.by == "token":
            return _by_token(request, at_desk, token or "", at, seen=False).principal
        found = _by_session(request, at_desk, held or "", at, seen=False)
    except HTTPException:
        return None
    return None if found is None else found.principal


def bearer(request: Request) -> str | None:
    """Return the bearer token that a request shows."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _found(request: Request, at: datetime) -> Visitor:
    at_desk = desk(request)
    if (token := bearer(request)) is not None:
        return _by_token(request, at_desk, token, at)
    if (held := cookies.shown(request, cookies.SESSION)) is not None:
        found = _by_session(request, at_desk, held, at)
        if found is not None:
            return found
    if not at_desk.providers and from_here(request):
        return Visitor(LOCAL_USER, "local user", "machine")
    return NOBODY


def _by_token(request: Request, at_desk: Desk, token: str, at: datetime, *, seen: bool = True) -> Visitor:
    with services(request).database.read(STATEMENT_SECONDS, by_key=True) as connection:
        row = tokens.find(connection, token, at)
        if row is None or row.issuer not in at_desk.issuers:
            raise HTTPException(
                401,
                "this token is not valid, or no more: make a new one, or run: pan login",
                {"WWW-Authenticate": 'Bearer realm="PaN Commons", error="invalid_token"'},
            )
        scopes = frozenset(Action(one) for one in row.scopes)
        days = at_desk.told.entitled_days
        who = principal_of(connection, row, at_desk.rules, at, fresh_days=days, scopes=scopes)
    if seen:
        at_desk.seen.note(token_table, row.id, row.seen_at, at)
    return Visitor(who, row.called or row.subject, "token", row.account_id, row.id)


def _by_session(request: Request, at_desk: Desk, held: str, at: datetime, *, seen: bool = True) -> Visitor | None:
    with services(request).database.read(STATEMENT_SECONDS, by_key=True) as connection:
        row: Any = sessions.find(connection, held, at_desk.told, at)
        if row is None or row.issuer not in at_desk.issuers:
            return None
        who = principal_of(connection, row, at_desk.rules, at, fresh_days=at_desk.told.entitled_days)
    if seen:
        at_desk.seen.note(session_table, row.id, row.seen_at, at)
    at_desk.refreshing.note(row, held, at)
    return Visitor(who, row.name or row.subject, "session", row.account_id, row.id)


def from_here(request: Request) -> bool:
    """Say whether a program or a browser on this machine itself asks.

    A request that a proxy passed on, that names another host, or that a page of another origin makes is from
    elsewhere: a page somewhere on the internet could have made the browser of the local user send it.
    """
    return (
        request.client is not None
        and request.client.host in LOOPBACK
        and not any(name in request.headers for name in FORWARDED)
        and request.headers.get("origin") in (None, f"{request.url.scheme}://{request.url.netloc}")
        and request.headers.get("sec-fetch-site") not in ("cross-site", "same-site")
        and (request.url.hostname or "") in LOOPBACK
    )


async def principal(asking: Annotated[Visitor, Depends(visitor)]) -> Principal:
    """Return what decisions on access are made with."""
    return asking.principal


Asking = Annotated[Visitor, Depends(visitor)]
Who = Annotated[Principal, Depends(principal)]
