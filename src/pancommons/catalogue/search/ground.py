"""What every part of a compiled query rests on: the database's dialect, who asks, and when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.access import ANONYMOUS, Action, Principal, visible
from pancommons.catalogue.parts import affiliations, keywords, parameters, persons
from pancommons.catalogue.search.mapping import COLUMNS, NUMBERED
from pancommons.catalogue.search.models import Kind, Model
from pancommons.catalogue.search.query import Include
from pancommons.catalogue.tables import techniques

PANET = "http://purl.org/pan-science/PaNET/"


@dataclass(frozen=True)
class Ground:
    """Who asks which kind of database, and when; made for one request.

    Attributes
    ----------
    counted
        How many parameters an include asks for, where `walking` counted them.
    """

    dialect: str
    principal: Principal
    at: datetime
    counted: dict[Include, int] = field(default_factory=dict, repr=False)
    _taken: Counter[sa.Table] = field(default_factory=Counter, repr=False)
    _first: set[Alias] = field(default_factory=set, repr=False)
    _of_each: set[Alias] = field(default_factory=set, repr=False)
    _seen: dict[Alias, ColumnElement[bool]] = field(default_factory=dict, repr=False)

    def alias(self, table: sa.Table, *, first: bool = False, of_each: bool = False) -> Alias:
        """Return another name for a table that the request has not used yet.

        Parameters
        ----------
        first
            The table is where a subquery begins, not joined to a row at hand.
        of_each
            Of the table, so much is known to be asked for that it is read by the row at hand on PostgreSQL too.
        """
        self._taken[table] += 1
        alias = _alias(table, self._taken[table])
        if first:
            self._first.add(alias)
        if of_each:
            self._of_each.add(alias)
        return alias

    def beside(self, table: Alias, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Keep a database from beginning with a column's index where it has a row of another table at hand.

        It would read every parameter in a range for each dataset, not the few that the dataset has. PostgreSQL does
        so where it expects few in the range; only where these were counted it is known to be wrong.
        """
        if self.dialect == "postgresql" and table in self._of_each:
            return column + sa.literal_column("''" if isinstance(column.type, sa.Text) else "0", column.type)
        if self.dialect != "sqlite" or table in self._first:
            return column
        return sa.sql.elements.UnaryExpression(column, operator=custom_op("+"), type_=column.type)

    def seen(self, table: Alias) -> ColumnElement[bool]:
        """Say that a row may be discovered.

        Parameters share the fate of their record, which every statement reaches them from and asks about;
        techniques, and persons and affiliations of a member who may be seen, are no secret.
        """
        if table.element in (parameters, techniques, persons, affiliations):
            return sa.true()
        if table not in self._seen:
            condition = visible(table, self.principal, Action.DISCOVER, self.at)
            # Most records may be seen: SQLite shall not take an index over that and sort what it finds.
            self._seen[table] = sa.func.likely(condition, type_=sa.Boolean()) if self.dialect == "sqlite" else condition
        return self._seen[table]

    def public(self, table: Alias) -> ColumnElement[bool]:
        """Say that anybody may have the data."""
        return visible(table, ANONYMOUS, Action.READ, self.at)

    def text(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Turn a number of ours into a text that sorts by code point."""
        text = sa.cast(column, sa.Text())
        return text.collate("C") if self.dialect == "postgresql" else text

    def digits(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Turn a number into a text that gives just this number back."""
        if self.dialect == "sqlite":
            return sa.case((column.is_not(None), sa.func.printf("%!.17g", column, type_=sa.Text())))
        return sa.cast(column, sa.Text())

    def field(self, model: Model, table: Alias, name: str) -> ColumnElement[Any]:
        """Return the expression of a field that is no list, as it is compared, ordered by and shown."""
        kind = model.fields.get(name)
        if kind is Kind.TRUTH:
            return self.public(table)
        if kind is Kind.SCORE:
            return sa.literal(0.0)
        if model.name == "Technique" and name == "panetId":
            return sa.case((sa.func.substr(table.c.pid, 1, len(PANET)) == PANET, table.c.pid))
        if model.name in NUMBERED and name == "id":
            return self.text(table.c.id)
        column: ColumnElement[Any] = table.c[COLUMNS.get((model.name, name), name)]
        return sa.type_coerce(column, sa.Text()) if kind is Kind.INSTANT else column

    def optional(self, model: Model, table: Alias, name: str) -> bool:
        """Say whether a field may have no value."""
        column = table.c.get(COLUMNS.get((model.name, name), name))
        return bool(getattr(column, "nullable", name == "panetId"))


@cache
def _alias(table: sa.Table, _number: int) -> Alias:
    """Make a name once: copying the columns of a table takes longer than many a query."""
    return cast(Alias, table.alias())


def keywords_of(model: Model, table: Alias, ground: Ground) -> tuple[Alias, ColumnElement[bool]]:
    """Return the keywords of a record, and what joins them to it."""
    words = ground.alias(keywords)
    return words, words.c[f"{model.name.lower()}_id"] == table.c.id
