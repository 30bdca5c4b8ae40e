"""The address of a search, read and written: what is asked, in what order, which page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from fastapi import Request

from pancommons.catalogue.search.asking import MOST
from pancommons.catalogue.search.choosing import ACCESS, FACETS, KINDS, Choice, Range
from pancommons.catalogue.search.query import Sorting

A_PAGE = 25
SORTS = ("relevance", "newest", "title")
_LONGEST = 300
_MOST_VALUES = 50
_MOST_RANGES = 8
_YEAR = re.compile("[1-9][0-9]{3}")
_LISTED: Mapping[str, tuple[str, ...]] = {"access": ACCESS, "kind": KINDS}


@dataclass(frozen=True)
class Written:
    """A range as it was written, before it is known whether it means something."""

    name: str
    low: str = ""
    high: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Chosen:
    """What an address asks for.

    Attributes
    ----------
    choice
        Without its ranges where these cannot be read.
    written
        The ranges as they stand in the address.
    elsewhere
        Whether other catalogues are asked too.
    """

    choice: Choice = field(default_factory=Choice)
    written: tuple[Written, ...] = ()
    sort: str = "newest"
    page: int = 1
    elsewhere: bool = False

    @property
    def order(self) -> Sorting | None:
        """Return what to order by; None for the best answers first."""
        if self.sort == "title":
            return Sorting("title")
        return None if self.sort == "relevance" and self.choice.words else Sorting("creationDate", descending=True)

    @property
    def skip(self) -> int:
        """Return how many records come before this page."""
        return (self.page - 1) * A_PAGE

    def query(self, **changes: Any) -> dict[str, Any]:
        """Return the query of the address of this search, or of one like it.

        Parameters
        ----------
        changes
            Fields of `Choice` or of this search that differ; the page is the first one unless it is given.
        """
        own = {name: changes.pop(name) for name in ("written", "sort", "page", "elsewhere") if name in changes}
        other = replace(self, choice=replace(self.choice, **changes), **{"page": 1, **own})
        return dict(other._parts())

    def _parts(self) -> Iterator[tuple[str, Any]]:
        if self.choice.words:
            yield "q", self.choice.words
        for facet in FACETS:
            if values := self.choice.of(facet):
                yield facet, list(values)
        if self.written:
            for key, name in (("parameter", "name"), ("from", "low"), ("to", "high"), ("unit", "unit")):
                yield key, [getattr(one, name) for one in self.written]
        if self.sort != _usual(self.choice.words):
            yield "sort", self.sort
        if self.elsewhere:
            yield "also", "1"
        if self.page > 1:
            yield "page", self.page

    def pairs(self, *without: str, **changes: Any) -> list[tuple[str, str]]:
        """Return the query as the hidden fields of a form, without some of them."""
        told = self.query(**changes)
        return [
            (key, str(one))
            for key, value in told.items()
            if key not in without
            for one in (value if isinstance(value, list) else [value])
        ]


def read(request: Request) -> Chosen:
    """Read the address of a request; what is not understood is left out, ranges are not judged yet."""
    given = request.query_params
    words = _clean(given.get("q", ""))
    facets: dict[str, Any] = {facet: _values(facet, given.getlist(facet)) for facet in FACETS}
    written = tuple(
        Written(*map(_clean, parts))
        for parts in zip_longest(*(given.getlist(key) for key in ("parameter", "from", "to", "unit")), fillvalue="")
        if any(part.strip() for part in parts)
    )[:_MOST_RANGES]
    sort = given.get("sort", "")
    usual = _usual(words)
    page = given.get("page", "1")
    return Chosen(
        Choice(words=words, **facets),
        written,
        sort if sort in SORTS and (words or sort != "relevance") else usual,
        min(max(int(page), 1), MOST // A_PAGE) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
        given.get("also", "") == "1",
    )


def number(text: str) -> float | None:
    """Read a number, also with a comma; None where it is none."""
    try:
        value = float(text.strip().replace(",", ".").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def range_of(one: Written) -> Range:
    """Make a range of what was written and found right."""
    return Range(one.name, number(one.low), number(one.high), one.unit)


def _usual(words: str) -> str:
    return "relevance" if words else "newest"


def _values(facet: str, given: list[str]) -> tuple[str, ...]:
    values = dict.fromkeys(filter(None, map(_clean, given)))
    if facet == "year":
        values = dict.fromkeys(one for one in values if _YEAR.fullmatch(one))
    known = _LISTED.get(facet)
    return tuple(one for one in values if known is None or one in known)[:_MOST_VALUES]


def _clean(text: str) -> str:
    """Keep what both databases can hold, and as much as anybody types."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode().strip()[:_LONGEST]
