"""No page of another origin changes anything here: what every request that does so must say of where it is from."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pancommons.server.errors import told
from pancommons.server.services import Services
from pancommons.server.signin import cookies
from pancommons.server.visitor import bearer

_SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


class OwnPagesOnly:
    """Middleware that refuses what the page of another origin, or nobody knows which, makes a browser send.

    A browser adds cookies, and its being on this machine, to whatever a page makes it send; ``Origin`` and
    ``Sec-Fetch-Site`` it writes itself. A request with a bearer token proves more than that, and programs that
    have no cookie send neither.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._url = services.settings.site.url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in _SAFE:
            request = Request(scope, receive)
            if bearer(request) is None and not self._may(request):
                reason = "a page of another origin, or none that is known, asks for this: use the pages of this portal"
                await told(request, 403, reason)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _may(self, request: Request) -> bool:
        known = same_origin(request, self._url)
        return known if known is not None else cookies.shown(request, cookies.SESSION) is None


def same_origin(request: Request, url: str | None) -> bool | None:
    """Say whether a page of ours makes a request; None where the request does not say.

    Parameters
    ----------
    url
        Where the portal is reached, if that is configured.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is None and site is None:
        return None
    ours = {_origin(str(request.url)), *([_origin(url)] if url else [])}
    return (origin is None or origin.lower() in ours) and site in (None, "same-origin")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = {"http": 80, "https": 443}.get(parts.scheme)
    shown = parts.netloc.removesuffix(f":{port}") if parts.port == port else parts.netloc
    return f"{parts.scheme}://{shown}".lower()
