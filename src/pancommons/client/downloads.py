"""Fetching files: gone on with where they broke off, checked by size and checksum, whole or not there."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx

from pancommons.base import digests
from pancommons.base.errors import BadInput, PanError
from pancommons.client.connection import Connection, NoAnswer

Progress = Callable[[int, int | None], None]
"""Told how many bytes are there, and how many there will be."""

_KEPT = "What has arrived is kept, and the same command goes on with it."


class Damaged(PanError):
    """What arrived is not what the server has."""


def download(connection: Connection, path: str, to: Path, progress: Progress | None = None) -> Path:
    """Fetch a file; what an earlier try left is gone on with if the file has not changed at the server since.

    What has arrived lies beside as ``NAME.part``, with the server's entity tag in ``NAME.part.tag``.

    Parameters
    ----------
    path
        Of the file, below the server's address.
    to
        The file to make; its folder is made, too.

    Raises
    ------
    BadInput
        If the file is there already.
    Damaged
        If its checksum is not what the server says.
    """
    if to.exists():
        raise BadInput("is there already", file=to, remedy="remove it, or name another")
    to.parent.mkdir(parents=True, exist_ok=True)
    part, note = to.with_name(f"{to.name}.part"), to.with_name(f"{to.name}.part.tag")
    tried, since = 0, time.monotonic()
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            digest = _fetch(connection, path, part, note, progress)
            break
        except NoAnswer as error:
            raise NoAnswer(f"{error} {_KEPT}") from None
        except httpx.HTTPError:
            if part.exists() and part.stat().st_size > before:
                tried, since = 0, time.monotonic()
            if not connection.pause(tried, since):
                raise NoAnswer(f"{connection.server} breaks off again and again. {_KEPT}") from None
            tried += 1
    if digest is not None and digests.sha256(part) != digest:
        part.unlink()
        note.unlink(missing_ok=True)
        raise Damaged(f"{to.name}: what arrived has another checksum than {connection.server} says; fetch it again.")
    part.replace(to)
    note.unlink(missing_ok=True)
    return to


def _fetch(connection: Connection, path: str, part: Path, note: Path, progress: Progress | None) -> str | None:
    """Fetch what is missing; return the sha256 of the whole where the server says it."""
    have, tag = _left(part, note)
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with connection.stream("GET", path, headers=headers) as answer:
        begin = _begin(answer) if answer.status_code == 206 else 0
        coded = answer.headers.get("content-encoding", "identity") != "identity"
        if coded or (answer.status_code == 206 and (begin != have or answer.headers.get("etag") != tag)):
            raise BadInput("sends another part than was asked for", file=connection.server)
        whole = _whole(answer, begin)
        with part.open("r+b" if begin else "wb") as file:
            if not begin and (new := answer.headers.get("etag", "")):
                note.write_text(new, encoding="utf-8")
            elif not begin:
                note.unlink(missing_ok=True)
            file.truncate(begin)
            file.seek(begin)
            _take(answer, file, begin, whole, progress)
        return _digest(answer.headers)


def _left(part: Path, note: Path) -> tuple[int, str | None]:
    """Return how much an earlier try left, and of which version of the file; nothing if that is not known."""
    try:
        tag = note.read_text(encoding="utf-8")
        size = part.stat().st_size
    except (OSError, ValueError):
        return 0, None
    strong = tag.startswith('"') and tag.endswith('"') and tag.isascii() and tag.isprintable()
    return (max(0, size - 1), tag) if strong else (0, None)


def _take(answer: httpx.Response, file: BinaryIO, place: int, whole: int | None, progress: Progress | None) -> None:
    for block in answer.iter_raw():
        file.write(block)
        place += len(block)
        if progress is not None:
            progress(place, whole)
    file.flush()
    os.fsync(file.fileno())
    if whole is not None and place != whole:
        raise httpx.RemoteProtocolError(f"{place} of {whole} bytes arrived")


def _begin(answer: httpx.Response) -> int:
    told = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(told) if told.isdigit() else -1


def _whole(answer: httpx.Response, begin: int) -> int | None:
    told = answer.headers.get("content-length", "")
    return begin + int(told) if told.isdigit() else None


def _digest(headers: httpx.Headers) -> str | None:
    """Read the sha256 of ``Repr-Digest`` (RFC 9530)."""
    for one in headers.get("repr-digest", "").split(","):
        name, _, value = one.strip().partition("=")
        if name.lower() == "sha-256" and value.startswith(":") and value.endswith(":"):
            try:
                return base64.b64decode(value[1:-1], validate=True).hex()
            except ValueError:
                return None
    return None
