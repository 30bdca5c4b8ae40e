"""The catalogue as VISA's nine tables: a folder of CSV files, or a zip of them, as `visa` reads them.

Keys of proposals, instruments and employers are the catalogue's own, which stay the same from one export to the
next; experiments are known by their PID, people as their records or grants name them.
"""

from __future__ import annotations

import csv
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pancommons.base.durable import replacing
from pancommons.base.errors import BadInput
from pancommons.catalogue.access import MAY, Action, Principal, Role, visible
from pancommons.catalogue.exchange.leaving import PAGE, Leaving, leaving, moment
from pancommons.catalogue.ledger import grants
from pancommons.catalogue.parts import affiliations, members, persons
from pancommons.catalogue.people import accounts
from pancommons.catalogue.read import Found
from pancommons.catalogue.records import Document, Instrument
from pancommons.catalogue.tables import documents, instruments
from pancommons.store.engine import Database
from pancommons.store.functions import among

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "first_name", "last_name", "affiliation_id"),
    "employer": ("id", "name", "town", "country_code"),
    "role": ("id", "name"),
    "user_role": ("user_id", "role_id", "expires_at"),
    "instrument": ("id", "name"),
    "proposal": ("id", "identifier", "title", "public_at", "summary", "doi", "url"),
    "experiment": ("id", "instrument_id", "proposal_id", "start_date", "end_date", "title", "doi", "url"),
    "experiment_user": ("experiment_id", "user_id"),
    "instrument_scientist": ("instrument_id", "user_id"),
}
"""The tables and their columns, in order."""

_ADMIN = 1
_LONGEST = 131_072  # characters of a field, beyond which readers of CSV take a table for damaged


