"""Relations as SQL: what an include requires of its parent, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias, Select

from pancommons.catalogue.search import walking
from pancommons.catalogue.search.filtering import condition
from pancommons.catalogue.search.ground import Ground, keywords_of
from pancommons.catalogue.search.mapping import LINKS, TABLES
from pancommons.catalogue.search.models import DATASET, Kind, Model
from pancommons.catalogue.search.query import Filter, Include, Sorting
from pancommons.store.functions import json_list

MOST_CHILDREN = 1000
"""So many records at the other end of a relation are shown at most, for each parent."""

KEY = "_key"
"""The label of the id of a row whose own partners are read later."""

NESTED = 3
"""So many levels of what is required stand one in the other; SQLite's parser holds a hundred open brackets."""


def passes(asked: Filter, table: Alias, ground: Ground, depth: int = 0) -> list[ColumnElement[bool]]:
    """Say what a row must fulfil: the conditions, and one partner for each include that requires any.

    Parameters
    ----------
    depth
        In how many levels of required partners this stands.
    """
    parts = [] if asked.where is None else [condition(asked.where, asked.model, table, ground)]
    return parts + [required(one, asked.model, table, ground, depth) for one in asked.include if one.requires]


def required(include: Include, model: Model, table: Alias, ground: Ground, depth: int = 0) -> ColumnElement[bool]:
    """Say that a row has a partner that an include asks for."""
    child = ground.alias(TABLES[include.relation.model])
    asked = [ground.seen(child), *passes(include.scope, child, ground, depth + 1)]
    if depth % NESTED == NESTED - 1:  # the statement names these partners at its beginning
        ids = sa.select(child.c.id).where(*asked).cte()
        child = ground.alias(TABLES[include.relation.model])
        asked = [child.c.id.in_(sa.select(ids.c.id))]
    return sa.exists().where(*joined(include, model, table, child, ground), *asked)


def passes_each(
    asked: Filter, table: Alias, ground: Ground, key: ColumnElement[int] | None = None, *, gather: bool = True
) -> list[ColumnElement[bool]]:
    """Say the same, but so that each row at hand is asked where too many would be gathered from below.

    Parameters
    ----------
    key
        The id of the row, as the table that led to it has it: what can be said of that, the row is not read for.
    gather
        Whether so many rows are at hand that a hash of those that pass is worth its making.
    """
    parts = [] if asked.where is None else [condition(asked.where, asked.model, table, ground)]
    key = table.c.id if key is None else key
    needed = (one for one in asked.include if one.requires)
    return parts + [_required_of_each(one, asked.model, table, ground, key, gather=gather) for one in needed]


def _required_of_each(
    include: Include, model: Model, table: Alias, ground: Ground, key: ColumnElement[int], *, gather: bool
) -> ColumnElement[bool]:
    count = walking.counted(include, ground)
    if count <= walking.ENOUGH:
        return required(include, model, table, ground)
    if gather and include in ground.counted and count <= walking.FEW:
        found = key.in_(walking.with_one(include, ground, walking.FEW))
        return found.is_(sa.true())  # neither database makes a join of what IS TRUE
    child = ground.alias(TABLES[include.relation.model], of_each=True)
    joining, child_key = _led_to(include, model, table, child, ground)
    asked = [ground.seen(child), *passes_each(include.scope, child, ground, child_key, gather=gather)]
    there: Select[Any] = sa.select(sa.literal_column("1")).where(*joining, *asked)
    # ... nor PostgreSQL of what has an OFFSET
    return (there.offset(sa.literal_column("0")) if ground.dialect == "postgresql" else there).exists()


def joined(include: Include, model: Model, table: Alias, child: Alias, ground: Ground) -> list[ColumnElement[bool]]:
    """Join a row with its partners."""
    return _led_to(include, model, table, child, ground)[0]


def _led_to(
    include: Include, model: Model, table: Alias, child: Alias, ground: Ground
) -> tuple[list[ColumnElement[bool]], ColumnElement[int]]:
    """Join a row with its partners; return also the id of a partner, as near as possible to the row."""
    link = LINKS[model.name, include.relation.name]
    if link.through is None:
        return [table.c[link.near] == child.c[link.far]], child.c.id
    between = ground.alias(link.through)
    return [between.c[link.near] == table.c.id, child.c.id == between.c[link.far]], between.c[link.far]


def fields(asked: Filter, table: Alias, ground: Ground) -> list[ColumnElement[Any]]:
    """List what is shown of a row by itself: its fields by their names."""
    shown = [_shown(asked, name, table, ground) for name in asked.model.fields if asked.shows(name)]
    return [column for pair in shown for column in pair]


