"""A provider that says whatever a test wants: tokens that the real one would never make."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "portal"
_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class Forger:
    """What it answers; a test changes what it likes.

    Attributes
    ----------
    metadata, userinfo, tokens
        Put over what an honest provider says.
    status
        Of its answers.
    token
        Makes the ID token of the next answer.
    """

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: _KEY)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    token: Callable[[], str | None] = lambda: None
    asked: list[str] = field(default_factory=list)

    def settings(self) -> dict[str, Any]:
        """Return its settings as a provider."""
        return {"name": "facility", "title": "Forger", "issuer": self.issuer, "client_id": CLIENT}

    def claims(self, **more: Any) -> dict[str, Any]:
        """Return the claims of an honest ID token, and more; None takes one away."""
        now = int(time.time())
        told = {"iss": self.issuer, "sub": "ada", "aud": CLIENT, "exp": now + 300, "iat": now, **more}
        return {name: value for name, value in told.items() if value is not None}

    def signed(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """Sign claims, honestly unless told otherwise."""
        told = {"alg": "RS256", "kid": "one", **header}
        return jwt.encode(told, claims, key or self.key, algorithms=[told["alg"]])

    def answer(self, path: str) -> dict[str, Any]:
        """Answer a request."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "jwks"}
            told = {name: f"{self.issuer}/{place}" for name, place in places.items()}
            return {"issuer": self.issuer, **told, "userinfo_endpoint": f"{self.issuer}/userinfo", **self.metadata}
        if path == "/jwks":
            return dict(KeySet([self.key]).as_dict(private=False))
        if path == "/userinfo":
            return {"sub": "ada", **self.userinfo}
        token = self.token()
        return {
            "access_token": "opaque",
            "token_type": "Bearer",
            **({} if token is None else {"id_token": token}),
            **self.tokens,
        }


@contextmanager
def forging() -> Iterator[Forger]:
    """Run one until the end of the block."""
    forger = Forger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(forger.answer(self.path)).encode()
            self.send_response(forger.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forger.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield forger
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
