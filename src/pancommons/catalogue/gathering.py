"""Rows into records, many at once: a statement for each kind of part, however many records are asked for.

What somebody may have of a record is decided with the row of it, see `chosen`; its parts share its fate, so that they
are asked for by its key alone. What it refers to is decided upon for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue import parts
from pancommons.catalogue.access import MOMENT, Action, Principal, as_insider, visible
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Pid,
    Record,
    Relation,
    Sample,
    Terms,
    Thumbnail,
)
from pancommons.catalogue.tables import (
    RECORDS,
    dataset_documents,
    dataset_samples,
    dataset_techniques,
    datasets,
    documents,
    instruments,
    samples,
    techniques,
)
from pancommons.store.functions import among, listed

Rows = Mapping[int, Sequence[Any]]
KEPT = 512
"""So many statements are kept, each made once for a principal: making one takes longer than its answer."""

_IDS = listed("ids", numeric=True)


def chosen(kind: str, principal: Principal, at: datetime | sa.BindParameter[datetime] = MOMENT) -> sa.Select[Any]:
    """Select the records of a kind that the principal may discover, for `gather`.

    Beside each row stand two decisions: ``readable``, whether they may have its data, and ``insider``, whether they
    have it by a role, and may know what is not public of it.
    """
    table = RECORDS[kind]
    decided: list[sa.ColumnElement[Any]] = []
    if kind == "dataset":
        decided.append(visible(table, principal, Action.READ, at).label("readable"))
    if kind in ("dataset", "document"):
        decided.append(as_insider(table, principal, at).label("insider"))
    return sa.select(table, *decided).where(visible(table, principal, Action.DISCOVER, at))


def gather(
    connection: Connection, kind: str, rows: Sequence[Any], principal: Principal, at: datetime, *, pictures: bool = True
) -> dict[int, Record]:
    """Make the records of rows that the principal may discover, with the parts of them that they may have.

    Parameters
    ----------
    rows
        As `chosen` selects them for this principal at this moment.
    pictures
        Whether thumbnails are wanted.
    """
    gathering = _Gathering(connection, kind, rows, principal, at)
    make = {
        "dataset": lambda: gathering.datasets(pictures=pictures),
        "document": gathering.documents,
        "instrument": gathering.instruments,
        "sample": gathering.samples,
    }
    return dict(make[kind]()) if rows else {}


class _Gathering:
    """One answer being put together."""

    def __init__(
        self, connection: Connection, kind: str, rows: Sequence[Any], principal: Principal, at: datetime
    ) -> None:
        self.connection, self.kind, self.rows, self.principal, self.at = connection, kind, rows, principal, at
        self.ids = [row.id for row in rows]

    def instruments(self) -> Iterable[tuple[int, Record]]:
        pids, terms = self._pids(), self._terms()
        for row in self.rows:
            yield row.id, Instrument(
                pid=row.pid, name=row.name, facility=row.facility, description=row.description, pids=pids[row.id],
                terms=terms[row.id],
            )  # fmt: skip

    def samples(self) -> Iterable[tuple[int, Record]]:
        pids, terms = self._pids(), self._terms()
        for row in self.rows:
            yield (
                row.id,
                Sample(pid=row.pid, name=row.name, description=row.description, pids=pids[row.id], terms=terms[row.id]),
            )

    def documents(self) -> Iterable[tuple[int, Record]]:
        pids, terms, members = self._pids(), self._terms(), self._members()
        keywords, parameters = self._parts(parts.keywords), self._parts(parts.parameters)
        for row in self.rows:
            yield row.id, Document(
                pid=row.pid, type=row.type, title=row.title, summary=row.summary, doi=row.doi,
                start_date=row.start_date, end_date=row.end_date, release_date=row.release_date, license=row.license,
                keywords=tuple(one.keyword for one in keywords[row.id]),
                members=members[row.id],
                parameters=tuple(map(_parameter, parameters[row.id])),
                pids=pids[row.id],
                terms=terms[row.id],
            )  # fmt: skip

    def datasets(self, *, pictures: bool) -> Iterable[tuple[int, Record]]:
        pids, terms, members = self._pids(), self._terms(), self._members()
        keywords, parameters = self._parts(parts.keywords), self._parts(parts.parameters)
        readable = [row.id for row in self.rows if row.readable]
        files, relations = self._parts(parts.files, readable), self._relations()
        shown = self._parts(parts.thumbnails, readable if pictures else [])
        linked = [
            self._linked(table, link, column)
            for table, link, column in (
                (documents, dataset_documents, "document_id"),
                (techniques, dataset_techniques, "technique_id"),
                (samples, dataset_samples, "sample_id"),
            )
        ]
        where = self._named(instruments, {row.instrument_id for row in self.rows})
        for row in self.rows:
            yield row.id, Dataset(
                pid=row.pid, kind=row.kind, title=row.title, creation_date=row.creation_date, summary=row.summary,
                end_date=row.end_date, size=row.size, license=row.license,
                instrument=where.get(row.instrument_id),
                documents=tuple(linked[0][row.id]),
                techniques=tuple(linked[1][row.id]),
                samples=tuple(linked[2][row.id]),
                parameters=tuple(map(_parameter, parameters[row.id])),
                keywords=tuple(one.keyword for one in keywords[row.id]),
                members=members[row.id],
                files=tuple(map(file_of, files[row.id])),
                relations=tuple(Relation(kind=one.kind, target=one.target) for one in relations[row.id]),
                pids=pids[row.id],
                thumbnail=next(map(thumbnail_of, shown[row.id]), None),
                remarks=row.remarks,
                terms=terms[row.id],
            )  # fmt: skip

    def _parts(self, table: sa.Table, ids: Sequence[int] | None = None) -> Rows:
        """Return the rows of parts of all records, or of some, by record, in the order they were put."""
        key = table.c[f"{self.kind}_id"]
        found: defaultdict[int, list[Any]] = defaultdict(list)
        if those := self.ids if ids is None else ids:
            for row in self._ask(_parts_of(table, self.kind), those):
                found[row._mapping[key]].append(row)
        return found

    def _relations(self) -> Rows:
        """Return the relations that lead elsewhere, or to what may be discovered."""
        rows = self._parts(parts.relations)
        seen = self._named(datasets, {one.target_id for those in rows.values() for one in those})
        found: defaultdict[int, list[Any]] = defaultdict(list)
        for key, those in rows.items():
            found[key] = [one for one in those if one.target_id is None or one.target_id in seen]
        return found

    def _ask(self, query: sa.Select[Any], ids: Sequence[int]) -> sa.CursorResult[Any]:
        return self.connection.execute(query, {"ids": ids, "moment": self.at})

    def _linked(self, table: sa.Table, link: sa.Table, column: str) -> Mapping[int, list[str]]:
        """Return the PIDs of what records are linked to."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        for row in self._ask(_linked_to(table, link, column, self.principal), self.ids):
            found[row.dataset_id].append(row.pid)
        return found

    def _named(self, table: sa.Table, ids: Iterable[int | None]) -> dict[int | None, str]:
        """Return the PIDs of records that may be discovered, by id."""
        known = [key for key in ids if key is not None]
        if not known:
            return {}
        return {row.id: row.pid for row in self._ask(_pids_of(table, self.principal), known)}

    def _members(self) -> Mapping[int, tuple[Member, ...]]:
        inside = {row.id for row in self.rows if row.insider}
        rows = {
            key: [one for one in those if one.public or key in inside]
            for key, those in self._parts(parts.members).items()
        }
        every = [one for those in rows.values() for one in those]
        persons = self._people(parts.persons, {one.person_id for one in every})
        institutes = self._people(parts.affiliations, {one.affiliation_id for one in every})
        found: defaultdict[int, tuple[Member, ...]] = defaultdict(tuple)
        for key, those in rows.items():
            found[key] = tuple(
                Member(
                    person=Person(**persons[one.person_id]) if one.person_id is not None else None,
                    affiliation=Affiliation(**institutes[one.affiliation_id])
                    if one.affiliation_id is not None
                    else None,
                    role=one.role,
                    public=one.public,
                )
                for one in those
            )
        return found

    def _people(self, table: sa.Table, ids: Iterable[int | None]) -> dict[int, dict[str, Any]]:
        known = [key for key in ids if key is not None]
        if not known:
            return {}
        rows = self._ask(_whole(table), known)
        return {row.id: {name: value for name, value in row._mapping.items() if name != "id"} for row in rows}

    def _terms(self) -> dict[int, Terms]:
        proposals = self._named(documents, {row.proposal_id for row in self.rows})
        found = {}
        for row in self.rows:
            own = self.kind == "document" and row.proposal_id == row.id
            found[row.id] = Terms(
                proposal=None if own else proposals.get(row.proposal_id),
                owner=row.owner if row.owner == self.principal.person or self.principal.everywhere else None,
                data_class=row.data_class,
                open_from=row.open_from,
                discoverable_from=row.discoverable_from,
                fixed=True,
            )
        return found

    def _pids(self) -> Mapping[int, tuple[Pid, ...]]:
        found: defaultdict[int, tuple[Pid, ...]] = defaultdict(tuple)
        for row in self._ask(_more_pids(self.kind), self.ids):
            found[row.record_id] = (*found[row.record_id], Pid(scheme=row.scheme, value=row.value))
        return found


