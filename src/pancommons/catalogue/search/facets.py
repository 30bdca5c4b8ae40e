"""Counting what a choice would leave: each facet with all other choices applied, within a time.

Every count is one over the datasets that the one who asks may discover. Where these are not very many, `columns` counts
them in memory. In a large catalogue the database counts what fits; where very many do, or all of them cannot be counted
in time, it counts an even share of them, and the counts are estimates from that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from math import isqrt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.access import Principal
from pancommons.catalogue.parts import parameters
from pancommons.catalogue.search.choosing import Choice, Slice, access_ways, fitting, scored
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.search.marking import ALL, Marking
from pancommons.catalogue.search.tabulating import joined, sides, techniques_above
from pancommons.catalogue.tables import (
    dataset_samples,
    dataset_techniques,
    datasets,
    instruments,
    samples,
)
from pancommons.store.engine import Database, TookTooLong
from pancommons.store.functions import among

SHARE = 20_000
"""About so many are counted where there are more."""

MOST_SAMPLES = 10
_USUAL_SHARE = 47
_RECENT = 500
_MOST_NAMES = 60


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by value; where not exact, they are estimates."""

    counts: Mapping[str, int]
    exact: bool = True

    def by(self, key: Callable[[str], str | None]) -> Tally:
        """Sum the counts of values that have the same key; those with none are left out."""
        sums: Counter[str] = Counter()
        for value, count in self.counts.items():
            if (found := key(value)) is not None:
                sums[found] += count
        return Tally(sums, self.exact)


