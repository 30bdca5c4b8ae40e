"""What a list shows of each record found: as much as whoever asks may see of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import MOMENT, Action, Principal, visible
from pancommons.catalogue.parts import parameters, pids, relations, thumbnails
from pancommons.catalogue.search.equivalence import EITHER, NEUTRON, PHOTON
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.tables import (
    dataset_documents,
    dataset_samples,
    dataset_techniques,
    datasets,
    documents,
    instruments,
    samples,
    techniques,
)
from pancommons.store.functions import among, listed

_IDS = listed("ids", numeric=True)


@dataclass(frozen=True, slots=True)
class Beam:
    """An energy or wavelength as it was given."""

    name: str
    value: float
    unit: str | None


@dataclass(frozen=True, slots=True)
class DatasetHit:
    """A dataset in a list.

    Attributes
    ----------
    public_from
        From when on anybody may have the data; None for never.
    open
        Whether anybody may have them now.
    techniques
        PIDs and names.
    beam
        Energy or wavelength, if it has one.
    derived
        How many datasets that may be seen were derived from it.
    picture
        Whether there is a thumbnail that whoever asks may have.
    """

    identifier: str
    pid: str
    title: str
    kind: str
    size: int | None
    creation_date: datetime
    public_from: datetime | None
    open: bool
    instrument: str | None
    facility: str | None
    techniques: tuple[tuple[str, str], ...]
    samples: tuple[str, ...]
    beam: Beam | None
    derived: int
    doi: str | None
    picture: bool


@dataclass(frozen=True, slots=True)
class DocumentHit:
    """A document in a list."""

    identifier: str
    pid: str
    type: str
    title: str
    summary: str | None
    doi: str | None
    date: datetime | None
    datasets: int


@dataclass(frozen=True, slots=True)
class InstrumentHit:
    """An instrument in a list."""

    identifier: str
    pid: str
    name: str
    facility: str
    description: str | None
    datasets: int


def dataset_hits(ids: Sequence[int], ground: Ground, connection: Connection) -> list[DatasetHit]:
    """Describe datasets, in the order of their ids; those that may no longer be seen are left out."""
    if not ids:
        return []
    asked, given = _asked(ground.dialect, ground.principal), {"ids": list(ids), "moment": ground.at}
    found = {row.id: row for row in connection.execute(asked.rows, given)}
    has, of = (_by_dataset(connection.execute(query, given)) for query in (asked.techniques, asked.samples))
    beams = {row.dataset_id: Beam(row.name, row.number, row.unit) for row in connection.execute(asked.beams, given)}
    dois = {row.record_id: row.value for row in connection.execute(asked.dois, given)}
    pictured = set(connection.execute(asked.pictured, given).scalars())
    derived = {row.target_id: row.number for row in connection.execute(asked.derived, given)}
    return [
        DatasetHit(
            identifier=row.identifier, pid=row.pid, title=row.title, kind=row.kind, size=row.size,
            creation_date=row.creation_date, public_from=row.public_from, open=bool(row.public),
            instrument=row.place, facility=row.facility,
            techniques=tuple((one.pid, one.name) for one in has[key]),
            samples=tuple(one.name for one in of[key]),
            beam=beams.get(key),
            derived=derived.get(key, 0),
            doi=dois.get(key) or (row.pid if row.pid.startswith("10.") else None),
            picture=key in pictured,
        )
        for key in ids
        if (row := found.get(key)) is not None
    ]  # fmt: skip


def document_hits(ids: Sequence[int], ground: Ground, connection: Connection) -> list[DocumentHit]:
    """Describe documents, in the order of their ids."""
    table, child = ground.alias(documents), ground.alias(datasets)
    count = _counted(child, dataset_documents, dataset_documents.c.document_id == table.c.id, ground)
    rows = connection.execute(sa.select(table, count).where(among(table.c.id, ids), ground.seen(table))).all()
    found = {row.id: row for row in rows}
    return [
        DocumentHit(
            row.identifier, row.pid, row.type, row.title, row.summary, row.doi, row.release_date or row.start_date,
            row.number,
        )
        for key in ids
        if (row := found.get(key)) is not None
    ]  # fmt: skip


def instrument_hits(ids: Sequence[int], ground: Ground, connection: Connection) -> list[InstrumentHit]:
    """Describe instruments, in the order of their ids."""
    table, child = ground.alias(instruments), ground.alias(datasets)
    count = _counted(child, None, child.c.instrument_id == table.c.id, ground)
    rows = connection.execute(sa.select(table, count).where(among(table.c.id, ids), ground.seen(table))).all()
    found = {row.id: row for row in rows}
    return [
        InstrumentHit(row.identifier, row.pid, row.name, row.facility, row.description, row.number)
        for key in ids
        if (row := found.get(key)) is not None
    ]


def _counted(child: Any, link: sa.Table | None, condition: Any, ground: Ground) -> Any:
    rows = sa.select(sa.func.count()).select_from(child)
    if link is not None:
        rows = rows.join(link, link.c.dataset_id == child.c.id)
    return rows.where(condition, ground.seen(child)).scalar_subquery().label("number")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The statements that describe datasets, ``ids``, at a ``moment``."""

    rows: sa.Select[Any]
    techniques: sa.Select[Any]
    samples: sa.Select[Any]
    beams: sa.Select[Any]
    dois: sa.Select[Any]
    pictured: sa.Select[Any]
    derived: sa.Select[Any]


