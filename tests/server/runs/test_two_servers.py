"""Two servers on one database are one portal, and each goes on alone when the other is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import Action, Principal
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts
from pancommons.catalogue.tables import datasets
from pancommons.pipelines import events as written
from pancommons.runs.run import Run
from pancommons.runs.supervising import HOLD
from pancommons.runs.tables import ENDED
from pancommons.server.signin import tokens
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.server.signin.device_routes import GRANT
from pancommons.store.engine import open_database
from tests.databases import Cluster
from tests.oidc import NAVIGATES, OpenID, openid, to_portal
from tests.runs.world import World, build, now, wait_until
from tests.server.nginx import free_port
from tests.server.runs.following import followed
from tests.server.runs.test_kill import Serving

__all__ = ["openid"]

AT_A_TIME, EACH = 2, 1


class Told:
    """Where it is told that runs ended: how often of each."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        counted = self.runs

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                counted[json.loads(self.rfile.read(int(self.headers["Content-Length"])))["run"]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/told"


@dataclass
class Two:
    """Two servers, really, on one database, and the world that they serve."""

    servers: list[Serving]
    world: World
    told: Told
    openid: OpenID

    def person(self, name: str) -> Principal:
        return Principal(self.openid.person(name))

    def ask(self, name: str, **more: Any) -> Run:
        """Let somebody ask for a run, at no server: both find it in the database."""
        told = {"tell": self.told.address, **more}
        return self.world.desk.ask(self.world.asked(**told), self.person(name), now())

    def token(self, name: str) -> dict[str, str]:
        """Make a token for somebody; return what a program shows."""
        with self.world.database.write() as connection:
            known = sa.select(accounts.c.id).where(accounts.c.person == self.openid.person(name))
            key = connection.execute(known).scalar() or note_sign_in(
                connection, Identity(self.openid.issuer, name), now()
            )
            scopes = [Action.DISCOVER, Action.READ, Action.RUN]
            return {"Authorization": f"Bearer {tokens.make(connection, key, 'a token', scopes, 1, now())[1]}"}

    def row(self, run: str) -> Any:
        [found] = [row for row in self.world.rows() if row.identifier == run]
        return found

    def holder(self, run: str) -> tuple[Serving, Serving]:
        """Return the server that looks after a run, and the other."""
        holder = wait_for(lambda: self.row(run).holder)
        one, other = self.servers
        assert one.process is not None
        return (one, other) if f"/{one.process.pid}/" in holder else (other, one)

    def check(self, *, stopped: int = 0) -> None:
        """See that every run was started, ended, registered and told as it must be, in fair turns within limits."""
        rows = self.world.rows()
        server = self.servers[0]
        assert [row.state for row in rows].count("stopped") == stopped
        assert {row.state for row in rows} <= {"done", "stopped"}, [(row.state, row.why) for row in rows]
        assert [row.tries for row in rows] == [0] * len(rows)
        assert server.counted("started") == server.counted("ended") == [1] * len(rows)
        for folder in server.folders():
            events = written.read(folder / "events.jsonl")
            units = [(event["stage"], event["unit"]) for event in events if event["event"] == "unit"]
            assert len(units) == len(set(units))
        with self.world.database.read() as connection:
            made = list(connection.execute(sa.select(datasets.c.title).where(datasets.c.kind == "processed")).scalars())
            ends = connection.execute(sa.select(sa.func.count()).where(audit.c.what == "end")).scalar_one()
        assert sorted(made) == sorted(row.title for row in rows if row.state == "done"), "registered once each"
        assert ends == len(rows)
        check_turns(rows)


def wait_for(what: Callable[[], Any]) -> Any:
    wait_until(what)
    return what()


def check_turns(rows: list[Any]) -> None:
    """See that at each start there was room, and that of those who could it was the turn of whoever was started."""
    latest: defaultdict[str, datetime] = defaultdict(lambda: datetime.min.replace(tzinfo=rows[0].began.tzinfo))
    for row in sorted(rows, key=lambda row: row.began):
        going = Counter(other.person for other in rows if other.began < row.began < other.ended)
        assert going.total() < AT_A_TIME and going[row.person] < EACH
        waiting = {other.person for other in rows if other.queued <= row.began <= other.began}
        assert latest[row.person] == min(latest[person] for person in waiting if going[person] < EACH)
        latest[row.person] = row.began


@contextmanager
def two_servers(url: str, folder: Path, openid: OpenID) -> Iterator[Two]:
    """Start two servers at the same moment, on a database in which there is nothing, not even a table."""
    told = Told()
    database = open_database(url)
    (folder / "home").mkdir()
    ports = [free_port(), free_port()]
    site = f"http://127.0.0.1:{ports[1]}"
    provider = openid.register(site)
    runs = {"at_a_time": AT_A_TIME, "at_a_time_each": EACH, "webhooks": [told.address]}
    servers = [Serving(database, folder) for _ in ports]
    with ExitStack() as ending:
        ending.callback(told.server.shutdown)
        ending.callback(database.close)
        for server, port in zip(servers, ports, strict=True):
            server.environment |= {
                "PANCOMMONS_SITE__URL": site,
                "PANCOMMONS_SIGNIN": json.dumps({"providers": [provider]}),
                "PANCOMMONS_RUNS": json.dumps({**runs, "workers": 1, "memory": "1G"}),
            }
            ending.callback(server.end)
            server.begin(port)
        for server in servers:
            server.wait()
        yield Two(servers, build(database, folder, at="home/runs", **runs), told, openid)


@pytest.fixture
def two(postgresql: Cluster, tmp_path: Path, openid: OpenID) -> Iterator[Two]:
    url = postgresql.new()
    with two_servers(url, tmp_path, openid) as made:
        yield made
    postgresql.drop(url)


def person(server: Serving, browser: httpx.Client | None = None, **headers: str) -> Any:
    """Return who a server takes a browser or a program for."""
    ask = browser.get if browser is not None else httpx.get
    answer = ask(f"{server.address}/me/account", headers=headers)
    return answer.json()["person"] if answer.status_code == 200 else answer.status_code


def check_signing_in(two: Two) -> None:
    """See that whatever is begun at one server is known at the other, finished and ended there."""
    one, site = two.servers
    ada = two.openid.person("ada")
    with httpx.Client(timeout=60) as browser:
        answer = browser.get(f"{one.address}/signin/facility/start", headers=NAVIGATES)
        answer = to_portal(browser, answer, site.address, "ada")
        there = browser.get(answer.headers["location"], headers={**NAVIGATES, "Sec-Fetch-Site": "cross-site"})
        assert there.status_code == 303, "begun at one, finished at the other"
        assert [person(server, browser) for server in two.servers] == [ada, ada]
        again = browser.get(answer.headers["location"].replace(site.address, one.address), headers=NAVIGATES)
        assert again.status_code == 403, "an answer is taken once, by whichever server"

        asked = httpx.post(f"{one.address}/device/code", data={"scope": "discover read run"}).json()
        answered = browser.post(
            f"{site.address}/device",
            data={"user_code": asked["user_code"], "approve": "true"},
            headers={"Origin": site.address},
        )
        assert answered.status_code == 200
        poll = {"grant_type": GRANT, "device_code": asked["device_code"]}
        codes = both(two, lambda server: httpx.post(f"{server.address}/device/token", data=poll))
        assert sorted(code.status_code for code in codes) == [200, 400], "asked at both at once, given once"
        [token] = [code.json()["access_token"] for code in codes if code.status_code == 200]
        shown = {"Authorization": f"Bearer {token}"}
        assert [person(server, **shown) for server in two.servers] == [ada, ada]
        assert httpx.delete(f"{site.address}/me/tokens/current", headers=shown).status_code == 204
        assert [person(server, **shown) for server in two.servers] == [401, 401]

        assert browser.post(f"{one.address}/signout", headers={"Origin": one.address}).status_code == 200
        assert [person(server, browser) for server in two.servers] == [None, None]


def both(two: Two, ask: Callable[[Serving], httpx.Response]) -> list[httpx.Response]:
    """Ask both servers at the same moment."""
    ready, answers = threading.Barrier(2), list[httpx.Response]()

    def go(server: Serving) -> None:
        ready.wait()
        answers.append(ask(server))

    threads = [threading.Thread(target=go, args=[server]) for server in two.servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_servers_are_one_portal_and_one_goes_on_when_the_other_is_killed(two: Two) -> None:
    check_signing_in(two)
    ada, bob = two.token("ada"), two.token("bob")
    stopped = two.ask("bob", parameters={"pause": 2.0}, title="stopped", tell=None).identifier
    body = {
        "pipeline": "strips",
        "inputs": {"vector": [two.world.datasets["open"]]},
        "parameters": {"pause": 0.3},
        "title": "first",
        "tell": two.told.address,
    }
    key = {**ada, "Idempotency-Key": "the same"}
    answers = both(two, lambda server: httpx.post(f"{server.address}/runs", json=body, headers=key, timeout=120))
    assert sorted(answer.status_code for answer in answers) == [200, 201], [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1 and len(two.world.rows()) == 2
    first = answers[0].json()["id"]
    second = two.ask("ada", title="second").identifier

    _, other = two.holder(stopped)
    asked = httpx.post(f"{other.address}/runs/{stopped}/stop", headers=bob, timeout=60)
    assert (asked.status_code, asked.json()["state"]) == (200, "stopping")

    killed, left = two.holder(first)
    before = followed(killed.address, first, most=4, shown=ada)
    assert followed(left.address, first, most=4, shown=ada) == before
    assert two.row(second).state == "waiting", "one at a time of one person, whichever server could start it"
    killed.kill()
    rest = followed(left.address, first, before[-1][0], shown=ada)
    of_folder = written.read(next(one for one in killed.folders() if one.name == first) / "events.jsonl")
    assert [(line, event["time"]) for line, event in (*before, *rest)] == [
        (line, event["time"]) for line, event in enumerate(of_folder, 1)
    ], "none is lost and none comes twice"
    wait_until(lambda: all(row.state in ENDED and not row.to_register and not row.to_tell for row in two.world.rows()))
    two.check(stopped=1)
    assert two.told.runs == Counter([first, second])


@pytest.fixture(params=["sqlite", "postgresql"])
def any_two(request: pytest.FixtureRequest, tmp_path: Path, openid: OpenID) -> Iterator[Two]:
    """Give two servers, on one kind of database after the other."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/shared.db" if sqlite else request.getfixturevalue("postgresql").new()
    with two_servers(url, tmp_path, openid) as made:
        yield made
    if not sqlite:
        request.getfixturevalue("postgresql").drop(url)


@pytest.mark.soak
def test_servers_are_killed_frozen_and_started_again_while_many_wait(any_two: Two) -> None:
    two, kills = any_two, 0
    people = ("ada", "bob", "eve", "kim")
    asked = [
        two.ask(name, parameters={"pause": 0.1 + 0.05 * number}, title=f"{name} {number}").identifier
        for number in range(4)
        for name in people
    ]

    def ended(count: int) -> None:
        wait_until(lambda: sum(row.state in ENDED for row in two.world.rows()) >= count, 300)

    for number in range(3):
        ended(1 + 3 * number)
        killed = two.servers[number % 2]
        killed.kill()
        kills += 1
        ended(3 + 3 * number)
        killed.begin(int(killed.address.rpartition(":")[2]))
        killed.wait()
    frozen = two.servers[1].process
    assert frozen is not None
    os.kill(frozen.pid, signal.SIGSTOP)
    time.sleep(HOLD + 5)
    os.kill(frozen.pid, signal.SIGCONT)
    wait_until(
        lambda: all(row.state in ENDED and not row.to_register and not row.to_tell for row in two.world.rows()), 300
    )
    two.check()
    assert set(two.told.runs) == set(asked), "each is told"
    assert two.told.runs.total() <= len(asked) + kills + 1, "twice only where a server died, or froze, telling it"
    assert all(server.process is not None and server.process.poll() is None for server in two.servers)
    shown = [two.token(name) for name in people]
    for number, run in enumerate(asked):
        answers = {
            json.dumps(followed(server.address, run, shown=shown[number % len(people)])) for server in two.servers
        }
        assert len(answers) == 1, "the same events at both"
