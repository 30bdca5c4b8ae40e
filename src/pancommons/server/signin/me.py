"""What is one's own of signing in: who one is here, personal tokens, sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action
from pancommons.catalogue.audit import record
from pancommons.catalogue.people import accounts
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.services import Now, Shared
from pancommons.server.signin import sessions, tokens
from pancommons.server.signin.asked import USUAL, account_of, scopes, to_sign_in
from pancommons.server.signin.browsers import called
from pancommons.server.signin.desk import AtDesk, Desk
from pancommons.server.signin.stepping_up import check_recent
from pancommons.server.visitor import Asking

programs = APIRouter(tags=["sign-in"])
pages = router()

DAYS = (1, 7, 30, 90, 365)
"""Lives of a token that the page offers, as far as the settings allow."""

Key = Annotated[int, Path(ge=0, lt=2**63)]


class Account(BaseModel):
    """Who asks, and what they may do at most."""

    person: str | None
    name: str | None
    email: str | None
    orcid: str | None
    known_by: str
    roles_everywhere: list[str]
    scopes: list[str] | None


@programs.get("/me/account")
def account(asking: Asking, shared: Shared) -> Account:
    """Say who asks: by a session, a token, sitting at the machine, or nobody."""
    row: Any = None
    if asking.account is not None:
        with shared.database.read() as connection:
            row = connection.execute(sa.select(accounts).where(accounts.c.id == asking.account)).first()
    who = asking.principal
    return Account(
        person=who.person,
        name=asking.name,
        email=row.email if row else None,
        orcid=row.orcid if row else None,
        known_by=asking.by,
        roles_everywhere=sorted(who.everywhere),
        scopes=None if who.scopes is None else [one for one in Action if one in who.scopes],
    )


@programs.delete("/me/tokens/current", status_code=204)
def revoke_current(asking: Asking, shared: Shared, at: Now) -> None:
    """Revoke the token that the request shows, as ``pan logout`` does."""
    if asking.by != "token" or asking.account is None or asking.key is None:
        raise HTTPException(400, "show the token that is to be revoked, as Authorization: Bearer pan_...")
    with shared.database.write() as connection:
        _revoke(connection, asking, asking.key, at)


@pages.get("/me/tokens")
def list_tokens(request: Request, page: Paged, shared: Shared, asking: Asking, at_desk: AtDesk, at: Now) -> Response:
    """Show the tokens one has, and make new ones."""
    if asking.account is None and at_desk.providers:
        return to_sign_in(page, request)
    return _tokens(page, at_desk, account_of(asking), at)


@pages.post("/me/tokens")
def make_token(
    page: Paged,
    shared: Shared,
    asking: Asking,
    at_desk: AtDesk,
    at: Now,
    name: Annotated[str, Form()] = "",
    scope: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form(ge=1)] = 30,
) -> Response:
    """Make a token and show it, once."""
    owner = account_of(asking)
    lasts = min(days, at_desk.told.token_days)
    try:
        with shared.database.write() as connection:
            wanted = scopes(scope or ())
            if Action.ADMINISTER in wanted:
                check_recent(asking, shared, at_desk, at)
            key, made = tokens.make(connection, owner, name, wanted, lasts, at)
            facts = {"name": name, "scopes": sorted(wanted), "days": lasts, "token": key}
            record(connection, asking.principal, "make token", at, facts=facts)
    except BadInput as error:
        return _tokens(page, at_desk, owner, at, wrong=error, name=name, scope=scope or [])
    return _tokens(page, at_desk, owner, at, made=made)


@pages.post("/me/tokens/{key}/revoke")
def revoke_token(page: Paged, shared: Shared, asking: Asking, at: Now, key: Key) -> RedirectResponse:
    """Revoke a token."""
    account_of(asking)
    with shared.database.write() as connection:
        _revoke(connection, asking, key, at)
    return RedirectResponse(page.to("/me/tokens"), 303)


@pages.get("/me/sessions")
def list_sessions(request: Request, page: Paged, shared: Shared, asking: Asking, at_desk: AtDesk, at: Now) -> Response:
    """Show where one is signed in."""
    if asking.account is None and at_desk.providers:
        return to_sign_in(page, request)
    owner = account_of(asking)
    with shared.database.read() as connection:
        mine = sessions.of(connection, owner, at_desk.told, at)
    return page.render("signin/sessions.html", sessions=mine, titles=_titles(at_desk), called=called)


@pages.post("/me/sessions/{key}/end")
def end_session(page: Paged, shared: Shared, asking: Asking, at: Now, key: Key) -> RedirectResponse:
    """End a session, here or in another browser."""
    owner = account_of(asking)
    with shared.database.write() as connection:
        if not sessions.end(connection, owner, key):
            raise HTTPException(404, "you have no such session")
        record(connection, asking.principal, "end session", at, facts={"session": key})
    return RedirectResponse(page.to("/me/sessions"), 303)


def _revoke(connection: sa.Connection, asking: Asking, key: int, at: datetime) -> None:
    gone = tokens.revoke(connection, asking.account or 0, key)
    if gone is None:
        raise HTTPException(404, "you have no such token")
    record(connection, asking.principal, "revoke token", at, facts={"name": gone.name, "token": key})


def _titles(at_desk: Desk) -> dict[str, str]:
    return {name: one.told.title for name, one in at_desk.providers.items()}


def _tokens(
    page: Page,
    at_desk: Desk,
    owner: int,
    at: datetime,
    *,
    made: str = "",
    wrong: BadInput | None = None,
    name: str = "",
    scope: list[str] | None = None,
) -> HTMLResponse:
    with page.shared.database.read() as connection:
        mine = tokens.of(connection, owner)
    longest = at_desk.told.token_days
    shown = page.render(
        "signin/tokens.html",
        400 if wrong else 200,
        tokens=mine,
        made=made,
        wrong=wrong,
        name=name,
        chosen=USUAL if scope is None else scope,
        scopes=_explained(page),
        days=[one for one in DAYS if one < longest] + [longest],
        at=at,
    )
    if made:
        shown.headers["Cache-Control"] = "no-store"
    return shown


def _explained(page: Page) -> list[tuple[str, str]]:
    _ = page.gettext
    said = {
        Action.DISCOVER: _("find what you may find"),
        Action.READ: _("read and download data"),
        Action.RUN: _("start, stop and remove your runs"),
        Action.EDIT: _("change metadata"),
        Action.PUBLISH: _("publish results and change when data open"),
        Action.ADMINISTER: _("administer, where you do"),
    }
    return [(action.value, said[action]) for action in Action]
