"""People who browse a portal: what they open one after the other, how long they think, what each answer took.

They behave as their browsers do: what a page shows is asked for with it, six things at a time, what is known already
only whether it has changed; a run's page listens to the events of the run and fetches anew what they change.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote_plus

import httpx

PAGES: Mapping[str, int] = {
    "home": 5, "search": 18, "facet": 20, "dataset": 20, "document": 5, "documents": 3, "instrument": 4,
    "instruments": 2, "sample": 3, "technique": 4, "techniques": 3, "look": 8, "mine": 4, "runs": 3, "run": 8,
    "policy": 1,
}  # fmt: skip
"""Pages, and how often each is opened among all."""

PARTS = ("style", "picture", "meta", "frame", "chunks", "plot", "now", "events")
"""What browsers ask for within pages."""

THINK = (2.0, 10.0)
"""Seconds between two pages of one person."""

_FIXED = {
    "home": "/", "documents": "/documents", "instruments": "/instruments", "techniques": "/techniques",
    "mine": "/me", "runs": "/runs", "policy": "/about/policy",
}  # fmt: skip
_KINDS = {
    "facet": r"/datasets\?.+",
    "picture": r"/datasets/[\w-]+/thumbnail",
    "dataset": r"/datasets/[\w-]+",
    "document": r"/documents/[\w-]+",
    "instrument": r"/instruments/[\w-]+",
    "sample": r"/samples/[\w-]+",
    "technique": r"/techniques/[\w-]+",
    "look": r"/look/[\w-]+",
    "plot": r"/look/[\w-]+/plot\.png\?.+",
    "run": r"/runs/(?!compare)[\w-]+",
    "style": r"/static/.+",
}
_LEADS = {  # where people come from who know no address of a kind
    "facet": "search", "dataset": "search", "document": "dataset", "instrument": "instruments", "sample": "dataset",
    "technique": "techniques", "run": "runs",
}  # fmt: skip
_ADDRESS = re.compile(r"""(?:href|src)="(/[^"#]*)["#]""")
_AT_A_TIME, _KEPT, _FRAMES, _TRIES = 6, 200, 3, 4
SOON, REFRESH = 0.7, 3.0
"""Seconds that ``static/runs.js`` waits after an event, and at most."""
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Heard:
    """An answer: of what kind, when it was asked for, what it took, and what was wrong with it."""

    kind: str
    began: float
    seconds: float
    size: int = 0
    wrong: str | None = None