def partners(
    asked: Filter, table: Alias, ground: Ground, *, whole_parameters: bool = False
) -> list[ColumnElement[Any]]:
    """List the included relations of a row, as JSON lists of what is shown of its partners by themselves.

    Parameters
    ----------
    whole_parameters
        Show a dataset with all its parameters, not only those asked for.
    """
    found: list[ColumnElement[Any]] = []
    for group in grouped(asked.include):
        name = group[0].relation.name
        whole = whole_parameters and asked.model is DATASET and name == "parameters"
        found.append(_partners(group, asked.model, table, ground, whole=whole).label(name))
    return found


def _shown(asked: Filter, name: str, table: Alias, ground: Ground) -> list[ColumnElement[Any]]:
    kind = asked.model.fields[name]
    if kind is Kind.SCORE:
        return []
    if kind is Kind.TEXTS:
        words, joining = keywords_of(asked.model, table, ground)
        rows = sa.select(words.c.keyword).where(joining).order_by(words.c.id).correlate(table)
        return [json_list(rows).label(name)]
    if kind is Kind.VALUE:
        whens = [(condition(one.condition, asked.model, table, ground), place) for place, one in enumerate(asked.shown)]
        unit = sa.case(*whens) if whens else sa.null()
        return [
            ground.digits(table.c.number).label("number"),
            table.c.text.label("text"),
            ground.digits(table.c.si).label("si"),
            table.c.dimension.label("dimension"),
            table.c.name.label("named"),
            table.c.unit.label("given"),
            sa.cast(unit, sa.Integer()).label("asked"),
        ]
    return [ground.field(asked.model, table, name).label(name)]


def _partners(
    group: Sequence[Include], model: Model, table: Alias, ground: Ground, *, whole: bool
) -> ColumnElement[Any]:
    """Gather the partners that one of several includes of a relation shows."""
    relation = group[0].relation
    scope = merged(group)
    child = ground.alias(TABLES[relation.model])
    shown = fields(scope, child, ground)
    if scope.include:
        shown.append(child.c.id.label(KEY))
    rows = sa.select(*shown).where(*joined(group[0], model, table, child, ground), ground.seen(child))
    if not whole and all(include.requires for include in group):
        asked = (_asked_of_partners(include, model, child, ground) for include in group)
        rows = rows.where(sa.or_(*(sa.and_(*parts) for parts in asked)))
    most = min(scope.limit or MOST_CHILDREN, MOST_CHILDREN) if relation.many else 1
    rows = rows.order_by(*ordering(scope.order, scope.model, child, ground)).limit(most)
    if scope.skip:
        rows = rows.offset(scope.skip)
    return json_list(rows.correlate(table))


def _asked_of_partners(include: Include, model: Model, child: Alias, ground: Ground) -> list[ColumnElement[bool]]:
    if walking.counted(include, ground) > walking.enough(model):
        return passes_each(include.scope, child, ground, gather=False)
    return passes(include.scope, child, ground)


def grouped(includes: Sequence[Include]) -> list[list[Include]]:
    """Bring the includes of the same relation together."""
    groups: dict[str, list[Include]] = {}
    for include in includes:
        groups.setdefault(include.relation.name, []).append(include)
    return list(groups.values())


def merged(group: Sequence[Include]) -> Filter:
    """Join what several includes of a relation show; conditions apart, the first that says something counts."""
    scopes = [include.scope for include in group]
    fields = [scope.fields for scope in scopes if scope.fields is not None]
    return Filter(
        scopes[0].model,
        include=tuple(inner for scope in scopes for inner in scope.include),
        order=next((scope.order for scope in scopes if scope.order), ()),
        fields=frozenset().union(*fields) if len(fields) == len(scopes) else None,
        limit=next((scope.limit for scope in scopes if scope.limit), None),
        skip=next((scope.skip for scope in scopes if scope.skip), 0),
        shown=tuple(shown for scope in scopes for shown in scope.shown),
    )


def ordering(order: Sequence[Sorting], model: Model, table: Alias, ground: Ground) -> list[ColumnElement[Any]]:
    """Order rows; those without a value come last, and those alike by their age, in the last direction."""
    found: list[ColumnElement[Any]] = []
    for sorting in order:
        names = ("number", "text") if model.fields[sorting.field] is Kind.VALUE else (sorting.field,)
        for name in names:
            column = table.c[name] if len(names) > 1 else ground.field(model, table, name)
            directed = column.desc() if sorting.descending else column.asc()
            # An index is of use only to an ORDER BY that says no more than needed.
            found.append(directed.nulls_last() if ground.optional(model, table, name) else directed)
    newest_first = bool(order) and order[-1].descending
    return [*found, table.c.id.desc() if newest_first else table.c.id.asc()]
