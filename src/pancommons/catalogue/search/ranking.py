"""Ranking records by a free-text query, with scores that mean the same in every catalogue.

A record that has any term of the query is found; its score depends on its own text alone (see
`pancommons.store.ranking`). Of what very many records have, only so many candidates are scored: first those
with every term in the title, then with every term anywhere, with any in the title, with any; the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.mapping import TABLES, TEXT_INDEXES
from pancommons.catalogue.search.models import Model
from pancommons.store.functions import among
from pancommons.store.ranking import score
from pancommons.store.text import with_words
from pancommons.store.words import terms

CANDIDATES = 1000
"""So many records are scored at most, or as many as the page reaches to."""

MOST_TERMS = 32


@dataclass(frozen=True, slots=True)
class Hit:
    """A record found: its id, its score, and what breaks ties."""

    id: int
    score: float
    date: str
    title: str
    pid: str


def query_terms(query: str) -> list[str]:
    """Return the different terms of a query."""
    return list(dict.fromkeys(terms(query)))[:MOST_TERMS]


def hits(
    wanted: Sequence[str],
    model: Model,
    table: Alias,
    conditions: Sequence[ColumnElement[bool]],
    most: int,
    ground: Ground,
    connection: Connection,
) -> list[Hit]:
    """Score the records that have any of the terms, best first; ties newest first, then by title and PID.

    Parameters
    ----------
    conditions
        What a record must fulfil besides.
    most
        How many are scored at most.
    """
    if not wanted:
        return []
    found: dict[int, Hit] = {}
    for step in steps(wanted):
        words = having(wanted, step, model, ground).subquery()
        rows = (
            _scored(model, table)
            .join_from(words, table, table.c.id == words.c.id)
            .join(_text(model), _text(model).c.id == table.c.id)
            .where(*conditions)
            .order_by(words.c.id.desc())
            .limit(most)
        )
        for row in connection.execute(rows):
            if len(found) < most and row.id not in found:
                found[row.id] = _hit(row, wanted)
        if len(found) >= most:
            break
    return _best_first(found.values())


def hits_among(
    ids: Sequence[int], wanted: Sequence[str], model: Model, table: Alias, ground: Ground, connection: Connection
) -> list[Hit]:
    """Score given records, as far as they may be discovered, in the order of `hits`."""
    rows = connection.execute(_scored_among(ids, model, table).where(ground.seen(table)))
    return _best_first(_hit(row, wanted) for row in rows)


def _best_first(found: Iterable[Hit]) -> list[Hit]:
    alike = sorted(found, key=lambda hit: (hit.title, hit.pid))
    return sorted(alike, key=lambda hit: (hit.score, hit.date), reverse=True)  # those alike keep their order


def scores_of(
    ids: Sequence[int], wanted: Sequence[str], model: Model, ground: Ground, connection: Connection
) -> dict[int, float]:
    """Score given records."""
    rows = connection.execute(_scored_among(ids, model, ground.alias(TABLES[model.name])))
    return {row.id: _hit(row, wanted).score for row in rows}


def having_any(wanted: Sequence[str], model: Model, table: Alias, ground: Ground) -> ColumnElement[bool]:
    """Say that a record has any of the terms."""
    if not wanted:
        return sa.false()
    return table.c.id.in_(with_words(ground.dialect, TEXT_INDEXES[model.name], wanted, mode="any"))


Step = tuple[Literal["all", "any"], bool]
"""Whether all terms or any of them are looked for, and whether in the title only."""


def steps(wanted: Sequence[str]) -> list[Step]:
    """Return what is looked for one after the other, until there are as many candidates as are scored."""
    several: list[Step] = [("all", True), ("all", False), ("any", True), ("any", False)]
    return several if len(wanted) > 1 else several[:2]


def having(wanted: Sequence[str], step: Step, model: Model, ground: Ground) -> sa.Select[Any]:
    """Select the ids of all records that a step finds, whoever may see them."""
    mode, title_only = step
    return with_words(ground.dialect, TEXT_INDEXES[model.name], wanted, mode=mode, title_only=title_only)


def _text(model: Model) -> sa.Table:
    return TEXT_INDEXES[model.name].table


def _scored(model: Model, table: Alias) -> sa.Select[Any]:
    text = _text(model)
    date = table.c.creation_date if model.name == "Dataset" else table.c.created_at
    title = table.c.title if "title" in table.c else table.c.name
    return sa.select(
        table.c.id,
        table.c.pid,
        title.label("name"),
        sa.type_coerce(date, sa.Text()).label("date"),
        text.c.title,
        text.c.body,
    )


def _scored_among(ids: Sequence[int], model: Model, table: Alias) -> sa.Select[Any]:
    text = _text(model)
    return _scored(model, table).join_from(table, text, text.c.id == table.c.id).where(among(table.c.id, ids))


def _hit(row: Any, wanted: Sequence[str]) -> Hit:
    return Hit(row.id, score(wanted, row.title, row.body), row.date, row.name, row.pid)
