"""What facets count of datasets, as columns: counted in memory, not in the database.

For a catalogue that is not very large. The columns are read once for everybody and hold as long as the catalogue stays
as it is, see `pancommons.catalogue.search.lasting`. For whoever asks, the database tells which datasets and samples
they may discover, and of a choice it is asked only which datasets fit its words, its ranges, its samples and its
places, each by itself; these answers are kept as well.
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

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.search.choosing import ACCESS, Choice, access_ways, dataset_filter, fitting, purl
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

EVERYBODY = LOCAL_USER
"""Sees what anybody may: for whom `Columns` are read."""

_LINKED = ("facility", "instrument", "sample")
_NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Techniques:
    """The techniques of datasets.

    Attributes
    ----------
    together
        Shape (datasets,): which of the sets of techniques that occur each has; the set that is numbered 0 is empty.
    sets, had
        Shape (pairs,): of each set its techniques, and all above these, as places among the PIDs; no pair twice.
    pids
        Of all techniques.
    """

    together: Ints
    sets: Ints
    had: Ints
    pids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of datasets.

    Attributes
    ----------
    owner, had
        Shape (pairs,): places of datasets, and of the samples that each has.
    ids, name
        Shape (samples,): ascending, and places of their names; several samples may have one.
    names
        All different ones.
    """

    owner: Ints
    had: Ints
    ids: Ints
    name: Ints
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """All datasets of the catalogue, whoever may discover them.

    Attributes
    ----------
    ids
        Shape (datasets,), ascending.
    cell
        Shape (datasets,): which of the cells each is in.
    cells
        The values of `sides` that occur together.
    newest
        Shape (datasets,): places of the datasets, those measured last first.
    """

    ids: Ints
    cell: Ints
    cells: Sequence[Mapping[str, Any]]
    newest: Ints
    techniques: Techniques
    samples: Samples


@dataclass(frozen=True, slots=True)
class Sight:
    """Ids of the datasets and the samples that somebody may discover, and of the datasets that are theirs."""

    datasets: Ints
    mine: Ints
    samples: Ints


