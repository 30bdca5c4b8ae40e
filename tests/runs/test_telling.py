"""Mail and webhooks, against servers that are really there; and addresses that are not to be reached."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from pancommons.base.errors import BadInput
from pancommons.base.settings import Runs, Settings
from pancommons.base.settings import Site as SiteSettings
from pancommons.runs import telling
from pancommons.runs.supervising import Supervisor
from pancommons.runs.telling import NotTold, check_tell, tell
from tests.runs.world import Pretended, World, wait_until

RUN = SimpleNamespace(identifier="r1", pipeline="strips", state="done", title="SECRET title", tell="")


@dataclass
class Heard:
    """What a server was sent."""

    port: int = 0
    status: int = 200
    said: list[Any] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.said.append((self.path, self.headers["Host"], json.loads(body)))
            self.send_response(heard.status)
            if heard.status == 302:
                self.send_header("Location", f"http://127.0.0.1:{heard.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield heard
    server.shutdown()
    server.server_close()


@contextmanager
def mail_server() -> Iterator[Heard]:
    heard = Heard()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    heard.said.append(text.decode())
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        heard.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield heard
        server.shutdown()


def told(to: str, **runs: Any) -> None:
    site = SiteSettings(url="https://data.example", publisher="Example", email="data@example.org")
    tell(SimpleNamespace(**{**vars(RUN), "tell": to}), "d1", Settings(site=site, runs=Runs(**runs)))


def test_a_webhook_is_told_state_and_address_and_nothing_of_the_data() -> None:
    with webhook() as heard:
        told(f"http://127.0.0.1:{heard.port}/hook/a?b=c", webhooks=[f"http://127.0.0.1:{heard.port}/hook/*"])
    [(path, host, body)] = heard.said
    assert (path, host) == ("/hook/a?b=c", f"127.0.0.1:{heard.port}")
    url = "https://data.example/runs/r1"
    assert body == {"run": "r1", "pipeline": "strips", "state": "done", "dataset": "d1", "url": url}


def test_redirects_are_not_followed_and_refusals_are_not_taken_for_success() -> None:
    with webhook() as heard:
        for heard.status in (302, 500):
            with pytest.raises(NotTold):
                told(f"http://127.0.0.1:{heard.port}/hook", webhooks=[f"http://127.0.0.1:{heard.port}/*"])
    assert [path for path, _, _ in heard.said] == ["/hook", "/hook"]


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "127.1", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_private_addresses_are_reached_only_if_the_facility_names_them(name: str) -> None:
    with webhook() as heard:
        with pytest.raises(NotTold):
            told(f"http://{name}:{heard.port}/hook", webhooks=[f"http://*:{heard.port}/*"])
        assert not heard.said


@pytest.mark.parametrize(
    "resolved", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "fd00::1", "224.0.0.1", "100.64.0.1"]
)
def test_names_that_lead_to_private_addresses_are_not_reached(monkeypatch: pytest.MonkeyPatch, resolved: str) -> None:
    both = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", (resolved, 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: both)
    with pytest.raises(NotTold, match="private"):
        told("https://hook.example/x", webhooks=["https://*.example/*"])


ALLOWED = ["https://hooks.example.org/run/*", "https://*.good.example:8443/*"]


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.org/run/1",
        "https://hooks.example.org/other",
        "https://hooks.example.org:444/run/1",
        "https://hooks.example.org.evil.example/run/1",
        "https://hooks.example.org@evil.example/run/1",
        "https://user:word@hooks.example.org/run/1",
        "https://evil.example/https://hooks.example.org/run/1",
        "https://hooks.example.org/run/../other",
        "https://hooks.example.org/run/1#x",
        "https://hooks.example.org\\@evil.example/run/1",
        "https://hooks.example.org/run/\r\nX: y",
        "https://a.good.example/",
        "https://hooks.example.org:99999/run/1",
        "file:///etc/passwd",
        "ftp://hooks.example.org/run/1",
        "gopher://127.0.0.1:25/x",
        "://",
    ],
)  # fmt: skip
def test_only_addresses_that_the_facility_allows_are_taken(address: str) -> None:
    with pytest.raises(BadInput, match=r"may not be told|neither"):
        check_tell(address, Runs(webhooks=ALLOWED, mail="smtp://localhost"))


def test_what_fits_a_pattern_is_taken() -> None:
    for address in (
        "https://hooks.example.org/run/1?x=y",
        "https://a.good.example:8443/",
        "https://HOOKS.example.org/run/",
    ):
        check_tell(address, Runs(webhooks=ALLOWED))


@pytest.mark.parametrize("address", ["a@b\r\nBcc: x@y", "a@b, c@d", "nobody", "<a@b>", "a b@c", "@", "a@", "ä@b.org"])
def test_only_one_plain_mail_address_is_taken(address: str) -> None:
    with pytest.raises(BadInput):
        check_tell(address, Runs(mail="smtp://localhost"))
    with pytest.raises(BadInput, match="sends no mail"):
        check_tell("a@b.org", Runs())


def test_a_mail_says_what_a_webhook_does() -> None:
    with mail_server() as heard:
        told("ada@example.org", mail=f"smtp://127.0.0.1:{heard.port}")
    [text] = heard.said
    assert "To: ada@example.org" in text and "From: data@example.org" in text
    assert "https://data.example/runs/r1" in text and "SECRET" not in text


def test_a_run_that_cannot_be_told_is_tried_a_little_and_never_harmed(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PAUSE", 0.05)
    with webhook() as heard:
        heard.status = 500
        world = make_world(webhooks=[f"http://127.0.0.1:{heard.port}/*"])
        starter = Pretended()
        supervisor = Supervisor(world.desk, starter)
        address = f"http://127.0.0.1:{heard.port}/x"
        bad, preview = world.ask(tell=address, title="SECRET"), world.ask(preview=True, tell=address)
        supervisor.look()
        starter.finish(world.desk.folder(bad).path, "failed", "no")
        supervisor.start()
        wait_until(lambda: len(heard.said) == telling.TRIES and world.rows()[0].to_tell == 0)
        heard.status = 204
        starter.finish(world.desk.folder(preview).path)
        wait_until(lambda: world.rows()[1].to_tell == 0 and world.rows()[1].state == "done")
        supervisor.stop()
    assert world.get(bad).state == "failed"
    bodies = [body for _, _, body in heard.said]
    assert [body["run"] for body in bodies] == [bad.identifier] * 3 + [preview.identifier]
    assert "SECRET" not in json.dumps(bodies)
