"""Sending a file, or a part of it, in blocks that are read beside the event loop."""

from __future__ import annotations

import base64
import binascii
import os
import unicodedata
from collections.abc import Mapping
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import quote

import anyio
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from pancommons.server.confined import Opened
from pancommons.server.ranges import Unsatisfiable, asked_part

_BLOCK = 1 << 18
_DIGEST = 32
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+ ()")
_ATTRIBUTE = "!#$&+-.^_`|~"  # what RFC 8187 leaves as it is


def answer_file(request: Request, opened: Opened, name: str, media_type: str, sha256: str | None) -> Response:
    """Answer a request for a file: all of it, a part, or that it has not changed; the file is closed by then.

    Parameters
    ----------
    name
        Under which it is saved; any text.
    sha256
        In hexadecimal, where it is known of the very bytes that are there now.
    """
    tag, changed = f'"{opened.modified:x}-{opened.size:x}"', formatdate(opened.modified // 10**9, usegmt=True)
    headers = {"ETag": tag, "Last-Modified": changed, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if unchanged(request, tag):
        opened.handle.close()
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Disposition": disposition(name), "Content-Type": media_type}
    if sha256 and (digest := _structured(sha256)):
        headers["Repr-Digest"] = f"sha-256=:{digest}:"
    still = request.headers.get("if-range")
    try:
        part = asked_part(request.headers.get("range"), opened.size) if still in (None, tag, changed) else None
    except Unsatisfiable:
        opened.handle.close()
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{opened.size}"})
    if part is None:
        return _Sending(opened.handle, range(opened.size), 200, headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{opened.size}"
    return _Sending(opened.handle, part, 206, headers)


def unchanged(request: Request, tag: str) -> bool:
    """Say whether the one who asks has the answer with this entity tag already."""
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return tag in known or "*" in known


def disposition(name: str) -> str:
    """Write ``Content-Disposition`` for a file of any name (RFC 6266 and 8187)."""
    safe = "".join("_" if one in "/\\" or unicodedata.category(one) in ("Cc", "Cf", "Cs") else one for one in name)
    plain = "".join(one if one in _PLAIN else "_" for one in safe).strip() or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe or 'file', safe=_ATTRIBUTE)}"


def _structured(sha256: str) -> str | None:
    try:
        digest = binascii.unhexlify(sha256)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(digest).decode() if len(digest) == _DIGEST else None


class _Sending(Response):
    """A part of an open file on its way; never more than it had when it was opened."""

    def __init__(self, file: BinaryIO, part: range, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=status, headers={**headers, "Content-Length": str(len(part))})
        self.file, self.part = file, part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, until whoever asked goes away."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, receive, group.cancel_scope)
                await self._send(send, whole=scope["method"] != "HEAD")
                group.cancel_scope.cancel()
        finally:
            self.file.close()

    async def _watch(self, receive: Receive, sending: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()

    async def _send(self, send: Send, *, whole: bool) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        place, stop = (self.part.start, self.part.stop) if whole else (0, 0)
        while place < stop:
            block = await anyio.to_thread.run_sync(os.pread, self.file.fileno(), min(_BLOCK, stop - place), place)
            if not block:
                raise OSError("the file became shorter while it was sent")
            place += len(block)
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
