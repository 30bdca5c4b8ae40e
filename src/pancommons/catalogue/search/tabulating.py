"""Reading what facets count in memory: the columns, what came to them, and what somebody may discover.

The columns hold as long as the catalogue stays as it is, see `pancommons.catalogue.search.lasting`; where datasets came
and nothing else changed, only these are read. Of a choice the database is asked only which datasets fit its words, its
ranges, its samples and its places, each by itself; these answers are kept as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.search.choosing import ACCESS, Choice, access_ways, dataset_filter, fitting
from pancommons.catalogue.search.columns import NOTHING, Columns, Ints, Samples, Sight, Techniques, places_of
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.models import DATASET
from pancommons.catalogue.search.ranking import Step, having
from pancommons.catalogue.tables import (
    dataset_samples,
    dataset_techniques,
    datasets,
    samples,
    technique_closure,
    techniques,
)
from pancommons.store.functions import among

EVERYBODY = LOCAL_USER
"""Sees what anybody may: for whom the columns are read."""

_LINKED = ("facility", "instrument", "sample")


def read_columns(connection: Connection, ground: Ground, most: int) -> Columns | None:
    """Read the columns of all datasets there are, as `EVERYBODY`; None if these are more than so many."""
    some = sa.select(datasets.c.id).limit(most + 1).subquery()
    if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() > most:
        return None
    ids, cell, cells = _cells(connection, ground, 0)
    query = sa.select(datasets.c.id).order_by(datasets.c.creation_date.desc())
    newest = places_of(ids, np.asarray(connection.execute(query).scalars().all(), np.int64))
    pids = sorted(connection.execute(sa.select(techniques.c.pid)).scalars())
    return Columns(ids, cell, cells, newest, _techniques(connection, ids, pids, 0), _samples(connection, ids, 0))


def read_more(connection: Connection, ground: Ground, known: Columns, most: int) -> Columns | None:
    """Return the columns with the datasets that came since they were read, where nothing else changed.

    Only what came is read. New datasets have higher ids than all before.
    """
    since = int(known.ids.max(initial=0))
    ids, cell, cells = _cells(connection, ground, since)
    if len(known.ids) + len(ids) > most:
        return None
    numbers = {tuple(one.items()): number for number, one in enumerate(known.cells)}
    those = [numbers.setdefault(tuple(one.items()), len(numbers)) for one in cells]
    return Columns(
        np.concatenate([known.ids, ids]),
        np.concatenate([known.cell, np.asarray(those, np.int64)[cell]]),
        [dict(values) for values in numbers],
        _newest_with(known, connection, ids),
        _techniques_with(known.techniques, _techniques(connection, ids, known.techniques.pids, since)),
        _samples_with(known.samples, _samples(connection, ids, since), len(known.ids)),
    )


def read_sight(connection: Connection, ground: Ground) -> Sight:
    """Read which datasets and samples somebody may discover, and which datasets are theirs."""
    table, sample = ground.alias(datasets), ground.alias(samples)
    mine = access_ways(table, ground)["mine"]
    return Sight(
        _ids(connection, table, ground.seen(table)),
        _ids(connection, table, mine),
        _ids(connection, sample, ground.seen(sample)),
    )


def sides(table: Alias, ground: Ground) -> list[sa.ColumnElement[Any]]:
    """Return what is counted of a dataset itself: its instrument, its year, its kind, and its access for anybody."""
    ways = access_ways(table, ground)
    return [
        table.c.instrument_id.label("place"),
        sa.func.substr(sa.type_coerce(table.c.creation_date, sa.Text()), 1, 4).label("year"),
        table.c.kind.label("kind"),
        sa.case(*((ways[name], name) for name in ACCESS[:-1])).label("access"),
    ]


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


def worded_ids(wanted: Sequence[str], step: Step, ground: Ground, connection: Connection) -> Ints:
    """Return the ids of all datasets that a step of a search for words finds, whoever may see them, in no order."""
    words = having(wanted, step, DATASET, ground).subquery()
    return _read(connection.execute(sa.select(joined(words.c.id))).scalar_one())


def techniques_above(connection: Connection, which: Sequence[str] | None = None) -> Mapping[str, set[str]]:
    """Return the PIDs of each technique and of all above it, by its id; of all techniques, or of some."""
    below = technique_closure.c.descendant_id
    query = sa.select(below, techniques.c.pid).join(techniques, techniques.c.id == technique_closure.c.ancestor_id)
    if which is not None:
        query = query.where(among(below, [int(key) for key in which]))
    above: dict[str, set[str]] = {}
    for lower, pid in connection.execute(query):
        above.setdefault(str(lower), set()).add(pid)
    return above


def joined(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Join numbers to one text: a value that is fetched at once, where rows would be one by one."""
    return sa.func.aggregate_strings(sa.cast(column, sa.Text()), ",")