@lru_cache(maxsize=128)
def _asked(dialect: str, principal: Principal) -> _Asked:
    """Make the statements once for a principal: making them takes longer than their answers."""
    ground = Ground(dialect, principal, cast(datetime, MOMENT))  # it goes nowhere but into conditions
    table, place = ground.alias(datasets), ground.alias(instruments)
    rows = (
        sa.select(table, ground.public(table).label("public"), place.c.name.label("place"), place.c.facility)
        .join_from(table, place, sa.and_(place.c.id == table.c.instrument_id, ground.seen(place)), isouter=True)
        .where(among(table.c.id, _IDS), ground.seen(table))
    )
    pictured = sa.select(thumbnails.c.dataset_id).where(
        among(thumbnails.c.dataset_id, _IDS), visible(thumbnails, principal, Action.READ, MOMENT)
    )
    return _Asked(
        rows,
        _linked(dataset_techniques, techniques, ground),
        _linked(dataset_samples, samples, ground),
        _beams(ground),
        _dois(),
        pictured,
        _derived(ground),
    )


def _by_dataset(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.dataset_id].append(row)
    return found


def _linked(link: sa.Table, table: sa.Table, ground: Ground) -> sa.Select[Any]:
    far = ground.alias(table)
    key = link.c.technique_id if table is techniques else link.c.sample_id
    return (
        sa.select(link.c.dataset_id, far.c.pid, far.c.name)
        .join(far, far.c.id == key)
        .where(among(link.c.dataset_id, _IDS), ground.seen(far))
        .order_by(far.c.name)
    )


def _beams(ground: Ground) -> sa.Select[Any]:
    """Select energies and wavelengths: the last of a dataset is one that was measured, if one was."""
    table = ground.alias(parameters)
    return (
        sa.select(table.c.dataset_id, table.c.name, table.c.number, table.c.unit)
        .where(
            among(table.c.dataset_id, _IDS),
            among(ground.beside(table, table.c.name), PHOTON | NEUTRON | EITHER),
            table.c.number.is_not(None),
        )
        .order_by(table.c.derived.desc(), table.c.name.desc(), table.c.id.desc())
    )


def _dois() -> sa.Select[Any]:
    return (
        sa.select(pids.c.record_id, pids.c.value)
        .where(pids.c.kind == "dataset", pids.c.scheme == "doi", among(pids.c.record_id, _IDS))
        .order_by(pids.c.value.desc())
    )


def _derived(ground: Ground) -> sa.Select[Any]:
    result = ground.alias(datasets)
    return (
        sa.select(relations.c.target_id, sa.func.count(sa.distinct(result.c.id)).label("number"))
        .join(result, result.c.id == relations.c.dataset_id)
        .where(among(relations.c.target_id, _IDS), relations.c.kind == "derived from", ground.seen(result))
        .group_by(relations.c.target_id)
    )
