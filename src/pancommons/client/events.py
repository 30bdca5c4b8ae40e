"""Server-sent events, read across broken connections: none is lost, none comes twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from pancommons.client.connection import Connection, NoAnswer

_LONGEST = 16 << 20
_HELD = 5.0
"""A stream that was open for this many seconds was no mistake."""


@dataclass(frozen=True)
class Message:
    """One event: its text, and by what it is known where the server says so."""

    data: str
    identifier: str | None


def follow(connection: Connection, path: str, ended: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Give the events of a stream as they come, from the first on.

    Parameters
    ----------
    path
        Of the stream.
    ended
        Says whether the source has ended; asked when the server closes the stream. What came between that and the
        end is read from another stream.

    Raises
    ------
    NoAnswer
        If the stream breaks and cannot be opened again for as long as the connection has patience.
    """
    last: str | None = None
    tried, since = 0, time.monotonic()
    over = False
    while True:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last is not None:
            headers["Last-Event-ID"] = last
        opened, gave = time.monotonic(), False
        try:
            with connection.stream("GET", path, headers=headers) as answer:
                if answer.status_code == 204:
                    return
                for message in messages(answer.iter_bytes()):
                    last, gave = message.identifier or last, True
                    yield json.loads(message.data)
            if over:
                return
            over = ended()
        except httpx.HTTPError:
            pass
        except ValueError:
            raise NoAnswer(f"{connection.server} sends events that cannot be read.") from None
        if gave or time.monotonic() - opened > _HELD:
            tried, since = 0, time.monotonic()
        if not connection.pause(tried, since):
            raise NoAnswer(f"{connection.server} breaks off again and again.")
        tried += 1


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Put pieces together to messages; one that a broken connection cut short is not given.

    Raises
    ------
    ValueError
        If one is too long, or is no text.
    """
    data: list[str] = []
    identifier, size = None, 0
    for line in _lines(pieces):
        size += len(line)
        if size > _LONGEST:
            raise ValueError("an event is too long")
        if not line:
            if data:
                yield Message("\n".join(data), identifier)
            data, identifier, size = [], None, 0
            continue
        name, _, value = line.decode().partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            identifier = value


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut at line feeds, and nowhere else; what follows the last is left out."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > _LONGEST:
            raise ValueError("an event is too long")
        for line in whole:
            yield line.removesuffix(b"\r")
