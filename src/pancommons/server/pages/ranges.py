"""Ranges of parameters as visitors write them: judged, with a sentence for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pancommons.catalogue.scales import scale
from pancommons.catalogue.search.choosing import Choice
from pancommons.catalogue.search.equivalence import asked
from pancommons.catalogue.search.facets import Quantity
from pancommons.server.pages.chosen import Chosen, Written, number, range_of

Say = Callable[[str], str]


@dataclass(frozen=True)
class Judged:
    """A range of the address, and what is wrong with it; empty where nothing is.

    Attributes
    ----------
    field
        Which of its fields that is: ``parameter``, ``from``, ``to``, ``unit``.
    """

    written: Written
    problem: str = ""
    field: str = ""


def judge(chosen: Chosen, known: Sequence[Quantity], say: Say) -> tuple[Chosen, list[Judged]]:
    """Put the ranges that can be read into the choice.

    Parameters
    ----------
    known
        The parameters that datasets have.
    say
        Translates a sentence.
    """
    quantities = {one.name: one for one in known}
    judged = [Judged(one, *_problem(one, quantities.get(one.name), say)) for one in chosen.written]
    good = tuple(range_of(one.written) for one in judged if not one.problem)
    choice: Choice = replace(chosen.choice, ranges=good)
    return replace(chosen, choice=choice), judged


def _problem(one: Written, known: Quantity | None, _: Say) -> tuple[str, str]:
    if not one.name:
        return _("Name the parameter that lies in this range."), "parameter"
    for field, text in (("from", one.low), ("to", one.high)):
        if text and number(text) is None:
            return _("“%(text)s” is no number: write 21 or 2.1e4.") % {"text": text}, field
    low, high = number(one.low or "x"), number(one.high or "x")
    if low is not None and high is not None and low > high:
        return _("This range ends before it begins: exchange the two numbers."), "to"
    if not one.unit:
        return "", ""
    found = scale(one.unit)
    usual = ", ".join(known.units) if known and known.units else "keV, angstrom, K, bar"
    told = {"name": one.name, "unit": one.unit, "usual": usual}
    if found is None:
        return _("“%(unit)s” is no unit that is known here: write %(usual)s.") % told, "unit"
    readings = asked(one.unit, found, frozenset([one.name])).readings
    if known and known.dimensions and not {reading.dimension for reading in readings} & set(known.dimensions):
        return _("%(name)s is given in %(usual)s here, which cannot be converted to %(unit)s.") % told, "unit"
    return "", ""
