"""What every answer says to the browser that gets it, unless it says something stricter itself."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pancommons.server.mounting import below

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",  # a worker may fetch by the policy of its own script
}


class Guarded:
    """Middleware that adds headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and add to what is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = dict(_HEADERS)
        if not below(scope).startswith("/static/"):  # what somebody may have now they may not have later
            added["Cache-Control"] = "private, no-cache"
        if scope["scheme"] == "https":
            added["Strict-Transport-Security"] = "max-age=31536000"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)
