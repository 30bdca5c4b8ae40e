"""What one visitor may ask for: it holds, it recovers, it cannot be got around, and it does not touch others."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from pancommons.base.settings import Limits, OpenIDProvider, Rate, Server, Settings, SignIn
from pancommons.catalogue.access import ANONYMOUS, Action
from pancommons.server import limits as limiting
from pancommons.server import metrics
from pancommons.server.app import create_app
from pancommons.server.buckets import Buckets, Table
from pancommons.server.limits import TABLE, Limited, Rules, key_of
from pancommons.server.lines import Full, Line
from pancommons.server.services import Services
from pancommons.server.signin import tokens
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.server.visitor import NOBODY, Visitor
from pancommons.store.engine import Database
from tests.server.conftest import serving

ISSUER = "https://login.invalid"
FEW = Limits(search=Rate(a_second=0.5, at_once=3), signin=Rate(a_second=0.1, at_once=2))
PROXY = "192.0.2.7"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def account(number: int) -> Visitor:
    return Visitor(ANONYMOUS, None, "session", account=number)


def test_a_bucket_empties_and_fills_with_time() -> None:
    clock = Clock()
    buckets = Buckets(Rate(a_second=2, at_once=3), clock=clock)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0.5, 0.5], "what is refused takes nothing"
    assert buckets.take("b") == 0, "others have their own"
    clock.at += 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    clock.at += 3600
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5], "no more than a bucket holds"
    clock.at += 1
    assert [buckets.take("a", 0.5) for _ in range(5)] == [0, 0, 0, 0, 0.25]
    clock.at += 10
    assert buckets.take("a", 100) == 0, "what costs more than a bucket holds takes all of it"
    assert buckets.take("a", 100) == 1.5


def test_many_addresses_do_not_take_memory_without_end() -> None:
    clock = Clock()
    table = Table(100)
    buckets = Buckets(Rate(a_second=1, at_once=2), table, clock=clock)
    assert [buckets.take("the one that stays") for _ in range(3)] == [0, 0, 1]
    for number in range(1000):
        assert buckets.take(f"address 10.0.{number >> 8}.{number & 255}") == 0
        assert buckets.take("the one that stays") > 0, "whoever goes on is not forgotten"
    assert len(table) == 100


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.5", "address 203.0.113.5"),
        ("::ffff:203.0.113.5", "address 203.0.113.5"),
        ("2001:db8:1:2:aaaa::1", "address 2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb:cccc:dddd:eeee", "address 2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "address 2001:db8:1:3::/64"),
        ("fe80::1%eth0", "address fe80::/64"),
        ("::1", "address ::/64"),
        ("a socket", "address a socket"),
        (None, "address None"),
    ],
)
def test_addresses_of_one_visitor_are_one(address: str | None, key: str) -> None:
    assert key_of(NOBODY, address) == key
    assert key_of(account(7), address) == "account 7", "whoever signed in is one person everywhere"


def application(database: Database, clock: Clock, told: Limits = FEW, **more: Any) -> FastAPI:
    """Make the application, with a clock that the test sets."""
    app = create_app(Services(database, Settings(limits=told, **more)))
    [ours] = [one for one in app.user_middleware if one.cls is Limited]
    ours.kwargs["clock"] = clock
    return app


def refused(app: FastAPI, kind: str) -> float:
    told: metrics.Metrics = app.state.metrics
    return float(told.refused.labels(kind)._value.get())


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List what the limits have logged; threads that earlier tests have left may log as well."""
    return [record.getMessage() for record in caplog.records if record.name == limiting.log.name]


def search(client: TestClient, **headers: str) -> int:
    return client.get("/search-api/Datasets", headers=headers).status_code


