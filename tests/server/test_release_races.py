"""The release comes and goes while people read: every answer is one of before or one of after."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue import principals
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Role
from pancommons.runs.tables import runs
from pancommons.server.signin import sessions, tokens
from pancommons.server.signin.accounts import disable
from pancommons.store.engine import Database
from tests.runs.conftest import plugged
from tests.server.conftest import database, empty_postgresql, empty_sqlite, new_database, postgresql, serving
from tests.server.crawling import ACCEPT, AT, Commons, addresses, few, full_of_secrets
from tests.server.credentials import Office
from tests.server.leaking import ISSUER
from tests.server.test_release import RELEASE, extend

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "plugged", "postgresql"]

PAST = AT - timedelta(hours=1)
INVESTIGATOR = f"{ISSUER}#{Role.PRINCIPAL_INVESTIGATOR.value}"

sqlite_alone = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Told:
    """An answer: when it was asked for and there, its status, and the protected words in it."""

    where: tuple[str, str]
    began: float
    done: float
    status: int
    words: frozenset[str]


@dataclass
class Readers:
    """Threads that read all routes over and over."""

    address: str
    routes: list[tuple[str, str]]
    words: list[str]

    def ask(self, client: httpx.Client, where: tuple[str, str]) -> Told:
        began = time.monotonic()
        answer = client.get(self.address + where[0], headers={"accept": where[1]})
        text = answer.text + str(answer.headers)
        return Told(where, began, time.monotonic(), answer.status_code, frozenset(w for w in self.words if w in text))

    def calm(self) -> dict[tuple[str, str], Told]:
        """Read each route once, while nothing changes."""
        with httpx.Client(timeout=60) as client:
            return {where: self.ask(client, where) for where in self.routes}

    def read(self, told: list[Told], ended: threading.Event, first: int) -> None:
        with httpx.Client(timeout=60) as client:
            while not ended.is_set():
                told.append(self.ask(client, self.routes[first % len(self.routes)]))
                first += 1


def _change(commons: Commons, opens: datetime) -> tuple[float, float]:
    """Let the dataset open at another moment; return when that began and when it was done."""
    began = time.monotonic()
    with commons.database.write() as connection:
        extend(connection, "embargoed", opens, datetime.now(UTC))
    return began, time.monotonic()


def race(commons: Commons, answers: int, threads: int) -> tuple[int, list[str]]:
    """Open and close while others read; return how many answers there were, and what was wrong with them."""
    with commons.database.read() as connection:
        kept = commons.world.kept_from(connection, ANONYMOUS)
    words = [one.word for one in kept if one.pid == "embargoed"]
    routes = [(path, accept) for path in addresses(commons.app, few(commons.world, "embargoed")) for accept in ACCEPT]
    routes = [
        where
        for where in routes
        if not where[0].startswith(("/metrics", "/runs", "/pipelines", "/me")) and "/analyse" not in where[0]
    ]
    told: list[Told] = []
    ended = threading.Event()
    closed: list[tuple[float, float]] = []
    with serving(commons.app) as address:
        readers = Readers(address, routes, words)
        before = readers.calm()
        _change(commons, PAST)
        after = readers.calm()
        since = _change(commons, RELEASE)[1]
        changing = [where for where in routes if _what(before[where]) != _what(after[where])]
        assert len(changing) > 10 and not any(one.words for one in before.values())
        readers.routes = changing
        crowd = [
            threading.Thread(target=readers.read, args=(told, ended, number * len(changing) // threads))
            for number in range(threads)
        ]
        for thread in crowd:
            thread.start()
        while len(told) < answers or not {200, 404} <= {one.status for one in told}:
            time.sleep(0.2)
            closed.append((since, _change(commons, PAST)[0]))
            time.sleep(0.2)
            since = _change(commons, RELEASE)[1]
        ended.set()
        for thread in crowd:
            thread.join()
        closed.append((since, time.monotonic()))
    wrong = []
    for one in told:
        if one.words and any(start <= one.began and one.done <= end for start, end in closed):
            wrong.append(f"{one.where}: {one.status} holds {sorted(one.words)} while it is closed")
        elif _what(one) not in (_what(before[one.where]), _what(after[one.where])):
            wrong.append(
                f"{one.where}: {_what(one)} is neither {_what(before[one.where])} nor {_what(after[one.where])}"
            )
    return len(told), wrong


def _what(told: Told) -> tuple[int, frozenset[str]]:
    return told.status, told.words


@sqlite_alone
def test_each_answer_is_of_before_or_of_after(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path, run=False) as commons:
        count, wrong = race(commons, 100, 2)
    assert count >= 100 and not wrong, "\n".join(wrong[:40])


@pytest.mark.soak
def test_each_answer_is_of_before_or_of_after_for_long(database: Database, tmp_path: Path) -> None:
    with full_of_secrets(database, tmp_path, run=False) as commons:
        count, wrong = race(commons, 6000, 6)
    print(f"\n{count} answers on {commons.database.dialect}")
    assert count >= 6000 and not wrong, "\n".join(wrong[:40])


@sqlite_alone
def test_a_download_under_way_is_finished_and_cannot_be_gone_on_with(database: Database, tmp_path: Path) -> None:
    """The decision is taken when a request comes; what asks for the rest afterwards is a request of its own."""
    with full_of_secrets(database, tmp_path, run=False) as commons, serving(commons.app) as address:
        _change(commons, PAST)
        name = next(
            one.word for one in commons.world.secrets if one.word.startswith("zqfile") and one.pid == "embargoed"
        )
        file = commons.world.root / f"{name}.h5"
        os.truncate(file, 64 << 20)
        place = f"{address}/files/{commons.world.files['embargoed']}"
        with httpx.stream("GET", place, timeout=60) as answer:
            pieces = answer.iter_raw(1 << 16)
            got, tag = len(next(pieces)), answer.headers["etag"]
            _change(commons, RELEASE)
            rest = httpx.get(place, headers={"range": f"bytes={got}-", "if-range": tag})
            got += sum(map(len, pieces))
        assert (answer.status_code, got) == (200, 64 << 20)
        assert rest.status_code == 404 and len(rest.content) < 10_000


def _goes_on(commons: Commons, number: int) -> None:
    """Let the run have another event."""
    [identifier] = commons.world.runs
    run = commons.app.state.runs.get(identifier, LOCAL_USER, datetime.now(UTC))
    with commons.app.state.runs.folder(run).events.open("a") as file:
        file.write(json.dumps({"time": 1.0, "event": "warning", "text": f"zqevent{number}xv"}) + "\n")


def _followed(commons: Commons, address: str, headers: dict[str, str], end: Callable[[], None]) -> list[str]:
    """Follow a run, let access end, and let the run go on; return what was told of that."""
    [identifier] = commons.world.runs
    with commons.database.write() as connection:
        connection.execute(sa.update(runs).values(state="running", ended=None))
    told: list[str] = []
    with httpx.stream("GET", f"{address}/runs/{identifier}/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        _goes_on(commons, 1)
        for line in lines:
            if "zqevent1xv" in line:
                break
        end()
        _goes_on(commons, 2)
        for line in lines:
            told.append(line)
            if "zqevent" in line:
                break
    _goes_on(commons, 3)
    again = httpx.get(f"{address}/runs/{identifier}/events", headers={**headers, "accept": "application/json"})
    assert again.status_code in (401, 404)
    return told


@sqlite_alone
@pytest.mark.parametrize(
    "how",
    ["token revoked", "data withdrawn", pytest.param("session ended", marks=pytest.mark.soak),
     pytest.param("account disabled", marks=pytest.mark.soak), pytest.param("role taken", marks=pytest.mark.soak)],
)  # fmt: skip
def test_events_are_told_no_longer_than_the_run_may_be_seen(database: Database, tmp_path: Path, how: str) -> None:
    with full_of_secrets(database, tmp_path) as commons, serving(commons.app) as address:
        role, moment = Role.PRINCIPAL_INVESTIGATOR, datetime.now(UTC)
        with database.write() as connection:
            office = Office(connection, commons.app.state.signin.told, moment)
            account = office.account(role.value, role, proposal="proposal-2")
            session = office.session(account)
            key, token = tokens.make(connection, account, "follows", [Action.READ], 1, moment)
            if how == "data withdrawn":
                extend(connection, "measured", PAST, moment)
                principals.revoke(connection, INVESTIGATOR, role, proposal="proposal-2", by=LOCAL_USER, at=moment)

        def end() -> None:
            with database.write() as connection:
                if how == "token revoked":
                    tokens.revoke(connection, account, key)
                elif how == "session ended":
                    sessions.end_shown(connection, session)
                elif how == "account disabled":
                    disable(connection, INVESTIGATOR, by=LOCAL_USER, at=moment)
                elif how == "role taken":
                    principals.revoke(connection, INVESTIGATOR, role, proposal="proposal-2", by=LOCAL_USER, at=moment)
                else:
                    extend(connection, "measured", RELEASE, moment)

        shown = (
            {"cookie": f"pancommons-session={session}"}
            if how == "session ended"
            else {"authorization": f"Bearer {token}"}
        )
        told = _followed(commons, address, shown, end)
    assert not [line for line in told if "zqevent" in line]
