"""Conditions as SQL."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.search.ground import Ground, keywords_of
from pancommons.catalogue.search.mapping import NUMBERED, TEXT_INDEXES
from pancommons.catalogue.search.models import Kind, Model
from pancommons.catalogue.search.query import (
    All,
    Condition,
    Contains,
    Equals,
    Matches,
    Measured,
    Missing,
    Not,
    Order,
    Ordered,
    Reading,
    Some,
    Text,
)
from pancommons.catalogue.search.regexps import Pattern
from pancommons.catalogue.tables import technique_closure, technique_synonyms, techniques
from pancommons.store.functions import Predicate, among, contains, fold
from pancommons.store.text import SEPARATOR, with_substring

TOLERANCE = 1e-12
"""Numbers in SI that differ relatively by less are equal: two ways of conversion may round differently."""

_FLIPPED: dict[Order, Order] = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte", "eq": "eq"}
Leaf = Equals | Contains | Matches | Ordered
Expression = ColumnElement[Any]


def condition(asked: Condition, model: Model, table: Alias, ground: Ground) -> ColumnElement[bool]:
    """Compile a condition on a row of a model's table; NULL counts as false."""
    if isinstance(asked, All):
        return sa.and_(sa.true(), *(condition(part, model, table, ground) for part in asked.parts))
    if isinstance(asked, Some):
        return sa.or_(sa.false(), *(condition(part, model, table, ground) for part in asked.parts))
    if isinstance(asked, Not):
        return sa.not_(sa.func.coalesce(condition(asked.part, model, table, ground), sa.false(), type_=sa.Boolean()))
    if isinstance(asked, Measured):
        return sa.or_(*(_read(reading, asked, table, ground) for reading in asked.unit.readings))
    if isinstance(asked, Text):
        return _text(asked.literal, model, table, ground)
    return _leaf_of(asked, model, table, ground)


def text_ids(literal: str, model: Model, ground: Ground) -> sa.Select[Any]:
    """Select the ids of the records of a model whose searched fields contain a text, through its index."""
    return with_substring(ground.dialect, TEXT_INDEXES[model.name], _one_line(literal))


def _one_line(literal: str) -> str:
    return literal.lower().replace(SEPARATOR, " ")


def _text(literal: str, model: Model, table: Alias, ground: Ground) -> ColumnElement[bool]:
    if model.name == "Technique":
        return _below(lambda name: contains(name, literal, ignore_case=True), table, ground, names=True)
    index = TEXT_INDEXES.get(model.name)
    if index is None:
        fields = (ground.field(model, table, name) for name in model.searched)
        return sa.or_(*(contains(field, literal, ignore_case=True) for field in fields))
    if ground.dialect == "postgresql":
        return table.c.id.in_(text_ids(literal, model, ground))
    text = ground.alias(index.letters)
    return sa.exists().where(text.c.id == table.c.id, contains(text.c.folded, _one_line(literal)))


def _leaf_of(asked: Leaf | Missing, model: Model, table: Alias, ground: Ground) -> ColumnElement[bool]:
    kind = model.fields.get(asked.field)
    if kind is Kind.TEXTS:
        words, joined = keywords_of(model, table, ground)
        there = sa.exists().where(joined)
        return sa.not_(there) if isinstance(asked, Missing) else there.where(_leaf(asked, words.c.keyword))
    if kind is Kind.TRUTH:
        public = ground.public(table)
        values = asked.values if isinstance(asked, Equals) else ()
        return sa.or_(sa.false(), *(public if value else sa.not_(public) for value in values))
    if model.name in NUMBERED and asked.field == "id" and isinstance(asked, Equals):
        return among(table.c.id, [int(v) for v in asked.values if isinstance(v, str) and _is_key(v)])
    expression = ground.field(model, table, asked.field)
    if isinstance(asked, Missing):
        return expression.is_(None)
    if model.name == "Technique" and not isinstance(asked, Ordered):
        if asked.field == "name":
            return _below(partial(_leaf, asked), table, ground, names=True)
        return _below(lambda pid: _leaf(asked, pid), table, ground, names=False)
    return _leaf(asked, ground.beside(table, expression) if kind is None else expression)


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _leaf(asked: Leaf, expression: Expression) -> ColumnElement[bool]:
    if isinstance(asked, Equals):
        return _equals(asked, expression)
    if isinstance(asked, Contains):
        return contains(expression, asked.literal, ignore_case=asked.ignore_case)
    if isinstance(asked, Matches):
        return _Found.of(expression, asked.pattern)
    return _compared(expression, asked.order, asked.value)


