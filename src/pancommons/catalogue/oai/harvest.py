"""What changed in the catalogue, in the order it changed: the lists that harvesters get.

The order is that of the last change of each record, so that whatever changes while a list is being given moves to
its end and is given there; nothing is missed. A record that becomes public by the passing of its embargo counts as
changed at that moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from pancommons.catalogue.access import ANONYMOUS, Action, visible
from pancommons.catalogue.formats.description import Description, Site, Surroundings, describe
from pancommons.catalogue.read import Found, fetch_those
from pancommons.catalogue.records import Dataset, Document, Instrument, Record, Technique
from pancommons.catalogue.tables import dataset_techniques, datasets, instruments, techniques
from pancommons.store.functions import among, listed
from pancommons.store.schema import Instant, floor

_KINDS: Mapping[str, type[Record]] = {"dataset": Dataset, "document": Document, "instrument": Instrument}
_NAMES = sa.select(techniques.c.pid, techniques.c.name).where(among(techniques.c.pid, listed("pids", numeric=False)))


@dataclass(frozen=True)
class Header:
    """One line of a list.

    Attributes
    ----------
    identifier
        Our own.
    stamp
        When it last changed for the public.
    deleted
        Whether it is gone, or no longer public.
    place
        In the order of changes.
    specs
        What it says of its sets: facility, our identifier of the instrument, PIDs of techniques.
    """

    identifier: str
    stamp: datetime
    deleted: bool
    place: int
    facility: str | None
    instrument: str | None
    techniques: tuple[str, ...]


def headers(
    connection: Connection,
    at: datetime,
    *,
    after: int = 0,
    start: datetime | None = None,
    stop: datetime | None = None,
    within: ColumnElement[bool] | None = None,
    only: str | None = None,
    limit: int = 100,
) -> list[Header]:
    """List what changed: what is public, and what was and is no more.

    Parameters
    ----------
    after
        The place in the order after which to begin.
    start, stop
        The first moment and the one after the last.
    within
        A condition on datasets: a set.
    only
        One identifier.
    """
    conditions = [*_asked(at, start, stop, within), datasets.c.sequence > after]
    if only is not None:
        conditions.append(datasets.c.identifier == only)
    rows = connection.execute(
        sa.select(
            datasets.c.id,
            datasets.c.identifier,
            datasets.c.sequence,
            _latest(at).label("stamp"),
            sa.not_(_seen(at)).label("hidden"),
            instruments.c.facility,
            instruments.c.identifier.label("instrument"),
        )
        .outerjoin(
            instruments,
            sa.and_(instruments.c.id == datasets.c.instrument_id, visible(instruments, ANONYMOUS, Action.DISCOVER, at)),
        )
        .where(*conditions)
        .order_by(datasets.c.sequence)
        .limit(limit)
    ).all()
    methods = _techniques(connection, [row.id for row in rows])
    return [
        Header(
            row.identifier, row.stamp, bool(row.hidden), row.sequence, row.facility, row.instrument,
            methods.get(row.id, ()),
        )
        for row in rows
    ]  # fmt: skip


def count(
    connection: Connection,
    at: datetime,
    start: datetime | None,
    stop: datetime | None,
    within: ColumnElement[bool] | None,
) -> int:
    """Count a whole list."""
    conditions = _asked(at, start, stop, within)
    return int(connection.execute(sa.select(sa.func.count()).select_from(datasets).where(*conditions)).scalar_one())


def earliest(connection: Connection, at: datetime) -> datetime:
    """Return a moment before which nothing in the list changed."""
    first = sa.select(datasets.c.updated_at).where(*_asked(at)).order_by(datasets.c.sequence).limit(1)
    found: datetime | None = connection.execute(first).scalar()
    return found or at


def _asked(
    at: datetime,
    start: datetime | None = None,
    stop: datetime | None = None,
    within: ColumnElement[bool] | None = None,
) -> list[ColumnElement[bool]]:
    """Make the conditions of a list: public or once public, changed between two moments, in a set."""
    gone = sa.and_(datasets.c.deleted_at.is_not(None), datasets.c.findable_from <= datasets.c.deleted_at)
    conditions: list[ColumnElement[bool]] = [sa.or_(_seen(at), gone, datasets.c.withdrawn_at.is_not(None))]
    if start is not None:
        conditions.append(_latest(at) >= sa.literal(start, Instant()))
    if stop is not None:
        conditions.append(_latest(at) < sa.literal(stop, Instant()))
    return conditions if within is None else [*conditions, within]


def _seen(at: datetime) -> ColumnElement[bool]:
    return visible(datasets, ANONYMOUS, Action.DISCOVER, at)


def describe_datasets(
    connection: Connection, identifiers: Sequence[str], site: Site, at: datetime, public: Collection[Found] = ()
) -> dict[str, Description]:
    """Describe datasets as anybody may see them, by our identifier; those nobody may see are left out.

    Parameters
    ----------
    public
        Datasets, documents and instruments as they were fetched for anybody at this moment, if some were.
    """
    found = _public(connection, "dataset", "identifier", identifiers, at, public)
    wanted = [one.record for one in found if isinstance(one.record, Dataset)]
    lines = _public(connection, "instrument", "pid", [one.instrument for one in wanted], at, public)
    papers = _public(connection, "document", "pid", [pid for one in wanted for pid in one.documents], at, public)
    by_pid = {one.record.pid: one.record for one in (*lines, *papers)}
    methods = _named(connection, [pid for one in wanted for pid in one.techniques])
    told = {}
    for one in found:
        record = one.record
        assert isinstance(record, Dataset)  # noqa: S101 - the kind that was asked for
        line = by_pid.get(record.instrument or "")
        cited = {pid: by_pid[pid] for pid in record.documents if pid in by_pid}
        around = Surroundings(
            instrument=line if isinstance(line, Instrument) else None,
            documents={pid: paper for pid, paper in cited.items() if isinstance(paper, Document)},
            techniques={pid: methods[pid] for pid in record.techniques if pid in methods},
            file_names=tuple(file.name for file in record.files),
        )
        told[one.identifier] = describe(
            record,
            one.identifier,
            site,
            around,
            open_from=one.public_from,
            published=max(one.created_at, one.findable_from or one.created_at),
            updated=one.updated_at,
            at=at,
        )
    return told


def _public(
    connection: Connection,
    kind: str,
    column: Literal["identifier", "pid"],
    keys: Sequence[str | None],
    at: datetime,
    public: Collection[Found],
) -> list[Found]:
    """Fetch what anybody may see of records with these keys, without pictures, where it is not there already."""
    there = {
        one.identifier if column == "identifier" else one.record.pid: one
        for one in public
        if isinstance(one.record, _KINDS[kind])
    }
    known = {key for key in keys if key}
    missing = fetch_those(connection, kind, column, known - there.keys(), ANONYMOUS, at, pictures=False)
    return [*(one for key, one in there.items() if key in known), *missing]


def _named(connection: Connection, pids: Sequence[str]) -> dict[str, Technique]:
    rows = connection.execute(_NAMES, {"pids": sorted(pids)})
    return {row.pid: Technique(pid=row.pid, name=row.name) for row in rows}


def _techniques(connection: Connection, ids: list[int]) -> dict[int, tuple[str, ...]]:
    link = dataset_techniques
    found: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(
        sa.select(link.c.dataset_id, techniques.c.pid)
        .join(techniques, techniques.c.id == link.c.technique_id)
        .where(among(link.c.dataset_id, ids))
        .order_by(techniques.c.pid)
    ):
        found[row.dataset_id] = (*found.get(row.dataset_id, ()), row.pid)
    return found


def _latest(at: datetime) -> ColumnElement[Any]:
    """Return the last moment at which a dataset changed for the public: written, made findable, opened."""
    now = sa.literal(floor(at), Instant())
    stamp: Any = datasets.c.updated_at
    for since in (datasets.c.findable_from, datasets.c.public_from):
        stamp = sa.case((sa.and_(since.is_not(None), since <= now, since > stamp), since), else_=stamp)
    return sa.type_coerce(stamp, Instant())
