"""Conditions as people type them: ``incident_wavelength between 0.5 and 2 angstrom and title contains lung``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pancommons.base.errors import BadInput

OPERATORS = {
    "=": "eq", "==": "eq", "is": "eq", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte",
    "contains": "ilike", "like": "ilike",
}  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<sign><=|>=|!=|==|=|<|>)|(?P<word>[^\s"'<>=!]+))"""
)
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_NUMBER = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[^\d.].*)?")
_HOW = "write NAME OPERATOR VALUE [UNIT] or NAME between LOW and HIGH [UNIT], joined by and"


@dataclass(frozen=True)
class Condition:
    """What is asked of a quantity.

    Attributes
    ----------
    operator
        As the search API writes it.
    value
        A number, a text, or the two ends of a range.
    unit
        None for a number as it stands.
    """

    name: str
    operator: str
    value: float | str | tuple[float, float] | tuple[str, str]
    unit: str | None = None

    def operand(self) -> Any:
        """Return it as a condition on a value."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return value if self.operator == "eq" else {self.operator: value}


@dataclass(frozen=True)
class _Token:
    text: str
    quoted: bool = False


def read_where(text: str, is_field: Callable[[str], bool]) -> list[Condition]:
    """Read conditions.

    Parameters
    ----------
    is_field
        Says of a name that it is a field of a dataset: its values are taken as they are written, without a unit.

    Raises
    ------
    BadInput
        If the text is no condition; the sentence says where it stops being one.
    """
    return _Reader(_tokens(text), is_field).all()


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _wrong(f"cannot read {text[place:].strip()!r}", "close the quotes")
        kind = str(match.lastgroup)
        found.append(_Token(match[kind], quoted=kind in ("double", "single")))
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[_Token], is_field: Callable[[str], bool]) -> None:
        self._tokens, self._is_field = tokens, is_field
        self._place = 0

    def all(self) -> list[Condition]:
        found = [self._condition()]
        while self._place < len(self._tokens):
            self._and()
            found.append(self._condition())
        return found

    def _condition(self) -> Condition:
        name = self._next("a name").text
        if not _NAME.fullmatch(name):
            raise _wrong(f"{name!r} is no name of a quantity", _HOW)
        operator = self._next(f"an operator behind {name}")
        if operator.quoted or operator.text.lower() not in (*OPERATORS, "between"):
            raise _wrong(f"there is no operator {operator.text!r}", f"use one of {', '.join(OPERATORS)}, between")
        if operator.text.lower() == "between":
            return self._between(name)
        value, unit = self._value(name)
        return self._made(name, OPERATORS[operator.text.lower()], value, unit)

    def _between(self, name: str) -> Condition:
        low, first = self._value(name)
        self._and()
        high, second = self._value(name)
        if first is not None and first != second:
            raise _wrong(f"{name} is given in {first} and in {second or 'no unit'}", "write both ends in one unit")
        if isinstance(low, str) and isinstance(high, str):
            return self._made(name, "between", (low, high), second)
        if isinstance(low, str) or isinstance(high, str):
            raise _wrong(f"one end of {name} is a number and the other is not", _HOW)
        return self._made(name, "between", (low, high), second)

    def _made(self, name: str, operator: str, value: Any, unit: str | None) -> Condition:
        if operator == "ilike" and not isinstance(value, str):
            value = f"{value:g}"
        return Condition(name, operator, value, unit)

    def _value(self, name: str) -> tuple[float | str, str | None]:
        token = self._next(f"a value of {name}")
        if token.quoted or self._is_field(name):
            return token.text, None
        match = _NUMBER.fullmatch(token.text)
        if match is None:
            return token.text, None
        number = float(match["number"])
        if not math.isfinite(number):
            raise _wrong(f"{token.text} is too large", _HOW)
        unit = match["unit"] or self._unit()
        if unit is not None:
            _check(unit)
        return number, unit

    def _unit(self) -> str | None:
        """Take the words up to the next ``and``."""
        words = []
        while self._place < len(self._tokens) and not self._at_and():
            words.append(self._tokens[self._place].text)
            self._place += 1
        return " ".join(words) or None

    def _and(self) -> None:
        if self._place < len(self._tokens) and not self._at_and():
            raise _wrong(
                f"expected and before {self._tokens[self._place].text!r}", "put texts of several words in quotes"
            )
        self._next("and")

    def _at_and(self) -> bool:
        token = self._tokens[self._place]
        return not token.quoted and token.text.lower() == "and"

    def _next(self, what: str) -> _Token:
        if self._place == len(self._tokens):
            raise _wrong(f"expected {what} at the end", _HOW)
        self._place += 1
        return self._tokens[self._place - 1]


def _check(unit: str) -> None:
    from pancommons.catalogue.scales import scale

    if scale(unit) is None:
        raise _wrong(f"the unit {unit!r} is not understood", "leave it out to compare numbers as they stand")


def _wrong(problem: str, remedy: str) -> BadInput:
    return BadInput(problem, field="--where", remedy=remedy)
