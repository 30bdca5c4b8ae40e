"""VISA's tables of users, proposals and experiments, as a folder of CSV files named for them.

They are users, employer, role, user_role, instrument, proposal, experiment, experiment_user and
instrument_scientist. Proposals and experiments become documents, people their members with the role of a member,
instrument scientists and administrators get theirs. Source: VISA's documentation of its ETL.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.exchange.arriving import Arrival, Grant, Refusal, Report, bring_in, guarded
from pancommons.catalogue.exchange.fields import Fields
from pancommons.catalogue.ingest.naming import slug
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Affiliation, Document, Instrument, Member, Person, Pid, Terms
from pancommons.store.engine import Database

TABLES: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "last_name"),
    "employer": ("id",),
    "role": ("id", "name"),
    "user_role": ("user_id", "role_id"),
    "instrument": ("id", "name"),
    "proposal": ("id", "identifier"),
    "experiment": ("id", "instrument_id", "proposal_id"),
    "experiment_user": ("experiment_id", "user_id"),
    "instrument_scientist": ("instrument_id", "user_id"),
}
"""The tables, and the columns that each must have."""

_ROLES = {"ADMIN": Role.ADMINISTRATOR}
"""Roles of VISA that mean something here; the others are of its support desk."""


def import_visa(
    database: Database,
    folder: Path,
    *,
    facility: str,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Put what a folder of tables tells of into the catalogue; again is no change. Roles are given, never taken.

    Parameters
    ----------
    facility
        Whose instruments they are; the tables do not say.

    Raises
    ------
    BadInput
        If a table or a column is missing, or a file is no CSV.
    """
    return bring_in(database, read_visa(folder, facility, at), policy=policy, by=by, at=at, show=show)


def read_visa(folder: Path, facility: str, at: datetime) -> Iterator[Arrival | Refusal]:
    """Give what the tables tell of; those that others refer to are held in memory."""
    for name in TABLES:
        if not (folder / f"{name}.csv").is_file():
            raise BadInput("there is no such table", file=folder / f"{name}.csv", remedy="export all nine of VISA's")
    known = _Known(folder, facility, at)
    for name, read in (
        ("instrument", known.instrument),
        ("proposal", known.proposal),
        ("experiment", known.experiment),
        ("experiment_user", known.member),
        ("instrument_scientist", known.scientist),
        ("user_role", known.role),
    ):
        for row in _rows(folder, name):
            yield from guarded(row.place, partial(read, row))


def _rows(folder: Path, name: str) -> Iterator[Fields]:
    """Give the rows of a table; an empty cell has no value."""
    file = folder / f"{name}.csv"
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            for column in TABLES[name]:
                if column not in (reader.fieldnames or ()):
                    raise BadInput(f"has no column {column}", file=file, remedy="name the columns in its first line")
            for row in reader:
                place = f"{file.name} line {reader.line_num}"
                yield Fields({key: value or None for key, value in row.items() if isinstance(key, str)}, place)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"is no CSV in UTF-8 ({error})", file=file) from None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=file) from None


