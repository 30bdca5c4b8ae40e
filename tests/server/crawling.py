"""A portal full of secrets, and how the crawler walks it: every route, and whatever the answers lead to."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from pancommons.base.settings import Limits, OpenIDProvider, Rate, Runs, Settings, SignIn
from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.server.leaking import ISSUER, Secret, World, add_run, filled, holds, links, make_world, templates

AT = datetime.now(UTC)
HOST = "http://portal.example"
_MUCH = Rate(a_second=10**6, at_once=10**6)
FREELY = Limits(signin=_MUCH, search=_MUCH, reading=_MUCH, runs=_MUCH, streams=1000)
"""Whoever crawls asks for much."""
MOST_PAGES = 250
ACCEPT = ("text/html", "application/json")
_RUN_PARTS = (
    "events", "report", "report.html", "figures/{name}", "crate", "result", "now", "log.txt", "notebook.ipynb",
)  # fmt: skip


@dataclass
class Commons:
    """A portal full of secrets, where people sign in at one provider."""

    app: FastAPI
    database: Database
    world: World


@contextmanager
def full_of_secrets(database: Database, folder: Path, *, run: bool = True, **more: Any) -> Iterator[Commons]:
    """Make a portal full of secrets, and a run in it if wanted.

    Parameters
    ----------
    more
        Settings.
    """
    (folder / "data").mkdir()
    world = make_world(database, folder / "data", AT)
    facility = OpenIDProvider(name="facility", title="Example Light Source", issuer=ISSUER, client_id="portal")
    settings = Settings(
        data_roots={"data": str(world.root)},
        runs=Runs(folder=str(folder / "runs")),
        signin=SignIn(providers=[facility]),
        limits=FREELY,
        **more,
    )
    made = create_app(Services(database, settings))
    if run:
        add_run(world, made.state.runs)
    yield Commons(made, database, world)
    made.state.runs.close()
    made.state.readers.close()
    made.state.signin.close()


@contextmanager
def walking(app: FastAPI, principal: Principal) -> Iterator[httpx.AsyncClient]:
    """Ask the application as somebody whom it takes to be known."""
    by = "nothing" if principal.person is None else "token" if principal.scopes is not None else "session"
    app.dependency_overrides[visitor] = lambda: Visitor(principal, principal.person, by)  # type: ignore[arg-type]
    yield client_of(app, {})
    app.dependency_overrides.clear()


def client_of(app: FastAPI, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """Return a client that shows headers, and nothing else, to an application in this process."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HOST, timeout=60, headers=headers)


def values_of(world: World) -> dict[str, list[str]]:
    """Say what to put into the places of the routes."""
    datasets, documents = world.records["dataset"], world.records["document"]
    everything = [*datasets, *documents, *world.records["instrument"], *world.records["sample"]]
    of_runs = {
        f"{template} identifier": world.runs
        for template in (
            "/runs/{identifier}", *(f"/runs/{{identifier}}/{what}" for what in _RUN_PARTS),
        )
    }  # fmt: skip
    return of_runs | {
        "/runs/{identifier}/figures/{name} name": ["input.png", "strips.png"],
        "run": world.runs,
        "identifier": everything,
        "pid": everything,
        "file_id": list(world.files.values()),
        "key": everything,
        "after": ["0"],
        "provider": ["none"],
        "name": ["tomography", "strips"],
        "rest": ["Datasets"],
    }


def few(world: World, *names: str) -> dict[str, list[str]]:
    """Say what to put into the places of the routes where some datasets and a proposal are enough."""
    datasets, values = world.records["dataset"], values_of(world)
    keys = [datasets[datasets.index(name) - 1] for name in names]
    for place in ("identifier", "pid", "key"):
        values[place] = keys
    for template in ("/documents/{key}", "/documents/{key:path}", "/search-api/Documents/{pid}"):
        values[f"{template} {'pid' if 'pid' in template else 'key'}"] = world.records["document"][:1]
    return values | {"file_id": [world.files[name] for name in names]}


def addresses(app: FastAPI, values: dict[str, list[str]]) -> list[str]:
    """List every address that can be read, with every known value in its places."""
    found = ["/openapi.json", "/nothing/there"]
    for method, template in templates(app):
        if method == "GET":
            found += filled(template, values)
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Kept:
    """What is kept from somebody.

    Attributes
    ----------
    here
        On routes that ask who it is.
    faces
        On those that do not: what is kept from anybody.
    closed
        Identifiers of files and runs that may not be had at all.
    """

    here: list[Secret]
    faces: list[Secret]
    closed: list[str]

    def on(self, path: str) -> list[Secret]:
        """Return what must not come out of a route."""
        return self.faces if path.startswith(_FACES) else self.here


_FACES = ("/oai", "/catalog.", "/sitemap")


def kept_from(commons: Commons, principal: Principal) -> Kept:
    """Ask the decision on access what is kept from somebody."""
    world = commons.world
    with commons.database.read() as connection:
        here, faces = (world.kept_from(connection, one) for one in (principal, ANONYMOUS))
    pids = {secret.pid for secret in here if secret.word.startswith("zqfile")}
    closed = [identifier for pid, identifier in world.files.items() if pid in pids]
    closed += world.runs if any(secret.word.startswith("zqrun") for secret in here) else []
    return Kept(here, faces, closed)


async def walk(client: httpx.AsyncClient, start: list[str], kept: Kept, *, most: int) -> list[str]:
    """Ask for every address and what the answers lead to; list what came out that should not.

    Parameters
    ----------
    most
        Addresses that are followed beside those to start from.
    """
    wrong: list[str] = []
    waiting, seen = deque(start), set(start)
    while waiting:
        path = waiting.popleft()
        for accept in ACCEPT:
            answer = await client.get(path, headers={"accept": accept}, follow_redirects=False)
            wrong += [f"GET {path} ({accept}): {one}" for one in amiss(answer, path, kept.on(path))]
            if any(identifier in path.partition("?")[0] for identifier in kept.closed) and answer.status_code < 400:
                wrong.append(f"GET {path} ({accept}): {answer.status_code} for what is kept back")
            for link in links(answer.text, str(answer.url)):
                if link not in seen and len(seen) < len(start) + most:
                    seen.add(link)
                    waiting.append(link)
    return wrong


def amiss(answer: httpx.Response, path: str, kept: list[Secret]) -> list[str]:
    """List what is wrong with an answer: secrets that are kept back, and failures."""
    told = holds(answer.content, str(answer.headers), kept, path)
    wrong = [f"{answer.status_code} holds {one}" for one in told]
    if answer.status_code >= 500 and answer.status_code != 503:
        wrong.append(str(answer.status_code))
    return wrong


def plain(text: str, word: str = "") -> list[str]:
    """Return the words of an answer, without one that was asked for, moments and references."""
    text = text.replace(word, "WORD") if word else text
    return sorted(re.split(r"[\s,{}\[\]]+", re.sub(_ITS_OWN, "", text)))


_ITS_OWN = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[:.\dZ+]*|(reference|under) [0-9a-f]{8}|\d+\.\d+|N[0-9a-f]{32}"
"""What differs from one answer to the next by itself: moments, references to the log, durations, blank nodes."""
