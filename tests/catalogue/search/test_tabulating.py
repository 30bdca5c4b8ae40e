"""Columns that grew hold what columns read anew do, on both databases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.catalogue import world

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Record, Sample
from pancommons.catalogue.search.columns import Columns
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.tabulating import EVERYBODY, read_columns, read_more
from pancommons.catalogue.tables import datasets
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.store.engine import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MANY = 1_000_000


@dataclass
class Filling:
    """A catalogue that is filled bit by bit."""

    database: Database

    def add(self, records: list[Record]) -> None:
        load(self.database, records, policy=read_policy(), by=LOCAL_USER, at=NOW)

    def read(self, known: Columns | None = None, most: int = MANY) -> Columns | None:
        with self.database.read() as connection:
            ground = Ground(connection.dialect.name, EVERYBODY, NOW)
            if known is None:
                return read_columns(connection, ground, most)
            return read_more(connection, ground, known, most)

    def dates(self, columns: Columns) -> list[datetime]:
        """Return when the datasets were measured, in the order that the columns have for it."""
        with self.database.read() as connection:
            table = datasets.c
            dates = {
                row.id: row.creation_date
                for row in connection.execute(datasets.select().with_only_columns(table.id, table.creation_date))
            }
        return [dates[key] for key in columns.ids[columns.newest].tolist()]


def told(columns: Columns) -> list[Any]:
    """Return all that columns say of each dataset, whatever the numbers in them."""
    techniques, samples = columns.techniques, columns.samples
    found = []
    for place, key in enumerate(columns.ids.tolist()):
        own = techniques.had[techniques.sets == techniques.together[place]] if techniques.together[place] else []
        had = samples.had[samples.owner == place]
        found.append(
            (
                key,
                dict(columns.cells[columns.cell[place]]),
                sorted(techniques.pids[one] for one in own),
                sorted((samples.ids[one], samples.names[samples.name[one]]) for one in had),
            )
        )
    return found


@pytest.fixture
def filling(database: Database) -> Filling:
    with database.write() as connection:
        put_techniques(connection, world.techniques(12), by=LOCAL_USER, at=NOW)
    return Filling(database)


@pytest.mark.parametrize("seed", range(3))
def test_columns_grow_to_what_they_would_be(filling: Filling, seed: int) -> None:
    random = Random(seed)
    records = list(world.records(60, technique_count=12))
    those = [
        replace(one, creation_date=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(900)))
        for one in records
        if isinstance(one, Dataset)
    ]
    filling.add([one for one in records if not isinstance(one, Dataset)])
    random.shuffle(those)
    columns = None
    while those:
        count = random.randint(1, 9)
        filling.add([*those[:count]])
        those = those[count:]
        columns, anew = filling.read(columns), filling.read()
        assert columns is not None
        assert anew is not None
        assert told(columns) == told(anew)
        assert filling.dates(columns) == filling.dates(anew) == sorted(filling.dates(anew), reverse=True)
        assert sorted(columns.newest) == list(range(len(columns.ids)))


def test_columns_grow_from_nothing_by_nothing_and_not_beyond_what_is_kept(filling: Filling) -> None:
    none = filling.read()
    assert none is not None and not len(none.ids)
    filling.add(
        [Sample(pid="s", name="lung"), Dataset(pid="a", title="a", kind="raw", creation_date=NOW, samples=("s",))]
    )
    one = filling.read(none)
    assert one is not None and told(one) == told(filling.read() or none)
    same = filling.read(one)
    assert same is not None and told(same) == told(one) and np.array_equal(same.newest, one.newest)
    assert filling.read(none, most=0) is None
