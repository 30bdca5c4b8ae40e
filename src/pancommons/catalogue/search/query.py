"""A query, read and checked: what the compiler works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pancommons.catalogue.scales import Scale
from pancommons.catalogue.search.models import Model, Relation
from pancommons.catalogue.search.regexps import Pattern

Operand = str | float | bool
Order = Literal["eq", "gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class Equals:
    """A field is one of some values; of a list, one element is."""

    field: str
    values: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A field has no value."""

    field: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """A field lies before or behind a value; false where it has none."""

    field: str
    order: Order
    value: Operand


@dataclass(frozen=True, slots=True)
class Contains:
    """A field contains a text, letter by letter."""

    field: str
    literal: str
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Matches:
    """A regular expression is found in a field."""

    field: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Text:
    """One of the searched fields of the model contains a text, whatever the case."""

    literal: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read a parameter in the dimension asked for: ``asked = coefficient * si ** power``.

    Attributes
    ----------
    dimension
        That of the parameter.
    names
        The parameters that may be read so; None for all.
    """

    dimension: str
    names: frozenset[str] | None = None
    coefficient: float = 1.0
    power: float = 1.0


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit a query asks in, and how parameters are read in its dimension."""

    name: str
    scale: Scale
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A parameter can be read in a unit; with an order, it lies there to a value given in that unit."""

    unit: Unit
    order: Order | None = None
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class All:
    """Every condition holds; true where there are none."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One condition holds; false where there are none."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition does not hold: the exact complement, so that a missing value is unequal to every other."""

    part: Condition


Condition = Equals | Missing | Ordered | Contains | Matches | Text | Measured | All | Some | Not


@dataclass(frozen=True, slots=True)
class Sorting:
    """A field to order by; records without it come last."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A unit in which parameters are shown that a condition holds for."""

    condition: Condition
    unit: Unit


@dataclass(frozen=True, slots=True)
class Include:
    """A relation to include, and what is asked of those at its other end."""

    relation: Relation
    scope: Filter

    @property
    def requires(self) -> bool:
        """Say whether a parent without a match is left out: there is a condition here or further down."""
        return self.scope.where is not None or any(inner.requires for inner in self.scope.include)


@dataclass(frozen=True, slots=True)
class Filter:
    """A query for records of one model.

    Attributes
    ----------
    fields
        Those to show; None for all.
    limit
        None for all.
    query
        Free text to rank by.
    shown
        Units of parameters; the first whose condition holds counts.
    """

    model: Model
    where: Condition | None = None
    include: tuple[Include, ...] = ()
    order: tuple[Sorting, ...] = ()
    fields: frozenset[str] | None = None
    limit: int | None = None
    skip: int = 0
    query: str | None = None
    shown: tuple[Shown, ...] = ()

    def shows(self, field: str) -> bool:
        """Say whether a field is shown."""
        return self.fields is None or field in self.fields
