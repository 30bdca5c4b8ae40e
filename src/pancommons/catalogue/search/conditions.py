"""Reading the conditions of a ``where``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pancommons.catalogue.scales import scale
from pancommons.catalogue.search import regexps
from pancommons.catalogue.search.equivalence import asked
from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.models import PARAMETER, Kind, Model
from pancommons.catalogue.search.query import (
    All,
    Condition,
    Contains,
    Equals,
    Matches,
    Measured,
    Missing,
    Not,
    Operand,
    Order,
    Ordered,
    Shown,
    Some,
    Text,
    Unit,
)
from pancommons.store.schema import instant_text

DEEPEST = 16
MOST_PARTS = 256
MOST_VALUES = 1000
MOST_AMOUNTS = 100
_LONGEST = 4096

_ORDERS: Mapping[str, Order] = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
_NEGATED = {"neq": "eq", "nin": "inq", "nlike": "like", "nilike": "ilike"}
OPERATORS = (
    "eq", "neq", "gt", "gte", "lt", "lte", "between", "inq", "nin", "like", "nlike", "ilike", "nilike", "regexp"
)  # fmt: skip


class Reader:
    """Reads conditions and counts them, so that a request stays within its budget."""

    def __init__(self) -> None:
        self._parts = 0
        self._shown: list[Shown] = []

    def where(self, model: Model, given: Any, path: str) -> tuple[Condition | None, tuple[Shown, ...]]:
        """Read a ``where``; None where it asks for nothing. Also return the units it asks parameters in."""
        if given is None or given == {}:
            return None, ()
        outer, self._shown = self._shown, []
        condition = self._object(model, given, path, 0, None)
        shown, self._shown = tuple(self._shown), outer
        return condition, shown

    def spend(self, path: str, depth: int, deepest: int = DEEPEST) -> None:
        """Count a condition or an include, and refuse one too many or too deep."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise BadFilter(f"there are more than {MOST_PARTS} conditions and includes", field=path)
        if depth > deepest:
            raise BadFilter(f"it is nested more than {deepest} deep", field=path)

    def text(self, given: Any, path: str) -> str:
        """Read a text that both databases can hold."""
        if isinstance(given, bool) or not isinstance(given, (str, int, float)):
            raise BadFilter(f"expected a text, not {_said(given)}", field=path)
        text = given if isinstance(given, str) else _plain(given)
        if len(text) > _LONGEST:
            raise BadFilter(f"the text is longer than {_LONGEST} letters", field=path)
        if "\0" in text or not _encodable(text):
            raise BadFilter("the text holds a letter that there is not", field=path)
        return text

    def _object(self, model: Model, given: Any, path: str, depth: int, unit: Unit | None) -> Condition:
        return self._together(model, [(given, path)], path, depth, unit)

    def _together(
        self, model: Model, given: list[tuple[Any, str]], path: str, depth: int, unit: Unit | None
    ) -> Condition:
        """Read objects that must all hold; a unit among them is that of every value among them."""
        leaves: list[tuple[str, Any, str, int]] = []
        self._gather(given, leaves, depth)
        mine = self._unit(leaves) if model is PARAMETER else None
        parts: list[Condition] = []
        for key, value, where, level in leaves:
            if key == "or":
                inner = [
                    self._object(model, one, f"{where}[{place}]", level + 1, mine or unit)
                    for place, one in enumerate(_list(value, where))
                ]
                parts.append(Some(tuple(inner)))
            elif key == "text":
                if not model.searched:
                    raise BadFilter(f"a {model.name} has no text that is searched", field=where)
                parts.append(Text(self.text(value, where)))
            elif mine is not None and key == "unit" and _equal(value) is not None:
                parts.append(Measured(mine))
            else:
                parts.append(self._field(model, key, value, where, mine or unit))
        condition = parts[0] if len(parts) == 1 else All(tuple(parts))
        if mine is not None:
            self._shown.append(Shown(condition, mine))
        return condition

    def _gather(self, given: list[tuple[Any, str]], leaves: list[tuple[str, Any, str, int]], depth: int) -> None:
        """Lay nested ``and`` out flat."""
        for one, path in given:
            if not isinstance(one, Mapping):
                raise BadFilter(f"expected an object of conditions, not {_said(one)}", field=path)
            for key, value in one.items():
                where = f"{path}.{key}"
                self.spend(where, depth)
                if key == "and":
                    inner = [(part, f"{where}[{place}]") for place, part in enumerate(_list(value, where))]
                    self._gather(inner, leaves, depth + 1)
                else:
                    leaves.append((key, value, where, depth))

    def _unit(self, leaves: list[tuple[str, Any, str, int]]) -> Unit | None:
        units = {}
        names: frozenset[str] | None = None
        for key, value, where, _ in leaves:
            plain = _equal(value)
            if key == "unit" and plain is not None and plain.strip() and scale(plain) is not None:
                units[plain] = where
            listed = value.get("inq") if key == "name" and isinstance(value, Mapping) and len(value) == 1 else None
            if key == "name" and (plain is not None or isinstance(listed, list)):
                these = frozenset([plain] if plain is not None else filter(_is_text, listed or ()))
                names = these if names is None else names & these
        if not units:
            return None
        if len(units) > 1:
            raise BadFilter(f"there is more than one unit: {', '.join(units)}", field=list(units.values())[-1])
        [unit] = units
        found = scale(unit)
        return None if found is None else asked(unit, found, names)

    def _field(self, model: Model, key: str, given: Any, path: str, unit: Unit | None) -> Condition:
        kind = model.fields.get(key)
        if kind is None:
            raise BadFilter(
                f"a {model.name} has no field {key!r}", field=path, remedy=f"it has {', '.join(model.fields)}"
            )
        if kind is Kind.SCORE:
            raise BadFilter("a score cannot be asked for", field=path, remedy="order by it comes with a query")
        if not isinstance(given, Mapping):
            return self._operator(key, kind, "eq", given, path, unit)
        if not given:
            raise BadFilter("there is no operator", field=path, remedy=f"write one of {', '.join(OPERATORS)}")
        parts = []
        for operator, operand in given.items():
            if operator == "options" and "regexp" in given:
                continue
            self.spend(f"{path}.{operator}", 0)
            parts.append(self._operator(key, kind, operator, operand, f"{path}.{operator}", unit))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _operator(self, key: str, kind: Kind, operator: str, given: Any, path: str, unit: Unit | None) -> Condition:
        if operator in _NEGATED:
            return Not(self._operator(key, kind, _NEGATED[operator], given, path, unit))
        if operator == "eq":
            return self._equals(key, kind, given, path, unit)
        if operator == "inq":
            listed = _list(given, path)
            most = MOST_AMOUNTS if kind is Kind.VALUE else MOST_VALUES
            if len(listed) > most:
                raise BadFilter(f"there are more than {most} values", field=path)
            return self._any_of(key, kind, listed, path, unit)
        if operator in _ORDERS:
            return self._ordered(key, kind, _ORDERS[operator], given, path, unit)
        if operator == "between":
            if not isinstance(given, list) or len(given) != 2:
                raise BadFilter("expected a list of two values", field=path, remedy='write {"between": [1, 2]}')
            numeric = [_number(one) is not None for one in given]
            if kind is Kind.VALUE and len(set(numeric)) > 1:
                raise BadFilter("one end is a number and the other is not", field=path)
            low = self._ordered(key, kind, "gte", given[0], path, unit)
            high = self._ordered(key, kind, "lte", given[1], path, unit)
            return All((low, high))
        if operator in ("like", "ilike", "regexp"):
            if kind not in (Kind.TEXT, Kind.TEXTS, Kind.VALUE):
                raise BadFilter(f"{key} is a {kind}, {operator} is for texts", field=path)
            field = "text" if kind is Kind.VALUE else key
            text = self.text(given, path)
            if operator == "regexp":
                return Matches(field, regexps.read(text, path))
            return Contains(field, text.strip("%"), operator == "ilike")
        raise BadFilter(
            f"there is no operator {operator!r}", field=path, remedy=f"there are {', '.join(OPERATORS)}, and, or"
        )

    def _equals(self, key: str, kind: Kind, given: Any, path: str, unit: Unit | None) -> Condition:
        if given is None:
            return All((Missing("number"), Missing("text"))) if kind is Kind.VALUE else Missing(key)
        if kind is not Kind.VALUE:
            value = self._value(kind, given, path)
            if key == "unit" and value == "":
                return Some((Missing(key), Equals(key, (value,))))
            return Equals(key, (value,))
        number = _number(given)
        ways: list[Condition] = [] if number is None else [_amount("eq", number, unit)]
        if isinstance(given, str):
            ways.append(Equals("text", (self.text(given, path),)))
        elif number is None:
            raise BadFilter(f"expected a number or a text, not {_said(given)}", field=path)
        return ways[0] if len(ways) == 1 else Some(tuple(ways))

    def _any_of(self, key: str, kind: Kind, listed: list[Any], path: str, unit: Unit | None) -> Condition:
        if kind is Kind.VALUE:
            return Some(tuple(self._equals(key, kind, one, f"{path}[{at}]", unit) for at, one in enumerate(listed)))
        values = [self._value(kind, one, f"{path}[{at}]") for at, one in enumerate(listed) if one is not None]
        found = Equals(key, tuple(dict.fromkeys(values)))
        missing = None in listed or (key == "unit" and "" in values)
        return Some((Missing(key), found)) if missing else found

    def _ordered(self, key: str, kind: Kind, order: Order, given: Any, path: str, unit: Unit | None) -> Condition:
        if kind is Kind.TRUTH:
            raise BadFilter(f"{key} is a {kind} and has no order", field=path)
        if kind is Kind.VALUE:
            number = _number(given)
            if number is not None:
                return _amount(order, number, unit)
            if not isinstance(given, str):
                raise BadFilter(f"expected a number or a text, not {_said(given)}", field=path)
            return Ordered("text", order, self.text(given, path))
        return Ordered(key, order, self._value(kind, given, path))

    def _value(self, kind: Kind, given: Any, path: str) -> Operand:
        if kind is Kind.NUMBER:
            number = _number(given)
            if number is None:
                raise BadFilter(f"expected a number, not {_said(given)}", field=path)
            return number
        if kind is Kind.TRUTH:
            if given in (True, "true") or given is True:
                return True
            if given in (False, "false") and given is not None:
                return False
            raise BadFilter(f"expected true or false, not {_said(given)}", field=path)
        if kind is Kind.INSTANT:
            return _instant(given, path)
        return self.text(given, path)