@dataclass
class Visitor:
    """One browser.

    Attributes
    ----------
    number
        Whose address is 198.51.100.NUMBER, as the proxy before the portal says.
    words
        What is searched for.
    cookie, name
        Of a session, and what pages call whoever it is of; None for anybody.
    known
        Addresses by kind, as pages showed them last.
    """

    address: str
    number: int
    words: Sequence[str]
    cookie: str | None = None
    name: str | None = None
    known: dict[str, list[str]] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    events: int = 0
    _tags: dict[str, str] = field(default_factory=dict)
    _stacks: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.number)
        headers = {"X-Forwarded-For": f"198.51.100.{self.number}", "Accept-Language": self.chance.choice(["en", "de"])}
        if self.cookie:
            headers["Cookie"] = f"pancommons-session={self.cookie}"
        self.client = httpx.AsyncClient(
            base_url=self.address, headers=headers, timeout=_TIMEOUT, verify=False, follow_redirects=True,
            limits=httpx.Limits(max_connections=_AT_A_TIME + 2, keepalive_expiry=4.0),
        )  # fmt: skip
        self._several = asyncio.Semaphore(_AT_A_TIME)

    def kinds(self, weights: Mapping[str, int]) -> Iterator[str]:
        """Give what is opened next, without end: every kind as often as it weighs, in no order."""
        own = ("mine", "runs", "run")
        bag = [kind for kind, weight in weights.items() for _ in range(weight) if self.cookie or kind not in own]
        while True:
            self.chance.shuffle(bag)
            yield from bag

    async def open(self, kind: str, *, seconds: float = 0.0, parts: bool = True) -> None:
        """Open a page with what it shows, and stay there for a while."""
        until = time.monotonic() + seconds
        for _ in range(_TRIES):
            if address := self._address(kind):
                break
            await self.open(_LEADS[kind], parts=parts)
        else:
            return
        text = await self.page(kind, address)
        if parts and text:
            found = [self._part("style", one) for one in self._new("style")]
            found += [self._part("picture", one) for one in self._found(text, "picture")]
            if kind == "look":
                found.append(self._look(address, text))
            await asyncio.gather(*found)
            if kind == "run" and "data-active" in text:
                await self._follow(address, text, until)
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def page(self, kind: str, address: str) -> str:
        """Ask for a page, look whether it is whole and to whom it was given, and learn its links; return its text."""
        answer = await self._ask(kind, address, {"Accept": "text/html,application/xhtml+xml"})
        if answer is None:
            return ""
        text = answer.text
        if "</html>" not in text:
            self._wrong(kind, f"{address} is not whole")
        elif self.name and self.name not in text:
            self._wrong(kind, f"{address} was given to somebody else than {self.name}")
        for one in _KINDS.keys() - {"look"}:  # most files of the catalogue are nowhere
            if links := self._found(text, one):
                self.known[one] = links[-_KEPT:]
        return text

    def _address(self, kind: str) -> str | None:
        """Return where a kind of page is; None where no page has shown one yet."""
        if kind == "search":
            return f"/datasets?q={quote_plus(self.chance.choice(self.words))}"
        known = self.known.get(kind)
        return _FIXED.get(kind) or (self.chance.choice(known) if known else None)

    def _found(self, text: str, kind: str) -> list[str]:
        found = (unescape(one) for one in _ADDRESS.findall(text))
        return list(dict.fromkeys(one for one in found if re.fullmatch(_KINDS[kind], one)))

    def _new(self, kind: str) -> list[str]:
        """List what a browser does not have yet; it keeps styles and scripts without asking again."""
        return [one for one in self.known.get(kind, []) if one not in self._tags]

    async def _part(self, kind: str, address: str) -> httpx.Response | None:
        headers = {"If-None-Match": self._tags[address]} if self._tags.get(address) else {}
        async with self._several:
            answer = await self._ask(kind, address, headers)
        if answer is not None:
            self._tags[address] = answer.headers.get("etag", "")
        return answer

    async def _look(self, address: str, text: str) -> None:
        """Ask for what the viewer does: what lies where it begins, and frames of it, or the plot of a curve."""
        file = address.split("/")[2]
        begin = re.search(r'data-path="([^"]*)"', text)
        path = unescape(begin[1]) if begin else "/"
        answer = await self._part("meta", f"/hdf5/{file}/meta?path={quote_plus(path)}")
        if answer is not None and answer.status_code == 200:
            told = answer.json()
            below = {f"{path.rstrip('/')}/{one['name']}": one for one in told.get("children", [])}
            shapes = {name: one.get("shape") or [] for name, one in {path: told, **below}.items()}
            self._stacks[file] = [(name, shape[0]) for name, shape in shapes.items() if len(shape) == 3]
        for plot in self._found(text, "plot")[:1]:
            await self._part("plot", plot)
        for name, frames in self._stacks.get(file, [])[:1]:
            where = f"path={quote_plus(name)}"
            for _ in range(_FRAMES):
                frame = f"{where}&selection={self.chance.randrange(frames)}&max_px=512"
                await self._part("frame", f"/hdf5/{file}/frame?{frame}")
            await self._part("chunks", f"/hdf5/{file}/chunks?{where}&selection={self.chance.randrange(frames)}")

    async def _follow(self, address: str, text: str, until: float) -> None:
        """Listen to the events of a run, and fetch what they change, once at least, as its page does."""
        last = re.search(r'data-last="(\d+)"', text)
        after = last[1] if last else "0"
        changed, listens, refreshed = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def listen() -> None:
            began = time.perf_counter()
            stream = self.client.stream(
                "GET", f"{address}/events?after={after}", headers={"Accept": "text/event-stream"}
            )
            try:
                async with stream as answer:
                    wrong = None if answer.status_code in (200, 204) else f"{answer.status_code} {address}/events"
                    self.heard.append(Heard("events", began, time.perf_counter() - began, wrong=wrong))
                    listens.set()
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            self.events += 1
                            changed.set()
            except httpx.HTTPError as error:
                self._wrong("events", f"{address}/events: {error!r}")
                listens.set()

        async def refresh() -> None:
            while True:
                with suppress(TimeoutError):  # wait_for may lose, in Python 3.11, that it is cancelled
                    async with asyncio.timeout(REFRESH):
                        await changed.wait()
                changed.clear()
                await asyncio.sleep(SOON)
                await self._ask("now", f"{address}/now?after={after}", {"Accept": "text/html"})
                refreshed.set()

        doing = [asyncio.create_task(one()) for one in (listen, refresh)]
        await asyncio.gather(listens.wait(), refreshed.wait())
        await asyncio.wait(doing, timeout=max(0.0, until - time.monotonic()))
        for one in doing:
            one.cancel()
        for done in await asyncio.gather(*doing, return_exceptions=True):
            if isinstance(done, Exception):
                raise done

    async def _ask(self, kind: str, address: str, headers: Mapping[str, str]) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            answer = await self.client.get(address, headers=dict(headers))
        except httpx.HTTPError as error:
            self.heard.append(Heard(kind, began, time.perf_counter() - began, wrong=f"{address}: {error!r}"))
            return None
        wrong = None if answer.status_code in (200, 304) else f"{answer.status_code} {address}"
        self.heard.append(Heard(kind, began, time.perf_counter() - began, len(answer.content), wrong))
        return None if wrong else answer

    def _wrong(self, kind: str, what: str) -> None:
        self.heard.append(Heard(kind, time.perf_counter(), 0.0, wrong=what))


async def browse(
    visitors: Sequence[Visitor],
    *,
    seconds: float | None = None,
    think: tuple[float, float] = THINK,
    weights: Mapping[str, int] = PAGES,
) -> list[Heard]:
    """Let people browse all at once, and return what they heard.

    Parameters
    ----------
    seconds
        For how long; None for as many pages each as the weights sum up to.
    """
    until = None if seconds is None else time.monotonic() + seconds

    async def one(visitor: Visitor) -> None:
        await asyncio.sleep(visitor.chance.uniform(0, think[1]))
        for count, kind in enumerate(visitor.kinds(weights)):
            if count >= sum(weights.values()) if until is None else time.monotonic() > until:
                break
            await visitor.open(kind, seconds=visitor.chance.uniform(*think))

    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(one(visitor))
    for visitor in visitors:
        await visitor.client.aclose()
    return [heard for visitor in visitors for heard in visitor.heard]
