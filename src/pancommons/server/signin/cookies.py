"""Cookies of those who sign in: as narrow as the address allows."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request, Response

from pancommons.server.services import services

SESSION = "session"
SIGN_IN = "signin"


def name(request: Request, what: str) -> str:
    """Return the name of a cookie.

    With TLS and at the root of a host browsers guarantee by the prefix that nobody but this host set it. Without TLS
    all programs of a machine share their cookies, so that the name says whose it is.
    """
    if not _secure(request):
        return f"pancommons-{what}"
    return f"__Secure-{what}" if _path(request) != "/" else f"__Host-{what}"


def shown(request: Request, what: str) -> str | None:
    """Return what a browser holds."""
    return request.cookies.get(name(request, what)) or None


def put(answer: Response, request: Request, what: str, value: str, lasts: timedelta) -> None:
    """Give a browser something to hold."""
    answer.set_cookie(
        name(request, what),
        value,
        max_age=int(lasts.total_seconds()),
        path=_path(request),
        secure=_secure(request),
        httponly=True,
        samesite="lax",
    )


def remove(answer: Response, request: Request, what: str) -> None:
    """Take from a browser what it holds."""
    answer.delete_cookie(
        name(request, what), path=_path(request), secure=_secure(request), httponly=True, samesite="lax"
    )


def _secure(request: Request) -> bool:
    """Say whether browsers reach the portal with TLS, be it at a proxy."""
    url = services(request).settings.site.url
    return request.url.scheme == "https" or (url is not None and url.startswith("https:"))


def _path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
