"""Bad connections: a proxy that cuts them, and a server that answers what a test tells it to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Cutting:
    """A wire to a server that breaks after so many bytes of answers.

    Attributes
    ----------
    cuts
        For one connection after the other: after how many bytes it breaks; those beyond the list hold.
    """

    server: str
    cuts: list[int] = field(default_factory=list)
    connections: int = 0
    address: str = ""

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                cut = self.cuts.pop(0) if self.cuts else None
                self.connections += 1
                threading.Thread(target=self._pass, args=(client, cut), daemon=True).start()

    def _pass(self, client: socket.socket, cut: int | None) -> None:
        there = urlsplit(self.server)
        with client, suppress(OSError), socket.create_connection((there.hostname, there.port), 10) as server:
            back = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
            back.start()
            _pump(server, client, cut)
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            back.join(5)


def _pump(source: socket.socket, sink: socket.socket, left: int | None) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 14 if left is None else min(1 << 14, left)):
            sink.sendall(piece)
            if left is not None:
                left -= len(piece)
                if left <= 0:
                    return


@contextmanager
def cutting(server: str, *cuts: int) -> Iterator[Cutting]:
    """Put a wire that breaks before a server until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Cutting(server, list(cuts))
    wire.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=wire.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@dataclass(frozen=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[tuple[str, list[Request]]]:
    """Serve what a function answers; give the address, and the requests as they come."""
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Request(self.command, self.path, headers, body))
            status, told, content = answer(asked[-1])
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **told}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Keep quiet about connections that were cut on purpose."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
