"""What records refer to: ids for PIDs, looked up once for many records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue import parts
from pancommons.catalogue.ledger import numbers
from pancommons.catalogue.records import Affiliation, Dataset, Document, Member, Person, Record
from pancommons.catalogue.tables import datasets, documents, instruments, samples, techniques
from pancommons.store.functions import among
from pancommons.store.rows import insert_rows


@dataclass(frozen=True)
class Known:
    """A record that is there: its id and what it is called, for the search by word."""

    id: int
    name: str


@dataclass
class References:
    """Everything a batch of records refers to, by PID."""

    proposals: dict[str, Known]
    instruments: dict[str, Known]
    documents: dict[str, Known]
    samples: dict[str, Known]
    techniques: dict[str, Known]
    targets: dict[str, Known]
    persons: dict[str, int]
    affiliations: dict[str, int]
    file_identifiers: dict[tuple[int, str, str], str]


def look_up(connection: Connection, records: list[Record], existing: dict[str, Any]) -> References:
    """Find all that records refer to; people and institutes are added or brought up to date.

    Parameters
    ----------
    existing
        Rows of those of the records that are there already, by PID.

    Raises
    ------
    BadInput
        Naming the first record that is not there, and who refers to it.
    """
    own = {record.pid for record in records if isinstance(record, Document)}
    mine = [record for record in records if isinstance(record, Dataset)]

    def found(table: sa.Table, noun: str, pairs: Iterable[tuple[str, str | None]], new: set[str] = own) -> Any:
        wanted = {pid: by for by, pid in pairs if pid is not None and pid not in new}
        there = _known(connection, table, wanted)
        for pid in wanted.keys() - there.keys():
            raise BadInput(f"the catalogue has no {noun} {pid}", file=wanted[pid], remedy=f"put the {noun} first")
        return there

    nothing: set[str] = set()
    persons, affiliations = _people(connection, records)
    return References(
        proposals=found(documents, "proposal", ((one.pid, one.terms.proposal) for one in records)),
        instruments=found(instruments, "instrument", ((one.pid, one.instrument) for one in mine), nothing),
        documents=found(documents, "document", ((one.pid, pid) for one in mine for pid in one.documents), nothing),
        samples=found(samples, "sample", ((one.pid, pid) for one in mine for pid in one.samples), nothing),
        techniques=found(techniques, "technique", ((one.pid, pid) for one in mine for pid in one.techniques), nothing),
        targets=_known(connection, datasets, {link.target for one in mine for link in one.relations}),
        persons=persons,
        affiliations=affiliations,
        file_identifiers=_file_identifiers(connection, [existing[one.pid].id for one in mine if one.pid in existing]),
    )


def _known(connection: Connection, table: sa.Table, pids: Iterable[str]) -> dict[str, Known]:
    name = table.c.name if "name" in table.c else table.c.title
    wanted = set(pids)
    if not wanted:
        return {}
    rows = connection.execute(sa.select(table.c.pid, table.c.id, name).where(among(table.c.pid, wanted)))
    return {pid: Known(key, called) for pid, key, called in rows}


def _file_identifiers(connection: Connection, ids: list[int]) -> dict[tuple[int, str, str], str]:
    table = parts.files.c
    rows = connection.execute(
        sa.select(table.dataset_id, table.root, table.path, table.identifier).where(among(table.dataset_id, ids))
    )
    return {(row.dataset_id, row.root, row.path): row.identifier for row in rows}


def _people(connection: Connection, records: list[Record]) -> tuple[dict[str, int], dict[str, int]]:
    members = list(_members(records))
    persons = {member.person.pid: member.person for member in members if member.person}
    affiliations = {member.affiliation.pid: member.affiliation for member in members if member.affiliation}
    return _kept(connection, parts.persons, persons), _kept(connection, parts.affiliations, affiliations)


def _members(records: Iterable[Record]) -> Iterator[Member]:
    for record in records:
        if isinstance(record, (Dataset, Document)):
            yield from record.members


def _kept(
    connection: Connection, table: sa.Table, wanted: dict[str, Person] | dict[str, Affiliation]
) -> dict[str, int]:
    if not wanted:
        return {}
    columns = [column.name for column in table.c if column.name != "id"]
    there = {row.pid: row for row in connection.execute(sa.select(table).where(among(table.c.pid, list(wanted))))}
    ids = {pid: row.id for pid, row in there.items()}
    new, free = [], numbers(connection, "id", block=len(wanted))
    for pid, one in wanted.items():
        values = {name: getattr(one, name) for name in columns}
        if pid not in there:
            ids[pid] = next(free)
            new.append({"id": ids[pid], **values})
        elif any(getattr(there[pid], name) != value for name, value in values.items()):
            connection.execute(sa.update(table).where(table.c.id == ids[pid]).values(values))
    insert_rows(connection, table, new)
    return ids
