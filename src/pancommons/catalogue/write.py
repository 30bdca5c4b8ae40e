"""Putting records into the catalogue, one by one or by the million, and taking them out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, islice
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput, PanError
from pancommons.catalogue import audit, bounds, parts
from pancommons.catalogue.access import LOCAL_USER, Action, Principal, Resource, allows
from pancommons.catalogue.ledger import numbers, take
from pancommons.catalogue.policy import Policy, adopt
from pancommons.catalogue.read import fetch_those, find, resource
from pancommons.catalogue.records import Dataset, Document, Record, kind_of
from pancommons.catalogue.references import Known, References, look_up
from pancommons.catalogue.rows import digest, opening, part_rows, record_row, searched_rows
from pancommons.catalogue.tables import RECORDS, TEXTS, dataset_documents, dataset_samples, dataset_techniques
from pancommons.store.engine import Database
from pancommons.store.functions import among
from pancommons.store.rows import insert_rows

Change = Literal["added", "changed", "unchanged"]


class Refused(PanError):
    """Somebody asked for what they may not do."""


@dataclass(frozen=True)
class Put:
    """What became of a record: its identifier, whether anything changed, and which fields an edit kept from it."""

    identifier: str
    change: Change
    kept: tuple[str, ...] = ()


def put(connection: Connection, record: Record, *, policy: Policy, by: Principal, at: datetime) -> Put:
    """Add a record, or bring the one with its PID up to date, with a line of the audit.

    A record that is the same as before changes nothing. One that is there keeps its identifier, its owner,
    its policy version and its release date, unless its terms are fixed, and the fields that a person has edited
    (see `editing`). What it refers to must be there.

    Raises
    ------
    BadInput
        If it refers to a record that is not there, or the policy says nothing about its class.
    Refused
        If ``by`` may not edit it.
    """
    [done] = put_all(connection, [record], policy=policy, by=by, at=at)
    if done.change != "unchanged":
        audit.record(
            connection,
            by,
            "put",
            at,
            kind=kind_of(record),
            identifier=done.identifier,
            facts={"change": done.change, "pid": record.pid},
        )
    return done


def load(
    database: Database, records: Iterable[Record], *, policy: Policy, by: Principal, at: datetime, batch: int = 2000
) -> Counter[Change]:
    """Put any number of records, a transaction and a line of the audit per batch, in bounded memory.

    Stopped in between, it can be run again: what is there is left as it is. Records come after those they
    refer to.

    Returns
    -------
    counter
        How many were added, changed and left as they were.
    """
    total: Counter[Change] = Counter()
    source = iter(records)
    while chunk := list(islice(source, batch)):
        with database.write() as connection:
            done = put_all(connection, chunk, policy=policy, by=by, at=at)
            counts = Counter(one.change for one in done)
            if counts["added"] or counts["changed"]:
                audit.record(
                    connection,
                    by,
                    "load",
                    at,
                    facts={"added": counts["added"], "changed": counts["changed"], "last": chunk[-1].pid},
                )
        total += counts
    return total


def put_all(
    connection: Connection,
    records: Sequence[Record],
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
    over_edits: bool = False,
) -> list[Put]:
    """Put records in one transaction, without the audit; see `put` and `load`.

    Parameters
    ----------
    over_edits
        Whether fields that a person has edited are changed too.

    Returns
    -------
    list
        One for each record, in their order.
    """
    adopt(connection, policy, by, at)
    done: list[Put] = []
    for (kind, _), group in groupby(records, key=_together):
        done += _put_kind(connection, kind, list(group), policy, by, at, over_edits=over_edits)
    return done


def _together(record: Record) -> tuple[str, bool]:
    """Say which neighbours are put at once: those of a kind, but proposals before the documents of their team."""
    return kind_of(record), isinstance(record, Document) and record.type == "proposal"


def _put_kind(
    connection: Connection,
    kind: str,
    records: list[Record],
    policy: Policy,
    by: Principal,
    at: datetime,
    *,
    over_edits: bool,
) -> list[Put]:
    table = RECORDS[kind]
    pids = {record.pid for record in records}
    if len(pids) < len(records):
        [(twice, _)] = Counter(record.pid for record in records).most_common(1)
        raise BadInput(f"the {kind} {twice} is there twice", field="pid", remedy="put it once")
    there = {row.pid: row for row in connection.execute(sa.select(table).where(among(table.c.pid, pids)))}
    edited = {} if over_edits else {pid: row for pid, row in there.items() if row.edited and row.deleted_at is None}
    if edited:
        records = _with_edits(connection, kind, records, edited, at)
    digests = {record.pid: digest(record) for record in records}
    changing = [one for one in records if one.pid not in there or there[one.pid].digest != digests[one.pid]]
    if changing:
        known = look_up(connection, changing, there)
        for record in changing:
            _check(connection, kind, record, there.get(record.pid), known, policy, by, at)
        rows = _store(connection, kind, changing, there, known, policy, at)
    else:
        rows = {}
    return [
        Put(
            str(rows.get(pid) or there[pid].identifier),
            "unchanged" if pid not in rows else "changed" if pid in there else "added",
            tuple(edited[pid].edited) if pid in edited else (),
        )
        for pid in digests
    ]


def _with_edits(
    connection: Connection, kind: str, records: list[Record], edited: Mapping[str, Any], at: datetime
) -> list[Record]:
    """Put what a person has edited in the place of what records say."""
    known = fetch_those(connection, kind, "pid", list(edited), LOCAL_USER, at, pictures=False)
    old = {one.record.pid: {name: getattr(one.record, name) for name in edited[one.record.pid].edited} for one in known}
    return [replace(record, **old.get(record.pid, {})) for record in records]


def _check(
    connection: Connection,
    kind: str,
    record: Record,
    old: sa.Row[tuple[object, ...]] | None,
    known: References,
    policy: Policy,
    by: Principal,
    at: datetime,
) -> None:
    opens = opening(record, policy, at)
    team_of = known.proposals.get(record.terms.proposal or "")  # none for a proposal that names itself
    becomes = Resource(
        proposal=None if team_of is None else team_of.id,
        instrument=known.instruments[record.instrument].id
        if isinstance(record, Dataset) and record.instrument
        else None,
        owner=record.terms.owner,
        open_from=opens.open_from,
        discoverable_from=opens.discoverable_from,
    )
    team = Resource(proposal=becomes.proposal, instrument=becomes.instrument)
    if old is None:
        of_team = becomes.proposal is None or allows(by, Action.RUN, team, at)
        may = of_team and allows(by, Action.EDIT, becomes, at)
    else:
        is_now = resource(connection, kind, old.id)
        needed = Action.PUBLISH if record.terms.fixed else Action.EDIT
        may = allows(by, needed, replace(is_now, deleted=False), at)
        if becomes.proposal is not None and becomes.proposal != is_now.proposal:
            may = may and allows(by, Action.EDIT, team, at)
    if not may:
        raise Refused(f"{by.name} may not put {kind} {record.pid} into the catalogue.")


def _store(
    connection: Connection,
    kind: str,
    records: list[Record],
    there: Mapping[str, Any],
    known: References,
    policy: Policy,
    at: datetime,
) -> dict[str, str]:
    table = RECORDS[kind]
    ids = numbers(connection, "id")
    keys = {one.pid: there[one.pid].id if one.pid in there else next(ids) for one in records}
    if kind == "document":
        known.proposals.update({pid: Known(key, pid) for pid, key in keys.items()})
    if kind == "dataset":
        known.targets.update({pid: Known(key, pid) for pid, key in keys.items()})
    sequence = take(connection, "sequence", len(records))
    rows = [
        record_row(one, keys[one.pid], place, there.get(one.pid), known, policy, at)
        for one, place in zip(records, sequence, strict=True)
    ]
    old = [row for row in rows if row["pid"] in there]
    _clear(connection, kind, [row["id"] for row in old])
    for row in old:
        connection.execute(sa.update(table).where(table.c.id == row["id"]).values(row))
    insert_rows(connection, table, [row for row in rows if row["pid"] not in there])
    by_table: defaultdict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
    for one in records:
        for part, row in part_rows(one, keys[one.pid], known, ids):
            by_table[part].append(row)
        for part, row in searched_rows(connection.dialect.name, one, keys[one.pid], known):
            by_table[part].append(row)
    for part, part_of in by_table.items():
        insert_rows(connection, part, part_of)
    if kind == "dataset":
        derived = {keys[one.pid] for one in records if isinstance(one, Dataset) and one.relations}
        arrived = bounds.connect(connection, keys)
        bounds.renew(connection, derived | arrived | {row["id"] for row in old}, at)
    return {row["pid"]: row["identifier"] for row in rows}


_OF_DATASET = (
    dataset_documents,
    dataset_samples,
    dataset_techniques,
    parts.parameters,
    parts.keywords,
    parts.members,
    parts.files,
    parts.relations,
    parts.thumbnails,
)
_OF_DOCUMENT = (parts.parameters, parts.keywords, parts.members)


def _clear(connection: Connection, kind: str, ids: list[int], *, but: sa.Table | None = None) -> None:
    """Remove what belongs to records, and their text; all but what is in one table."""
    if not ids:
        return
    if kind == "dataset":
        for table in (one for one in _OF_DATASET if one is not but):
            connection.execute(sa.delete(table).where(among(table.c.dataset_id, ids)))
    elif kind == "document":
        for table in _OF_DOCUMENT:
            connection.execute(sa.delete(table).where(among(table.c.document_id, ids)))
    connection.execute(sa.delete(parts.pids).where(parts.pids.c.kind == kind, among(parts.pids.c.record_id, ids)))
    for text in (TEXTS[kind].table, TEXTS[kind].letters):
        connection.execute(sa.delete(text).where(among(text.c.id, ids)))


def delete(connection: Connection, kind: str, key: str, *, by: Principal, at: datetime) -> None:
    """Take a record out: what belongs to it goes, a tombstone with its identifiers and title stays for good.

    What was derived from it stays bounded by it.

    Raises
    ------
    BadInput
        If there is no such record.
    Refused
        If ``by`` neither administers it nor owns it while it was never open.
    """
    found = find(connection, kind, key)
    if found is None:
        raise BadInput(f"the catalogue has no {kind} {key}")
    about = resource(connection, kind, found)
    own = about.owner is not None and about.owner == by.person and allows(by, Action.EDIT, about, at)
    never_open = about.open_from is None or about.open_from > at
    if not allows(by, Action.ADMINISTER, about, at) and not (own and never_open):
        raise Refused(f"{by.name} may not delete {kind} {key}.")
    table = RECORDS[kind]
    derivations = _derivations(connection, found) if kind == "dataset" else []
    _clear(connection, kind, [found], but=dataset_techniques)  # harvesters of a technique learn of it
    insert_rows(connection, parts.relations, derivations)
    gone = (
        sa.update(table)
        .where(table.c.id == found)
        .values(deleted_at=at, updated_at=at, digest="", sequence=take(connection, "sequence", 1)[0])
        .returning(table.c.identifier)
    )
    identifier = connection.execute(gone).scalar_one()
    audit.record(connection, by, "delete", at, kind=kind, identifier=identifier)


def _derivations(connection: Connection, key: int) -> list[dict[str, object]]:
    rows = connection.execute(sa.select(parts.relations).where(parts.relations.c.dataset_id == key))
    return [dict(row._mapping) for row in rows if row.kind == bounds.DERIVED]