def _amount(order: Order, number: float, unit: Unit | None) -> Condition:
    if unit is not None:
        return Measured(unit, order, number)
    return Equals("number", (number,)) if order == "eq" else Ordered("number", order, number)


def _equal(value: Any) -> str | None:
    """Return the text that a condition says a field equals, if it says just that."""
    if isinstance(value, Mapping) and set(value) == {"eq"}:
        value = value["eq"]
    return value if isinstance(value, str) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _number(given: Any) -> float | None:
    """Read a finite number, also from a text."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    if isinstance(given, str) and (len(given) > 64 or "_" in given or not given.isascii()):
        return None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _instant(given: Any, path: str) -> str:
    if isinstance(given, str):
        for text in (given.strip(), "+".join(given.strip().rsplit(" ", 1))):  # a plus sign of a URL is a space
            try:
                moment = datetime.fromisoformat(text)
                return instant_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            except (ValueError, OverflowError):
                continue
    raise BadFilter(f"expected a date, not {_said(given)}", field=path, remedy="write 2026-11-21T08:30:00Z")


def _list(given: Any, path: str) -> list[Any]:
    if not isinstance(given, list):
        raise BadFilter(f"expected a list, not {_said(given)}", field=path)
    return given


def _plain(number: float) -> str:
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)


def _said(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 40 else text[:40] + "..."


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
