"""Rows as the JSON of the search API: no empty optional fields, no keys of ours, parameters in the unit asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pancommons.catalogue.search.joining import grouped, merged
from pancommons.catalogue.search.models import Kind, Relation
from pancommons.catalogue.search.query import Filter, Unit
from pancommons.catalogue.search.weighing import Budget


@dataclass(frozen=True)
class Answer:
    """How the objects of a query are written.

    Attributes
    ----------
    fields
        Those to write.
    partners
        The relations to write, and how.
    budget
        What the whole answer may have.
    """

    asked: Filter
    fields: tuple[tuple[str, Kind], ...]
    partners: tuple[tuple[Relation, Answer], ...]
    budget: Budget

    @classmethod
    def of(cls, asked: Filter, budget: Budget | None = None) -> Answer:
        """Make ready to write what a query asks for."""
        budget = budget or Budget()
        return cls(
            asked,
            tuple((name, kind) for name, kind in asked.model.fields.items() if asked.shows(name)),
            tuple((group[0].relation, cls.of(merged(group), budget)) for group in grouped(asked.include)),
            budget,
        )

    def object(self, row: Mapping[str, Any], score: float | None = None) -> dict[str, Any]:
        """Make the object of a record.

        Parameters
        ----------
        row
            What `reading.Reader` read.
        score
            How well it answers the query; None leaves the field out.
        """
        asked = self.asked
        found: dict[str, Any] = {}
        for name, kind in self.fields:
            if kind is Kind.SCORE:
                if score is not None:
                    found[name] = score
            elif kind is Kind.VALUE:
                found[name] = _value(asked, row)
            elif kind is Kind.TEXTS:
                if row[name]:
                    found[name] = [one["keyword"] for one in row[name]]
            elif row[name] is not None:
                found[name] = row[name]
        if row.get("asked") is not None and asked.shows("unit"):
            found["unit"] = asked.shown[row["asked"]].unit.name
        self.budget.spend(found)
        for relation, answer in self.partners:
            partners = [answer.object(one) for one in row[relation.name]]
            found[relation.name] = partners if relation.many else partners[0] if partners else None
        return found


def _value(asked: Filter, row: Mapping[str, Any]) -> float | str | None:
    if row["number"] is None:
        text: str | None = row["text"]
        return text
    number = float(row["number"])
    if row["asked"] is not None:
        unit = asked.shown[row["asked"]].unit
        if row["given"] != unit.name:
            number = _in_unit(unit, float(row["si"]), row["dimension"], row["named"])
    return int(number) if number == int(number) and abs(number) < 2**53 else number


def _in_unit(unit: Unit, si: float, dimension: str, name: str) -> float:
    """Read a value in SI in the unit asked for."""
    for reading in unit.readings:
        if reading.dimension == dimension and (reading.names is None or name in reading.names):
            si = reading.coefficient * si**reading.power
            break
    return unit.scale.from_si(si)
