"""What leaves for a file: records of one kind after the other, from one state of the catalogue, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.durable import replacing
from pancommons.catalogue.access import Action, Principal, visible
from pancommons.catalogue.read import Found, fetch_many
from pancommons.catalogue.records import Record, kind_of
from pancommons.catalogue.tables import RECORDS, dataset_documents, datasets, techniques
from pancommons.store.engine import Database
from pancommons.store.functions import among
from pancommons.store.schema import instant_text

PAGE = 500


@dataclass
class Leaving:
    """A catalogue as somebody may have it at a moment.

    Attributes
    ----------
    show
        Called with the number of records given so far.
    """

    connection: Connection
    principal: Principal
    at: datetime
    show: Callable[[int], None] = lambda count: None
    count: int = field(default=0)

    def found(self, kind: str, where: sa.ColumnElement[bool] | None = None) -> Iterator[Found]:
        """Give all records of a kind on which a condition holds, in the order of changes."""
        for page in self.pages(kind, where):
            yield from page

    def pages(self, kind: str, where: sa.ColumnElement[bool] | None = None) -> Iterator[list[Found]]:
        """Give the same, some hundreds at a time."""
        table, last, also = RECORDS[kind], 0, sa.true() if where is None else where
        while page := fetch_many(
            self.connection,
            kind,
            sa.and_(table.c.sequence > last, also),
            self.principal,
            self.at,
            pictures=False,
            limit=PAGE,
        ):
            yield page
            last = page[-1].sequence
            self.count += len(page)
            self.show(self.count)

    def named(self, kind: str, pids: Iterable[str]) -> dict[str, Record]:
        """Return records by their PIDs."""
        wanted = set(pids)
        found = fetch_many(
            self.connection, kind, among(RECORDS[kind].c.pid, wanted), self.principal, self.at, pictures=False
        )
        return {one.record.pid: one.record for one in found}

    def datasets_of(self, document: int) -> list[str]:
        """Return the PIDs of a document's datasets."""
        seen = visible(datasets, self.principal, Action.DISCOVER, self.at)
        query = sa.select(datasets.c.pid).join(dataset_documents, dataset_documents.c.dataset_id == datasets.c.id)
        mine = query.where(dataset_documents.c.document_id == document, seen).order_by(datasets.c.id)
        return list(self.connection.execute(mine).scalars())

    def opens(self, page: list[Found]) -> dict[int, datetime | None]:
        """Return from when on all datasets of proposals are open, and these themselves; None for never."""
        opens = {one.id: one.public_from for one in page}
        table = datasets.c
        each = sa.select(
            table.proposal_id, sa.func.max(table.public_from), sa.func.count(), sa.func.count(table.public_from)
        )
        for key, latest, several, known in self.connection.execute(
            each.where(among(table.proposal_id, list(opens)), table.deleted_at.is_(None)).group_by(table.proposal_id)
        ):
            own = opens[key]
            opens[key] = max(own, latest) if own is not None and several == known else None
        return opens

    def techniques(self) -> dict[str, str]:
        """Return the names of all techniques, by PID."""
        rows = self.connection.execute(sa.select(techniques.c.pid, techniques.c.name))
        return {row.pid: row.name for row in rows}

    def public(self, one: Found) -> bool:
        """Say whether anybody may have a record: its data, if it is a dataset."""
        since = one.public_from if kind_of(one.record) == "dataset" else one.findable_from
        return since is not None and since <= self.at

    def total(self) -> int:
        """Return how many records there are to give."""
        counts = (
            sa.select(sa.func.count())
            .select_from(table)
            .where(visible(table, self.principal, Action.DISCOVER, self.at))
            for table in RECORDS.values()
        )
        return sum(int(self.connection.execute(count).scalar_one()) for count in counts)


@contextmanager
def leaving(
    database: Database, principal: Principal, at: datetime, show: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Leaving]:
    """Look at a catalogue as it is now, whatever others write meanwhile."""
    with database.read() as connection:
        source = Leaving(connection, principal, at)
        total = source.total()
        source.show = lambda count: show(count, total)
        yield source


def write_sections(file: Path, sections: Iterable[tuple[str, Iterable[dict[str, Any]]]]) -> None:
    """Write an object of lists, each value on a line of its own; the file is whole or not there."""
    with replacing(file) as beside, beside.open("w", encoding="utf-8") as stream:
        stream.write("{")
        for place, (name, several) in enumerate(sections):
            stream.write(("," if place else "") + f'\n"{name}": [')
            _write_list(stream, several)
            stream.write("]")
        stream.write("\n}\n")


def _write_list(stream: TextIO, several: Iterable[dict[str, Any]]) -> None:
    for place, one in enumerate(several):
        stream.write((",\n" if place else "\n") + json.dumps(one, ensure_ascii=False, allow_nan=False))


def filled(**values: Any) -> dict[str, Any]:
    """Return those values that are something; an empty text, list or object, or None, is left out."""
    return {name: value for name, value in values.items() if value is not None and value not in ([], {}, ())}


def moment(value: datetime | None) -> str | None:
    """Write a moment, if there is one."""
    return None if value is None else instant_text(value)