@dataclass(frozen=True, slots=True)
class Place:
    """An instrument of a facet."""

    pid: str
    name: str
    facility: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A parameter that datasets have: its name, the units it is given in, and their dimensions."""

    name: str
    units: tuple[str, ...]
    dimensions: tuple[str, ...]


@dataclass
class Counting:
    """Counts for one request; what several facets need is asked once.

    Attributes
    ----------
    each
        Seconds for one statement that counts all; then a share is counted.
    lasting
        What is kept, for whatever else the request shows.
    """

    database: Database
    principal: Principal
    at: datetime
    choice: Choice
    each: float = 0.7
    _kept: dict[Choice, _Cube] = field(default_factory=dict)
    _counts: dict[Choice, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lasting = Lasting(self.database, self.principal, self.at)
        self._marking = Marking(self.lasting, self.each)

    def of(self, choice: Choice) -> Counting:
        """Return the counts of another choice, for the same request."""
        other = copy(self)
        other.choice = choice
        return other

    def total(self) -> Tally:
        """Count the datasets that fit the choice, under the key ``all``."""
        counted = self._count(self.choice)
        if counted is not None:
            return Tally({"all": counted})
        cube = self._cube(self.choice)
        return Tally({"all": sum(count for _, count in cube.rows)}, cube.exact)

    def candidates(self, wanted: Slice) -> list[int] | None:
        """Return the ids of datasets that hold a slice of those that fit; None where that is left to the database."""
        if wanted.order is not None or not self.choice.words:
            return None
        return self._marking.candidates(self.choice, scored(wanted))

    def years(self) -> Tally:
        """Count by the year of the measurement."""
        return self._cube(self.choice.without("year")).tally("year")

    def kinds(self) -> Tally:
        """Count raw, processed and simulated ones."""
        return self._cube(self.choice.without("kind")).tally("kind")

    def access(self) -> Tally:
        """Count by `choosing.ACCESS`; a dataset that is mine counts there and for what it is to anybody."""
        cube = self._cube(self.choice.without("access"))
        mine = cube.tally("mine").counts.get("1", 0)
        return Tally({**cube.tally("access").counts, **({"mine": mine} if mine else {})}, cube.exact)

    def instruments(self) -> tuple[Tally, Mapping[str, Place]]:
        """Count by the PID of the instrument, and tell of those that may be seen."""
        return self._placed("instrument")

    def facilities(self) -> Tally:
        """Count by the facility of the instrument."""
        counted, places = self._placed("facility")
        return counted.by(lambda pid: places[pid].facility)

    def _placed(self, facet: str) -> tuple[Tally, Mapping[str, Place]]:
        counted = self._cube(self.choice.without(facet)).tally("place")
        which = tuple(sorted(map(int, counted.counts)))
        places = self.lasting.get(("places", which), lambda: (self._places(which), True), len)
        known = counted.by(lambda key: places[key].pid if key in places else None)
        return known, {place.pid: place for place in places.values()}

    def _places(self, which: Sequence[int]) -> Mapping[str, Place]:
        """Return those of some instruments, by their ids, that may be seen."""
        with self.database.read() as connection:
            ground = Ground(connection.dialect.name, self.principal, self.at)
            table = ground.alias(instruments)
            query = sa.select(table.c.id, table.c.pid, table.c.name, table.c.facility)
            rows = connection.execute(query.where(among(table.c.id, which), ground.seen(table))).all()
        return {str(row.id): Place(row.pid, row.name, row.facility) for row in rows}

    def techniques(self) -> Tally:
        """Count by the PID of every technique that a dataset has or that lies above one it has."""
        choice = self.choice.without("technique")
        if (found := self._marking.marked(choice)) is not None:
            view, mask = found
            return Tally(view.count_techniques(mask))

        def rows(connection: Connection, ground: Ground, share: int) -> sa.Executable:
            table, conditions = self._datasets(choice, ground, connection, share)
            chosen = sa.select(table.c.id).where(*conditions).subquery()
            has = ground.alias(dataset_techniques)
            one = joined(has.c.technique_id).label("together")
            each = sa.select(one).join_from(chosen, has, has.c.dataset_id == chosen.c.id).group_by(chosen.c.id)
            found = each.subquery()
            return sa.select(found.c.together, sa.func.count()).group_by(found.c.together)

        def summed(told: Sequence[Any]) -> Sequence[Any]:
            above = self.lasting.get("above", lambda: (self._above(), True))
            sums: Counter[str] = Counter()
            for together, count in told:
                sums.update(dict.fromkeys(set().union(*(above.get(key, ()) for key in together.split(","))), count))
            return list(sums.items())

        told, share = self._counted("techniques", choice, rows, summed)
        return Tally({pid: count * share for pid, count in told}, share == 1)

    def _above(self) -> Mapping[str, set[str]]:
        with self.database.read() as connection:
            return techniques_above(connection)

    def samples(self) -> Tally:
        """Count by the name of samples that may be seen: the most frequent ones."""
        choice = self.choice.without("sample")
        if (found := self._marking.marked(choice)) is not None:
            view, mask = found
            counted = view.count_samples(mask)
            order = sorted(counted, key=lambda name: (-counted[name], name))
            return Tally({name: counted[name] for name in order[:MOST_SAMPLES]})

        def rows(connection: Connection, ground: Ground, share: int) -> sa.Executable:
            table, conditions = self._datasets(choice, ground, connection, share)
            chosen = sa.select(table.c.id).where(*conditions).subquery()
            has, sample = ground.alias(dataset_samples), ground.alias(samples)
            count = sa.func.count(sa.distinct(chosen.c.id))
            return (
                sa.select(sample.c.name, count)
                .join_from(chosen, has, has.c.dataset_id == chosen.c.id)
                .join(sample, sample.c.id == has.c.sample_id)
                .where(ground.seen(sample))
                .group_by(sample.c.name)
                .order_by(count.desc(), sample.c.name)
                .limit(MOST_SAMPLES)
            )

        told, share = self._counted("samples", choice, rows)
        return Tally({name: count * share for name, count in told}, share == 1)

    def quantities(self) -> list[Quantity]:
        """List the numbers that the newest datasets which fit have, with their units."""
        choice = self.choice.without("ranges")
        return self.lasting.get(("quantities", choice), lambda: (self._quantities(choice), True), len)

    def _quantities(self, choice: Choice) -> list[Quantity]:
        marked = self._marking.marked(choice)
        with self.database.read(2 * self.each) as connection:
            ids = marked[0].newest(marked[1], _RECENT) if marked else self._newest(choice, connection)
            count = sa.func.count().label("count")
            rows = connection.execute(
                sa.select(parameters.c.name, parameters.c.unit, parameters.c.dimension, count)
                .where(among(parameters.c.dataset_id, ids), parameters.c.number.is_not(None))
                .group_by(parameters.c.name, parameters.c.unit, parameters.c.dimension)
                .order_by(count.desc(), parameters.c.name, parameters.c.unit)
            ).all()
        named: dict[str, list[Any]] = {}
        for row in rows:
            named.setdefault(row.name, []).append(row)
        return [
            Quantity(
                name,
                tuple(dict.fromkeys(row.unit for row in given if row.unit)),
                tuple(dict.fromkeys(row.dimension for row in given if row.dimension is not None)),
            )
            for name, given in list(named.items())[:_MOST_NAMES]
        ]

    def _newest(self, choice: Choice, connection: Connection) -> list[int]:
        ground = Ground(connection.dialect.name, self.principal, self.at)
        table, conditions = self._datasets(choice, ground, connection, all_of_them=False)
        newest = sa.select(table.c.id).where(*conditions).order_by(table.c.creation_date.desc()).limit(_RECENT)
        return list(connection.execute(newest).scalars())

    def _cube(self, choice: Choice) -> _Cube:
        """Count by instrument, year, kind and access at once."""
        if choice not in self._kept and (found := self._marking.marked(choice)) is not None:
            view, mask = found
            self._kept[choice] = _Cube(view.count_cells(mask))
        if choice not in self._kept:

            def rows(connection: Connection, ground: Ground, share: int) -> sa.Executable:
                table, conditions = self._datasets(choice, ground, connection, share)
                mine = sa.case((access_ways(table, ground)["mine"], 1), else_=0).label("mine")
                found = sa.select(*sides(table, ground), mine).where(*conditions).subquery()
                return sa.select(*found.c, sa.func.count().label("number")).group_by(*found.c)

            told, share = self._counted("cube", choice, rows)
            counted = [(row._mapping, row._mapping["number"] * share) for row in told]
            self._kept[choice] = _Cube(counted, share == 1)
        return self._kept[choice]

    def _datasets(
        self, choice: Choice, ground: Ground, connection: Connection, share: int = 1, *, all_of_them: bool = True
    ) -> tuple[Alias, list[sa.ColumnElement[bool]]]:
        table = ground.alias(datasets)
        conditions = fitting(choice, table, ground, connection, all_of_them=all_of_them)
        return table, conditions if share == 1 else [table.c.id % share == 0, *conditions]

    def _counted(
        self,
        what: str,
        choice: Choice,
        rows: Callable[[Connection, Ground, int], sa.Executable],
        made: Callable[[Sequence[Any]], Sequence[Any]] = lambda told: told,
    ) -> tuple[Sequence[Any], int]:
        """Return what is made of what a statement counts, and one in how many datasets it looked at."""
        count = self._count(choice)
        shares = [_USUAL_SHARE] if count is None else [1, _USUAL_SHARE] if count <= ALL else [_prime(count // SHARE)]

        def counted() -> tuple[tuple[Sequence[Any], int], bool]:
            for share in shares:
                try:
                    with self.database.read(self.each) as connection:
                        ground = Ground(connection.dialect.name, self.principal, self.at)
                        told = connection.execute(rows(connection, ground, share)).all()
                except TookTooLong:
                    continue
                return (made(told), share), share == shares[0]
            return ([], 0), False

        return self.lasting.get((what, choice, *shares), counted, lambda found: len(found[0]))

    def _count(self, choice: Choice) -> int | None:
        """Count the datasets that fit; None where that takes too long."""

        def counted() -> tuple[int | None, bool]:
            try:
                with self.database.read(self.each) as connection:
                    ground = Ground(connection.dialect.name, self.principal, self.at)
                    table, conditions = self._datasets(choice, ground, connection)
                    query = sa.select(sa.func.count()).select_from(table).where(*conditions)
                    return connection.execute(query).scalar_one(), True
            except TookTooLong:
                return None, False

        if choice not in self._counts and (found := self._marking.marked(choice)) is not None:
            self._counts[choice] = int(found[1].sum())
        if choice not in self._counts:
            self._counts[choice] = self.lasting.get(("count", choice), counted)
        return self._counts[choice]


@dataclass(frozen=True, slots=True)
class _Cube:
    """Counts by several properties at once."""

    rows: Sequence[tuple[Mapping[str, Any], int]]
    exact: bool = True

    def tally(self, side: str) -> Tally:
        """Sum over all properties but one; where there is none it is not counted."""
        sums: Counter[str] = Counter()
        for values, count in self.rows:
            if values[side] is not None:
                sums[str(values[side])] += count
        return Tally(sums, self.exact)


def _prime(least: int) -> int:
    """Return the next prime number: a share that keeps step with no rhythm in which records were put."""
    number = max(least, 2)
    while any(number % divisor == 0 for divisor in range(2, isqrt(number) + 1)):
        number += 1
    return number
