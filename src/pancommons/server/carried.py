"""What the package carries for browsers: styles, scripts and pictures, answered from memory.

A page asks for several of them at once. They are read when the first of them is asked for and stay as they were then,
as the templates do that name them; an answer takes no way to another thread, nor to the disk. Where pages name the
version of a file, browsers keep it without asking again.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pancommons.server.mounting import below
from pancommons.server.ranges import Unsatisfiable, asked_part
from pancommons.server.sending import unchanged

_BELOW = "/static/"
_BLOCK = 1 << 16
_KEPT = "public, max-age=31536000, immutable"
_ALLOWED = {"Allow": "GET, HEAD"}


@dataclass(frozen=True)
class File:
    """A file of the package.

    Attributes
    ----------
    version
        Changes with its content.
    """

    content: bytes
    media_type: str
    version: str


@cache
def carried() -> Mapping[str, File]:
    """Return everything by its path below ``/static/``; it is a few megabytes at most."""
    return {path: _read(path, one) for path, one in _walk(files("pancommons.server") / "static", "")}


def version(path: str) -> dict[str, str]:
    """Return what the address of a file says of its version, as a query; nothing for all other paths."""
    file = carried().get(path.removeprefix(_BELOW)) if path.startswith(_BELOW) else None
    return {} if file is None else {"v": file.version}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for a file: the application that is mounted at ``/static``.

    Raises
    ------
    HTTPException
        With 404 if there is no such file, with 405 if it is to be changed.
    """
    if scope["type"] == "websocket":
        await WebSocketClose()(scope, receive, send)
        return
    request = Request(scope, receive)
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, headers=_ALLOWED)
    file = carried().get(below(scope).removeprefix("/"))
    if file is None:
        raise HTTPException(404)
    named = request.query_params.get("v") == file.version
    tag = f'"{file.version}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": _KEPT if named else "no-cache"}
    if unchanged(request, tag):
        await Response(status_code=304, headers=headers)(scope, receive, send)
        return
    size = len(file.content)
    try:
        still = request.headers.get("if-range") in (None, tag)
        part = asked_part(request.headers.get("range"), size) if still else None
    except Unsatisfiable:
        await Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})(scope, receive, send)
        return
    headers["Content-Type"] = file.media_type
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    await _send(send, file.content, part, headers, whole=request.method == "GET")


async def _send(send: Send, content: bytes, part: range | None, headers: Mapping[str, str], *, whole: bool) -> None:
    """Send in blocks, so that no more of it waits for whoever reads slowly than the server lets wait."""
    status, place, stop = (200, 0, len(content)) if part is None else (206, part.start, part.stop)
    told = Response(status_code=status, headers={**headers, "Content-Length": str(stop - place)})
    await send({"type": "http.response.start", "status": status, "headers": told.raw_headers})
    while whole and stop - place > _BLOCK:
        await send({"type": "http.response.body", "body": content[place : place + _BLOCK], "more_body": True})
        place += _BLOCK
    await send({"type": "http.response.body", "body": content[place:stop] if whole else b"", "more_body": False})


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _walk(one, f"{path}{one.name}/")
        elif one.is_file():
            yield path + one.name, one


def _read(path: str, file: Traversable) -> File:
    content = file.read_bytes()
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    return File(content, kind + charset, hashlib.sha256(content).hexdigest()[:20])
