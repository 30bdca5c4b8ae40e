"""Nobody gets a byte that they may not have, whatever route they walk."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pancommons.base.settings import Runs, Settings
from pancommons.catalogue.access import LOCAL_USER, Principal
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.runs.conftest import plugged
from tests.server.conftest import sqlite_database
from tests.server.leaking import Secret, World, add_run, filled, holds, links, make_world, templates

__all__ = ["plugged", "sqlite_database"]

AT = datetime.now(UTC)
MOST_PAGES = 250
RUN_PARTS = ("events", "report", "report.html", "figures/{name}", "crate", "result", "now", "log.txt", "notebook.ipynb")
SHORT = ("anybody", "token of a member to discover")
_ACCEPT = ("text/html", "application/json")
_QUERIES = ("", "?q={word}", "?filter=%7B%22query%22%3A%22{word}%22%7D", "?text={word}", "?name={word}")


@dataclass
class Commons:
    """A portal full of secrets."""

    app: FastAPI
    database: Database
    world: World


@contextmanager
def full_of_secrets(database: Database, folder: Path) -> Iterator[Commons]:
    """Make a portal full of secrets on an empty database."""
    (folder / "data").mkdir()
    world = make_world(database, folder / "data", AT)
    settings = Settings(data_roots={"data": str(world.root)}, runs=Runs(folder=str(folder / "runs")))
    made = create_app(Services(database, settings))
    add_run(world, made.state.runs)
    yield Commons(made, database, world)
    made.state.runs.close()
    made.state.readers.close()
    made.state.signin.close()


@pytest.fixture
def commons(sqlite_database: Database, tmp_path: Path) -> Iterator[Commons]:
    with full_of_secrets(sqlite_database, tmp_path) as made:
        yield made


@contextmanager
def walking(app: FastAPI, principal: Principal) -> Iterator[httpx.AsyncClient]:
    """Ask the application as somebody."""
    by = "nothing" if principal.person is None else "token" if principal.scopes is not None else "session"
    app.dependency_overrides[visitor] = lambda: Visitor(principal, principal.person, by)  # type: ignore[arg-type]
    yield httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://portal.example", timeout=60
    )
    app.dependency_overrides.clear()


def values_of(world: World) -> dict[str, list[str]]:
    """Say what to put into the places of the routes."""
    datasets, documents = world.records["dataset"], world.records["document"]
    everything = [*datasets, *documents, *world.records["instrument"], *world.records["sample"]]
    of_runs = {
        f"{template} identifier": world.runs
        for template in (
            "/runs/{identifier}", *(f"/runs/{{identifier}}/{what}" for what in RUN_PARTS),
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


def addresses(app: FastAPI, world: World) -> list[str]:
    values = values_of(world)
    found = ["/openapi.json"]
    for method, template in templates(app):
        if method == "GET":
            found += filled(template, values)
    return list(dict.fromkeys(found))


async def _walk(client: httpx.AsyncClient, start: list[str], kept: list[Secret], closed: list[str]) -> list[str]:
    """Ask for every address and what the answers lead to; list what came out that should not."""
    wrong: list[str] = []
    waiting, seen = deque(start), set(start)
    found = 0
    while waiting:
        path = waiting.popleft()
        for accept in _ACCEPT:
            answer = await client.get(path, headers={"accept": accept}, follow_redirects=False)
            told = holds(answer.content, str(answer.headers), kept, path)
            wrong += [f"GET {path} ({accept}): {answer.status_code} holds {one}" for one in told]
            if answer.status_code >= 500 and answer.status_code != 503:
                wrong.append(f"GET {path} ({accept}): {answer.status_code}")
            if any(identifier in path.partition("?")[0] for identifier in closed) and answer.status_code < 400:
                wrong.append(f"GET {path} ({accept}): {answer.status_code} for what is kept back")
            for link in links(answer.text, str(answer.url)):
                if link not in seen and found < MOST_PAGES:
                    seen.add(link)
                    found += 1
                    waiting.append(link)
    return wrong


@pytest.mark.parametrize("who", SHORT)
def test_no_route_gives_away_a_secret(commons: Commons, who: str) -> None:
    """In short: by our identifiers, on the embedded database."""
    commons.world.records = {kind: several[::2] for kind, several in commons.world.records.items()}
    _check(commons, who)


@pytest.mark.soak
def test_no_route_gives_away_a_secret_to_any_kind_of_visitor(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path) as commons:
        for who in commons.world.visitors:
            _check(commons, who)


def _check(commons: Commons, who: str) -> None:
    app, world = commons.app, commons.world
    principal = world.visitors[who]
    with commons.database.read() as connection:
        kept = world.kept_from(connection, principal)
        shown = [secret for secret in world.secrets if secret not in kept]
    assert kept and (shown or principal.scopes)
    pids = {secret.pid for secret in kept if secret.word.startswith("zqfile")}
    closed = [identifier for pid, identifier in world.files.items() if pid in pids]
    closed += world.runs if any(secret.word.startswith("zqrun") for secret in kept) else []
    with walking(app, principal) as client:
        wrong = asyncio.run(_walk(client, addresses(app, world), kept, closed))
    assert not wrong, "\n".join(wrong[:40])


def test_the_crawler_finds_what_there_is(commons: Commons) -> None:
    """As administrator every secret is met, so that its absence elsewhere means something."""
    app, world = commons.app, commons.world
    world.records = {kind: several[::2] for kind, several in world.records.items()}
    with walking(app, LOCAL_USER) as client:

        async def all_of_it() -> str:
            told = ""
            waiting, seen = deque(addresses(app, world)), set(addresses(app, world))
            while waiting:
                path = waiting.popleft()
                for accept in _ACCEPT:
                    answer = await client.get(path, headers={"accept": accept})
                    told += answer.text + str(answer.headers)
                    for link in links(answer.text, str(answer.url)):
                        if link not in seen and len(seen) < 600:
                            seen.add(link)
                            waiting.append(link)
            return told

        told = asyncio.run(all_of_it())
    missed = [secret for secret in world.secrets if secret.word not in told]
    assert not missed


@pytest.mark.parametrize("who", ["anybody", pytest.param("collaborator", marks=pytest.mark.soak)])
def test_a_search_for_a_secret_finds_as_much_as_one_for_nothing(commons: Commons, who: str) -> None:
    """Counts, facets and scores are told too: a word that is kept back must not be told from one that is nowhere."""
    app, world = commons.app, commons.world
    with commons.database.read() as connection:
        kept = world.kept_from(connection, world.visitors[who])
    plain = [template for method, template in templates(app) if method == "GET" and "{" not in template]

    async def compare(client: httpx.AsyncClient) -> list[str]:
        wrong = []
        for address in (template + query for template in plain for query in _QUERIES[1:]):
            for accept in _ACCEPT:
                for secret in (kept[0], kept[-1], kept[len(kept) // 2]):
                    if not await _same(client, address, accept, secret.word):
                        wrong.append(f"{address} ({accept}): {secret}")  # noqa: PERF401 - awaits
        return wrong

    with walking(app, world.visitors[who]) as client:
        wrong = asyncio.run(compare(client))
    assert not wrong, "\n".join(wrong)


async def _same(client: httpx.AsyncClient, address: str, accept: str, word: str) -> bool:
    """Say whether a word is answered as one that is nowhere; what tells the time or counts requests is asked again."""
    for _ in range(3):
        nowhere = f"zqnowhere{'a' * (len(word) - 11)}xv"
        told = [await _told(client, address, accept, one) for one in (word, nowhere)]
        if told[0] == told[1]:
            return True
    return address.startswith("/metrics")


async def _told(client: httpx.AsyncClient, address: str, accept: str, word: str) -> tuple[int, list[str]]:
    answer = await client.get(address.format(word=word), headers={"accept": accept})
    return answer.status_code, _plain(answer.text, word)


def _plain(text: str, word: str) -> list[str]:
    """Return the words of an answer, without the one that was asked for, moments and references."""
    text = text.replace(word, "WORD")
    return sorted(re.split(r"[\s,{}\[\]]+", re.sub(_ITS_OWN, "", text)))


_ITS_OWN = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[:.\dZ+]*|(reference|under) [0-9a-f]{8}|\d+\.\d+|N[0-9a-f]{32}"
"""What differs from one answer to the next by itself: moments, references to the log, durations, blank nodes."""