def _cells(connection: Connection, ground: Ground, since: int) -> tuple[Ints, Ints, list[Mapping[str, Any]]]:
    """Return the ids above a given one, which cell each dataset is in, and the values of these."""
    table = ground.alias(datasets)
    each = sa.select(table.c.id, *sides(table, ground)).where(table.c.id > since, ground.seen(table)).subquery()
    by = [column for column in each.c if column.name != "id"]
    rows = connection.execute(sa.select(*by, joined(each.c.id).label("ids")).group_by(*by)).mappings().all()
    every = [_read(row["ids"]) for row in rows]
    ids = np.concatenate([NOTHING, *every])
    order = np.argsort(ids)
    cell: Ints = np.repeat(np.arange(len(rows)), [len(one) for one in every])[order]
    return ids[order], cell, [{column.name: row[column.name] for column in by} for row in rows]


def _newest_with(known: Columns, connection: Connection, ids: Ints) -> Ints:
    """Put the places of further datasets where those lie that were measured when they were."""
    new, old = datasets.alias(), datasets.alias()
    later = sa.select(sa.func.count()).where(
        old.c.creation_date > new.c.creation_date, old.c.id <= int(known.ids.max(initial=0))
    )
    query = sa.select(new.c.id, later.scalar_subquery()).where(among(new.c.id, ids.tolist()))
    rows = connection.execute(query.order_by(new.c.creation_date.desc())).all()
    places = len(known.ids) + np.searchsorted(ids, [row[0] for row in rows])
    return np.insert(known.newest, [min(row[1], len(known.newest)) for row in rows], places)


def _techniques(connection: Connection, ids: Ints, pids: Sequence[str], since: int) -> Techniques:
    """Read the techniques of datasets with ids above a given one; ``pids`` are those of all techniques."""
    has = dataset_techniques.c
    each = sa.select(has.dataset_id, joined(has.technique_id).label("together"))
    sets = each.where(has.dataset_id > since).group_by(has.dataset_id).subquery()
    rows = connection.execute(sa.select(sets.c.together, joined(sets.c.dataset_id)).group_by(sets.c.together)).all()
    together = np.zeros(len(ids), np.int64)
    for number, (_, those) in enumerate(rows, start=1):
        together[places_of(ids, _read(those))] = number
    keys = [row.together.split(",") for row in rows]
    above = techniques_above(connection, sorted(set().union(*keys)))
    places = {pid: place for place, pid in enumerate(pids)}
    pairs = [
        (number, places[pid])
        for number, those in enumerate(keys, start=1)
        for pid in set().union(*(above.get(key, ()) for key in those))
        if pid in places  # what came a moment ago counts when it is known to be there
    ]
    owner, had = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return Techniques(together, owner, had, pids)


def _techniques_with(known: Techniques, more: Techniques) -> Techniques:
    most = known.together.max(initial=0)
    return Techniques(
        np.concatenate([known.together, np.where(more.together, more.together + most, 0)]),
        np.concatenate([known.sets, more.sets + most]),
        np.concatenate([known.had, more.had]),
        known.pids,
    )


def _samples(connection: Connection, ids: Ints, since: int) -> Samples:
    """Read the samples of datasets with ids above a given one."""
    has = dataset_samples.c
    of = sa.select(has.sample_id, joined(has.dataset_id).label("ids")).where(has.dataset_id > since)
    each = of.group_by(has.sample_id).subquery()
    query = sa.select(samples.c.id, samples.c.name, each.c.ids).join(each, each.c.sample_id == samples.c.id)
    rows = connection.execute(query.order_by(samples.c.id)).all()
    owners = [places_of(ids, _read(row.ids)) for row in rows]
    return _numbered(
        np.concatenate([NOTHING, *owners]),
        np.repeat(np.arange(len(rows)), [len(one) for one in owners]),
        {row.id: row.name for row in rows},
    )


def _samples_with(known: Samples, more: Samples, count: int) -> Samples:
    """Put the samples of further datasets, which come after so many, to those known."""
    called = {key: one.names[place] for one in (known, more) for key, place in zip(one.ids, one.name, strict=True)}
    ids = np.asarray(sorted(called), np.int64)
    had = [places_of(ids, one.ids)[one.had] for one in (known, more)]
    owner = np.concatenate([known.owner, more.owner + count])
    return _numbered(owner, np.concatenate(had), {int(key): called[key] for key in ids})


def _numbered(owner: Ints, had: Ints, called: Mapping[int, str]) -> Samples:
    """Number the names of samples, which are given by their ids, ascending."""
    names = sorted(set(called.values()))
    places = {name: place for place, name in enumerate(names)}
    numbered = np.asarray([places[name] for name in called.values()], np.int64)
    return Samples(owner, had, np.asarray(list(called), np.int64), numbered, names)


def _ids(connection: Connection, table: Alias, *conditions: sa.ColumnElement[bool]) -> Ints:
    """Return the ids of rows in no order."""
    return _read(connection.execute(sa.select(joined(table.c.id)).where(*conditions)).scalar_one())


def _read(numbers: str | None) -> Ints:
    return np.fromstring(numbers, np.int64, sep=",") if numbers else NOTHING
