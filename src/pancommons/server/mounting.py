"""Where the server is reached: below a path, and through proxies that are believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import quote

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pancommons.base.errors import BadInput
from pancommons.base.settings import Server

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers that only a request has which a proxy passed on."""


def mount(app: FastAPI, told: Server) -> None:
    """Let an application be reached below the path, and through the proxies, of the settings.

    Of a proxy that is named there, ``X-Forwarded-For`` says who asks (the last address that is no such proxy) and
    ``X-Forwarded-Proto`` how. ``Forwarded`` and ``X-Forwarded-Host`` are believed of nobody: a proxy that does not
    write them passes on what anybody wrote.

    Raises
    ------
    BadInput
        If a proxy is neither an address nor a network.
    """
    if told.root_path:
        app.add_middleware(Mounted, root=told.root_path)
    if told.proxies:
        _check(told.proxies)
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=told.proxies)


def below(scope: Scope) -> str:
    """Return the path of a request below the one that the server is mounted at."""
    path, mounted = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(mounted)


class Mounted:
    """Middleware that gives every request the path that browsers know, whether the proxy before us left it or not.

    The scope is changed in place, so that what answers for errors outside of it knows the path, too.
    """

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root
        self._raw = quote(root).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Complete the path, and hand the request on."""
        if scope["type"] in ("http", "websocket"):
            self._complete(scope)
        await self._app(scope, receive, send)

    def _complete(self, scope: Scope) -> None:
        path, raw = scope["path"], scope.get("raw_path")
        scope["root_path"] = self._root
        if path == self._root:
            scope["path"], scope["raw_path"] = path + "/", self._raw + b"/"
        elif path.startswith(self._root + "/"):
            if raw is not None and not raw.startswith(self._raw + b"/"):
                scope["raw_path"] = None
        else:
            scope["path"] = self._root + path
            scope["raw_path"] = None if raw is None else self._raw + raw


def _check(proxies: Sequence[str]) -> None:
    for one in proxies:
        try:
            ipaddress.ip_network(one, strict=True)
        except ValueError:
            raise BadInput(
                f"{one!r} is neither an address nor a network",
                field="server.proxies",
                remedy="write addresses as 192.0.2.7, networks as 192.0.2.0/24",
            ) from None
