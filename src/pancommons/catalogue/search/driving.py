"""Where SQLite shall begin.

SQLite looks through records one by one and asks each EXISTS in turn. Where one of them holds for few records,
beginning with those is faster by orders of magnitude; where all hold for many, it is not. PostgreSQL finds out
by itself from its statistics; for SQLite the ways through an index are tried, each to a small number of rows. For
either, `walking` knows when not to begin with parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias, Select

from pancommons.catalogue.search.filtering import condition, text_ids
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.joining import NESTED, passes, passes_each, required
from pancommons.catalogue.search.mapping import LINKS, TABLES, TEXT_INDEXES
from pancommons.catalogue.search.models import Model
from pancommons.catalogue.search.query import All, Condition, Contains, Equals, Filter, Include, Text
from pancommons.catalogue.search.walking import walks

FEW = 20_000
_GRAM = 3
_SMALL = frozenset({"Technique", "Instrument", "Person", "Affiliation"})
_INDEXED = {
    "Parameter": {"name"},
    "Dataset": {"pid", "title"},
    "Document": {"pid", "doi"},
    "Sample": {"pid"},
    "File": {"id"},
}


@dataclass(frozen=True)
class _Way:
    """Something a record must fulfil, to be asked of each, or whose records an index gives.

    Attributes
    ----------
    exact
        Whether the index gives just those that fulfil it, and not some others too.
    """

    check: ColumnElement[bool]
    ids: Select[Any] | None = None
    exact: bool = True

    def begun(self, table: Alias) -> ColumnElement[bool]:
        """Say the same so that the index is used."""
        if self.ids is None:
            return self.check
        given = table.c.id.in_(self.ids)
        return given if self.exact else sa.and_(given, self.check)


def restricted(
    asked: Filter,
    table: Alias,
    ground: Ground,
    connection: Connection,
    *,
    all_of_them: bool = False,
    wanted: int | None = None,
) -> list[ColumnElement[bool]]:
    """Say what a row must fulfil, as `joining.passes`, beginning with what holds for few.

    Parameters
    ----------
    all_of_them
        All records will be looked at, as for a count: then an index helps even if it gives many.
    wanted
        So many records will be looked at, the first in the order asked for.
    """
    if wanted is not None and walks(asked, wanted, ground):
        return passes_each(asked, table, ground)
    if ground.dialect != "sqlite":
        ways = [_condition_way(part, asked.model, table, ground) for part in _parts(asked)]
        hints = [table.c.id.in_(way.ids) for way in ways if way.ids is not None and not way.exact]
        return [*passes(asked, table, ground), *hints]
    ways = _ways(asked, table, ground, connection)
    best = _best(ways, connection, all_of_them=all_of_them)
    return [way.begun(table) if way is best else way.check for way in ways]


def _ways(asked: Filter, table: Alias, ground: Ground, connection: Connection, depth: int = 0) -> list[_Way]:
    ways = [_condition_way(part, asked.model, table, ground) for part in _parts(asked)]
    for include in asked.include:
        if include.requires:
            check = required(include, asked.model, table, ground, depth)
            ways.append(_Way(check, _reached(include, asked.model, ground, connection, depth)))
    return ways


def _parts(asked: Filter) -> tuple[Condition, ...]:
    """Return the conditions that must all hold."""
    if asked.where is None:
        return ()
    return asked.where.parts if isinstance(asked.where, All) else (asked.where,)


def _condition_way(part: Condition, model: Model, table: Alias, ground: Ground) -> _Way:
    check = condition(part, model, table, ground)
    if model.name not in TEXT_INDEXES or not isinstance(part, (Text, Contains)) or len(part.literal) < _GRAM:
        return _Way(check)
    if isinstance(part, Contains) and part.field not in model.searched:
        return _Way(check)
    return _Way(check, text_ids(part.literal, model, ground), exact=isinstance(part, Text))


def _reached(include: Include, model: Model, ground: Ground, connection: Connection, depth: int) -> Select[Any] | None:
    """Select the ids of the parents of an include's matches, where an index leads to these, not from far below."""
    scope = include.scope
    child = ground.alias(TABLES[scope.model.name], first=True)
    if _is_indexed(scope):
        inner = passes(scope, child, ground, depth + 1)
    elif depth + 1 == NESTED:
        return None
    else:
        ways = _ways(scope, child, ground, connection, depth + 1)
        best = _best(ways, connection, all_of_them=False)
        if best is None or best.ids is None:
            return None
        inner = [way.begun(child) if way is best else way.check for way in ways]
    link = LINKS[model.name, include.relation.name]
    conditions = [ground.seen(child), *inner]
    if link.through is not None:
        between = ground.alias(link.through)
        return sa.select(between.c[link.near]).where(child.c.id == between.c[link.far], *conditions)
    if link.far != "id":
        return sa.select(child.c[link.far]).where(child.c[link.far].is_not(None), *conditions)
    parent = ground.alias(TABLES[model.name])
    return sa.select(parent.c.id).where(parent.c[link.near].in_(sa.select(child.c.id).where(*conditions)))


def _is_indexed(asked: Filter) -> bool:
    if asked.where is None:
        return False
    names = _INDEXED.get(asked.model.name, set())
    return asked.model.name in _SMALL or any(isinstance(part, Equals) and part.field in names for part in _parts(asked))


def _best(ways: list[_Way], connection: Connection, *, all_of_them: bool) -> _Way | None:
    """Find the way that gives the fewest records; None where all give many and are better asked one by one."""
    counted = [(_count(way.ids, connection), place, way) for place, way in enumerate(ways) if way.ids is not None]
    if not counted:
        return None
    fewest, _, way = min(counted, key=lambda one: one[:2])
    return way if fewest <= FEW or all_of_them else None


def _count(ids: Select[Any], connection: Connection) -> int:
    few = ids.limit(FEW + 1).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(few)).scalar_one()