def export_visa(
    database: Database,
    out: Path,
    *,
    principal: Principal,
    at: datetime,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write what somebody may have and VISA has a place for; return how many records.

    Roles are told only to those who may give them.

    Parameters
    ----------
    out
        A folder, made if need be, in which tables of the same names are replaced; a zip if it ends in ``.zip``.

    Raises
    ------
    BadInput
        If it is another file.
    """
    packed = out.suffix.lower() == ".zip"
    if not packed and out.exists() and not out.is_dir():
        raise BadInput("is no folder", file=out, remedy="name a folder, or a file that ends in .zip")
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as name:
        written = Path(name)
        with ExitStack() as stack, leaving(database, principal, at, show) as source:
            writing = _Writing(source, _Tables(written, stack))
            writing.people()
            writing.roles()
            count = writing.records()
        _hand_over(written, out, packed=packed)
    return count


def _hand_over(written: Path, out: Path, *, packed: bool) -> None:
    if packed:
        with replacing(out) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in COLUMNS:
                archive.write(written / f"{table}.csv", f"{table}.csv")
        return
    out.mkdir(exist_ok=True)
    for table in COLUMNS:
        with replacing(out / f"{table}.csv") as beside:
            (written / f"{table}.csv").replace(beside)


class _Tables:
    """The nine files, each with its head."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.writers = {}
        for table, columns in COLUMNS.items():
            stream = stack.enter_context((folder / f"{table}.csv").open("w", encoding="utf-8", newline=""))
            self.writers[table] = csv.DictWriter(stream, columns)
            self.writers[table].writeheader()

    def add(self, table: str, **row: Any) -> None:
        """Write a row; what is None is an empty cell."""
        self.writers[table].writerow(row)


class _Writing:
    """The rows of all tables, out of one state of the catalogue."""

    def __init__(self, source: Leaving, tables: _Tables) -> None:
        self.source, self.tables = source, tables
        person = source.principal
        self.tells_roles = (person.scopes is None or Action.ADMINISTER in person.scopes) and any(
            Action.ADMINISTER in MAY[role] for role in person.everywhere
        )
        self.here = sa.and_(
            members.c.document_id == documents.c.id,
            documents.c.type.in_(["proposal", "experiment"]),
            documents.c.deleted_at.is_(None),
            visible(members, person, Action.DISCOVER, source.at),
        )

    def people(self) -> None:
        """Write those who belong to a proposal or an experiment, each with the institute that was named last."""
        named = sa.exists().where(members.c.affiliation_id == affiliations.c.id, self.here)
        for page in self._pages(
            sa.select(affiliations).where(affiliations.c.name.is_not(None), named).order_by(affiliations.c.id)
        ):
            for one in page:
                self.tables.add("employer", id=one.id, name=one.name, town=one.city, country_code=one.country)
        belongs = sa.exists().where(members.c.person_id == persons.c.id, self.here)
        for page in self._pages(sa.select(persons).where(belongs).order_by(persons.c.id)):
            institutes = self._institutes([one.id for one in page])
            for one in page:
                self._user(one.pid, one.full_name, one.first_name, one.last_name, institutes.get(one.id))

    def roles(self) -> None:
        """Write administrators and instrument scientists; those who belong to nothing are users all the same."""
        self.tables.add("role", id=_ADMIN, name="ADMIN")
        if not self.tells_roles:
            return
        table = grants.c
        places = sa.select(instruments.c.id).where(
            visible(instruments, self.source.principal, Action.DISCOVER, self.source.at)
        )
        scientist = sa.and_(table.role == Role.INSTRUMENT_SCIENTIST.value, table.instrument_id.in_(places))
        administrator = sa.and_(
            table.role == Role.ADMINISTRATOR.value, table.instrument_id.is_(None), table.proposal_id.is_(None)
        )
        member = sa.exists().where(members.c.person_id == persons.c.id, self.here)
        name = sa.func.coalesce(persons.c.full_name, accounts.c.name, table.person).label("name")
        known = grants.outerjoin(persons, persons.c.pid == table.person).outerjoin(
            accounts, accounts.c.person == table.person
        )
        strangers = sa.select(table.person, name, persons.c.first_name, persons.c.last_name).select_from(known)
        strangers = strangers.where(sa.or_(scientist, administrator), sa.not_(member)).distinct()
        for page in self._pages(strangers.order_by(table.person)):
            for one in page:
                self._user(one.person, one.name, one.first_name, one.last_name, None)
        given = sa.select(grants).where(sa.or_(scientist, administrator))
        for page in self._pages(given.order_by(table.id)):
            for one in page:
                if one.instrument_id is None:
                    self.tables.add("user_role", user_id=one.person, role_id=_ADMIN)
                else:
                    self.tables.add("instrument_scientist", instrument_id=one.instrument_id, user_id=one.person)

    def records(self) -> int:
        """Write instruments, proposals and experiments; return how many."""
        count = 0
        for page in self.source.pages("instrument"):
            for one in page:
                if isinstance(one.record, Instrument):
                    self.tables.add("instrument", id=one.id, name=one.record.name)
                    count += 1
        for page in self.source.pages("document", documents.c.type == "proposal"):
            opens = self._opens(page)
            for one, record in _documents(page):
                self.tables.add(
                    "proposal", id=one.id, identifier=record.pid, title=record.title, public_at=moment(opens[one.id]),
                    summary=_short(record.summary), doi=record.doi, url=_url(record),
                )  # fmt: skip
                count += 1
        for page in self.source.pages("document", documents.c.type == "experiment"):
            count += self._experiments(page)
        return count

    def _experiments(self, page: list[Found]) -> int:
        """Write experiments with their users; one without a proposal or an instrument has no place."""
        proposals = self._ids(documents, documents.c.pid, {one.terms.proposal for _, one in _documents(page)})
        places = self._ids(instruments, instruments.c.name, {_instrument(one) for _, one in _documents(page)})
        others = self._in_no_experiment(list(proposals.values()))
        count = 0
        for _, record in _documents(page):
            proposal, place = proposals.get(record.terms.proposal or ""), places.get(_instrument(record) or "")
            if proposal is None or place is None:
                continue
            self.tables.add(
                "experiment", id=record.pid, instrument_id=place, proposal_id=proposal,
                start_date=moment(record.start_date), end_date=moment(record.end_date), title=record.title,
                doi=record.doi, url=_url(record),
            )  # fmt: skip
            own = [member.person.pid for member in record.members if member.person]
            for user in dict.fromkeys(own + others[proposal]):
                self.tables.add("experiment_user", experiment_id=record.pid, user_id=user)
            count += 1
        return count

    def _user(self, pid: str, full: str, first: str | None, last: str | None, institute: int | None) -> None:
        """Write a user; a name whose parts do not make up the whole is written as one."""
        if not first or not last or f"{first} {last}" != full:
            first, last = None, full
        self.tables.add("users", id=pid, first_name=first, last_name=last, affiliation_id=institute)

    def _institutes(self, people: list[int]) -> dict[int, int]:
        query = (
            sa.select(members.c.person_id, members.c.affiliation_id)
            .join(affiliations, affiliations.c.id == members.c.affiliation_id)
            .join(documents, documents.c.id == members.c.document_id)
            .where(self.here, among(members.c.person_id, people), affiliations.c.name.is_not(None))
        )
        rows = self.source.connection.execute(query.order_by(members.c.id))
        return {row.person_id: row.affiliation_id for row in rows}

    def _in_no_experiment(self, proposals: list[int]) -> defaultdict[int, list[str]]:
        """Return who belongs to proposals, but to no experiment of theirs: VISA knows them by all of these."""
        query = (
            sa.select(documents.c.proposal_id, documents.c.id, documents.c.type, persons.c.pid)
            .select_from(members)
            .join(documents, documents.c.id == members.c.document_id)
            .join(persons, persons.c.id == members.c.person_id)
            .where(
                self.here, sa.or_(among(documents.c.id, proposals), among(documents.c.proposal_id, proposals)),
            )
            .order_by(members.c.id)
        )  # fmt: skip
        found: defaultdict[int, list[str]] = defaultdict(list)
        measured = set()
        for row in self.source.connection.execute(query):
            if row.type == "proposal":
                found[row.id].append(row.pid)
            else:
                measured.add((row.proposal_id, row.pid))
        for proposal, people in found.items():
            found[proposal] = [pid for pid in people if (proposal, pid) not in measured]
        return found

    def _opens(self, page: list[Found]) -> dict[int, datetime | None]:
        """Return from when on proposals and all their experiments are open; None for never."""
        opens = {one.id: one.public_from for one in page}
        table = documents.c
        each = sa.select(
            table.proposal_id, sa.func.max(table.open_from), sa.func.count(), sa.func.count(table.open_from)
        )
        mine = each.where(
            among(table.proposal_id, list(opens)),
            table.type == "experiment",
            visible(documents, self.source.principal, Action.DISCOVER, self.source.at),
        )
        for key, latest, several, known in self.source.connection.execute(mine.group_by(table.proposal_id)):
            own = opens[key]
            opens[key] = max(own, latest) if own is not None and several == known else None
        return opens

    def _ids(self, table: sa.Table, column: sa.ColumnElement[str], values: set[str | None]) -> dict[str, int]:
        """Return the ids of records that may be seen; of several with one name, the first."""
        query = sa.select(column, table.c.id).where(
            among(column, [one for one in values if one is not None]),
            visible(table, self.source.principal, Action.DISCOVER, self.source.at),
        )
        return {row[0]: row.id for row in self.source.connection.execute(query.order_by(table.c.id.desc()))}

    def _pages(self, query: sa.Select[Any]) -> Iterator[Sequence[sa.Row[Any]]]:
        yield from self.source.connection.execute(query.execution_options(yield_per=PAGE)).partitions()


def _documents(page: list[Found]) -> Iterator[tuple[Found, Document]]:
    for one in page:
        if isinstance(one.record, Document):
            yield one, one.record


def _instrument(one: Document) -> str | None:
    """Return the name of the instrument that an experiment was done at."""
    named = (parameter.value for parameter in one.parameters if parameter.name == "instrument")
    return next((value for value in named if isinstance(value, str)), None)


def _url(one: Document) -> str | None:
    return next((pid.value for pid in one.pids if pid.scheme == "url"), None)


def _short(text: str | None) -> str | None:
    return None if text is None or len(text) > _LONGEST else text
