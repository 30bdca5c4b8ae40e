"""Putting what was harvested into the catalogue: each file in one transaction, and never twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import PanError
from pancommons.catalogue import bounds
from pancommons.catalogue.access import Principal
from pancommons.catalogue.ingest.crates import CRATE, UNFINISHED, UNKNOWN_INPUT, RunHarvest
from pancommons.catalogue.ingest.entry import Harvested
from pancommons.catalogue.ingest.harvest import NO_ENTRY, Harvest
from pancommons.catalogue.ingest.lineage import with_inputs
from pancommons.catalogue.ingest.naming import hashed
from pancommons.catalogue.ingest.roots import Place, Roots
from pancommons.catalogue.ingest.workers import Task
from pancommons.catalogue.ontology.stored import ensure_core
from pancommons.catalogue.parts import files, relations
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.read import find
from pancommons.catalogue.records import Dataset, Document, Instrument, Sample
from pancommons.catalogue.tables import RECORDS, datasets, techniques
from pancommons.catalogue.write import put
from pancommons.store.engine import Database
from pancommons.store.schema import instant_text

Status = Literal["added", "changed", "unchanged", "skipped", "failed"]
_MOST_REMEMBERED = 10_000
_ORDER: tuple[Status, ...] = ("unchanged", "added", "changed")


@dataclass(frozen=True)
class Outcome:
    """What became of a file or a run's folder.

    Attributes
    ----------
    datasets
        Identifier and title of those it is in.
    problem
        Why it was skipped or failed.
    later
        Whether it is to be looked at again once all others are there: it may be a part of one of them.
    """

    path: Path
    status: Status
    datasets: tuple[tuple[str, str], ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()
    later: bool = False


@dataclass(frozen=True)
class Catalogue:
    """A catalogue to put files into.

    Attributes
    ----------
    mapping
        Digest of the mappings: what was harvested by others is harvested again.
    """

    database: Database
    roots: Roots
    mapping: str
    policy: Policy
    by: Principal
    _there: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def prepare(self) -> None:
        """Put in what files refer to: the techniques of the package."""
        with self.database.write() as connection:
            ensure_core(connection, by=self.by, at=datetime.now(UTC))

    def task(self, path: Path) -> Task | None:
        """Say what is to be read for a file or a run's folder; None where the catalogue is up to date with it."""
        file = path / CRATE if path.is_dir() else path
        place = self.roots.place(file)
        if place is None or not file.exists():
            return Task(path)
        with self.database.read() as connection:
            known = _known(connection, place)
            others = _others(connection, known)
        stat = file.stat()
        if not known or any(row.remarks.get("mapping") != self.mapping for row in known) or self._moved(others):
            return Task(path)
        if any(row.size != stat.st_size for row in known):
            return Task(path)
        modified = _cut(datetime.fromtimestamp(stat.st_mtime, UTC))
        if all(_cut(row.mtime) == modified for row in known):
            return None
        digests = {row.sha256 for row in known}
        return Task(path, known=digests.pop() if len(digests) == 1 else None)

    def _moved(self, others: Iterable[Any]) -> bool:
        """Say whether a file that another needs came, went or changed since."""
        for row in others:
            path = self.roots.path(Place(row.root, row.path))
            if path is None or path.is_file() == row.missing:
                return True
            if not row.missing:
                stat = path.stat()
                modified = _cut(datetime.fromtimestamp(stat.st_mtime, UTC))
                if (stat.st_size, modified) != (row.size, _cut(row.mtime)):
                    return True
        return False

    def put(self, harvest: Harvest, *, last: bool = False) -> Outcome:
        """Put what was harvested from a file into the catalogue, all of it or nothing.

        Parameters
        ----------
        last
            Whether all other files are there, so that one that only may be a part of another is none.
        """
        if harvest.problem is not None:
            skipped = harvest.problem in (NO_ENTRY, UNFINISHED)
            return Outcome(harvest.path, "skipped" if skipped else "failed", problem=harvest.problem)
        place = self.roots.place(harvest.path / CRATE if isinstance(harvest, RunHarvest) else harvest.path)
        if place is None:
            return Outcome(harvest.path, "failed", problem="lies below no data root")
        if not harvest.claimed and not last:
            return Outcome(harvest.path, "skipped", later=True)
        try:
            with self.database.write() as connection:
                filing = _Filing(self, connection, place, harvest)
                outcome = filing.file()
            self._remember(filing.there)
            return outcome
        except PanError as error:
            self._there.clear()
            return Outcome(harvest.path, "failed", problem=str(error).removesuffix("."))
        except (sa.exc.StatementError, UnicodeError) as error:
            if isinstance(error, sa.exc.OperationalError):
                raise
            return Outcome(harvest.path, "failed", problem=f"cannot be kept ({type(error).__name__})")

    def _remember(self, there: dict[tuple[str, str], str]) -> None:
        """Keep which records that files refer to are in the catalogue, so that they need not be looked up each time."""
        if len(self._there) > _MOST_REMEMBERED:
            self._there.clear()
        self._there.update(there)

    def remembered(self, record: Document | Instrument | Sample) -> str | None:
        """Return the PID under which a record is in the catalogue, if that is remembered."""
        return self._there.get((type(record).__name__, record.pid))


