"""Asking all catalogues of a federation at once, and putting their answers together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pancommons.catalogue.federation.merging import Found, Given, Record, merge
from pancommons.catalogue.federation.order import complete, place, written
from pancommons.catalogue.federation.ranking import rescored
from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.models import FILE, model
from pancommons.catalogue.search.parse import read_filter, read_where
from pancommons.catalogue.search.query import Filter
from pancommons.server.federation.providers import NoAnswer, Provider

FARTHEST = 1000
"""How far skip and limit together may reach, and how many records of a catalogue are sorted here at most."""

USUAL = 100
"""How many records are given where no limit is asked for."""

_ROUNDS = 8

T = TypeVar("T")


@dataclass
class Part:
    """What one catalogue contributed.

    Attributes
    ----------
    given
        How many records it gave, or how many it says there are.
    problem
        Why it is missing in the answer, or only in part there; None where all is well.
    """

    provider: Provider
    given: int = 0
    problem: str | None = None
    answered: bool = False

    def described(self) -> dict[str, Any]:
        """Describe it for the answer."""
        told = {"name": self.provider.name, "url": self.provider.url, "answered": self.answered, "count": self.given}
        return told if self.problem is None else {**told, "problem": self.problem}


@dataclass
class Answer:
    """What a federation answers: records or a number, and what each catalogue contributed."""

    parts: list[Part]
    records: list[Record] = field(default_factory=list)
    count: int = 0

    @property
    def partial(self) -> bool:
        """Say whether something may be missing."""
        return any(part.problem is not None for part in self.parts)

    @property
    def silent(self) -> bool:
        """Say whether nobody answered."""
        return bool(self.parts) and not any(part.answered for part in self.parts)

    @property
    def upper_bound(self) -> bool:
        """Say whether records may have been counted twice."""
        return sum(part.given > 0 for part in self.parts) > 1

    def note(self) -> str:
        """Say in a line who is missing, and why."""
        return "; ".join(f"{one.provider.name} {one.problem}" for one in self.parts if one.problem is not None)


async def find(providers: Sequence[Provider], kind: str, given: Any) -> Answer:
    """Find records in all catalogues: one page of all their records in one order, without duplicates.

    Raises
    ------
    BadFilter
        If the filter is malformed, or its page lies too far.
    """
    asked = read_filter(model(kind), given)
    limit = asked.limit or (FARTHEST - asked.skip if _unlimited(given) else USUAL)
    last = asked.skip + limit
    if limit < 1 or last > FARTHEST:
        raise BadFilter(
            f"skip and limit reach to {max(last, asked.skip + 1)}, a federated search to {FARTHEST}",
            field="filter.limit",
            remedy="ask for less, or ask one catalogue alone",
        )
    parts = [Part(one) for one in providers]
    sources = [_Source(part, asked, given or {}, last) for part in parts]
    await asyncio.gather(*(source.more() for source in sources))
    merged = merge([source.so_far for source in sources], last)
    while merged.starved is not None:
        await sources[merged.starved].more()
        merged = merge([source.so_far for source in sources], last)
    page = merged.records[asked.skip : last]
    return Answer(parts, [_shown(record, asked, providers[number]) for number, record in page])


def _unlimited(given: Any) -> bool:
    return isinstance(given, Mapping) and given.get("limit") in (0, "0")


class _Source:
    """The records of one catalogue for one question, fetched as they are needed."""

    def __init__(self, part: Part, asked: Filter, given: Mapping[str, Any], last: int) -> None:
        self.part, self.asked, self.last = part, asked, last
        self.so_far = Given([], ended=False)
        self._order = complete(asked)
        self._rest = {
            name: value for name, value in given.items() if name in ("where", "include", "query") and value is not None
        }
        self._ranks = asked.query is None or part.provider.kind == "pancommons"
        self._sorts = part.provider.honours_order and self._ranks
        self._joins_first = part.provider.kind == "pancommons" or not any(one.requires for one in asked.include)
        self._rounds = 0
        self._offset = 0
        self._deadline = asyncio.get_running_loop().time() + 2 * part.provider.timeout

    async def more(self) -> None:
        """Fetch the next records; where the catalogue fails, or does not sort, those fetched are all there are."""
        self._rounds += 1
        filter_, limit = self._filter()
        try:
            async with asyncio.timeout_at(self._deadline):
                records = await self.part.provider.find(self.asked.model.name, filter_)
        except (NoAnswer, TimeoutError) as error:
            self.part.problem, self.so_far.ended = str(error) or "takes too long", True
            return
        self.part.answered = True
        self.part.given += len(records)
        self._offset += len(records)
        if self._sorts and self._joins_first:
            known = len(self.so_far.found)
            self._take(records)
            self.so_far.ended = len(records) < limit
            if not self.so_far.ended and (self._rounds == _ROUNDS or len(self.so_far.found) == known):
                self.so_far.ended, self.part.problem = True, "repeats records, so that more of it could not be read"
            return
        self._take(records)
        self.so_far.found.sort(key=lambda one: one.key)
        self.so_far.ended = True
        if self._joins_first and len(records) >= FARTHEST:
            self.part.problem = f"does not sort; only its first {FARTHEST} records were taken"

    def _filter(self) -> tuple[dict[str, Any], int]:
        told = dict(self._rest)
        if self._sorts and self._joins_first:
            if self._order:
                told["order"] = written(self._order)
            told["limit"] = self.last
            if self._offset:
                told["skip"] = self._offset
            return told, self.last
        if self._joins_first:  # the reference cuts before it joins, so that a limit would lose matches
            told["limit"] = FARTHEST
        return told, FARTHEST

    def _take(self, records: list[Record]) -> None:
        """Take the records that are new, with their places in the order."""
        known = {one.record["pid"] for one in self.so_far.found}
        for record in records:
            pid = record.get("pid")
            if not isinstance(pid, str) or pid in known:
                continue
            known.add(pid)
            ranked = record if self._ranks else rescored(record, self.asked.model, self.asked.query or "")
            if ranked is not None:
                self.so_far.found.append(Found(ranked, self._place(ranked)))

    def _place(self, record: Record) -> tuple[Any, ...]:
        found = place(record, self._order, self.asked.model)
        return found if self._order or self._sorts else (*found, str(record.get("title", record.get("name"))))


def _shown(record: Record, asked: Filter, provider: Provider) -> Record:
    included = {one.relation.name for one in asked.include}
    kept = {
        name: value
        for name, value in record.items()
        if asked.fields is None or name in asked.fields or name in included
    }
    return {**kept, "provider": provider.url}


async def count(providers: Sequence[Provider], kind: str, where: Any) -> Answer:
    """Sum what all catalogues count; a record that two of them have counts twice."""
    read_where(model(kind), where)
    parts = [Part(one) for one in providers]
    counts = await _each(parts, lambda one: one.count(kind, where))
    for part, counted in zip(parts, counts, strict=True):
        part.given = counted or 0
    return Answer(parts, count=sum(part.given for part in parts))


async def get(providers: Sequence[Provider], kind: str, pid: str, given: Any) -> Answer:
    """Get a record from the first catalogue, in the order of the settings, that has it."""
    asked = read_filter(model(kind), given)
    if pid in ("", ".", ".."):  # no segment of a path
        return Answer([])
    parts = [Part(one) for one in providers]
    told = {name: value for name, value in (given or {}).items() if name == "include"}
    found = await _each(parts, lambda one: one.get(kind, pid, told or None))
    for part, record in zip(parts, found, strict=True):
        if record is not None:
            part.given = 1
            return Answer(parts, [_shown(record, asked, part.provider)])
    return Answer(parts)


async def files(providers: Sequence[Provider], pid: str, given: Any) -> Answer | None:
    """List the files of a dataset, from the catalogue that has it; None where none has."""
    read_filter(FILE, given)
    return await _routed(providers, pid, lambda one: one.files(pid, given))


async def count_files(providers: Sequence[Provider], pid: str, where: Any) -> Answer | None:
    """Count the files of a dataset, at the catalogue that has it; None where none has."""
    read_where(FILE, where)
    return await _routed(providers, pid, lambda one: one.count_files(pid, where))


async def _routed(providers: Sequence[Provider], pid: str, ask: Callable[[Provider], Awaitable[Any]]) -> Answer | None:
    located = await get(providers, "Dataset", pid, None)
    owner = next((part for part in located.parts if part.given), None)
    if owner is None:
        return Answer(located.parts) if located.partial else None
    parts = [Part(owner.provider)]
    [told] = await _each(parts, ask)
    if told is None:
        return Answer(parts) if parts[0].problem else None
    if isinstance(told, int):
        parts[0].given = told
        return Answer(parts, count=told)
    parts[0].given = len(told)
    return Answer(parts, [{**one, "provider": owner.provider.url} for one in told])


async def _each(parts: Sequence[Part], ask: Callable[[Provider], Awaitable[T]]) -> list[T | None]:
    """Ask all at once; what fails is None, and its part says why."""

    async def one(part: Part) -> T | None:
        try:
            told = await ask(part.provider)
        except NoAnswer as error:
            part.problem = str(error)
            return None
        part.answered = True
        return told

    return list(await asyncio.gather(*(one(part) for part in parts)))
