"""Whatever somebody shows of themselves, they get what is theirs, and for what is no good any more nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pancommons.catalogue.access import ANONYMOUS, Action, Role, allows
from pancommons.catalogue.read import find, resource
from pancommons.store.engine import Database
from tests.runs.conftest import plugged
from tests.server.conftest import sqlite_database
from tests.server.crawling import (
    ACCEPT,
    AT,
    Commons,
    addresses,
    amiss,
    client_of,
    few,
    full_of_secrets,
    kept_from,
    plain,
    values_of,
    walk,
)
from tests.server.credentials import Office, Shown, credentials

__all__ = ["plugged", "sqlite_database"]


@pytest.fixture
def commons(sqlite_database: Database, tmp_path: Path) -> Iterator[Commons]:
    with full_of_secrets(sqlite_database, tmp_path) as made:
        yield made


def test_what_is_good_gives_what_is_its_own(commons: Commons) -> None:
    """In short: with each a part of the routes of a few records, with all of them each route several times."""
    shown = credentials(commons, AT)
    start = addresses(commons.app, few(commons.world, "restricted", "embargoed"))
    _check_good(commons, {name: one for name, one in shown.items() if one.good}, start, most=0, parts=8)


def test_what_is_no_good_gives_what_anybody_has(commons: Commons) -> None:
    shown = credentials(commons, AT)
    start = addresses(commons.app, few(commons.world, "restricted"))
    _check_no_good(commons, {name: one for name, one in shown.items() if not one.good}, start, parts=6)


def test_what_the_server_counts_is_for_tokens_made_to_administer(commons: Commons) -> None:
    with commons.database.write() as connection:
        office = Office(connection, commons.app.state.signin.told, AT)
        account = office.account("root", Role.ADMINISTRATOR)
        shown = {action: office.token(account, action) for action in Action}
    for action, token in shown.items():
        client = client_of(commons.app, {"authorization": f"Bearer {token}"})
        answer = asyncio.run(client.get("/metrics"))
        assert answer.status_code == (200 if action is Action.ADMINISTER else 403), action


@pytest.mark.soak
def test_whatever_is_shown_on_all_pages(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path) as commons:
        shown = credentials(commons, AT)
        everything = addresses(commons.app, values_of(commons.world))
        _check_good(commons, {name: one for name, one in shown.items() if one.good}, everything, most=250, parts=1)
        _check_no_good(commons, {name: one for name, one in shown.items() if not one.good}, everything, parts=1)


def _check_good(commons: Commons, several: dict[str, Shown], start: list[str], *, most: int, parts: int) -> None:
    """Walk as each, and see that files and pages are there exactly where the decision says so."""
    assert len(several) > 2 * len(Action)
    for turn, (name, shown) in enumerate(several.items()):
        kept = kept_from(commons, shown.principal)
        client = client_of(commons.app, shown.headers)
        wrong = asyncio.run(walk(client, start[turn % parts :: parts], kept, most=most))
        assert not wrong, f"{name}\n" + "\n".join(wrong[:40])
        asyncio.run(_sees(commons, shown, name))


async def _sees(commons: Commons, shown: Shown, name: str) -> None:
    """See that whoever shows this has neither more nor less than the decision says."""
    world = commons.world
    client = client_of(commons.app, shown.headers)
    account = (await client.get("/me/account")).json()
    scopes = shown.principal.scopes
    assert account["person"] == shown.principal.person and account["known_by"] == (
        "session" if scopes is None else "token"
    )
    assert account["scopes"] == (None if scopes is None else [one for one in Action if one in scopes])
    for pid, file in world.files.items():
        identifier = world.records["dataset"][world.records["dataset"].index(pid) - 1]
        with commons.database.read() as connection:
            about = resource(connection, "dataset", find(connection, "dataset", pid) or 0)
        may = {action: allows(shown.principal, action, about, world.at) for action in Action}
        for path, action in ((f"/files/{file}", Action.READ), (f"/datasets/{identifier}", Action.DISCOVER)):
            answer = await client.get(path, headers={"accept": "application/json"})
            assert answer.status_code == (200 if may[action] else 404), (name, pid, path)


def _check_no_good(commons: Commons, several: dict[str, Shown], start: list[str], *, parts: int) -> None:
    """See that every answer is refused with 401, or is the one that anybody gets."""
    assert len(several) > 10
    kept = kept_from(commons, ANONYMOUS)
    usual = asyncio.run(_answers(client_of(commons.app, {}), start))
    for turn, (name, shown) in enumerate(several.items()):
        told = asyncio.run(_answers(client_of(commons.app, shown.headers), start[turn % parts :: parts]))
        wrong = []
        for (path, accept), answer in told.items():
            wrong += [f"GET {path} ({accept}): {one}" for one in amiss(answer, path, kept.on(path))]
            there = usual[path, accept]
            same = answer.status_code == there.status_code and plain(answer.text) == plain(there.text)
            if answer.status_code != 401 and not same and path not in ("/metrics", "/about"):  # these tell the time
                wrong.append(f"GET {path} ({accept}): {answer.status_code} is not what anybody gets")
        assert not wrong, f"{name}\n" + "\n".join(wrong[:40])
        refused = [answer.status_code == 401 for answer in told.values()]
        assert ("authorization" in shown.headers) == (sum(refused) > len(refused) // 3), name


async def _answers(client: httpx.AsyncClient, start: list[str]) -> dict[tuple[str, str], httpx.Response]:
    return {
        (path, accept): await client.get(path, headers={"accept": accept}) for path in start for accept in ACCEPT
    }  # fmt: skip