def test_what_is_too_much_is_refused_until_there_is_time_again(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    app = application(sqlite_database, clock)
    client, other = (TestClient(app, client=(address, 1)) for address in ("203.0.113.5", "203.0.113.6"))
    with caplog.at_level(logging.WARNING):
        assert [search(client) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert said(caplog) == ["too many requests (search) of address 203.0.113.5 are refused"], "once"
    answer = client.get("/search-api/documents/count")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json() == {"error": {"statusCode": 429, "name": "TooManyRequestsError", "message": limiting.TOO_MUCH}}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    page = client.get("/datasets", headers={"Accept": "text/html"})
    assert page.status_code == 429 and page.headers["content-type"].startswith("text/html")
    assert "<h1>Too many requests</h1>" in page.text and page.headers["retry-after"] == "2"
    assert client.head("/search-api/Datasets").status_code == 429
    assert refused(app, "search") == 5 and refused(app, "signin") == 0
    assert client.get("/health").status_code == 200, "what costs little is not limited"
    assert client.get("/signin/x/start").status_code == 404, "kinds are counted apart"
    assert search(other) == 200
    clock.at += 2
    assert [search(client), search(client)] == [200, 429]


@pytest.mark.parametrize("believed", [[], [PROXY]], ids=["no proxy is named", "a proxy is"])
def test_forged_addresses_give_no_fresh_buckets(sqlite_database: Database, believed: list[str]) -> None:
    app = application(sqlite_database, Clock(), server=Server(proxies=believed))
    client = TestClient(app, client=("203.0.113.5", 1))
    forged = [
        search(client, **{name: f"198.51.100.{number}"})
        for number, name in enumerate(["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-For", "Via"])
    ]
    assert forged == [200, 200, 200, 429, 429]


def test_behind_a_proxy_each_address_has_its_own(sqlite_database: Database) -> None:
    app = application(sqlite_database, Clock(), server=Server(proxies=[PROXY]))
    proxy = TestClient(app, client=(PROXY, 1))
    forged = [search(proxy, **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.5"}) for number in range(4)]
    assert forged == [200, 200, 200, 429], "only what the proxy itself wrote counts"
    assert search(proxy, **{"X-Forwarded-For": "203.0.113.6"}) == 200


def test_a_proxy_that_is_not_named_is_told_of(sqlite_database: Database, caplog: pytest.LogCaptureFixture) -> None:
    client = TestClient(application(sqlite_database, Clock()), client=("127.0.0.1", 1))
    codes = [search(client, **{"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(4)]
    assert codes == [200, 200, 200, 429]
    assert said(caplog)[-1].endswith("if that is a proxy of yours, name it in server.proxies")


def test_this_machine_is_not_limited_where_nobody_signs_in(sqlite_database: Database) -> None:
    told: dict[str, Any] = {}
    for expected in (200, 429):
        app = application(sqlite_database, Clock(), **told)
        here = TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 1))
        assert [search(here) for _ in range(20)][-1] == expected
        told = {"signin": provided()}


def provided() -> SignIn:
    one = OpenIDProvider(name="facility", title="Facility", issuer=ISSUER, client_id="us")
    return SignIn(providers=[one])


def token_of(database: Database, name: str) -> dict[str, str]:
    with database.write() as connection:
        at = datetime.now(UTC)
        key = note_sign_in(connection, Identity(ISSUER, name), at)
        return {"Authorization": f"Bearer {tokens.make(connection, key, 'one', [Action.DISCOVER], 1, at)[1]}"}


def test_people_are_counted_wherever_they_are_and_apart_from_their_address(sqlite_database: Database) -> None:
    app = application(sqlite_database, Clock(), signin=provided())
    ada, again, bob = (token_of(sqlite_database, name) for name in ("ada", "ada", "bob"))
    institute, home = (TestClient(app, client=(address, 1)) for address in ("203.0.113.5", "198.51.100.9"))
    assert [search(institute, **ada) for _ in range(3)] == [200] * 3
    assert [search(home, **ada), search(home, **again)] == [429, 429], "at home and with another token, too"
    assert search(institute, **bob) == 200, "a colleague behind the same address"
    assert [search(institute) for _ in range(4)] == [200, 200, 200, 429], "and those who did not sign in"
    forged = [search(home, Authorization=f"Bearer pan_{number}") for number in range(5)]
    assert forged == [401, 401, 401, 429, 429], "what is no token gives no bucket"
    cookies = [search(home, Cookie=f"pancommons-session={number}") for number in range(2)]
    assert cookies == [429, 429]


def test_signing_in_is_limited_by_address(sqlite_database: Database) -> None:
    clock = Clock()
    app = application(sqlite_database, clock, signin=provided())
    client = TestClient(app, client=("203.0.113.5", 1))
    codes = [client.post("/device/code", data={}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert client.get("/signin/facility/start").status_code == 429
    clock.at += 9.7
    polls = [client.post("/device/token", data={"grant_type": "x", "device_code": "y"}) for _ in range(21)]
    assert [one.status_code for one in polls] == [400] * 19 + [429, 429], "programs that wait may ask often"


def test_every_limited_request_has_a_route(sqlite_database: Database) -> None:
    """A route that moves, and a line of the table that stays behind, would limit nothing."""
    seen: list[str] = []
    app = create_app(Services(sqlite_database, Settings()))

    class Watching:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.inner(scope, receive, send)
            if scope["type"] == "http":
                seen.append(str(getattr(scope.get("route"), "path", "")))

    app.add_middleware(Watching)
    here = TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 1))
    rules = Rules("/search-api")
    for method, path, rule in TABLE:
        asked = path.replace("{what}", "meta").replace("{", "").replace("}", "")
        here.request(method, asked, headers={"Accept": "text/html"}, follow_redirects=False)
        assert seen[-1].count("/") == path.count("/"), f"{path} is answered by {seen[-1]!r}"
        assert rules.of(method, seen[-1]) == rule


def test_what_is_expensive_is_limited_and_described(sqlite_database: Database) -> None:
    app = create_app(Services(sqlite_database, Settings()))
    paths = TestClient(app, client=("203.0.113.5", 1)).get("/openapi.json").json()["paths"]
    limited = {
        (method, path) for path, several in paths.items() for method in several if "429" in several[method]["responses"]
    }
    assert {
        ("get", "/search-api/Datasets"),
        ("post", "/search-api/score"),
        ("get", "/search-api/federated/Documents/count"),
        ("get", "/oai"),
        ("get", "/catalog.ttl"),
        ("post", "/runs"),
        ("get", "/runs/{identifier}/events"),
        ("post", "/device/code"),
        *(("get", path) for path in paths if path.startswith("/hdf5/")),
    } <= limited
    assert not {("get", "/health"), ("get", "/runs"), ("get", "/files/{file_id}")} & limited
    told = paths["/oai"]["get"]["responses"]["429"]
    assert "Retry-After" in told["headers"]


def test_fifty_people_behind_one_address_are_not_stopped() -> None:
    """Each opens a page every six seconds that searches; all have the browser ask for what belongs to it."""
    clock = Clock()
    search, reading = (Buckets(getattr(Limits(), kind), clock=clock) for kind in ("search", "reading"))
    for _second in range(600):
        assert all(search.take("address") == 0 for _ in range(50 // 6 + 1))
        assert all(reading.take("address") == 0 for _ in range(50))
        clock.at += 1
    signin = Buckets(Limits().signin, clock=clock)
    assert all(signin.take("address") == 0 for _ in range(2 * 50)), "all sign in at nine"
    one = Buckets(Limits().reading, clock=clock)
    for _second in range(60):
        assert all(one.take("somebody who drags the slider") == 0 for _ in range(60))
        clock.at += 1


def inside(line: Line, order: list[str], tasks: list[asyncio.Task[None]], *names: str) -> None:
    """Let visitors queue up; a name is a visitor and a number."""

    async def go(name: str) -> None:
        await line.enter(name[0])
        order.append(name)

    tasks.extend(asyncio.create_task(go(name)) for name in names)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_visitors_take_turns_however_many_each_sends() -> None:
    async def play() -> None:
        line, order, tasks = Line(2, 2), list[str](), list[asyncio.Task[None]]()
        inside(line, order, tasks, "a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1")
        await settle()
        assert order == ["a1", "a2"]
        for name in ("a", "a", "a", "b", "c", "a"):
            line.leave(name)
            await settle()
        assert order == ["a1", "a2", "a3", "b1", "c1", "a4", "b2", "a5"]

    asyncio.run(play())


def test_nobody_takes_the_last_place_from_others() -> None:
    async def play() -> None:
        line, order, tasks = Line(3, 2, waiting=2), list[str](), list[asyncio.Task[None]]()
        inside(line, order, tasks, "a1", "a2", "a3", "a4", "b1")
        await settle()
        assert order == ["a1", "a2", "b1"]
        with pytest.raises(Full):
            await line.enter("a")
        for task in tasks:
            task.cancel()  # a3 and a4 go away while they wait
        await settle()
        line.leave("a")
        inside(line, order, tasks, "c1")
        await settle()
        assert order[-1] == "c1" and not line._waiting, "who went away takes no place"
        for name in "abc":
            line.leave(name)
        assert not line._inside, "nobody is remembered who is not there"

    asyncio.run(play())


@contextmanager
def served(told: Limits, readers: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, threading.Event]]:
    """Serve what takes until the event is set, to visitors who say who they are."""
    app, over, ended = FastAPI(), threading.Event(), threading.Event()

    async def said(request: Request, at: datetime) -> Visitor:
        return account(int(request.headers["visitor"]))

    @app.get("/hdf5/{file_id}/{what}")
    def slow(file_id: str, what: str) -> str:
        if what == "slow":
            assert over.wait(60)
        return what

    @app.get("/runs/{identifier}/events")
    async def stream() -> StreamingResponse:
        async def pieces() -> Any:
            while not ended.is_set():
                yield b": still here\n\n"
                await asyncio.sleep(0.02)

        return StreamingResponse(pieces())

    class Counted:
        refused = metrics.Counter("refused", "", ("kind",), registry=None)

    app.state.metrics = Counted
    app.add_middleware(Limited, limits=told, prefix="/search-api", readers=readers)
    monkeypatch.setattr(limiting, "visitor", said)
    with serving(app) as address:
        try:
            yield address, over
        finally:
            over.set()
            ended.set()


def as_visitor(number: int) -> dict[str, str]:
    return {"visitor": str(number), "accept": "application/json"}


def test_one_who_asks_for_much_does_not_keep_others_from_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    many = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=100))
    with served(Limits(), 3, monkeypatch) as (address, over), many as client:
        codes: list[int] = []

        def ask() -> None:
            codes.append(client.get(f"{address}/hdf5/1/slow", headers=as_visitor(1)).status_code)

        greedy = [threading.Thread(target=ask) for _ in range(60)]  # more than there are threads
        for thread in greedy:
            thread.start()
        time.sleep(0.5)
        for _ in range(3):
            assert client.get(f"{address}/hdf5/1/quick", headers=as_visitor(2)).status_code == 200
        assert not codes
        over.set()
        for thread in greedy:
            thread.join(60)
        assert codes == [200] * 60, "they waited, and lost nothing"


def test_only_so_many_runs_are_followed_at_a_time_and_those_that_end_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def follow(client: httpx.Client, who: int) -> httpx.Response:
        request = client.build_request("GET", f"{address}/runs/x/events", headers=as_visitor(who))
        return client.send(request, stream=True)

    with served(Limits(streams=2), 3, monkeypatch) as (address, _over), httpx.Client(timeout=20) as client:
        first, second = follow(client, 1), follow(client, 1)
        assert [first.status_code, second.status_code] == [200, 200]
        with closing(follow(client, 1)) as third:
            assert (third.status_code, third.headers["retry-after"]) == (429, "1")
        with closing(follow(client, 2)) as other:
            assert other.status_code == 200
        first.close()
        wait_for(lambda: _status(follow(client, 1)) == 200)
        second.close()


def _status(answer: httpx.Response) -> int:
    with closing(answer):
        return answer.status_code


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