def _equals(asked: Equals, expression: Expression) -> ColumnElement[bool]:
    texts = [value for value in asked.values if isinstance(value, str)]
    if len(texts) > 1:
        return among(expression, texts)
    if len(asked.values) > 1:
        return expression.in_([sa.literal(value, sa.Double()) for value in asked.values])
    return sa.or_(sa.false(), *(_compared(expression, "eq", value) for value in asked.values))


def _compared(expression: Expression, order: Order, value: Any) -> ColumnElement[bool]:
    bound = sa.literal(value, sa.Text() if isinstance(value, str) else sa.Double())
    compared: ColumnElement[bool] = {
        "eq": expression.__eq__,
        "gt": expression.__gt__,
        "gte": expression.__ge__,
        "lt": expression.__lt__,
        "lte": expression.__le__,
    }[order](bound)
    return compared


def _below(
    test: Callable[[Expression], ColumnElement[bool]], table: Alias, ground: Ground, *, names: bool
) -> ColumnElement[bool]:
    """Say that a technique is, or lies below, one whose name or synonym, or else PID, passes a test."""
    above, closure = ground.alias(techniques), ground.alias(technique_closure)
    passes = test(above.c.name if names else above.c.pid)
    if names:
        synonym = ground.alias(technique_synonyms)
        passes = sa.or_(passes, sa.exists().where(synonym.c.technique_id == above.c.id, test(synonym.c.synonym)))
    found = sa.select(closure.c.descendant_id).join_from(closure, above, above.c.id == closure.c.ancestor_id)
    return table.c.id.in_(found.where(passes))


def _read(reading: Reading, asked: Measured, table: Alias, ground: Ground) -> ColumnElement[bool]:
    si = table.c.si
    parts = [ground.beside(table, table.c.dimension) == reading.dimension]
    if reading.names is not None:
        parts.append(among(table.c.name, reading.names))
    plain = reading.power == 1
    if not plain:
        parts.append(si > 0)
    if asked.order is None:
        return sa.and_(*parts)
    value = asked.unit.scale.to_si(asked.value)
    if plain:
        return sa.and_(*parts, _near(si, asked.order, value))
    if value <= 0:
        return sa.and_(*parts) if asked.order in ("gt", "gte") else sa.false()
    order = _FLIPPED[asked.order] if reading.power < 0 else asked.order
    return sa.and_(*parts, _near(si, order, math.pow(value / reading.coefficient, 1 / reading.power)))


def _near(si: Expression, order: Order, value: float) -> ColumnElement[bool]:
    slack = TOLERANCE * abs(value)
    if order == "eq":
        return sa.and_(_compared(si, "gte", value - slack), _compared(si, "lte", value + slack))
    outward = -slack if order in ("gte", "lt") else slack
    return _compared(si, order, value + outward)


class _Found(Predicate):
    """A regular expression is found in a text, in the spelling of the database's engine."""

    inherit_cache = True
    name = "found"

    @classmethod
    def of(cls, expression: Expression, pattern: Pattern) -> _Found:
        text = fold(expression) if pattern.ignore_case else expression
        return cls(text, sa.literal(pattern.re2, sa.Text()), sa.literal(pattern.postgresql, sa.Text()))


@compiles(_Found, "sqlite")
def _found_sqlite(element: _Found, compiler: Any, **options: Any) -> str:
    text, pattern, _ = element.clauses
    return f"pan_matches({compiler.process(text, **options)}, {compiler.process(pattern, **options)})"


@compiles(_Found, "postgresql")
def _found_postgresql(element: _Found, compiler: Any, **options: Any) -> str:
    text, _, pattern = element.clauses
    return f"({compiler.process(text, **options)}) ~ {compiler.process(pattern, **options)}"
