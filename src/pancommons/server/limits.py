"""How much one visitor may ask for, so that nobody keeps the others from anything.

A visitor is an account, or the address of whoever is not signed in. Each has a bucket for every kind of request; it
empties with each request and fills with time, see `pancommons.server.buckets`. What takes long is done for a few at a
time in each process, and for all visitors in turn. Whoever uses this machine without signing in is not limited.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from anyio.to_thread import run_sync
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pancommons.base.settings import Limits, Rate
from pancommons.server.buckets import Buckets, Table
from pancommons.server.errors import told
from pancommons.server.lines import Full, Line
from pancommons.server.mounting import FORWARDED, below
from pancommons.server.pages.languages import later
from pancommons.server.services import now
from pancommons.server.visitor import NOBODY, Visitor, visitor
from pancommons.store.engine import TookTooLong

log = logging.getLogger(__name__)

Kind = Literal["signin", "search", "reading", "runs", "streams"]
KINDS: tuple[Kind, ...] = get_args(Kind)

TOO_MUCH = later("You ask for much at once: wait a moment, then try again.")

_THREADS = 24
"""Searches at a time, which leaves some of the threads of the server to pages that take no time."""


@dataclass(frozen=True)
class Rule:
    """What a request counts as.

    Attributes
    ----------
    cost
        As how many requests of its kind.
    """

    kind: Kind
    cost: float = 1.0


_SIGN_IN, _SEARCH, _READING, _RUNS = Rule("signin"), Rule("search"), Rule("reading"), Rule("runs")
_OFTEN = Rule("signin", 0.05)
"""What programs ask for every few seconds while they wait, and what providers tell."""
_ALL = Rule("search", 5)

TABLE: tuple[tuple[str, str, Rule], ...] = (
    ("GET", "/signin/{provider}/start", _SIGN_IN),
    ("GET", "/signin/{provider}/callback", _SIGN_IN),
    ("GET", "/signin/{provider}/ended", _OFTEN),
    ("POST", "/signin/{provider}/ended", _OFTEN),
    ("POST", "/device/code", _SIGN_IN),
    ("POST", "/device/token", _OFTEN),
    ("GET", "/device", _SIGN_IN),
    ("POST", "/device", _SIGN_IN),
    ("POST", "/me/tokens", _SIGN_IN),
    ("GET", "/datasets", _SEARCH),
    ("GET", "/datasets.json", _SEARCH),
    ("GET", "/datasets.csv", _ALL),
    ("GET", "/catalog.ttl", _SEARCH),
    ("GET", "/catalog.jsonld", _SEARCH),
    ("GET", "/sitemap/{after}.xml", _SEARCH),
    ("GET", "/oai", _SEARCH),
    ("POST", "/oai", _SEARCH),
    ("GET", "/hdf5/{file_id}/{what}", _READING),
    ("GET", "/look/{file_id}", _READING),
    ("GET", "/look/{file_id}/plot.png", _READING),
    ("POST", "/runs", _RUNS),
    ("POST", "/runs/estimate", _RUNS),
    ("GET", "/datasets/{identifier}/analyse", _RUNS),
    ("GET", "/datasets/{identifier}/analyse/{name}", _RUNS),
    ("POST", "/datasets/{identifier}/analyse/{name}", _RUNS),
    ("POST", "/datasets/{identifier}/analyse/{name}/estimate", _RUNS),
    ("GET", "/runs/{identifier}/events", Rule("streams")),
)
"""Requests that are limited; beside them every one of the search API is a search."""


class Rules:
    """Says what a request counts as.

    Parameters
    ----------
    prefix
        Of the search API.
    """

    def __init__(self, prefix: str) -> None:
        api = re.compile(rf"{re.escape(prefix)}(/.*)?")
        table = [*((method, compile_path(path)[0], rule) for method, path, rule in TABLE)]
        self._rules = [*table, ("GET", api, _SEARCH), ("POST", api, _SEARCH)]

    def of(self, method: str, path: str) -> Rule | None:
        """Return the rule of a request, by its path below the mount; None where there is none."""
        method = "GET" if method == "HEAD" else method
        found = (rule for which, pattern, rule in self._rules if which == method and pattern.fullmatch(path))
        return next(found, None)


def key_of(who: Visitor, address: str | None) -> str:
    """Name a visitor: by their account, or by their address, of which the network counts where it is IPv6."""
    if who.account is not None:
        return f"account {who.account}"
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return f"address {address}"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return f"address {ipaddress.ip_network((int(found) >> 64 << 64, 64))}"
        found = found.ipv4_mapped
    return f"address {found}"


class Limited:
    """Middleware that refuses what is too much with 429 and when to come again, and lets the rest take turns.

    Parameters
    ----------
    prefix
        Of the search API.
    readers
        How many HDF5 files can be read at a time; one of them is never the same visitor's as the others.
    table
        What visitors have left, shared with the other processes of the server.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        prefix: str,
        readers: int,
        table: Table | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._rules = app, Rules(prefix)
        rates: Mapping[Kind, Rate] = {
            "signin": limits.signin,
            "search": limits.search,
            "reading": limits.reading,
            "runs": limits.runs,
        }
        table = Table() if table is None else table
        self._buckets = {kind: Buckets(rate, table, kind, clock) for kind, rate in rates.items()}
        self._lines = {
            "search": Line(_THREADS, _THREADS // 2),
            "reading": Line(readers, max(1, readers - 1)),
            "runs": Line(4, 2),
            "streams": Line(None, limits.streams, waiting=0),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on when it is its turn, or refuse it."""
        rule = None if scope["type"] != "http" else self._rules.of(scope["method"], below(scope))
        if rule is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        who = await _who(request)
        if who.by == "machine":
            await self._app(scope, receive, send)
            return
        key = key_of(who, request.client.host if request.client else None)
        buckets, line = self._buckets.get(rule.kind), self._lines.get(rule.kind)
        wait = 0.0 if buckets is None else buckets.take(key, rule.cost)
        if wait and buckets is not None:
            if buckets.is_news(key):
                _note(rule.kind, key, request)
            await self._refuse(rule.kind, request, wait, send)
        elif line is None:
            await self._app(scope, receive, send)
        else:
            await self._in_line(rule.kind, line, key, request, send)

    async def _in_line(self, kind: Kind, line: Line, key: str, request: Request, send: Send) -> None:
        """Hand a request on when it is its turn, which is over when the answer begins, or where it is a stream ends."""
        try:
            await line.enter(key)
        except Full:
            await self._refuse(kind, request, 1.0, send)
            return
        inside = True

        async def noted(message: Message) -> None:
            nonlocal inside
            if inside and kind != "streams" and message["type"] == "http.response.start":
                inside = False
                line.leave(key)
            await send(message)

        try:
            await self._app(request.scope, request.receive, noted)
        finally:
            if inside:
                line.leave(key)

    async def _refuse(self, kind: Kind, request: Request, wait: float, send: Send) -> None:
        request.app.state.metrics.refused.labels(kind).inc()
        answer: Response = await run_sync(refusal, request, wait)
        await answer(request.scope, request.receive, send)


def refusal(request: Request, wait: float) -> Response:
    """Say that it is too much: as a page to a browser, in JSON to anything else."""
    return told(request, 429, TOO_MUCH, headers={"Retry-After": str(math.ceil(wait)), "Cache-Control": "no-store"})


async def _who(request: Request) -> Visitor:
    """Find who asks, once for all that answers; whoever shows what is not valid is refused by that, not here."""
    try:
        return await visitor(request, now())
    except (HTTPException, TookTooLong):
        del request.state.visitor
        return NOBODY


def _note(kind: Kind, key: str, request: Request) -> None:
    passed = any(name in request.headers for name in FORWARDED) and key.startswith("address ")
    hint = "; if that is a proxy of yours, name it in server.proxies" if passed else ""
    log.warning("too many requests (%s) of %s are refused%s", kind, key, hint)