@dataclass
class _Known:
    """The tables that rows refer to, by their keys."""

    folder: Path
    facility: str
    at: datetime

    def __post_init__(self) -> None:
        self.users = self._by("users", "id")
        self.employers = self._by("employer", "id")
        self.roles = self._by("role", "id")
        self.instruments = self._by("instrument", "id")
        self.proposals = self._by("proposal", "id")
        self.experiments = self._by("experiment", "id")
        self.of_experiment: dict[str, list[str]] = defaultdict(list)
        for row in _rows(self.folder, "experiment_user"):
            self.of_experiment[str(row.values.get("experiment_id"))].append(str(row.values.get("user_id")))
        self.of_proposal: dict[str, list[str]] = defaultdict(list)
        for key, experiment in self.experiments.items():
            self.of_proposal[str(experiment.values.get("proposal_id"))] += self.of_experiment[key]

    def instrument(self, row: Fields) -> Iterator[Arrival]:
        """Make an instrument."""
        name = row.needed("name")
        yield Arrival(Instrument(pid=self._pid(row), name=name, facility=self.facility), row.place)

    def proposal(self, row: Fields) -> Iterator[Arrival]:
        """Make a proposal with all who measured in it."""
        pid, public = row.needed("identifier"), row.moment("public_at")
        terms = Terms(open_from=public, discoverable_from=public, fixed=True) if public else Terms()
        yield Arrival(
            Document(
                pid=pid,
                type="proposal",
                title=row.name("title") or pid,
                summary=row.text("summary"),
                doi=row.name("doi"),
                release_date=public,
                members=self._members(self.of_proposal[row.needed("id")]),
                pids=self._url(row),
                terms=terms,
            ),
            row.place,
        )

    def experiment(self, row: Fields) -> Iterator[Arrival]:
        """Make an experiment: a document of its proposal's team, with the instrument as a parameter."""
        proposal = self._of(self.proposals, row, "proposal_id")
        public = proposal.moment("public_at")
        own = Terms(
            proposal=proposal.needed("identifier"), data_class="proposal", open_from=public,
            discoverable_from=public, fixed=public is not None,
        )  # fmt: skip
        instrument = self._of(self.instruments, row, "instrument_id")
        yield Arrival(
            Document(
                pid=row.needed("id"),
                type="experiment",
                title=row.name("title") or row.needed("id"),
                doi=row.name("doi"),
                start_date=row.moment("start_date"),
                end_date=row.moment("end_date"),
                members=self._members(self.of_experiment[row.needed("id")]),
                parameters=(parameter("instrument", instrument.needed("name")),),
                pids=self._url(row),
                terms=own,
            ),
            row.place,
        )

    def member(self, row: Fields) -> Iterator[Arrival]:
        """Give a user the role of a member in the proposal of an experiment."""
        user = self._of(self.users, row, "user_id").needed("id")
        experiment = self._of(self.experiments, row, "experiment_id")
        proposal = self._of(self.proposals, experiment, "proposal_id").needed("identifier")
        yield Arrival(Grant(person=user, role=Role.MEMBER, proposal=proposal), row.place)

    def scientist(self, row: Fields) -> Iterator[Arrival]:
        """Give a user the role of a scientist at an instrument."""
        user = self._of(self.users, row, "user_id").needed("id")
        pid = self._pid(self._of(self.instruments, row, "instrument_id"))
        yield Arrival(Grant(person=user, role=Role.INSTRUMENT_SCIENTIST, instrument=pid), row.place)

    def role(self, row: Fields) -> Iterator[Arrival]:
        """Make an administrator of one; a role that ended is not given, and one that will end is refused."""
        user = self._of(self.users, row, "user_id").needed("id")
        role = _ROLES.get(self._of(self.roles, row, "role_id").needed("name"))
        ends = row.moment("expires_at")
        if role is None or (ends is not None and ends <= self.at):
            return
        if ends is not None:
            raise BadInput(f"the role of {user} ends, and roles here do not", field=row.place, remedy="give it by hand")
        yield Arrival(Grant(person=user, role=role), row.place)

    def _members(self, users: list[str]) -> tuple[Member, ...]:
        found = (self.users.get(user) for user in dict.fromkeys(users))
        return tuple(self._member(user) for user in found if user is not None)

    def _member(self, user: Fields) -> Member:
        first, last = user.name("first_name"), user.needed("last_name")
        employer = self.employers.get(str(user.values.get("affiliation_id")))
        name = employer.name("name") if employer else None
        return Member(
            person=Person(
                pid=user.needed("id"), full_name=f"{first} {last}" if first else last, first_name=first, last_name=last
            ),
            affiliation=Affiliation(
                pid=f"affiliation:{slug(name)}",
                name=name,
                city=employer.name("town"),
                country=employer.name("country_code"),
            )
            if employer and name
            else None,
            role="member",
        )

    def _pid(self, instrument: Fields) -> str:
        """Name an instrument as the ingest of files does."""
        return f"{slug(self.facility)}:{slug(instrument.needed('name'))}"

    def _url(self, row: Fields) -> tuple[Pid, ...]:
        url = row.name("url")
        return (Pid(scheme="url", value=url),) if url else ()

    def _by(self, table: str, key: str) -> dict[str, Fields]:
        return {str(row.values.get(key)): row for row in _rows(self.folder, table)}

    def _of(self, rows: dict[str, Fields], row: Fields, key: str) -> Fields:
        found = rows.get(str(row.values.get(key)))
        if found is None:
            raise BadInput(f"leads to no row: {row.values.get(key)!a}", field=f"{row.place}.{key}")
        return found
