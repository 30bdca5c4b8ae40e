"""A slow line: what passes between two ports goes no faster than so many bits a second, and not at once.

Throttling by the browser's debugger leaves out what a worker fetches; a line that is slow is so for all.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 16_384


@dataclass
class Line:
    """A line to a server.

    Attributes
    ----------
    port
        Where it is entered, on loopback.
    bits
        It takes so many in a second towards the browser, all connections together.
    seconds
        After which what the browser sends is there.
    received
        Bytes that came to the browser.
    """

    port: int
    bits: float
    seconds: float
    received: int = 0
    _free: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def up(self, browser: socket.socket, server: socket.socket) -> None:
        """Pass on what the browser sends."""
        with suppress(OSError):
            while piece := browser.recv(_PIECE):
                time.sleep(self.seconds)
                server.sendall(piece)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def down(self, browser: socket.socket, server: socket.socket) -> None:
        """Pass on what the server sends, each piece when the line has taken it."""
        with suppress(OSError):
            while piece := server.recv(_PIECE):
                with self._lock:
                    self._free = max(self._free, time.perf_counter()) + len(piece) * 8 / self.bits
                    until = self._free
                    self.received += len(piece)
                time.sleep(max(0.0, until - time.perf_counter()))
                browser.sendall(piece)
        with suppress(OSError):
            browser.shutdown(socket.SHUT_WR)


@contextmanager
def slow_line(port: int, *, bits: float, seconds: float) -> Iterator[Line]:
    """Give a line to a port of loopback, until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    line, ends = Line(listener.getsockname()[1], bits, seconds), []

    def accept() -> None:
        with suppress(OSError):
            while True:
                browser, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                ends.extend((browser, server))
                for way in (line.up, line.down):
                    threading.Thread(target=way, args=(browser, server), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield line
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for end in (listener, *ends):
            end.close()
