"""The page that says what went wrong."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from pancommons.server.pages.frame import Page
from pancommons.server.services import now, services
from pancommons.server.visitor import NOBODY, Visitor, decide


def problem_page(request: Request, status: int, message: str, reference: str | None = None) -> HTMLResponse:
    """Say what, why and what next, with the reference under which the log of the server says more."""
    page = Page(request, services(request), _asking(request))
    _ = page.gettext
    titles = {
        400: _("This cannot be done as asked"),
        401: _("Please sign in"),
        403: _("You may not do this"),
        404: _("There is nothing here"),
        405: _("This cannot be done here"),
        410: _("This was taken away"),
        413: _("This is too much at once"),
        429: _("Too many requests"),
        503: _("Not at the moment"),
    }
    remedies = {
        404: _("The address may be mistyped, or the record is not open to you: sign in if you belong to its team."),
        500: _("Try again; if it stays, tell the people who run this portal, with the reference below."),
    }
    if status == 404 and message == "Not Found":
        message = _("No page has this address.")
    return page.render(
        "problem.html",
        status,
        title=titles.get(status, _("Something went wrong")),
        message=_(message),
        next=remedies.get(status, ""),
        reference=reference,
    )


def _asking(request: Request) -> Visitor:
    """Return who asks; what is shown and no good is no reason not to say what went wrong."""
    try:
        return decide(request, now())
    except HTTPException:
        return NOBODY
