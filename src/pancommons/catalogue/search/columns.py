"""What facets count of the datasets that somebody may discover, as columns: counted in memory, not in the database.

For a catalogue that is not very large. The columns are read once and hold as long as the catalogue stays as it is for
whoever asks, see `pancommons.catalogue.search.lasting`; of a choice the database is then asked only which datasets fit
its words, its ranges and what else is linked to datasets, each by itself, and these answers are kept as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.search.choosing import ACCESS, Choice, access_ways, dataset_filter, fitting
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.tables import (
    dataset_samples,
    dataset_techniques,
    datasets,
    samples,
    technique_closure,
    techniques,
)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LINKED = ("technique", "facility", "instrument", "sample")
_NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Links:
    """What each of some things has several of, as pairs.

    Attributes
    ----------
    names
        Of all that can be had.
    owner, had
        Shape (pairs,): places of what has it among the things, and of what is had among the names; no pair twice.
    """

    names: Sequence[str]
    owner: Ints
    had: Ints

    def count(self, weights: NDArray[Any]) -> dict[str, int]:
        """Sum the weights of the things that have each, shape (things,); those that none has are left out."""
        sums = np.bincount(self.had, weights[self.owner], len(self.names))
        return {name: int(number) for name, number in zip(self.names, sums, strict=False) if number}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns, of one length.

    Attributes
    ----------
    ids
        Of the datasets, in ascending order.
    cells
        The values of `sides` that occur together.
    cell
        Which of these a dataset has.
    together
        Which of the sets of techniques that occur a dataset has.
    techniques
        The PIDs of the techniques of each set, and of all above these; the set that is numbered 0 is empty.
    samples
        The names of the samples of each dataset, as far as they may be seen.
    """

    ids: Ints
    cells: Sequence[Mapping[str, Any]]
    cell: Ints
    together: Ints
    techniques: Links
    samples: Links

    def within(self, choice: Choice) -> Mask:
        """Mark the datasets of the years, kinds and ways of access of a choice."""
        taken = [
            (not choice.year or cell["year"] in choice.year)
            and (not choice.kind or cell["kind"] in choice.kind)
            and (not choice.access or cell["access"] in choice.access or bool(cell["mine"] and "mine" in choice.access))
            for cell in self.cells
        ]
        return np.asarray(taken, bool)[self.cell] if self.cells else np.zeros(0, bool)

    def marked(self, ids: Ints) -> Mask:
        """Mark datasets by their ids; those that are not among the columns are passed over."""
        found = np.zeros(len(self.ids), bool)
        found[_places(self.ids, ids)] = True
        return found

    def count_cells(self, mask: Mask) -> list[tuple[Mapping[str, Any], int]]:
        """Count the datasets marked by their values of `sides`."""
        counted = np.bincount(self.cell[mask], minlength=len(self.cells))
        return [(cell, int(number)) for cell, number in zip(self.cells, counted, strict=True) if number]

    def count_techniques(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the PIDs of their techniques, and of those above."""
        sets = np.bincount(self.together[mask], minlength=self.together.max(initial=0) + 1)
        return self.techniques.count(sets)

    def count_samples(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the names of their samples."""
        return self.samples.count(mask)


def sides(table: Alias, ground: Ground) -> list[sa.ColumnElement[Any]]:
    """Return what is counted of a dataset itself: its instrument, year, kind, access, and whether it is mine."""
    ways = access_ways(table, ground)
    return [
        table.c.instrument_id.label("place"),
        sa.func.substr(sa.type_coerce(table.c.creation_date, sa.Text()), 1, 4).label("year"),
        table.c.kind.label("kind"),
        sa.case(*((ways[name], name) for name in ACCESS[:-1])).label("access"),
        sa.case((ways["mine"], 1), else_=0).label("mine"),
    ]


def read_columns(connection: Connection, ground: Ground, most: int) -> Columns | None:
    """Read the columns of all datasets that may be discovered; None if the catalogue has more than so many in all."""
    some = sa.select(datasets.c.id).limit(most + 1).subquery()
    if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() > most:
        return None
    ids, cells, cell = _cells(connection, ground)
    together, sets = _together(connection, ids)
    return Columns(ids, cells, cell, together, _above(connection, sets), _samples(connection, ground, ids))


def parts(choice: Choice) -> Iterator[Choice]:
    """Take a choice apart into what the database is asked for, each condition by itself.

    Raises
    ------
    BadFilter
        If the whole asks for more than a query may.
    """
    dataset_filter(choice)
    for name in _LINKED:
        if choice.of(name):
            yield Choice(**{name: choice.of(name)})  # type: ignore[arg-type]
    if choice.words:
        yield Choice(words=choice.words)
    for one in choice.ranges:
        yield Choice(ranges=(one,))


def fitting_ids(choice: Choice, ground: Ground, connection: Connection) -> Ints:
    """Return the ids of all datasets that fit a choice, in no order."""
    table = ground.alias(datasets)
    conditions = fitting(choice, table, ground, connection, all_of_them=True)
    return _read(connection.execute(sa.select(_joined(table.c.id)).where(*conditions)).scalar_one())


def _cells(connection: Connection, ground: Ground) -> tuple[Ints, list[Mapping[str, Any]], Ints]:
    """Return the ids, the values that occur together, and which of these each dataset has."""
    table = ground.alias(datasets)
    each = sa.select(table.c.id, *sides(table, ground)).where(ground.seen(table)).subquery()
    by = [column for column in each.c if column.name != "id"]
    rows = connection.execute(sa.select(*by, _joined(each.c.id).label("ids")).group_by(*by)).mappings().all()
    every = [_read(row["ids"]) for row in rows]
    cells: list[Mapping[str, Any]] = [{column.name: row[column.name] for column in by} for row in rows]
    ids = np.concatenate([_NOTHING, *every])
    order = np.argsort(ids)
    cell: Ints = np.repeat(np.arange(len(cells)), [len(one) for one in every])[order]
    return ids[order], cells, cell


def _together(connection: Connection, ids: Ints) -> tuple[Ints, list[str]]:
    """Return which set of techniques each dataset has, and the ids of those in each set; the first is empty."""
    has = dataset_techniques.c
    each = sa.select(has.dataset_id, _joined(has.technique_id).label("together")).group_by(has.dataset_id).subquery()
    rows = connection.execute(sa.select(each.c.together, _joined(each.c.dataset_id)).group_by(each.c.together)).all()
    found, sets = np.zeros(len(ids), np.int64), [""]
    for together, those in rows:
        if len(places := _places(ids, _read(those))):
            found[places] = len(sets)
            sets.append(together)
    return found, sets


def _above(connection: Connection, sets: Sequence[str]) -> Links:
    """Link sets of techniques, given by their ids, with the PIDs of these and of all above."""
    query = sa.select(technique_closure.c.descendant_id, techniques.c.pid).join(
        techniques, techniques.c.id == technique_closure.c.ancestor_id
    )
    above: dict[str, set[str]] = {}
    for below, pid in connection.execute(query):
        above.setdefault(str(below), set()).add(pid)
    names = sorted(set().union(*above.values()))
    places = {name: place for place, name in enumerate(names)}
    pairs = [
        (number, places[pid])
        for number, together in enumerate(sets)
        for pid in set().union(*(above.get(key, set()) for key in together.split(",")))
    ]
    owner, had = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return Links(names, owner, had)


def _samples(connection: Connection, ground: Ground, ids: Ints) -> Links:
    """Link datasets with the names of their samples; several samples may have one name."""
    sample, has = ground.alias(samples), dataset_samples.c
    each = sa.select(has.sample_id, _joined(has.dataset_id).label("ids")).group_by(has.sample_id).subquery()
    query = sa.select(sample.c.name, each.c.ids).join(each, each.c.sample_id == sample.c.id).where(ground.seen(sample))
    rows = connection.execute(query).all()
    names = sorted({name for name, _ in rows})
    numbers = {name: number for number, name in enumerate(names)}
    owners = [_places(ids, _read(those)) for _, those in rows]
    had = np.repeat(np.asarray([numbers[name] for name, _ in rows], np.int64), [len(one) for one in owners])
    pairs = np.unique(np.concatenate([_NOTHING, *owners]) * max(len(names), 1) + had)
    return Links(names, *np.divmod(pairs, max(len(names), 1)))


def _places(every: Ints, ids: Ints) -> Ints:
    """Return where ids are among all, which are in order; those that are not there are passed over."""
    if not len(every):
        return _NOTHING
    places: Ints = np.minimum(np.searchsorted(every, ids), len(every) - 1)
    found: Ints = places[every[places] == ids]
    return found


def _joined(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Join numbers to one text: a value that is fetched at once, where rows would be one by one."""
    return sa.func.aggregate_strings(sa.cast(column, sa.Text()), ",")


def _read(numbers: str | None) -> Ints:
    return np.fromstring(numbers, np.int64, sep=",") if numbers else _NOTHING