class _Filing:
    """One file on its way into the catalogue, inside a transaction."""

    def __init__(self, catalogue: Catalogue, connection: Connection, place: Place, harvest: Harvest) -> None:
        self.catalogue, self.connection, self.place, self.harvest = catalogue, connection, place, harvest
        self.at = datetime.now(UTC)
        self.there: dict[tuple[str, str], str] = {}
        self.notes = list(harvest.notes)
        self.here = {row.remarks.get("entry"): row for row in _known(connection, place)}

    def file(self) -> Outcome:
        path = self.harvest.path
        if self.harvest.same:
            self._touch()
            told = tuple((row.identifier, row.title) for row in self.here.values())
            return Outcome(path, "unchanged", told, notes=tuple(self.notes))
        if not self.harvest.claimed and (whole := self._part_of()):
            return Outcome(path, "skipped", problem=f"is a part of {whole}")
        done: list[tuple[Status, str, str]] = []
        problem = None
        for one in self.harvest.found:
            kept = self._named(one)
            if isinstance(kept, str):
                problem = kept
                continue
            done.append(self._put(kept))
        told = tuple((identifier, title) for _, identifier, title in done)
        status: Status = max((one for one, _, _ in done), key=_ORDER.index, default="skipped")
        return Outcome(path, status, told, problem, tuple(self.notes))

    def _touch(self) -> None:
        """Keep the new time of a file that is still the same, so that it need not be read again."""
        modified = datetime.fromtimestamp(self.harvest.path.stat().st_mtime, UTC)
        self.connection.execute(
            sa.update(files)
            .where(files.c.root == self.place.root, files.c.path == self.place.path)
            .values(mtime=modified)
        )

    def _part_of(self) -> str | None:
        """Return the PID of a dataset whose file reads from this one."""
        condition = _at(self.place), files.c.role == "linked"
        query = sa.select(datasets.c.pid).join(files, files.c.dataset_id == datasets.c.id).where(*condition)
        found: str | None = self.connection.execute(query.order_by(datasets.c.id).limit(1)).scalar()
        return found

    def _named(self, one: Harvested) -> Harvested | str:
        """Give a dataset the PID it keeps; or say why it is not put in."""
        entry = one.dataset.remarks.get("entry") if one.dataset.remarks else None
        if entry in self.here:
            return _renamed(one, self.here[entry].pid)
        query = sa.select(datasets.c.id, datasets.c.deleted_at).where(datasets.c.pid == one.dataset.pid)
        there = self.connection.execute(query).first()
        if there is None:
            return self._moved_from(one, entry)
        if there.deleted_at is not None:
            return f"was deleted from the catalogue as {one.dataset.pid}"
        other = self._file_elsewhere(there.id)
        if other is None:
            return one
        if other.sha256 and other.sha256 == one.dataset.files[0].sha256:
            return f"is a copy of {other.root}:{other.path}"
        own = one.dataset.files[0]
        self.notes.append(f"{one.dataset.pid} is the PID of {other.root}:{other.path}")
        return _renamed(one, hashed(own.size, own.mtime, own.root, own.path, entry))

    def _file_elsewhere(self, key: int) -> Any:
        """Return the file that a dataset has at another place, if it is still there."""
        query = sa.select(files).where(files.c.dataset_id == key, files.c.role == "data").order_by(files.c.id)
        for row in self.connection.execute(query.limit(100)):
            path = self.catalogue.roots.path(Place(row.root, row.path))
            if path is not None and path.is_file() and Place(row.root, row.path) != self.place:
                return row
        return None

    def _moved_from(self, one: Harvested, entry: str | None) -> Harvested:
        """Give a file that was moved the PID it had: one with its digest, no longer where the catalogue has it."""
        digest = one.dataset.files[0].sha256
        if digest is None:
            return one
        query = (
            sa.select(files, datasets.c.pid, datasets.c.remarks)
            .join(datasets, datasets.c.id == files.c.dataset_id)
            .where(files.c.sha256 == digest, files.c.role == "data", datasets.c.deleted_at.is_(None))
            .limit(20)
        )
        for row in self.connection.execute(query):
            path = self.catalogue.roots.path(Place(row.root, row.path))
            if path is not None and not path.exists() and (row.remarks or {}).get("entry") == entry:
                self.notes.append(f"was moved from {row.root}:{row.path}")
                return _renamed(one, row.pid)
        return one

    def _put(self, one: Harvested) -> tuple[Status, str, str]:
        dataset = one.dataset
        if isinstance(self.harvest, RunHarvest):
            roots, harvest = self.catalogue.roots, self.harvest
            dataset = with_inputs(self.connection, roots, dataset, harvest.inputs, alone=harvest.alone)
        samples = one.samples
        if one.proposal is not None:
            pid = self._ensure(one.proposal, also=one.proposal.title)
            terms = replace(dataset.terms, proposal=pid)
            dataset = replace(dataset, documents=(pid,) if pid else (), terms=terms)
            samples = tuple(replace(sample, terms=terms) for sample in samples)
        if one.instrument is not None:
            dataset = replace(dataset, instrument=self._ensure(one.instrument))
        dataset = replace(
            dataset,
            samples=tuple(pid for sample in samples if (pid := self._ensure(sample)) is not None),
            techniques=self._known_techniques(dataset.techniques),
        )
        catalogue = self.catalogue
        done = put(self.connection, dataset, policy=catalogue.policy, by=catalogue.by, at=self.at)
        if done.kept:
            self.notes.append(f"{dataset.pid} keeps what was edited: {', '.join(done.kept)}")
        if done.change != "unchanged":
            self._claim_derived(dataset)
        return done.change, done.identifier, dataset.title

    def _ensure(self, record: Document | Instrument | Sample, also: str | None = None) -> str | None:
        """Add a record that others refer to, unless it is there; return its PID, None if it was deleted."""
        name = type(record).__name__
        if (pid := self.catalogue.remembered(record)) is not None:
            return pid
        kind = name.lower()
        for key in filter(None, (record.pid, also)):
            found = find(self.connection, kind, key)
            if found is not None:
                table = RECORDS[kind]
                query = sa.select(table.c.pid, table.c.deleted_at).where(table.c.id == found)
                row = self.connection.execute(query).one()
                if row.deleted_at is not None:
                    return None
                self.there[name, record.pid] = row.pid
                return str(row.pid)
        put(self.connection, record, policy=self.catalogue.policy, by=self.catalogue.by, at=self.at)
        self.there[name, record.pid] = record.pid
        return record.pid

    def _known_techniques(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        known = set(self.connection.execute(sa.select(techniques.c.pid).where(techniques.c.pid.in_(wanted))).scalars())
        self.notes += [f"technique {pid} is not in the catalogue" for pid in wanted if pid not in known]
        return tuple(pid for pid in wanted if pid in known)

    def _claim_derived(self, dataset: Dataset) -> None:
        """Point what was derived from a file before the catalogue knew it at the file's dataset."""
        key = self.connection.execute(sa.select(datasets.c.id).where(datasets.c.pid == dataset.pid)).scalar_one()
        digests = {f"{UNKNOWN_INPUT}{one.sha256}": key for one in dataset.files if one.sha256 and one.role == "data"}
        if derived := bounds.connect(self.connection, digests):
            named = relations.c.target.in_(list(digests)), relations.c.target_id == key
            self.connection.execute(sa.update(relations).where(*named).values(target=dataset.pid))
            bounds.renew(self.connection, derived, self.at)


def _at(place: Place) -> sa.ColumnElement[bool]:
    return sa.and_(files.c.root == place.root, files.c.path == place.path)


def _known(connection: Connection, place: Place) -> list[Any]:
    """List the datasets whose own file lies at a place, with what is known of the file."""
    query = (
        sa.select(
            files.c.size, files.c.mtime, files.c.sha256, files.c.dataset_id,
            datasets.c.pid, datasets.c.identifier, datasets.c.title, datasets.c.remarks,
        )
        .join(datasets, datasets.c.id == files.c.dataset_id)
        .where(_at(place), files.c.role == "data", datasets.c.deleted_at.is_(None), datasets.c.remarks.is_not(None))
    )  # fmt: skip
    return [row for row in connection.execute(query) if row.remarks and row.mtime is not None]


def _others(connection: Connection, known: list[Any]) -> list[Any]:
    ids = [row.dataset_id for row in known]
    query = sa.select(files).where(files.c.dataset_id.in_(ids), files.c.role == "linked")
    return list(connection.execute(query)) if ids else []


def _cut(moment: datetime | None) -> str | None:
    return None if moment is None else instant_text(moment)


def _renamed(one: Harvested, pid: str) -> Harvested:
    """Give a dataset another PID, and with it the samples and people that are named after it."""
    old, dataset = f"{one.dataset.pid}:", one.dataset

    def other(text: str) -> str:
        return f"{pid}:{text.removeprefix(old)}" if text.startswith(old) else text

    members = tuple(
        replace(member, person=replace(member.person, pid=other(member.person.pid))) if member.person else member
        for member in dataset.members
    )
    samples = tuple(replace(sample, pid=other(sample.pid)) for sample in one.samples)
    names = tuple(sample.pid for sample in samples)
    return replace(one, dataset=replace(dataset, pid=pid, members=members, samples=names), samples=samples)
