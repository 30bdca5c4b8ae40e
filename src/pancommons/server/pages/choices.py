"""What a visitor chooses for pages: language and colours, kept in cookies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import RedirectResponse

from pancommons.server.pages.frame import THEMES, router
from pancommons.server.pages.languages import COOKIE, known

pages = router()

_YEAR = 365 * 24 * 3600


@pages.post("/choices")
def choose(
    request: Request,
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
    after: Annotated[str, Form(alias="next")] = "/",
) -> RedirectResponse:
    """Keep a choice and go back."""
    answer = RedirectResponse(local(after, request), 303)
    if language in known():
        _keep(answer, request, COOKIE, str(language))
    if theme in THEMES:
        _keep(answer, request, "theme", str(theme))
    elif theme == "":
        answer.delete_cookie("theme", path=_path(request))
    return answer


def local(after: str, request: Request) -> str:
    """Return an address of ours to go on to, whatever was asked for."""
    ours = after.startswith("/") and not after.startswith(("//", "/\\")) and not any(ord(c) < 32 for c in after)
    return after if ours else request.scope.get("root_path", "") + "/"


def _keep(answer: RedirectResponse, request: Request, name: str, value: str) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, _YEAR, path=_path(request), secure=secure, httponly=True, samesite="lax")


def _path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
