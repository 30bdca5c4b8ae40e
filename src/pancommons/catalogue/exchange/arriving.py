"""What arrives from a file, put into the catalogue batch by batch, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput, PanError
from pancommons.catalogue import audit
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.ledger import grants
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.principals import grant
from pancommons.catalogue.records import Document, Record, Technique, kind_of
from pancommons.catalogue.tables import RECORDS, techniques
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import put_all
from pancommons.store.engine import Database
from pancommons.store.functions import among

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role of a person: in a proposal, at an instrument (both by PID), or everywhere."""

    person: str
    role: Role
    proposal: str | None = None
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something out of a file.

    Attributes
    ----------
    place
        Where it stood.
    mentioned
        It was told of beside another thing, perhaps not in full: it is added where it is missing, and what is
        there stays as it is.
    """

    thing: Record | Technique | Grant
    place: str
    mentioned: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not taken, and why, in a sentence."""

    place: str
    reason: str


@dataclass
class Report:
    """What became of everything in a file."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return how many things there were."""
        return self.added + self.changed + self.unchanged + self.refused


def bring_in(
    database: Database,
    arrivals: Iterable[Arrival | Refusal],
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
    batch: int = BATCH,
) -> Report:
    """Put what arrives into the catalogue, a transaction and a line of the audit per batch, in bounded memory.

    Within a batch the order does not matter; of what comes twice the later counts. What the catalogue does not
    take is left out, and the rest of its batch is taken. Stopped in between, it can be run again.

    Parameters
    ----------
    show
        Called after every batch with what happened until then.
    """
    report = Report()
    for several in _batches(iter(arrivals), batch):
        _refuse(report, [one for one in several if isinstance(one, Refusal)])
        _take(database, [one for one in several if isinstance(one, Arrival)], report, policy, by, at)
        show(report)
    return report


def _batches(source: Iterator[Arrival | Refusal], size: int) -> Iterator[list[Arrival | Refusal]]:
    """Cut into batches; one ends early where the same thing comes again, so that the later one counts."""
    waiting: list[Arrival | Refusal] = []
    seen: set[object] = set()
    for one in source:
        key = _key(one.thing) if isinstance(one, Arrival) and not one.mentioned else None
        if len(waiting) >= size or (key is not None and key in seen):
            yield waiting
            waiting, seen = [], set()
        waiting.append(one)
        seen.add(key)
    if waiting:
        yield waiting


def _key(thing: Record | Technique | Grant) -> tuple[str, object]:
    if isinstance(thing, Grant):
        return "grant", thing
    return "technique" if isinstance(thing, Technique) else kind_of(thing), thing.pid


def _take(
    database: Database, arrivals: list[Arrival], report: Report, policy: Policy, by: Principal, at: datetime
) -> None:
    counts: Counter[str] = Counter()
    refusals: list[Refusal] = []
    with database.write() as connection:
        named = {_key(one.thing) for one in arrivals if not one.mentioned}
        told = {_key(one.thing): one for one in reversed(arrivals) if one.mentioned and _key(one.thing) not in named}
        wanted = [one for one in arrivals if not one.mentioned] + _missing(connection, told)
        for group in _in_order(wanted):
            done, refused = _put_group(connection, group, policy, by, at)
            counts += done
            refusals += refused
        if counts["added"] or counts["changed"]:
            facts = {"added": counts["added"], "changed": counts["changed"], "last": arrivals[-1].place}
            audit.record(connection, by, "load", at, facts=facts)
    report.added += counts["added"]
    report.changed += counts["changed"]
    report.unchanged += counts["unchanged"]
    _refuse(report, refusals)


def _refuse(report: Report, refusals: Sequence[Refusal]) -> None:
    report.refused += len(refusals)
    report.refusals += refusals


