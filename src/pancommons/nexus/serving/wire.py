"""Messages between the server and a reading process: JSON and bytes, of which neither can do anything by itself.

The bytes come after the JSON, or lie in memory that both share where there is such a `room`.
"""

from __future__ import annotations

import mmap
import socket
import struct
from collections.abc import Callable
from typing import Any

import orjson

_LENGTHS = struct.Struct("!II")
_LONGEST_HEAD = 32 << 20


class Closed(Exception):
    """The other side is gone, or says what cannot be."""


def send(channel: socket.socket, head: dict[str, Any], body: bytes = b"", room: mmap.mmap | None = None) -> None:
    """Send a message."""
    told = orjson.dumps(head)
    if room is not None:
        room[: len(body)] = body
    channel.sendall(_LENGTHS.pack(len(told), len(body)) + told)
    if room is None:
        channel.sendall(body)


def receive(
    channel: socket.socket, most: int, waiting: Callable[[], None] = lambda: None, room: mmap.mmap | None = None
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
    if head > _LONGEST_HEAD or body > (most if room is None else min(most, len(room))):
        raise Closed
    try:
        told = orjson.loads(_exactly(channel, head, waiting))
    except orjson.JSONDecodeError:
        raise Closed from None
    if not isinstance(told, dict):
        raise Closed
    if room is None:
        return told, _exactly(channel, body, waiting)
    try:
        return told, room[:body]
    except ValueError:  # closed by another thread, at the end
        raise Closed from None


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
