"""The paths of the search API: any case, PIDs with encoded slashes, readable by pages of any origin."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pancommons.server.errors import error_object

LARGEST_BODY = 1 << 20
EXPOSED = ("X-Partial", "X-Count-Is", "X-Truncated-At")
"""Headers of ours that pages may read."""

_KNOWN = {name.lower(): name for name in ("Datasets", "Documents", "Instruments", "techniques", "score", "federated")}
_WORDS = {"count": "count", "files": "files", "pan-ontology": "pan-ontology"}


class SearchPaths:
    """Middleware for what lies under the prefix; all else passes as it is.

    The known words of a path are put into their one spelling, and a PID stays percent-encoded, so that it is one
    segment for the router. Pages of any origin may read the answers, without credentials. What is neither read
    nor scored does not exist: 404.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix.split("/")
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=86400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        path = self._path(scope) if scope["type"] == "http" else None
        if path is None:
            await self._app(scope, receive, send)
            return
        inner = {**scope, "path": scope.get("root_path", "") + path}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"  # the server itself leaves the body out
        if scope["method"] not in ("GET", "HEAD", "OPTIONS", "POST") or (
            scope["method"] == "POST" and not path.endswith("/score")
        ):
            await error_object(404, f"there is no {scope['method']} here: catalogues are read only")(
                scope, receive, send
            )
            return

        told = dict(scope["headers"]).get(b"content-length", b"")
        if told.isdigit() and int(told) > LARGEST_BODY:
            await error_object(413, f"the body is larger than {LARGEST_BODY} bytes")(scope, receive, send)
            return

        async def varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")  # for those outside who count requests by it
                headers = MutableHeaders(scope=message)
                if "origin" not in headers.get("vary", "").lower():
                    headers.add_vary_header("Origin")
            await send(message)

        await self._open(inner, _bounded(receive), varied)

    def _path(self, scope: Scope) -> str | None:
        """Return the path in its one spelling, without that of the mount; None where it is not under the prefix."""
        raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        mounted = quote(scope.get("root_path", ""))
        segments = raw.split(b"?")[0].decode("latin-1").removeprefix(mounted).split("/")
        depth = len(self._prefix)
        if [unquote(one).lower() for one in segments[:depth]] != [one.lower() for one in self._prefix]:
            return None
        rest = segments[depth:]
        if rest and not rest[-1]:
            rest.pop()
        spelled: list[str] = []
        for place, segment in enumerate(rest):
            first = place == 0 or (place == 1 and spelled == ["federated"])
            words: Mapping[str, str] = _KNOWN if first else _WORDS
            spelled.append(words.get(segment.lower(), segment))
        return "/".join([*self._prefix, *spelled])


def _bounded(receive: Receive) -> Receive:
    """Refuse a body that is too large while it comes."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise HTTPException(413, f"the body is larger than {LARGEST_BODY} bytes")
        return message

    return bounded
