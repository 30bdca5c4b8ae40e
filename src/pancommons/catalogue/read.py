"""Taking records out of the catalogue, as far as whoever asks may have them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue import parts
from pancommons.catalogue.access import MOMENT, Action, Principal, Resource, visible
from pancommons.catalogue.gathering import KEPT, chosen, file_of, gather, thumbnail_of
from pancommons.catalogue.identifiers import parse_identifier
from pancommons.catalogue.records import File, Record, Thumbnail
from pancommons.catalogue.tables import RECORDS, datasets, guards
from pancommons.store.functions import among, listed


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
    if "\0" in key:  # PostgreSQL holds no text with one
        return None
    more = parts.pids
    identifier = parse_identifier(key)
    for column, value in (("identifier", identifier), ("pid", key)):
        if value and (found := connection.execute(_with(kind, column), {"value": value}).scalar()) is not None:
            return int(found)
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
    several = fetch_those(connection, kind, "id", [found], principal, at)
    return several[0] if several else _tombstone(connection, RECORDS[kind], found)


def fetch_those(
    connection: Connection,
    kind: str,
    column: Literal["id", "identifier", "pid"],
    keys: Collection[int] | Collection[str],
    principal: Principal,
    at: datetime,
    *,
    pictures: bool = True,
) -> list[Found]:
    """Return the records of some keys that this principal may discover, in the order of changes.

    Parameters
    ----------
    column
        Which keys they are; for a statement that is made once for a principal.
    pictures
        Whether thumbnails are wanted.
    """
    if not keys:
        return []
    rows = connection.execute(_those(kind, column, principal), {"keys": sorted(keys), "moment": at}).all()
    return _made(connection, kind, rows, principal, at, pictures=pictures)


def fetch_many(
    connection: Connection,
    kind: str,
    condition: sa.ColumnElement[bool],
    principal: Principal,
    at: datetime,
    *,
    pictures: bool = True,
    limit: int | None = None,
) -> list[Found]:
    """Return the records on which a condition holds and that this principal may discover, in the order of changes.

    Parameters
    ----------
    condition
        On the table of the kind, see `tables.RECORDS`.
    pictures
        Whether thumbnails are wanted.
    limit
        The most to return.
    """
    table = RECORDS[kind]
    query = chosen(kind, principal, at).where(condition)
    rows = connection.execute(query.order_by(table.c.sequence).limit(limit)).all()
    return _made(connection, kind, rows, principal, at, pictures=pictures)


@lru_cache
def _with(kind: str, column: str) -> sa.Select[Any]:
    """Select the id of a record by a key of it, ``value``."""
    table = RECORDS[kind]
    return sa.select(table.c.id).where(table.c[column] == sa.bindparam("value"))


@lru_cache(maxsize=KEPT)
def _those(kind: str, column: str, principal: Principal) -> sa.Select[Any]:
    """Select the records with some ``keys`` that may be discovered at a ``moment``."""
    table = RECORDS[kind]
    keys = among(table.c[column], listed("keys", numeric=column == "id"))
    return chosen(kind, principal).where(keys).order_by(table.c.sequence)


def _made(
    connection: Connection, kind: str, rows: Sequence[Any], principal: Principal, at: datetime, *, pictures: bool
) -> list[Found]:
    made = gather(connection, kind, rows, principal, at, pictures=pictures)
    return [
        Found(
            row.id,
            row.identifier,
            made[row.id],
            row.policy,
            row.data_class,
            row.public_from if kind == "dataset" else row.open_from,
            row.findable_from if kind == "dataset" else row.discoverable_from,
            row.created_at,
            row.updated_at,
            row.sequence,
        )
        for row in rows
    ]


def resource(connection: Connection, kind: str, key: int) -> Resource:
    """Return what the decision needs to know of a record, for `access.allows`.

    Raises
    ------
    LookupError
        If there is no such id.
    """
    row = connection.execute(_row(kind), {"key": key}).first()
    if row is None:
        raise LookupError(f"there is no {kind} {key}")
    inputs: tuple[Resource, ...] = ()
    if kind == "dataset":
        inputs = tuple(_resource(one) for one in connection.execute(_bounding(), {"key": key}))
    return _resource(row, inputs)


@lru_cache
def _row(kind: str) -> sa.Select[Any]:
    """Select a record by its id, ``key``, whoever may see it."""
    table = RECORDS[kind]
    return sa.select(table).where(table.c.id == sa.bindparam("key"))


@lru_cache
def _bounding() -> sa.Select[Any]:
    """Select the datasets that bound one, ``key``."""
    bounds = sa.select(datasets).join(guards, guards.c.input_id == datasets.c.id)
    return bounds.where(guards.c.dataset_id == sa.bindparam("key"))


def file_place(connection: Connection, identifier: str, principal: Principal, at: datetime) -> File | None:
    """Return where a file is, by its identifier; None if there is none that this principal may read."""
    if "\0" in identifier:
        return None
    row = connection.execute(_place(principal), {"which": identifier, "moment": at}).first()
    return None if row is None else file_of(row)


@lru_cache(maxsize=256)
def _place(principal: Principal) -> sa.Select[Any]:
    """Select a file, ``which``, if the principal may read it at a ``moment``."""
    table = parts.files
    may = visible(table, principal, Action.READ, MOMENT)
    return sa.select(table).where(table.c.identifier == sa.bindparam("which"), may)


def file_and_standing(
    connection: Connection, identifier: str, principal: Principal, at: datetime
) -> tuple[File, bool] | None:
    """Return with one question what `file_place` does, and whether `unreadable` keeps the file's place back.

    It is asked for every frame that is looked at, so that the statement is made once for a principal.
    """
    if "\0" in identifier:
        return None
    rows = connection.execute(_standing(principal), {"which": identifier, "moment": at}).all()
    own = next((row for row in rows if row.identifier == identifier), None)
    if own is None or not own.readable:
        return None
    return file_of(own), _kept_back([(row.own, row.readable) for row in rows])


@lru_cache(maxsize=256)
def _standing(principal: Principal) -> sa.Select[Any]:
    """Select all records of the place of a file, ``which``, at a ``moment``."""
    there = parts.files.alias("there")
    beside = sa.and_(there.c.root == parts.files.c.root, there.c.path == parts.files.c.path)
    return (
        sa.select(there, *_decisions(there, principal, MOMENT))
        .select_from(parts.files.join(there, beside).join(datasets, datasets.c.id == there.c.dataset_id))
        .where(parts.files.c.identifier == sa.bindparam("which"))
    )


def dataset_of(connection: Connection, identifier: str, principal: Principal, at: datetime) -> tuple[str, str] | None:
    """Return identifier and title of the dataset that a file is of; None if this principal may not discover it."""
    query = sa.select(datasets.c.identifier, datasets.c.title).join(
        parts.files, parts.files.c.dataset_id == datasets.c.id
    )
    row = connection.execute(
        query.where(parts.files.c.identifier == identifier, visible(datasets, principal, Action.DISCOVER, at))
    ).first()
    return None if row is None else (row.identifier, row.title)


def unreadable(
    connection: Connection, places: Collection[tuple[str, str]], principal: Principal, at: datetime
) -> set[tuple[str, str]]:
    """Return which of some places, each a root and a path in it, hold files that this principal may not read.

    A file is kept back if it is the data of a dataset that the principal may not read, or if the catalogue knows
    it but as a part of such datasets, or of deleted ones, alone. One that the catalogue does not know is not.
    """
    table = parts.files
    query = sa.select(table.c.root, table.c.path, *_decisions(table, principal, at))
    query = query.join(datasets, datasets.c.id == table.c.dataset_id)
    known: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for root in {root for root, _ in places}:
        paths = [path for name, path in places if name == root]
        for row in connection.execute(query.where(table.c.root == root, among(table.c.path, paths))):
            known.setdefault((row.root, row.path), []).append((row.own, row.readable))
    return {place for place, records in known.items() if _kept_back(records)}


def _decisions(
    files: Any, principal: Principal, at: datetime | sa.BindParameter[datetime]
) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """Say of a file's record, joined to its dataset, whether it is data of that, and whether it may be read."""
    data = sa.and_(files.c.role == "data", datasets.c.deleted_at.is_(None))
    may = visible(files, principal, Action.READ, at)
    return sa.case((data, 1), else_=0).label("own"), sa.case((may, 1), else_=0).label("readable")


def _kept_back(records: Collection[tuple[int, int]]) -> bool:
    """Decide on a place by all its records, each whether it is data of a dataset, and whether it may be read."""
    return any(own and not may for own, may in records) or not any(may for _, may in records)


def thumbnail(connection: Connection, dataset: str, principal: Principal, at: datetime) -> Thumbnail | None:
    """Return the picture of a dataset, by identifier or PID; None if there is none that this principal may read."""
    found = find(connection, "dataset", dataset)
    table = parts.thumbnails
    row = connection.execute(
        sa.select(table).where(table.c.dataset_id == found, visible(table, principal, Action.READ, at))
    ).first()
    if row is None:
        return None
    return thumbnail_of(row)


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
