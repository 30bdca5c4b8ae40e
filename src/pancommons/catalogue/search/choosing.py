"""What a visitor chooses among datasets, facet by facet, and the datasets that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue.search.asking import MOST
from pancommons.catalogue.search.driving import restricted
from pancommons.catalogue.search.ground import PANET, Ground
from pancommons.catalogue.search.joining import ordering
from pancommons.catalogue.search.mapping import TABLES
from pancommons.catalogue.search.models import DATASET, Model
from pancommons.catalogue.search.parse import read_filter
from pancommons.catalogue.search.query import Filter, Sorting
from pancommons.catalogue.search.ranking import CANDIDATES, having_any, hits, hits_among, query_terms
from pancommons.store.functions import among

FACETS = ("technique", "facility", "instrument", "year", "access", "kind", "sample")
ACCESS = ("open", "embargoed", "restricted", "mine")
KINDS = ("raw", "processed", "simulated")


@dataclass(frozen=True, slots=True)
class Range:
    """A parameter between two values, or from or to one, in a unit; without values it need only be there."""

    name: str
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of datasets. Of several values of a facet one is enough; all else must hold.

    Attributes
    ----------
    words
        Free text: a dataset has any of the words.
    technique
        PIDs, or their last parts; all beneath them count.
    instrument
        PIDs.
    access
        Some of `ACCESS`, as it stands for anybody; ``mine`` is that of the person who asks.
    sample
        Names.
    """

    words: str = ""
    technique: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()
    instrument: tuple[str, ...] = ()
    year: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    sample: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()

    def of(self, facet: str) -> tuple[str, ...]:
        """Return the values chosen in a facet."""
        values: tuple[str, ...] = getattr(self, facet)
        return values

    def without(self, facet: str) -> Choice:
        """Return all of it but one facet."""
        gone: dict[str, Any] = {facet: ()}
        return replace(self, **gone)

    @property
    def empty(self) -> bool:
        """Say whether nothing is chosen."""
        return self == Choice()


def purl(technique: str) -> str:
    """Return the PID of a technique that may be given by the last part of it, such as PaNET01207."""
    return technique if "/" in technique else PANET + technique


def filter_of(choice: Choice) -> dict[str, Any]:
    """Say a choice in the words of the search API, as far as these go: without access and kind."""
    years = [{"creationDate": {"gte": f"{year}-01-01", "lte": f"{year}-12-31T23:59:59.999Z"}} for year in choice.year]
    include: list[dict[str, Any]] = []
    for relation, field, values in (
        ("techniques", "pid", tuple(map(purl, choice.technique))),
        ("instrument", "facility", choice.facility),
        ("instrument", "pid", choice.instrument),
        ("samples", "name", choice.sample),
    ):
        if values:
            include.append({"relation": relation, "scope": {"where": {field: {"inq": list(values)}}}})
    include += [{"relation": "parameters", "scope": {"where": {"and": _measured(one)}}} for one in choice.ranges]
    told: dict[str, Any] = {"where": {"or": years}} if years else {}
    if include:
        told["include"] = include
    return told


def _measured(asked: Range) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"name": asked.name}]
    bounds = {name: value for name, value in (("gte", asked.low), ("lte", asked.high)) if value is not None}
    if bounds:
        parts.append({"value": bounds})
    return [*parts, {"unit": asked.unit}] if asked.unit else parts


def dataset_filter(choice: Choice) -> Filter:
    """Read a choice as a query.

    Raises
    ------
    BadFilter
        If it asks for more than a query may.
    """
    return read_filter(DATASET, filter_of(choice), name="search")


def fitting(
    choice: Choice, table: Alias, ground: Ground, connection: Connection, *, all_of_them: bool = False
) -> list[ColumnElement[bool]]:
    """Say that a dataset may be discovered and fits a choice.

    Parameters
    ----------
    all_of_them
        All that fit will be looked at, as for a count.
    """
    asked = dataset_filter(choice)
    conditions = [ground.seen(table), *restricted(asked, table, ground, connection, all_of_them=all_of_them)]
    if choice.words:
        conditions.append(having_any(query_terms(choice.words), DATASET, table, ground))
    return conditions + beyond(choice, table, ground)


