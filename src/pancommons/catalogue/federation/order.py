"""The order of records that come as JSON: as the databases order them, whoever they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pancommons.catalogue.search.models import Kind, Model
from pancommons.catalogue.search.query import Filter, Sorting

_NUMBERS, _TEXTS, _MISSING = range(3)


def complete(asked: Filter) -> tuple[Sorting, ...]:
    """Return an order that leaves no two records of a catalogue alike: as asked, else by title, then by PID.

    A query without an order has the order of the scores, and none is returned.
    """
    if asked.query is not None and not asked.order:
        return ()
    order = asked.order or (Sorting("title" if "title" in asked.model.fields else "name"),)
    if any(one.field == asked.model.key for one in order):
        return order
    return (*order, Sorting(asked.model.key))


def written(order: Sequence[Sorting]) -> list[str]:
    """Write an order as a filter does."""
    return [f"{one.field} {'DESC' if one.descending else 'ASC'}" for one in order]


def place(record: Mapping[str, Any], order: Sequence[Sorting], model: Model) -> tuple[Any, ...]:
    """Return what a record is sorted by: its fields, those without last; by its score where no order is given."""
    if not order:
        return (-score(record),)
    return tuple(part for one in order for part in _field(record.get(one.field), one.descending, model, one.field))


def score(record: Mapping[str, Any]) -> float:
    """Return the score of a record; 0 where it has none."""
    given = record.get("score")
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) else 0.0


def _field(value: Any, descending: bool, model: Model, name: str) -> tuple[Any, ...]:
    if model.fields[name] is Kind.INSTANT:
        value = _instant(value)
    if isinstance(value, (bool, int, float)):
        return (_NUMBERS, -value if descending else value)
    if isinstance(value, str):
        if not descending:
            return (_TEXTS, value)
        return (_TEXTS, (*(-ord(letter) for letter in value), 1))  # the longer of two first
    return (_MISSING, 0)


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return value