def _missing(connection: Connection, told: dict[tuple[str, object], Arrival]) -> list[Arrival]:
    """Keep of what was mentioned what the catalogue does not have; the deleted stay deleted."""
    missing = []
    for name, table in {**RECORDS, "technique": techniques}.items():
        these = {str(pid): one for (kind, pid), one in told.items() if kind == name}
        there = set(connection.execute(sa.select(table.c.pid).where(among(table.c.pid, list(these)))).scalars())
        missing += [one for pid, one in these.items() if pid not in there]
    return missing


def _in_order(arrivals: list[Arrival]) -> Iterator[list[Arrival]]:
    """Group so that everything comes after what it may refer to."""
    groups: dict[int, list[Arrival]] = {}
    for one in arrivals:
        groups.setdefault(_rank(one.thing), []).append(one)
    for rank in sorted(groups):
        yield groups[rank]


def _rank(thing: Record | Technique | Grant) -> int:
    if isinstance(thing, Technique):
        return 0
    if isinstance(thing, Grant):
        return 6
    if isinstance(thing, Document):
        return 2 if thing.type == "proposal" else 3
    return {"instrument": 1, "sample": 4, "dataset": 5}[kind_of(thing)]


def _put_group(
    connection: Connection, group: list[Arrival], policy: Policy, by: Principal, at: datetime
) -> tuple[Counter[str], list[Refusal]]:
    """Put things of one rank together; where that is refused, one by one."""
    try:
        with connection.begin_nested():
            return Counter(_put(connection, [one.thing for one in group], policy, by, at)), []
    except (PanError, sa.exc.IntegrityError, sa.exc.DataError) as error:
        if len(group) == 1:
            return Counter(), [Refusal(group[0].place, _reason(error, group[0]))]
    counts: Counter[str] = Counter()
    refusals: list[Refusal] = []
    for one in group:
        done, refused = _put_group(connection, [one], policy, by, at)
        counts += done
        refusals += refused
    return counts, refusals


def _put(
    connection: Connection, things: list[Record | Technique | Grant], policy: Policy, by: Principal, at: datetime
) -> list[str]:
    if isinstance(things[0], Technique):
        return _put_techniques(connection, [one for one in things if isinstance(one, Technique)], by, at)
    if isinstance(things[0], Grant):
        return [_give(connection, one, by, at) for one in things if isinstance(one, Grant)]
    records = [one for one in things if not isinstance(one, (Technique, Grant))]
    return [done.change for done in put_all(connection, records, policy=policy, by=by, at=at)]


def _put_techniques(connection: Connection, given: list[Technique], by: Principal, at: datetime) -> list[str]:
    """Add techniques that are new; what is there came from an ontology, which knows better."""
    table = techniques.c
    query = sa.select(table.pid).where(among(table.pid, [one.pid for one in given]))
    there = set(connection.execute(query).scalars())
    new = [one for one in given if one.pid not in there]
    if new:
        put_techniques(connection, new, by=by, at=at)
    return ["unchanged" if one.pid in there else "added" for one in given]


def _give(connection: Connection, one: Grant, by: Principal, at: datetime) -> str:
    count = sa.select(sa.func.count()).select_from(grants).where(grants.c.person == one.person)
    before = connection.execute(count).scalar()
    grant(connection, one.person, one.role, proposal=one.proposal, instrument=one.instrument, by=by, at=at)
    return "unchanged" if connection.execute(count).scalar() == before else "added"


def _reason(error: Exception, one: Arrival) -> str:
    if isinstance(error, PanError):
        return str(error)
    name = one.thing.person if isinstance(one.thing, Grant) else one.thing.pid
    return f"{name}: the database holds something else under one of its identifiers, or does not take a value."


def guarded(place: str, make: Callable[[], Iterable[Arrival]]) -> Iterator[Arrival | Refusal]:
    """Give what can be made of one thing in a file; a refusal where it is not as it must be."""
    try:
        yield from list(make())
    except BadInput as error:
        yield Refusal(place, str(error))
    except RecursionError:
        yield Refusal(place, f"{place}: is nested too deeply.")
