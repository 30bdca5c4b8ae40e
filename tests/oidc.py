"""A real provider of OpenID Connect, the npm package oidc-provider, and servers that let people sign in there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest
import uvicorn

from pancommons.base.settings import Settings
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.store.engine import Database

NODE = Path(__file__).parent / "node"
NAVIGATES = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
"""What a browser adds when somebody follows a link of a page."""


@dataclass(frozen=True)
class OpenID:
    """A provider that runs: any name signs in there, with any password."""

    issuer: str

    def person(self, name: str) -> str:
        """Return how the catalogue names somebody who signs in here."""
        return f"{self.issuer}#{name}"

    def tell(self, who: str, /, **claims: Any) -> None:
        """Set the claims of somebody, as ``entitlements=[...]``."""
        httpx.post(f"{self.issuer}/people/{quote(who)}", json=claims).raise_for_status()

    def asked(self) -> list[str]:
        """Return what programs asked it for, as ``POST /token``, in turn."""
        told: list[str] = httpx.get(f"{self.issuer}/asked").raise_for_status().json()
        return told

    def register(self, portal: str, *, name: str = "facility", **more: Any) -> dict[str, Any]:
        """Register a portal at an address; return its settings as a provider.

        Parameters
        ----------
        more
            What the portal registers with, beside what it needs; ``scopes`` and ``admin_acr`` as in its settings.
        """
        told = {one: more.pop(one) for one in ("scopes", "admin_acr") if one in more}
        wanted = {
            "redirect_uris": [f"{portal}/signin/{name}/callback"],
            "post_logout_redirect_uris": [f"{portal}/"],
            "backchannel_logout_uri": f"{portal}/signin/{name}/ended",
            "backchannel_logout_session_required": True,
            "token_endpoint_auth_method": "client_secret_basic",
            "require_auth_time": True,
            **more,
        }
        made = httpx.post(f"{self.issuer}/reg", json=wanted).raise_for_status().json()
        return {
            **told,
            "name": name,
            "title": "Example Light Source account",
            "issuer": self.issuer,
            "client_id": made["client_id"],
            "client_secret": made.get("client_secret"),
        }


def start_provider() -> tuple[OpenID, subprocess.Popen[str]] | str:
    """Start a provider; a sentence says why there is none."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed (Debian: apt-get install nodejs npm)"
    if not (NODE / "node_modules" / "oidc-provider").is_dir():
        return "the provider is not installed (run: npm ci, in tests/node)"
    process = subprocess.Popen(
        [node, "provider.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    issuer = process.stdout.readline().strip()
    if not issuer:
        return f"the provider does not start (node ends with {process.wait()})"
    return OpenID(issuer), process


@pytest.fixture(scope="session")
def openid() -> Iterator[OpenID]:
    """Give a provider for the whole session; skip where there is none, but fail in CI."""
    yield from _provider()


@pytest.fixture(scope="session")
def another_openid() -> Iterator[OpenID]:
    """Give a second provider, which knows nothing of the first."""
    yield from _provider()


def _provider() -> Iterator[OpenID]:
    started = start_provider()
    if isinstance(started, str):
        if os.environ.get("CI") == "true":
            pytest.fail(started)
        pytest.skip(started)
    provider, process = started
    yield provider
    process.terminate()
    process.wait(10)


@contextmanager
def signed_in_server(
    database: Database,
    openid: OpenID,
    *,
    client: dict[str, Any] | None = None,
    also: dict[str, OpenID] | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Serve a database to people who sign in at a provider; give the address.

    Parameters
    ----------
    client
        What the portal registers with at the provider, beside what it needs.
    also
        Other providers, by their names.
    settings
        As in the configuration file; ``signin`` without its providers.
    """
    listener = listens()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    providers = [openid.register(address, **client or {})]
    providers += [one.register(address, name=name) for name, one in (also or {}).items()]
    told = {**settings, "signin": {**settings.get("signin", {}), "providers": providers}}
    with serving(database, Settings(**told), listener):
        yield address


def listens() -> socket.socket:
    """Take a port of this machine for a server that follows."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def serving(database: Database, settings: Settings, listener: socket.socket) -> Iterator[None]:
    """Serve a database on a port until the end of the block."""
    app = create_app(Services(database, settings))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


def sign_in(
    portal: str,
    name: str,
    browser: httpx.Client | None = None,
    *,
    after: str = "/",
    provider: str = "facility",
    again: bool = False,
) -> httpx.Client:
    """Sign somebody in as a browser without JavaScript does; return the browser, which holds the session."""
    browser = browser or httpx.Client(timeout=30)
    params = {"next": after} | ({"again": "true"} if again else {})
    answer = browser.get(f"{portal}/signin/{provider}/start", params=params, headers=NAVIGATES)
    answer = to_portal(browser, answer, portal, name)
    answer = browser.get(answer.headers["location"], headers={**NAVIGATES, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 303, answer.text
    return browser


def to_portal(browser: httpx.Client, answer: httpx.Response, portal: str, name: str) -> httpx.Response:
    """Go through the pages of the provider; return the answer that leads back to the portal, not followed."""
    for _ in range(12):
        if answer.is_redirect:
            place = urljoin(str(answer.url), answer.headers["location"])
            if urlsplit(place).netloc == urlsplit(portal).netloc:
                return answer
            answer = browser.get(place)
            continue
        action, fields = form(answer)
        fields.update({one: name for one in ("login", "password") if one in fields})
        answer = browser.post(urljoin(str(answer.url), action), data=fields)
    raise AssertionError(f"the provider never leads back: {answer.status_code} {answer.text[:400]}")


class _Form(HTMLParser):
    """The first form of a page: where it goes, and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form":
            self.action = self.action or told.get("action") or ""
        elif tag == "input" and told.get("name"):
            self.fields.setdefault(str(told["name"]), told.get("value") or "")


def form(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """Read the first form of a page."""
    read = _Form()
    read.feed(answer.text)
    assert read.action, f"no form: {answer.status_code} {answer.text[:400]}"
    return read.action, read.fields


def sign_in_page(page: Any, portal: str, name: str, *, after: str = "/") -> None:
    """Sign somebody in with a page of Playwright, as people do it."""
    page.goto(f"{portal}/signin?next={quote(after, safe='')}")
    page.get_by_role("link", name="Sign in with").click()
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(name)
    page.locator("[type=submit]").first.click()
    page.wait_for_url(f"{portal}{after}")
