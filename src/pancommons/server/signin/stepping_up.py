"""Whoever changes how the portal is run, or what is another's, signed in just now: old sessions lie open on desks.

The provider says when, in ``auth_time``, and how, in ``acr`` where the settings name one; a provider that does not say
is not believed. The local user of a machine without a provider signs in nowhere. A personal token cannot be asked
anything: one with the scope ``administer`` is made only by somebody who signed in just now, and then does what it may
until it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request, Response

from pancommons.base.settings import OpenIDProvider, SignIn
from pancommons.catalogue.people import sessions as session_table
from pancommons.server.errors import error_object
from pancommons.server.pages.frame import Page
from pancommons.server.services import Now, Services, Shared, now, services
from pancommons.server.signin.desk import AtDesk, Desk, desk
from pancommons.server.signin.pending import Begun
from pancommons.server.signin.provider import Proof
from pancommons.server.signin.verifying import LEEWAY, Refused
from pancommons.server.visitor import Asking, Visitor, decide

_SAFE = {"GET", "HEAD", "OPTIONS"}


class SignInAgain(Exception):
    """Somebody is known, but must show again that it is them.

    Attributes
    ----------
    provider
        Where, by its name in the settings.
    """

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider


def recent(asking: Asking, shared: Shared, at_desk: AtDesk, at: Now) -> Visitor:
    """Let through who signed in just now; what somebody may do at all is decided elsewhere.

    Raises
    ------
    SignInAgain
        If they signed in longer ago, or otherwise than the settings want it.
    """
    check_recent(asking, shared, at_desk, at)
    return asking


def recent_to_change(request: Request, asking: Asking, shared: Shared, at_desk: AtDesk, at: Now) -> None:
    """Let through who only looks, and who signed in just now; for a router as a whole."""
    if request.method not in _SAFE:
        check_recent(asking, shared, at_desk, at)


def of_others(asking: Asking, shared: Shared, at_desk: AtDesk, at: Now) -> Callable[[str | None], None]:
    """Give what checks, of something of somebody, that it is theirs who change it, or that they signed in just now.

    Whether they may change it is decided elsewhere; who may though it is not theirs administers.
    """

    def check(owner: str | None) -> None:
        if owner is None or owner != asking.principal.person:
            check_recent(asking, shared, at_desk, at)

    return check


Recent = Annotated[Visitor, Depends(recent)]
OfOthers = Annotated[Callable[[str | None], None], Depends(of_others)]


def check_recent(asking: Visitor, shared: Services, at_desk: Desk, at: datetime) -> None:
    """Check that who is known by a session signed in just now; see ``recent``."""
    if asking.by != "session" or not at_desk.providers:
        return
    columns = (session_table.c.provider, session_table.c.auth_time, session_table.c.acr)
    with shared.database.read() as connection:
        row = connection.execute(sa.select(*columns).where(session_table.c.id == asking.key)).first()
    if row is None:
        raise SignInAgain(next(iter(at_desk.providers)))
    one = at_desk.providers.get(row.provider)
    if one is None or not _is_recent(row.auth_time, row.acr, one.told, at_desk.told, at):
        raise SignInAgain(row.provider)


def check_again(begun: Begun, account: int, proof: Proof, wanted: list[str]) -> None:
    """Check that somebody who was to sign in again did so.

    Raises
    ------
    Refused
        If it was somebody else, the provider did not ask, or not in the way that the settings want.
    """
    if account != begun.account:
        raise Refused("somebody else signed in than who was to sign in again")
    if proof.auth_time is None or begun.at is None or proof.auth_time < begun.at - LEEWAY:
        raise Refused("the provider did not see the person anew, or does not say so (auth_time)")
    if wanted and proof.acr not in wanted:
        raise Refused("the provider saw the person otherwise than the settings want (acr)")


def install(app: FastAPI) -> None:
    """Answer those who must sign in again: with a page that leads there and back, or in JSON (RFC 9470)."""

    @app.exception_handler(SignInAgain)
    def again(request: Request, error: SignInAgain) -> Response:
        shared, at_desk = services(request), desk(request)
        one = at_desk.providers.get(error.provider)
        if "text/html" in request.headers.get("accept", ""):
            page = Page(request, shared, decide(request, now()))
            title = one.told.title if one else ""
            query = {"again": "true", "next": _page_before(request)}
            there = page.to(f"/signin/{error.provider}/start", query) if one else page.to("/signin", query)
            minutes = at_desk.told.admin_minutes
            answer: Response = page.render("signin/again.html", 401, there=there, title=title, minutes=minutes)
        else:
            answer = error_object(401, "sign in again to change this: the last time is too long ago")
        challenge = f'error="insufficient_user_authentication", max_age={at_desk.told.admin_minutes * 60}'
        if one is not None and one.told.admin_acr:
            challenge += f', acr_values="{" ".join(one.told.admin_acr)}"'
        answer.headers["WWW-Authenticate"] = f'Bearer realm="PaN Commons", {challenge}'
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _is_recent(seen: datetime | None, acr: str | None, one: OpenIDProvider, told: SignIn, at: datetime) -> bool:
    if seen is None or not -LEEWAY <= at - seen <= timedelta(minutes=told.admin_minutes):
        return False
    return not one.admin_acr or acr in one.admin_acr


def _page_before(request: Request) -> str:
    """Return the page that somebody was on: where the form was, if the browser says so and it is ours."""
    came, ours = urlsplit(request.headers.get("referer", "")), request.url
    if came.netloc == ours.netloc and came.path.startswith("/"):
        return came.path + (f"?{came.query}" if came.query else "")
    return ours.path
