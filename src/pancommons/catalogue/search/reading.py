"""Reading what is shown of records: they and their partners in one statement, and another for each level below.

One statement for all levels would be parsed by SQLite down to the sixth, and could gather gigabytes before anybody
counts. So each level is read by the ids of the one above, so many at a time, and weighed. A record that several
include is read once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import Alias, Select

from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.joining import KEY, fields, grouped, merged, ordering, partners
from pancommons.catalogue.search.mapping import TABLES
from pancommons.catalogue.search.query import Filter
from pancommons.catalogue.search.weighing import Budget
from pancommons.store.functions import among

FIRST = 50
"""So many records are read at once to begin with."""

_MOST_AT_ONCE = 1000
_BYTES_AT_ONCE = 4 << 20

Row = dict[str, Any]


class Reader:
    """Reads for one request, from one state of the database."""

    def __init__(self, ground: Ground, connection: Connection) -> None:
        self._ground = ground
        self._connection = connection
        self._budget = Budget()

    def page(self, asked: Filter, ids: Select[Any]) -> list[Row]:
        """Read the records whose ids a statement selects, few of them, in the order asked for."""
        table = self._table(asked)
        rows = self._select(asked, table, whole_parameters=True).where(table.c.id.in_(ids))
        return self._filled(asked, rows.order_by(*ordering(asked.order, asked.model, table, self._ground)))

    def records(self, asked: Filter, ids: Sequence[int]) -> Iterator[Row]:
        """Read records by their ids, in this order."""
        for some in self._parts(ids):
            table = self._table(asked)
            rows = self._select(asked, table, whole_parameters=True).where(among(table.c.id, some))
            by_id = {row[KEY]: row for row in self._filled(asked, rows)}
            yield from (by_id[key] for key in some)

    def one(self, asked: Filter, column: str, value: str) -> Row | None:
        """Read the record that has a value in a column, if it may be seen, with those partners that are asked for."""
        table = self._table(asked)
        row = self._select(asked, table).where(table.c[column] == value, self._ground.seen(table))
        return next(iter(self._filled(asked, row)), None)

    def _table(self, asked: Filter) -> Alias:
        return self._ground.alias(TABLES[asked.model.name])

    def _select(self, asked: Filter, table: Alias, *, whole_parameters: bool = False) -> Select[Any]:
        theirs = partners(asked, table, self._ground, whole_parameters=whole_parameters)
        return sa.select(table.c.id.label(KEY), *fields(asked, table, self._ground), *theirs)

    def _filled(self, asked: Filter, rows: Select[Any]) -> list[Row]:
        found = self._read(rows)
        self._fill(asked, found)
        return found

    def _read(self, rows: Select[Any]) -> list[Row]:
        found = []
        for read in self._connection.execute(rows).mappings():
            row: Row = dict(read)
            self._budget.spend(row)
            found.append(row)
        return found

    def _fill(self, asked: Filter, rows: list[Row]) -> None:
        """Give the partners of rows their own."""
        for group in grouped(asked.include):
            scope = merged(group)
            if not scope.include:
                continue
            by_id: defaultdict[int, list[Row]] = defaultdict(list)
            for row in rows:
                for partner in row[group[0].relation.name]:
                    by_id[partner[KEY]].append(partner)
            for some in self._parts(list(by_id)):
                table = self._table(scope)
                theirs = partners(scope, table, self._ground)
                found = self._read(sa.select(table.c.id.label(KEY), *theirs).where(among(table.c.id, some)))
                self._fill(scope, found)
                for row in found:
                    for partner in by_id[row[KEY]]:
                        partner.update(row)

    def _parts(self, ids: Sequence[int]) -> Iterator[Sequence[int]]:
        """Part ids so that what is read for one part stays small, judged by the part before."""
        size = FIRST
        place = 0
        while place < len(ids):
            before = self._budget.spent
            yield ids[place : place + size]
            place += size
            each = (self._budget.spent - before) // size + 1
            size = max(1, min(_BYTES_AT_ONCE // each, _MOST_AT_ONCE))