def beyond(choice: Choice, table: Alias, ground: Ground) -> list[ColumnElement[bool]]:
    """Say what the search API has no words for: kind and access."""
    conditions: list[ColumnElement[bool]] = []
    if choice.kind:
        conditions.append(among(table.c.kind, choice.kind))
    if choice.access:
        ways = access_ways(table, ground)
        conditions.append(sa.or_(sa.false(), *(ways[one] for one in choice.access if one in ways)))
    return conditions


def access_ways(table: Alias, ground: Ground) -> Mapping[str, ColumnElement[bool]]:
    """Say when a dataset that may be discovered is open, embargoed or restricted for anybody, and when it is mine."""
    public = ground.public(table)
    who = ground.principal
    proposals = frozenset().union(*who.proposals.values())
    mine = [sa.and_(table.c.owner.is_not(None), table.c.owner == who.person)] if who.person is not None else []
    if proposals:
        mine.append(sa.and_(table.c.proposal_id.is_not(None), among(table.c.proposal_id, proposals)))
    return {
        "open": public,
        "embargoed": sa.and_(sa.not_(public), table.c.public_from.is_not(None)),
        "restricted": sa.and_(sa.not_(public), table.c.public_from.is_(None)),
        "mine": sa.or_(sa.false(), *mine),
    }


@dataclass(frozen=True, slots=True)
class Slice:
    """Which of the records that fit are wanted: in what order, from where, how many.

    Attributes
    ----------
    order
        None for the best answers to the words first.
    """

    order: Sorting | None
    skip: int = 0
    limit: int = 25


def scored(wanted: Slice) -> int:
    """Return how many records are scored at most to find a slice of the best answers."""
    return max(CANDIDATES, min(wanted.skip + wanted.limit, MOST))


def dataset_ids(
    choice: Choice, wanted: Slice, ground: Ground, connection: Connection, known: Sequence[int] | None = None
) -> list[int]:
    """Find the datasets of a slice; none beyond the first `asking.MOST`.

    Parameters
    ----------
    known
        The ids of the datasets to score, where they are known: then they are only put in order.
    """
    table = ground.alias(TABLES["Dataset"])
    if known is not None:
        best = hits_among(known, query_terms(choice.words), DATASET, table, ground, connection)
        return [hit.id for hit in best[wanted.skip : min(wanted.skip + wanted.limit, MOST)]]
    ranked = wanted.order is None and bool(choice.words)
    conditions = fitting(replace(choice, words="") if ranked else choice, table, ground, connection)
    return _cut(DATASET, table, conditions, choice.words, wanted, ground, connection)


def record_ids(
    model: Model, words: str, where: Any, wanted: Slice, ground: Ground, connection: Connection
) -> tuple[list[int], int]:
    """Find the documents or instruments of a slice, and how many there are in all."""
    table = ground.alias(TABLES[model.name])
    asked = read_filter(model, {"where": where}, name="search")
    conditions = [ground.seen(table), *restricted(asked, table, ground, connection, all_of_them=True)]
    among_all = [*conditions, having_any(query_terms(words), model, table, ground)] if words else conditions
    count = connection.execute(sa.select(sa.func.count()).select_from(table).where(*among_all)).scalar_one()
    ranked = wanted.order is None and bool(words)
    ids = _cut(model, table, conditions if ranked else among_all, words, wanted, ground, connection)
    return ids, int(count)


def _cut(
    model: Model,
    table: Alias,
    conditions: list[ColumnElement[bool]],
    words: str,
    wanted: Slice,
    ground: Ground,
    connection: Connection,
) -> list[int]:
    last = min(wanted.skip + wanted.limit, MOST)
    if last <= wanted.skip:
        return []
    if wanted.order is None and words:
        found = hits(query_terms(words), model, table, conditions, scored(wanted), ground, connection)
        return [hit.id for hit in found[wanted.skip : last]]
    order = (wanted.order,) if wanted.order else ()
    query = sa.select(table.c.id).where(*conditions).order_by(*ordering(order, model, table, ground))
    return list(connection.execute(query.limit(last - wanted.skip).offset(wanted.skip)).scalars())
