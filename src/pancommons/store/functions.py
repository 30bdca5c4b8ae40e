"""What SQLite and PostgreSQL say differently, as SQLAlchemy expressions that mean the same on both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import ColumnClause, FunctionElement
from sqlalchemy.sql.selectable import Select


class Predicate(FunctionElement[bool]):
    """A truth value that stands in a WHERE as it is: ``... = 1`` around it would keep SQLite from its index."""

    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Stay as it is."""
        return self


class _Among(Predicate):
    """``column`` is in a list bound as one parameter, so that the statement is the same for every length."""

    inherit_cache = True
    name = "among"


class _JsonText(sa.types.TypeDecorator[Any]):
    """A list bound as one value: JSON text on SQLite, an array on PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, numeric: bool) -> None:
        super().__init__()
        self.numeric = numeric

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            item: Any = sa.BigInteger() if self.numeric else sa.Text()
            return dialect.type_descriptor(postgresql.ARRAY(item))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


def among(
    column: ColumnElement[Any], values: Collection[int] | Collection[str] | sa.BindParameter[Any]
) -> ColumnElement[bool]:
    """Say that a column is one of any number of values, or of those that `listed` stands for; false for none."""
    if isinstance(values, sa.BindParameter):
        return _Among(column, values)
    if not values:
        return sa.false()
    numeric = isinstance(next(iter(values)), int)
    listed = sorted(values)
    return _Among(column, sa.bindparam(None, listed, type_=_JsonText(numeric), unique=True))


def listed(name: str, *, numeric: bool) -> sa.BindParameter[Any]:
    """Stand for values that are given when a statement is executed, all numbers or all texts."""
    return sa.bindparam(name, type_=_JsonText(numeric))


@compiles(_Among, "sqlite")
def _among_sqlite(element: _Among, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  both are compiled expressions


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"


class fold(FunctionElement[str]):  # noqa: N801
    """Lower case by Unicode's full mapping, as Python's ``str.lower``."""

    inherit_cache = True
    type = sa.Text()
    name = "fold"


@compiles(fold, "sqlite")
def _fold_sqlite(element: fold, compiler: Any, **options: Any) -> str:
    return f"pan_fold({compiler.process(element.clauses, **options)})"


@compiles(fold, "postgresql")
def _fold_postgresql(element: fold, compiler: Any, **options: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **options)}) COLLATE "und-x-icu") COLLATE "C"'


def contains(column: ColumnElement[Any], literal: str, *, ignore_case: bool = False) -> ColumnElement[bool]:
    """Say that a text contains another, letter by letter: nothing in it is special."""
    if ignore_case:
        column, literal = fold(column), literal.lower()
    return _Contains(column, sa.literal(literal, sa.Text()))


class _Contains(FunctionElement[bool]):
    inherit_cache = True
    type = sa.Boolean()
    name = "contains"


@compiles(_Contains, "sqlite")
def _contains_sqlite(element: _Contains, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(_Contains, "postgresql")
def _contains_postgresql(element: _Contains, compiler: Any, **options: Any) -> str:
    column, literal = (compiler.process(clause, **options) for clause in element.clauses)
    return f"strpos({column}, {literal}) > 0"


class _Matches(FunctionElement[bool]):
    inherit_cache = True
    type = sa.Boolean()
    name = "matches"


def matches(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Say that a regular expression is found in a text.

    Parameters
    ----------
    pattern
        In RE2's syntax; ``(?i)`` at its start ignores case. Whoever asks has made sure that RE2 takes it:
        PostgreSQL then runs it in its own engine, under the statement's time limit.
    """
    return _Matches(column, sa.literal(pattern, sa.Text()))


@compiles(_Matches, "sqlite")
def _matches_sqlite(element: _Matches, compiler: Any, **options: Any) -> str:
    return f"pan_matches({compiler.process(element.clauses, **options)})"


@compiles(_Matches, "postgresql")
def _matches_postgresql(element: _Matches, compiler: Any, **options: Any) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column}) ~ {pattern}"


class _JsonList(FunctionElement[str]):
    """The rows of a subquery as one JSON list of objects."""

    inherit_cache = True
    type = sa.JSON()
    name = "json_list"


def json_list(rows: Select[Any]) -> ColumnElement[Any]:
    """Gather the rows of a SELECT, in its order, into one JSON list of objects named by its labels.

    Truth values and JSON columns stay what they are; a nested `json_list` is a list inside. Without rows
    the list is empty. The value comes back as a Python list.
    """
    inner = rows.subquery()
    pairs: list[ColumnElement[Any]] = []
    for column in inner.c:
        value: ColumnElement[Any] = column
        if isinstance(column.type, (sa.Boolean, sa.JSON)):
            value = _JsonItem(column, type_=column.type)
        pairs += [sa.literal_column("'" + str(column.name).replace("'", "''") + "'"), value]
    gathered = sa.select(_JsonList(*pairs)).select_from(inner).scalar_subquery()
    return sa.type_coerce(_OrEmpty(gathered), sa.JSON())


class _OrEmpty(FunctionElement[Any]):
    """An empty list instead of NULL: SQLite gathers no rows to one by itself, and has few brackets to spare."""

    inherit_cache = True
    type = sa.JSON()
    name = "or_empty"


@compiles(_OrEmpty, "sqlite")
def _or_empty_sqlite(element: _OrEmpty, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_OrEmpty, "postgresql")
def _or_empty_postgresql(element: _OrEmpty, compiler: Any, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, '[]')"


class _JsonItem(FunctionElement[Any]):
    """A truth value or JSON text, said so that an object takes it as such."""

    inherit_cache = True
    name = "json_item"

    def __init__(self, column: ColumnClause[Any] | ColumnElement[Any], type_: Any) -> None:
        super().__init__(column)
        self.type = type_


@compiles(_JsonItem, "sqlite")
def _item_sqlite(element: _JsonItem, compiler: Any, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    if isinstance(element.type, sa.Boolean):
        return f"json(CASE {text} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
    return f"json({text})"


@compiles(_JsonItem, "postgresql")
def _item_postgresql(element: _JsonItem, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_JsonList, "sqlite")
def _list_sqlite(element: _JsonList, compiler: Any, **options: Any) -> str:
    return f"json_group_array(json_object({compiler.process(element.clauses, **options)}))"


@compiles(_JsonList, "postgresql")
def _list_postgresql(element: _JsonList, compiler: Any, **options: Any) -> str:
    return f"json_agg(json_build_object({compiler.process(element.clauses, **options)}))"


def register(connection: sqlite3.Connection) -> None:
    """Give a connection of SQLite the functions it lacks."""
    connection.create_function("pan_fold", 1, _fold, deterministic=True)
    connection.create_function("pan_matches", 2, _found, deterministic=True)


def _fold(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _found(text: Any, pattern: str) -> bool | None:
    return None if text is None else _compiled(pattern).search(str(text)) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options=options)
