"""Messages between the server and a reading process: JSON and bytes, of which neither can do anything by itself."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import orjson

_LENGTHS = struct.Struct("!II")
_LONGEST_HEAD = 32 << 20


class Closed(Exception):
    """The other side is gone, or says what cannot be."""


def send(channel: socket.socket, head: dict[str, Any], body: bytes = b"") -> None:
    """Send a message."""
    told = orjson.dumps(head)
    channel.sendall(_LENGTHS.pack(len(told), len(body)) + told)
    channel.sendall(body)


def receive(
    channel: socket.socket, most: int, waiting: Callable[[], None] = lambda: None
) -> tuple[dict[str, Any], bytes]:
    """Receive a message whose body has at most so many bytes.

    Parameters
    ----------
    waiting
        Called before each piece is waited for.

    Raises
    ------
    Closed
        If there is none.
    """
    head, body = _LENGTHS.unpack(_exactly(channel, _LENGTHS.size, waiting))
    if head > _LONGEST_HEAD or body > most:
        raise Closed
    try:
        told = orjson.loads(_exactly(channel, head, waiting))
    except orjson.JSONDecodeError:
        raise Closed from None
    if not isinstance(told, dict):
        raise Closed
    return told, _exactly(channel, body, waiting)


def _exactly(channel: socket.socket, count: int, waiting: Callable[[], None]) -> bytes:
    got = bytearray(count)
    view, done = memoryview(got), 0
    while done < count:
        waiting()
        try:
            more = channel.recv_into(view[done:])
        except TimeoutError:
            raise
        except OSError:
            raise Closed from None
        if more == 0:
            raise Closed
        done += more
    return bytes(got)
