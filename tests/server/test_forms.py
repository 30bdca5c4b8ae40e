"""Pages and forms, which the OpenAPI description leaves out: whatever is sent to them, the server never fails."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest
from fastapi.routing import APIRoute

from pancommons.catalogue.access import Action, Role
from pancommons.server.signin import devices, tokens
from pancommons.store.engine import Database
from tests.runs.conftest import plugged
from tests.server.conftest import database, empty_postgresql, empty_sqlite, new_database, postgresql
from tests.server.crawling import AT, Commons, client_of, full_of_secrets, values_of
from tests.server.credentials import Office
from tests.server.leaking import ISSUER, routes

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "plugged", "postgresql"]

_ODD = (
    "", " ", "x", "\x00", "a\x00b", "-1", "0", "1", "9" * 30, "2" * 19, "9223372036854775808", "1e400", "nan", "true",
    "é" * 300, "a" * 5000, "../../etc/passwd", "//evil.example/", "/\\evil", "<script>", "'; --", "%00", "{", "[]",
    "\r\nX: y", "0001-01-01", "9999-12-31", "2027-13-40", "now", "never", "day", "grant", "revoke", "disable",
    "enable", "de", "dark", "start", "preview", "\U0001f600", "\u202e", "auto", "read", "administer",
)  # fmt: skip
_ACCEPT = ("text/html", "application/json", "*/*", "image/png", "text/turtle", "")
_BROKEN = ("%FF%FE", "%ED%B2%80", "%", "%zz", "+")


@dataclass(frozen=True)
class Way:
    """A route of pages, with the names of all that it takes."""

    method: str
    template: str
    names: tuple[str, ...]
    fields: tuple[str, ...]


def ways(commons: Commons) -> list[Way]:
    """List every route that the description leaves out."""
    found = []
    for template, route in routes(commons.app):
        if isinstance(route, APIRoute) and not route.include_in_schema:
            names, fields = set(), set()
            waiting = [route.dependant]
            while waiting:
                taken = waiting.pop()
                names |= {one.alias for one in taken.query_params}
                fields |= {one.alias for one in taken.body_params}
                waiting += taken.dependencies
            found += [
                Way(method, template, tuple(sorted(names)), tuple(sorted(fields))) for method in sorted(route.methods)
            ]
    return sorted(found, key=lambda way: (way.template, way.method))


class Forms:
    """Sends what nobody would, as somebody."""

    def __init__(self, commons: Commons, chance: Random) -> None:
        self.commons, self.chance = commons, chance
        self.ways = ways(commons)
        self._values = values_of(commons.world)
        self._known = [one for several in self._values.values() for one in several]
        self._known += [role.value for role in Role] + [f"{ISSUER}#root", f"{ISSUER}#m", "proposal-1", "instrument-1"]

    def visitors(self) -> dict[str, dict[str, str]]:
        """Let the administrator sign in anew, and have a program wait to be approved."""
        with self.commons.database.write() as connection:
            office = Office(connection, self.commons.app.state.signin.told, AT)
            connection.execute(office.enabled("root"))
            account = office.account("root", Role.ADMINISTRATOR)
            for one in tokens.of(connection, account):  # there may only be so many
                tokens.revoke(connection, account, one.id)
            session, token = office.session(account), office.token(account, *Action)
            self._known.append(devices.ask(connection, "a program", [Action.READ], AT).user_code)
        own = {"sec-fetch-site": "same-origin"}
        return {
            "anybody": own,
            "session": {**own, "cookie": f"pancommons-session={session}"},
            "token": {"authorization": f"Bearer {token}"},
            "no token": {"authorization": "Bearer pan_nothing"},
        }

    def value(self) -> str:
        """Give something to send, as it stands in an address."""
        kind = self.chance.random()
        if kind < 0.03:
            return self.chance.choice(_BROKEN)
        return quote(self.chance.choice(self._known if kind < 0.5 else _ODD), safe="")

    def address(self, way: Way) -> str:
        """Fill in places and parameters."""
        path = ""
        for part in way.template.split("{"):
            name, closed, rest = part.partition("}")
            if not closed:
                path += part
                continue
            known = self._values.get(f"{way.template} {name}", self._values.get(name.partition(":")[0], []))
            path += quote(self.chance.choice(known), safe="") if known and self.chance.random() < 0.7 else self.value()
            path += rest
        asked = [f"{name}={self.value()}" for name in way.names if self.chance.random() < 0.6]
        return path + ("?" + "&".join(asked) if asked else "")

    def body(self, way: Way) -> tuple[bytes, str]:
        """Fill in a form; now and then it is none."""
        if self.chance.random() < 0.05:
            kind = self.chance.choice(
                ("application/json", "multipart/form-data; boundary=x", "multipart/form-data", "")
            )
            return self.chance.choice((b"{}", b"\xff", b"--x\r\n\r\n--x--", b"[" * 5000)), kind
        fields = [*way.fields, "sigma", "preset", "then-do", "vector", "run-title"]
        told = [f"{name}={self.value()}" for name in fields if self.chance.random() < 0.8]
        return "&".join(told).encode(), "application/x-www-form-urlencoded"


async def send(forms: Forms, client: httpx.AsyncClient, way: Way) -> tuple[str, httpx.Response]:
    """Send one request; return it in words, and its answer."""
    address = forms.address(way)
    content, kind = forms.body(way) if way.method == "POST" else (b"", "")
    headers = {"accept": forms.chance.choice(_ACCEPT), **({"content-type": kind} if kind else {})}
    answer = await client.request(way.method, address, content=content, headers=headers)
    return f"{way.method} {address} {headers} {content[:500]!r}", answer


def fuzz(commons: Commons, seconds: float, seed: int = 0) -> dict[int, int]:
    """Send forms for a time; return how often each status was answered."""
    forms, statuses = Forms(commons, Random(seed)), dict[int, int]()
    hidden = [str(commons.world.root.parent), str(Path.cwd()), sys.prefix, "Traceback (most recent"]
    end, clients = time.monotonic() + seconds, dict[str, httpx.AsyncClient]()
    for number in range(10**9):
        if time.monotonic() > end and number >= len(forms.ways):
            break
        if number % 40 == 0:  # what was sent may have signed them out
            clients = {name: client_of(commons.app, shown) for name, shown in forms.visitors().items()}
        who = forms.chance.choice(["session", "session", *clients])
        way = forms.ways[number] if number < len(forms.ways) else forms.chance.choice(forms.ways)
        asked, answer = asyncio.run(send(forms, clients[who], way))
        where = f"request {number} of seed {seed}, {who}: {asked}"
        assert answer.status_code < 500 or answer.status_code == 503, f"{where}: {answer.text[:500]}"
        told = answer.text + repr(answer.headers.raw)
        assert not [one for one in hidden if one in told], where
        assert "evil" not in answer.headers.get("location", "").partition("?")[0], where
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    return statuses


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_no_form_makes_the_server_fail(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path) as commons:
        statuses = fuzz(commons, 6)
    assert {200, 303, 404} <= set(statuses)


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("session", "POST", "/me/tokens/9223372036854775808/revoke", 400),
        ("session", "POST", f"/me/sessions/{'9' * 30}/end", 400),
        ("no token", "GET", "/nothing/there", 404),
        ("no token", "POST", "/nothing/there", 404),
    ],
)
@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_what_was_found(database: Database, tmp_path: Path, who: str, method: str, path: str, status: int) -> None:
    """Numbers that no database holds; a page that is not there, asked for with a token that is none."""
    with full_of_secrets(database, tmp_path, run=False) as commons:
        client = client_of(commons.app, Forms(commons, Random(0)).visitors()[who])
        answer = asyncio.run(client.request(method, path, headers={"accept": "text/html"}))
    assert answer.status_code == status


@pytest.mark.soak
def test_no_form_makes_the_server_fail_in_ten_minutes(database: Database, tmp_path: Path) -> None:
    before = psutil.Process().memory_info().rss
    with full_of_secrets(database, tmp_path) as commons:
        statuses: dict[Any, int] = fuzz(commons, 600, 1)
    grown = psutil.Process().memory_info().rss - before
    print(f"\n{statuses}, {grown >> 20} MB more at the end")
    assert {200, 303, 401, 403, 404, 422} <= set(statuses) and grown < 400 << 20