class View:
    """The columns as somebody sees them: of what they may not discover nothing is counted."""

    def __init__(self, columns: Columns, sight: Sight) -> None:
        self._columns = columns
        self._seen, self._mine = self.marked(sight.datasets), self.marked(sight.mine)
        self._samples = _marked(columns.samples.ids, sight.samples)

    def within(self, choice: Choice) -> Mask:
        """Mark the datasets of the techniques, years, kinds and ways of access of a choice."""
        seen = self._seen & self._measured_by(choice.technique) if choice.technique else self._seen
        cells = self._columns.cells
        near = np.asarray(
            [
                (not choice.year or one["year"] in choice.year) and (not choice.kind or one["kind"] in choice.kind)
                for one in cells
            ],
            bool,
        )
        if not choice.access:
            return self._of(near) & seen
        found = self._of(near & np.asarray([one["access"] in choice.access for one in cells], bool))
        if "mine" in choice.access:
            found |= self._of(near) & self._mine
        return found & seen

    def _measured_by(self, given: Sequence[str]) -> Mask:
        """Mark the datasets that have any of some techniques, or one beneath."""
        found = self._columns.techniques
        wanted = set(map(purl, given))
        places = [place for place, pid in enumerate(found.pids) if pid in wanted]
        sets = np.zeros(found.together.max(initial=0) + 1, bool)
        sets[found.sets[np.isin(found.had, places)]] = True
        measured: Mask = sets[found.together]
        return measured

    def _of(self, cells: Mask) -> Mask:
        """Mark the datasets in cells that are marked."""
        found: Mask = cells[self._columns.cell]
        return found

    def marked(self, ids: Ints) -> Mask:
        """Mark datasets by their ids; those that are not among the columns are passed over."""
        return _marked(self._columns.ids, ids)

    def newest(self, mask: Mask, most: int) -> list[int]:
        """Return the ids of the datasets marked that were measured last, so many at most."""
        order = self._columns.newest
        found: list[int] = self._columns.ids[order[mask[order]][:most]].tolist()
        return found

    def count_cells(self, mask: Mask) -> list[tuple[Mapping[str, Any], int]]:
        """Count the datasets marked by their values of `sides`, and by whether they are ``mine``: 1 or 0."""
        cells, cell = self._columns.cells, self._columns.cell
        return [
            ({**values, "mine": mine}, int(number))
            for mine, those in enumerate((mask & ~self._mine, mask & self._mine))
            for values, number in zip(cells, np.bincount(cell[those], minlength=len(cells)), strict=True)
            if number
        ]

    def count_techniques(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the PIDs of their techniques, and of those above."""
        found = self._columns.techniques
        sets = np.bincount(found.together[mask], minlength=found.together.max(initial=0) + 1)
        return _named(found.pids, np.bincount(found.had, sets[found.sets], len(found.pids)))

    def count_samples(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the names of their samples, as far as these may be seen."""
        found = self._columns.samples
        kept = mask[found.owner] & self._samples[found.had]
        several = max(len(found.names), 1)
        pairs = np.unique(found.owner[kept] * several + found.name[found.had[kept]])
        return _named(found.names, np.bincount(pairs % several, minlength=len(found.names)))


def sides(table: Alias, ground: Ground) -> list[sa.ColumnElement[Any]]:
    """Return what is counted of a dataset itself: its instrument, its year, its kind, and its access for anybody."""
    ways = access_ways(table, ground)
    return [
        table.c.instrument_id.label("place"),
        sa.func.substr(sa.type_coerce(table.c.creation_date, sa.Text()), 1, 4).label("year"),
        table.c.kind.label("kind"),
        sa.case(*((ways[name], name) for name in ACCESS[:-1])).label("access"),
    ]


def read_columns(connection: Connection, ground: Ground, most: int) -> Columns | None:
    """Read the columns of all datasets there are, as `EVERYBODY`; None if these are more than so many."""
    some = sa.select(datasets.c.id).limit(most + 1).subquery()
    if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() > most:
        return None
    ids, cell, cells = _cells(connection, ground)
    return Columns(ids, cell, cells, _newest(connection, ids), _techniques(connection, ids), _samples(connection, ids))


def read_sight(connection: Connection, ground: Ground) -> Sight:
    """Read which datasets and samples somebody may discover, and which datasets are theirs."""
    table, sample = ground.alias(datasets), ground.alias(samples)
    mine = access_ways(table, ground)["mine"]
    return Sight(
        _ids(connection, table, ground.seen(table)),
        _ids(connection, table, mine),
        _ids(connection, sample, ground.seen(sample)),
    )


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


def alike(part: Choice) -> bool:
    """Say whether a part of a choice fits the same of those datasets that two people may discover.

    Words and parameters share the fate of their dataset; which samples and instruments may be seen is each one's own.
    """
    return bool(part.words or part.ranges)


def fitting_ids(choice: Choice, ground: Ground, connection: Connection) -> Ints:
    """Return the ids of all datasets that fit a choice, in no order."""
    table = ground.alias(datasets)
    return _ids(connection, table, *fitting(choice, table, ground, connection, all_of_them=True))


def techniques_above(connection: Connection) -> Mapping[str, set[str]]:
    """Return the PIDs of each technique and of all above it, by its id."""
    query = sa.select(technique_closure.c.descendant_id, techniques.c.pid).join(
        techniques, techniques.c.id == technique_closure.c.ancestor_id
    )
    above: dict[str, set[str]] = {}
    for below, pid in connection.execute(query):
        above.setdefault(str(below), set()).add(pid)
    return above


def _cells(connection: Connection, ground: Ground) -> tuple[Ints, Ints, list[Mapping[str, Any]]]:
    """Return the ids, which cell each dataset is in, and the values of these."""
    table = ground.alias(datasets)
    each = sa.select(table.c.id, *sides(table, ground)).where(ground.seen(table)).subquery()
    by = [column for column in each.c if column.name != "id"]
    rows = connection.execute(sa.select(*by, joined(each.c.id).label("ids")).group_by(*by)).mappings().all()
    every = [_read(row["ids"]) for row in rows]
    ids = np.concatenate([_NOTHING, *every])
    order = np.argsort(ids)
    cell: Ints = np.repeat(np.arange(len(rows)), [len(one) for one in every])[order]
    return ids[order], cell, [{column.name: row[column.name] for column in by} for row in rows]


def _newest(connection: Connection, ids: Ints) -> Ints:
    query = sa.select(datasets.c.id).order_by(datasets.c.creation_date.desc())
    return _places(ids, np.asarray(connection.execute(query).scalars().all(), np.int64))


def _techniques(connection: Connection, ids: Ints) -> Techniques:
    has = dataset_techniques.c
    each = sa.select(has.dataset_id, joined(has.technique_id).label("together")).group_by(has.dataset_id).subquery()
    rows = connection.execute(sa.select(each.c.together, joined(each.c.dataset_id)).group_by(each.c.together)).all()
    together = np.zeros(len(ids), np.int64)
    for number, (_, those) in enumerate(rows, start=1):
        together[_places(ids, _read(those))] = number
    above = techniques_above(connection)
    pids = sorted(set().union(*above.values()))
    places = {pid: place for place, pid in enumerate(pids)}
    pairs = [
        (number, places[pid])
        for number, (those, _) in enumerate(rows, start=1)
        for pid in set().union(*(above[key] for key in those.split(",")))
    ]
    sets, had = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return Techniques(together, sets, had, pids)


def _samples(connection: Connection, ids: Ints) -> Samples:
    has = dataset_samples.c
    each = sa.select(has.sample_id, joined(has.dataset_id).label("ids")).group_by(has.sample_id).subquery()
    query = sa.select(samples.c.id, samples.c.name, each.c.ids).join(each, each.c.sample_id == samples.c.id)
    rows = connection.execute(query.order_by(samples.c.id)).all()
    names = sorted({row.name for row in rows})
    places = {name: place for place, name in enumerate(names)}
    owners = [_places(ids, _read(row.ids)) for row in rows]
    return Samples(
        owner=np.concatenate([_NOTHING, *owners]),
        had=np.repeat(np.arange(len(rows)), [len(one) for one in owners]),
        ids=np.asarray([row.id for row in rows], np.int64),
        name=np.asarray([places[row.name] for row in rows], np.int64),
        names=names,
    )


def _places(every: Ints, ids: Ints) -> Ints:
    """Return where ids are among all, which are in order; those that are not there are passed over."""
    if not len(every):
        return _NOTHING
    places: Ints = np.minimum(np.searchsorted(every, ids), len(every) - 1)
    found: Ints = places[every[places] == ids]
    return found


def _marked(every: Ints, ids: Ints) -> Mask:
    """Mark ids among all, which are in order."""
    found = np.zeros(len(every), bool)
    found[_places(every, ids)] = True
    return found


def _named(names: Sequence[str], numbers: NDArray[Any]) -> dict[str, int]:
    """Name numbers that are not zero."""
    return {names[place]: int(numbers[place]) for place in map(int, np.flatnonzero(numbers))}


def _ids(connection: Connection, table: Alias, *conditions: sa.ColumnElement[bool]) -> Ints:
    """Return the ids of rows in no order."""
    return _read(connection.execute(sa.select(joined(table.c.id)).where(*conditions)).scalar_one())


def joined(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Join numbers to one text: a value that is fetched at once, where rows would be one by one."""
    return sa.func.aggregate_strings(sa.cast(column, sa.Text()), ",")


def _read(numbers: str | None) -> Ints:
    return np.fromstring(numbers, np.int64, sep=",") if numbers else _NOTHING