@lru_cache
def _parts_of(table: sa.Table, kind: str) -> sa.Select[Any]:
    """Select the parts of records, which are decided upon with these."""
    key = table.c[f"{kind}_id"]
    return sa.select(table).where(among(key, _IDS)).order_by(table.c.get("id", key))


@lru_cache(maxsize=KEPT)
def _linked_to(table: sa.Table, link: sa.Table, column: str, principal: Principal) -> sa.Select[Any]:
    """Select ids of datasets with the PIDs of what they are linked to, as far as that may be discovered."""
    query = (
        sa.select(link.c.dataset_id, table.c.pid)
        .join(link, link.c[column] == table.c.id)
        .where(among(link.c.dataset_id, _IDS))
        .order_by(table.c.pid)
    )
    return query if table is techniques else query.where(visible(table, principal, Action.DISCOVER, MOMENT))


@lru_cache(maxsize=KEPT)
def _pids_of(table: sa.Table, principal: Principal) -> sa.Select[Any]:
    """Select the PIDs of records that may be discovered."""
    seen = visible(table, principal, Action.DISCOVER, MOMENT)
    return sa.select(table.c.id, table.c.pid).where(among(table.c.id, _IDS), seen)


@lru_cache
def _whole(table: sa.Table) -> sa.Select[Any]:
    """Select persons or affiliations, who are no secret where a member may be seen."""
    return sa.select(table).where(among(table.c.id, _IDS))


@lru_cache
def _more_pids(kind: str) -> sa.Select[Any]:
    """Select the further PIDs of records."""
    table = parts.pids.c
    query = sa.select(table.record_id, table.scheme, table.value)
    return query.where(table.kind == kind, among(table.record_id, _IDS)).order_by(table.scheme, table.value)


def file_of(row: Any) -> File:
    """Make a file of its row."""
    return File(
        root=row.root, path=row.path, role=row.role, size=row.size, sha256=row.sha256, mtime=row.mtime,
        missing=row.missing, identifier=row.identifier,
    )  # fmt: skip


def thumbnail_of(row: Any) -> Thumbnail:
    """Make a picture of its row."""
    return Thumbnail(content=row.content, media_type=row.media_type, width=row.width, height=row.height)


def _parameter(row: Any) -> Parameter:
    return Parameter(
        name=row.name, value=row.text if row.number is None else row.number, unit=row.unit, si=row.si,
        dimension=row.dimension, original=row.original, derived=row.derived,
    )  # fmt: skip
