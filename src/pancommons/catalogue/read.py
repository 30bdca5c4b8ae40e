"""Taking records out of the catalogue, as far as whoever asks may have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue import parts
from pancommons.catalogue.access import Action, Principal, Resource, visible
from pancommons.catalogue.identifiers import parse_identifier
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
    guards,
    instruments,
    samples,
    techniques,
)


@dataclass(frozen=True)
class Found:
    """A record as somebody may have it, and how it is kept.

    Attributes
    ----------
    record
        Without what is protected from whoever asked: files, thumbnail, names, what it refers to.
    public_from, findable_from
        From when on anybody may have the data and the metadata, inputs considered; None for never.
    """

    id: int
    identifier: str
    record: Record
    policy: str
    data_class: str
    public_from: datetime | None
    findable_from: datetime | None
    created_at: datetime
    updated_at: datetime
    sequence: int


@dataclass(frozen=True)
class Tombstone:
    """What is left of a deleted record that anybody may know."""

    identifier: str
    pid: str
    deleted_at: datetime
    sequence: int


def find(connection: Connection, kind: str, key: str) -> int | None:
    """Return the id of a record by its identifier, its PID or a further PID, whoever may see it."""
    table, more = RECORDS[kind], parts.pids
    identifier = parse_identifier(key)
    for condition in ([table.c.identifier == identifier] if identifier else []) + [table.c.pid == key]:
        found: int | None = connection.execute(sa.select(table.c.id).where(condition)).scalar()
        if found is not None:
            return found
    return connection.execute(
        sa.select(more.c.record_id).where(more.c.kind == kind, more.c.value == key).order_by(more.c.record_id)
    ).scalar()


def fetch(connection: Connection, kind: str, key: str, principal: Principal, at: datetime) -> Found | Tombstone | None:
    """Return a record by its identifier or a PID; None if there is none that this principal may discover.

    A deleted record that anybody could have discovered leaves a tombstone.
    """
    found = find(connection, kind, key)
    if found is None:
        return None
    table = RECORDS[kind]
    row = connection.execute(
        sa.select(table).where(table.c.id == found, visible(table, principal, Action.DISCOVER, at))
    ).first()
    if row is None:
        return _tombstone(connection, table, found)
    record: Record
    if kind == "instrument":
        record = Instrument(
            pid=row.pid,
            name=row.name,
            facility=row.facility,
            description=row.description,
            pids=_pids(connection, kind, found),
            terms=_terms(connection, row, principal, at),
        )
    elif kind == "sample":
        record = Sample(
            pid=row.pid,
            name=row.name,
            description=row.description,
            pids=_pids(connection, kind, found),
            terms=_terms(connection, row, principal, at),
        )
    elif kind == "document":
        record = _document(connection, row, principal, at)
    else:
        record = _dataset(connection, row, principal, at)
    return Found(
        row.id,
        row.identifier,
        record,
        row.policy,
        row.data_class,
        row.public_from if kind == "dataset" else row.open_from,
        row.findable_from if kind == "dataset" else row.discoverable_from,
        row.created_at,
        row.updated_at,
        row.sequence,
    )


def resource(connection: Connection, kind: str, key: int) -> Resource:
    """Return what the decision needs to know of a record, for `access.allows`.

    Raises
    ------
    LookupError
        If there is no such id.
    """
    table = RECORDS[kind]
    row = connection.execute(sa.select(table).where(table.c.id == key)).first()
    if row is None:
        raise LookupError(f"there is no {kind} {key}")
    inputs: tuple[Resource, ...] = ()
    if kind == "dataset":
        bounding = (
            sa.select(datasets).join(guards, guards.c.input_id == datasets.c.id).where(guards.c.dataset_id == key)
        )
        inputs = tuple(_resource(one) for one in connection.execute(bounding))
    return _resource(row, inputs)


def file_place(connection: Connection, identifier: str, principal: Principal, at: datetime) -> File | None:
    """Return where a file is, by its identifier; None if there is none that this principal may read."""
    table = parts.files
    row = connection.execute(
        sa.select(table).where(table.c.identifier == identifier, visible(table, principal, Action.READ, at))
    ).first()
    return None if row is None else _file(row)


def thumbnail(connection: Connection, dataset: str, principal: Principal, at: datetime) -> Thumbnail | None:
    """Return the picture of a dataset, by identifier or PID; None if there is none that this principal may read."""
    found = find(connection, "dataset", dataset)
    table = parts.thumbnails
    row = connection.execute(
        sa.select(table).where(table.c.dataset_id == found, visible(table, principal, Action.READ, at))
    ).first()
    if row is None:
        return None
    return Thumbnail(content=row.content, media_type=row.media_type, width=row.width, height=row.height)


def _resource(row: Any, inputs: tuple[Resource, ...] = ()) -> Resource:
    return Resource(
        proposal=row.proposal_id,
        instrument=getattr(row, "instrument_id", None),
        owner=row.owner,
        open_from=row.open_from,
        discoverable_from=row.discoverable_from,
        deleted=row.deleted_at is not None,
        inputs=inputs,
    )


def _tombstone(connection: Connection, table: sa.Table, key: int) -> Tombstone | None:
    since = table.c.findable_from if table is datasets else table.c.discoverable_from
    row = connection.execute(
        sa.select(table.c.identifier, table.c.pid, table.c.deleted_at, table.c.sequence).where(
            table.c.id == key, table.c.deleted_at.is_not(None), since <= table.c.deleted_at
        )
    ).first()
    return None if row is None else Tombstone(*row)


def _dataset(connection: Connection, row: Any, principal: Principal, at: datetime) -> Dataset:
    def linked(table: sa.Table, link: sa.Table, column: str) -> tuple[str, ...]:
        return tuple(
            connection.execute(
                sa.select(table.c.pid)
                .join(link, link.c[column] == table.c.id)
                .where(link.c.dataset_id == row.id, *_seen(table, principal, at))
                .order_by(table.c.pid)
            ).scalars()
        )

    def of(table: sa.Table, *order: sa.Column[Any]) -> Sequence[Any]:
        return _parts(connection, table, table.c.dataset_id == row.id, principal, at, *order)

    where = connection.execute(
        sa.select(instruments.c.pid).where(
            instruments.c.id == row.instrument_id, visible(instruments, principal, Action.DISCOVER, at)
        )
    ).scalar()
    pictures = of(parts.thumbnails, parts.thumbnails.c.dataset_id)
    return Dataset(
        pid=row.pid,
        kind=row.kind,
        title=row.title,
        creation_date=row.creation_date,
        summary=row.summary,
        end_date=row.end_date,
        size=row.size,
        license=row.license,
        instrument=where,
        documents=linked(documents, dataset_documents, "document_id"),
        techniques=linked(techniques, dataset_techniques, "technique_id"),
        samples=linked(samples, dataset_samples, "sample_id"),
        parameters=tuple(map(_parameter, of(parts.parameters))),
        keywords=tuple(one.keyword for one in of(parts.keywords)),
        members=_members(connection, parts.members.c.dataset_id == row.id, principal, at),
        files=tuple(map(_file, of(parts.files))),
        relations=tuple(Relation(kind=one.kind, target=one.target) for one in of(parts.relations)),
        pids=_pids(connection, "dataset", row.id),
        thumbnail=next(
            (Thumbnail(content=p.content, media_type=p.media_type, width=p.width, height=p.height) for p in pictures),
            None,
        ),
        remarks=row.remarks,
        terms=_terms(connection, row, principal, at),
    )


def _document(connection: Connection, row: Any, principal: Principal, at: datetime) -> Document:
    def of(table: sa.Table) -> Sequence[Any]:
        return _parts(connection, table, table.c.document_id == row.id, principal, at)

    return Document(
        pid=row.pid,
        type=row.type,
        title=row.title,
        summary=row.summary,
        doi=row.doi,
        start_date=row.start_date,
        end_date=row.end_date,
        release_date=row.release_date,
        license=row.license,
        keywords=tuple(one.keyword for one in of(parts.keywords)),
        members=_members(connection, parts.members.c.document_id == row.id, principal, at),
        parameters=tuple(map(_parameter, of(parts.parameters))),
        pids=_pids(connection, "document", row.id),
        terms=_terms(connection, row, principal, at),
    )


def _seen(table: sa.Table, principal: Principal, at: datetime) -> list[sa.ColumnElement[bool]]:
    return [] if table is techniques else [visible(table, principal, Action.DISCOVER, at)]


def _parts(
    connection: Connection,
    table: sa.Table,
    mine: sa.ColumnElement[bool],
    principal: Principal,
    at: datetime,
    *order: sa.Column[Any],
) -> Sequence[Any]:
    seen = visible(table, principal, Action.DISCOVER, at)
    return connection.execute(sa.select(table).where(mine, seen).order_by(*(order or [table.c.id]))).all()


def _members(
    connection: Connection, mine: sa.ColumnElement[bool], principal: Principal, at: datetime
) -> tuple[Member, ...]:
    persons: dict[int, Any] = {}
    affiliations: dict[int, Any] = {}
    rows = _parts(connection, parts.members, mine, principal, at)
    for table, ids, found in (
        (parts.persons, [row.person_id for row in rows], persons),
        (parts.affiliations, [row.affiliation_id for row in rows], affiliations),
    ):
        known = connection.execute(sa.select(table).where(table.c.id.in_([key for key in ids if key is not None])))
        found.update({row.id: {name: value for name, value in row._mapping.items() if name != "id"} for row in known})
    return tuple(
        Member(
            person=Person(**persons[row.person_id]) if row.person_id is not None else None,
            affiliation=Affiliation(**affiliations[row.affiliation_id]) if row.affiliation_id is not None else None,
            role=row.role,
            public=row.public,
        )
        for row in rows
    )


def _terms(connection: Connection, row: Any, principal: Principal, at: datetime) -> Terms:
    proposal = connection.execute(
        sa.select(documents.c.pid).where(
            documents.c.id == row.proposal_id, visible(documents, principal, Action.DISCOVER, at)
        )
    ).scalar()
    own = proposal is not None and row.proposal_id == row.id
    return Terms(
        proposal=None if own else proposal,
        owner=row.owner if row.owner == principal.person or principal.everywhere else None,
        data_class=row.data_class,
        open_from=row.open_from,
        discoverable_from=row.discoverable_from,
        fixed=True,
    )


def _pids(connection: Connection, kind: str, key: int) -> tuple[Pid, ...]:
    table = parts.pids.c
    rows = connection.execute(
        sa.select(table.scheme, table.value)
        .where(table.kind == kind, table.record_id == key)
        .order_by(table.scheme, table.value)
    )
    return tuple(Pid(scheme=scheme, value=value) for scheme, value in rows)


def _file(row: Any) -> File:
    return File(
        root=row.root,
        path=row.path,
        role=row.role,
        size=row.size,
        sha256=row.sha256,
        mtime=row.mtime,
        missing=row.missing,
        identifier=row.identifier,
    )


def _parameter(row: Any) -> Parameter:
    return Parameter(
        name=row.name,
        value=row.text if row.number is None else row.number,
        unit=row.unit,
        si=row.si,
        dimension=row.dimension,
        original=row.original,
        derived=row.derived,
    )
