"""What people and programs ask of tokens, read and checked once for every way of asking."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action
from pancommons.server.pages.frame import Page
from pancommons.server.visitor import Visitor

USUAL = (Action.DISCOVER, Action.READ, Action.RUN)
"""What a token allows if nobody says otherwise."""


def scopes(names: Iterable[str]) -> frozenset[Action]:
    """Read scopes.

    Raises
    ------
    BadInput
        If one is none.
    """
    try:
        return frozenset(Action(one) for one in names)
    except ValueError:
        known = ", ".join(Action)
        raise BadInput("there is no such scope", field="scope", remedy=f"take of: {known}") from None


def account_of(asking: Visitor, *, by_token: bool = False) -> int:
    """Return the account of whoever asks.

    Raises
    ------
    HTTPException
        With 401 if nobody signed in, 403 if a token is shown where a person must be.
    """
    if asking.account is None:
        here = asking.by == "machine"
        message = "nobody signs in here: no provider is configured" if here else "sign in to see this"
        raise HTTPException(404 if here else 401, message, None if here else {"WWW-Authenticate": "Bearer"})
    if asking.by != "session" and not by_token:
        raise HTTPException(403, "a token cannot do this: sign in with a browser")
    return asking.account


def to_sign_in(page: Page, request: Request) -> RedirectResponse:
    """Send a browser to sign in, and back to where it wants to be."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(page.to("/signin", {"next": wanted}), 303)
