"""Asking the catalogue as the PaNOSC search API does: find, count, get, files, score."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.selectable import Select

from pancommons.catalogue.access import Principal
from pancommons.catalogue.search.answering import Answer
from pancommons.catalogue.search.driving import restricted
from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.joining import KEY, ordering
from pancommons.catalogue.search.mapping import TABLES, TEXT_INDEXES
from pancommons.catalogue.search.models import FILE, model
from pancommons.catalogue.search.parse import read_filter, read_where
from pancommons.catalogue.search.query import Condition, Equals, Filter
from pancommons.catalogue.search.ranking import CANDIDATES, having_any, hits, query_terms, scores_of
from pancommons.catalogue.search.reading import FIRST, Reader
from pancommons.catalogue.search.walking import count_ranges

MOST = 10_000
"""So many records are given at most, whatever the limit."""

Json = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


def _as_deep_as_it_goes(ask: Callable[P, T]) -> Callable[P, T]:
    """Refuse what SQLite cannot parse: its parser holds a hundred open brackets."""

    @wraps(ask)
    def asked(*given: P.args, **named: P.kwargs) -> T:
        try:
            return ask(*given, **named)
        except OperationalError as error:
            if "parser stack overflow" in str(error.orig) or "Expression tree is too large" in str(error.orig):
                raise BadFilter(
                    "conditions and includes are nested deeper than SQLite can follow", field="filter"
                ) from None
            raise

    return asked


@_as_deep_as_it_goes
def search(
    connection: Connection, kind: str, given: Any, principal: Principal, at: datetime, *, name: str = "filter"
) -> list[Json]:
    """Find records.

    Parameters
    ----------
    kind
        A model: Dataset, Document, Instrument.
    given
        The filter, as JSON text or what JSON gives; None for none.
    name
        What the client calls the filter, for errors.

    Returns
    -------
    list of objects
        As the search API writes them: at most `MOST`, and with a query at most `ranking.CANDIDATES` or as many
        as skip and limit reach to. Those of models that have a score carry it: 0 without a query.

    Raises
    ------
    BadFilter
        If the filter is malformed or names what there is not.
    """
    asked = read_filter(model(kind), given, name=name)
    _check_rankable(asked, name)
    ground = Ground(connection.dialect.name, principal, at)
    count_ranges(asked, ground, connection)
    if asked.query is None:
        return _answers(asked, _page(asked, ground, connection), ground, connection)
    wanted = query_terms(asked.query)
    if asked.order:
        return _answers(asked, _page(asked, ground, connection, terms=wanted), ground, connection, wanted)
    found = [hit.id for hit in _hits(asked, wanted, ground, connection)]
    return _answers(asked, found, ground, connection, wanted)


@_as_deep_as_it_goes
def count(
    connection: Connection, kind: str, where: Any, principal: Principal, at: datetime, *, name: str = "where"
) -> int:
    """Count the records that a ``where`` selects; see `search`."""
    asked = model(kind)
    return _count(Filter(asked, where=read_where(asked, where, name=name)), connection, principal, at)


@_as_deep_as_it_goes
def get(
    connection: Connection, kind: str, pid: str, given: Any, principal: Principal, at: datetime, *, name: str = "filter"
) -> Json | None:
    """Get one record by its PID or our identifier; a scope filters what it includes and nothing else.

    Returns
    -------
    object or None
        None where there is none that the principal may see.
    """
    asked = read_filter(model(kind), given, name=name)
    if "\0" in pid or len(pid) > 2048:
        return None
    reader = Reader(Ground(connection.dialect.name, principal, at), connection)
    row = reader.one(asked, "pid", pid) or reader.one(asked, "identifier", pid)
    return None if row is None else Answer.of(asked).object(row, 0.0)


@_as_deep_as_it_goes
def files(
    connection: Connection, pid: str, given: Any, principal: Principal, at: datetime, *, name: str = "filter"
) -> list[Json] | None:
    """List the files of a dataset; None where the principal may not see the dataset."""
    key = _dataset(connection, pid, principal, at)
    if key is None:
        return None
    asked = read_filter(FILE, given, name=name)
    _check_rankable(asked, name)
    ground = Ground(connection.dialect.name, principal, at)
    return _answers(asked, _page(asked, ground, connection, dataset=key), ground, connection)


@_as_deep_as_it_goes
def count_files(
    connection: Connection, pid: str, where: Any, principal: Principal, at: datetime, *, name: str = "where"
) -> int | None:
    """Count the files of a dataset that a ``where`` selects; None where the principal may not see the dataset."""
    key = _dataset(connection, pid, principal, at)
    if key is None:
        return None
    return _count(Filter(FILE, where=read_where(FILE, where, name=name)), connection, principal, at, dataset=key)


@_as_deep_as_it_goes
def score(
    connection: Connection,
    query: str,
    principal: Principal,
    at: datetime,
    *,
    group: str = "Datasets",
    items: Collection[str] | None = None,
    limit: int | None = None,
) -> Json:
    """Score records for a query, in the words of the PaNOSC scoring service.

    Parameters
    ----------
    group
        A model, in any case, singular or plural.
    items
        PIDs to score; None for all. Those that do not match are left out.
    limit
        How many at most; None for `ranking.CANDIDATES`.

    Raises
    ------
    BadFilter
        If there is no such group, or the limit is negative.
    """
    started = datetime.now(UTC)
    try:
        asked = model(group)
    except KeyError:
        raise BadFilter(f"there is no group {group!r}", field="group", remedy="ask for Datasets or Documents") from None
    if asked.name not in TEXT_INDEXES:
        raise BadFilter(f"a {asked.name} has no text to rank by", field="group")
    if limit is not None and limit < 0:
        raise BadFilter(f"expected a whole number, zero or above, not {limit}", field="limit")
    where: Condition | None = None if items is None else Equals("pid", tuple(dict.fromkeys(items)))
    wanted = query_terms(query)
    ground = Ground(connection.dialect.name, principal, at)
    found = _hits(Filter(asked, where=where, limit=limit or None), wanted, ground, connection)
    return {
        "request": {"query": query, "itemIds": [] if items is None else list(items), "group": group, "limit": limit},
        "query": {"query": query, "terms": wanted},
        "scores": [{"itemId": hit.pid, "score": hit.score, "group": group} for hit in found],
        "dimension": len(found),
        "computeInProgress": False,
        "started": started.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
    }


def _check_rankable(asked: Filter, name: str) -> None:
    if asked.query is not None and asked.model.name not in TEXT_INDEXES:
        raise BadFilter(f"a {asked.model.name} has no text to rank by", field=f"{name}.query")


def _hits(asked: Filter, wanted: list[str], ground: Ground, connection: Connection) -> list[Any]:
    table = ground.alias(TABLES[asked.model.name])
    conditions = [ground.seen(table), *restricted(asked, table, ground, connection)]
    last = asked.skip + asked.limit if asked.limit else None
    most = min(max(CANDIDATES, last or 0), MOST)
    return hits(wanted, asked.model, table, conditions, most, ground, connection)[asked.skip : last]


def _page(
    asked: Filter,
    ground: Ground,
    connection: Connection,
    *,
    terms: list[str] | None = None,
    dataset: int | None = None,
) -> Select[Any]:
    """Select the ids of a page: filtered, then ordered, then cut."""
    table = ground.alias(TABLES[asked.model.name])
    most = min(asked.limit or MOST, MOST)
    wanted = most + asked.skip if terms is None else None
    ids = sa.select(table.c.id).where(ground.seen(table), *restricted(asked, table, ground, connection, wanted=wanted))
    if terms is not None:
        ids = ids.where(having_any(terms, asked.model, table, ground))
    if dataset is not None:
        ids = ids.where(table.c.dataset_id == dataset)
    ids = ids.order_by(*ordering(asked.order, asked.model, table, ground))
    ids = ids.limit(most)
    return ids.offset(asked.skip) if asked.skip else ids


def _answers(
    asked: Filter,
    page: Select[Any] | list[int],
    ground: Ground,
    connection: Connection,
    wanted: list[str] | None = None,
) -> list[Json]:
    """Read what is shown of a page; given ids keep their order."""
    reader = Reader(ground, connection)
    rows: Iterable[Json]
    if isinstance(page, list):
        rows = reader.records(asked, page)
    elif asked.limit is not None and asked.limit <= FIRST:
        rows = reader.page(asked, page)
    else:
        page = list(connection.execute(page).scalars())
        rows = reader.records(asked, page)
    answer = Answer.of(asked)
    if wanted is None:
        return [answer.object(row, 0.0) for row in rows]
    rows = list(rows)
    scores = scores_of([row[KEY] for row in rows], wanted, asked.model, ground, connection)
    return [answer.object(row, scores.get(row[KEY], 0.0)) for row in rows]


def _count(
    asked: Filter, connection: Connection, principal: Principal, at: datetime, *, dataset: int | None = None
) -> int:
    ground = Ground(connection.dialect.name, principal, at)
    table = ground.alias(TABLES[asked.model.name])
    rows = sa.select(sa.func.count()).select_from(table)
    rows = rows.where(ground.seen(table), *restricted(asked, table, ground, connection, all_of_them=True))
    if dataset is not None:
        rows = rows.where(table.c.dataset_id == dataset)
    return connection.execute(rows).scalar_one()


def _dataset(connection: Connection, pid: str, principal: Principal, at: datetime) -> int | None:
    if "\0" in pid or len(pid) > 2048:
        return None
    ground = Ground(connection.dialect.name, principal, at)
    table = ground.alias(TABLES["Dataset"])
    for key in (table.c.pid, table.c.identifier):
        found: int | None = connection.execute(sa.select(table.c.id).where(key == pid, ground.seen(table))).scalar()
        if found is not None:
            return found
    return None
