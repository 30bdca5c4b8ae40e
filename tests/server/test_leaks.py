"""Nobody gets a byte that they may not have, whatever route they walk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from pancommons.catalogue.access import LOCAL_USER
from pancommons.store.engine import Database
from tests.runs.conftest import plugged
from tests.server.conftest import sqlite_database
from tests.server.crawling import (
    ACCEPT,
    MOST_PAGES,
    Commons,
    addresses,
    few,
    full_of_secrets,
    kept_from,
    plain,
    values_of,
    walk,
    walking,
)
from tests.server.leaking import links, templates

__all__ = ["plugged", "sqlite_database"]

SHORT = ("anybody", "token of a member to discover")
_QUERIES = ("", "?q={word}", "?filter=%7B%22query%22%3A%22{word}%22%7D", "?text={word}", "?name={word}")


@pytest.fixture
def commons(sqlite_database: Database, tmp_path: Path) -> Iterator[Commons]:
    with full_of_secrets(sqlite_database, tmp_path) as made:
        yield made


@pytest.mark.parametrize("who", SHORT)
def test_no_route_gives_away_a_secret(commons: Commons, who: str) -> None:
    """In short: a record in every state, on the embedded database."""
    values = few(commons.world, "open", "embargoed", "hidden", "restricted", "from-embargoed", "measured")
    _check(commons, who, values, most=60)


@pytest.mark.soak
def test_no_route_gives_away_a_secret_to_any_kind_of_visitor(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path) as commons:
        visitors = commons.world.visitors
        all_seeing = {who for who, principal in visitors.items() if not kept_from(commons, principal).here}
        assert all_seeing == {"manager"}
        for who in visitors.keys() - all_seeing:
            _check(commons, who, values_of(commons.world), most=MOST_PAGES)


def _check(commons: Commons, who: str, values: dict[str, list[str]], *, most: int) -> None:
    app, world = commons.app, commons.world
    principal = world.visitors[who]
    kept = kept_from(commons, principal)
    assert kept.here and kept.faces and (len(kept.here) < len(world.secrets) or principal.scopes)
    with walking(app, principal) as client:
        wrong = asyncio.run(walk(client, addresses(app, values), kept, most=most))
    assert not wrong, "\n".join(wrong[:40])


def test_the_crawler_finds_what_there_is(commons: Commons) -> None:
    """As administrator every secret is met, so that its absence elsewhere means something."""
    app, world = commons.app, commons.world
    world.records = {kind: several[::2] for kind, several in world.records.items()}
    with walking(app, LOCAL_USER) as client:

        async def missed() -> set[str]:
            left = {secret.word for secret in world.secrets}
            start = addresses(app, values_of(world))
            waiting, seen = deque((path, accept) for accept in ACCEPT for path in start), set(start)
            while waiting and left:
                path, accept = waiting.popleft()
                answer = await client.get(path, headers={"accept": accept})
                told = answer.text + str(answer.headers)
                left = {word for word in left if word not in told}
                for link in links(answer.text, str(answer.url)):
                    if link not in seen and len(seen) < 600:
                        seen.add(link)
                        waiting.extend((link, accept) for accept in ACCEPT)
            return left

        assert not asyncio.run(missed())


@pytest.mark.parametrize(
    ("who", "each"),
    [("anybody", 1), pytest.param("anybody", 3, marks=pytest.mark.soak),
     pytest.param("collaborator", 3, marks=pytest.mark.soak)],
)  # fmt: skip
def test_a_search_for_a_secret_finds_as_much_as_one_for_nothing(commons: Commons, who: str, each: int) -> None:
    """Counts, facets and scores are told too: a word that is kept back must not be told from one that is nowhere."""
    app, world = commons.app, commons.world
    with commons.database.read() as connection:
        kept = world.kept_from(connection, world.visitors[who])
    without_places = [template for method, template in templates(app) if method == "GET" and "{" not in template]

    async def compare(client: httpx.AsyncClient) -> list[str]:
        wrong, secrets = [], cycle(kept)
        for address in (template + query for template in without_places for query in _QUERIES[1:]):
            for accept in ACCEPT:
                for secret in islice(secrets, each):
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
    return answer.status_code, plain(answer.text, word)
