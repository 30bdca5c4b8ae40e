"""Who sees which run, and rows made into runs.

What a run holds is data of its inputs: its owner sees it only while they may still read all of these, its
administrators always, nobody else ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias

from pancommons.base.settings import Runs
from pancommons.catalogue.access import MOMENT, Action, Principal, Role, visible
from pancommons.catalogue.tables import datasets
from pancommons.runs.queue import Waiting, line
from pancommons.runs.run import Input, Run
from pancommons.runs.tables import ENDED, run_inputs, runs
from pancommons.store.functions import among

LINKED = "linked"
"""The role under which files are kept that inputs read from."""


def administers(principal: Principal) -> bool:
    """Say whether somebody administers the installation, and their token lets them."""
    return Role.ADMINISTRATOR in principal.everywhere


def seen_by(principal: Principal, at: datetime | sa.BindParameter[datetime]) -> ColumnElement[bool]:
    """Say in SQL which runs somebody may see."""
    if principal.scopes is not None and Action.READ not in principal.scopes:
        return sa.false()
    if administers(principal):
        return sa.true()
    if principal.person is None:
        return sa.false()
    bound = cast(Alias, datasets.alias("bound_input"))
    kept = (
        sa.exists()
        .select_from(run_inputs.join(bound, bound.c.id == run_inputs.c.dataset_id))
        .where(run_inputs.c.run_id == runs.c.id, sa.not_(visible(bound, principal, Action.READ, at)))
    )
    return sa.and_(runs.c.person == principal.person, sa.not_(kept))


@lru_cache(maxsize=256)
def one_seen_by(principal: Principal) -> sa.Select[Any]:
    """Select a run, ``which``, if somebody may see it at a ``moment``; it is asked for by each page that watches."""
    return sa.select(runs).where(runs.c.identifier == sa.bindparam("which"), seen_by(principal, MOMENT))


def waiting(connection: Connection) -> list[Waiting]:
    """List the runs that wait, the longest first."""
    query = sa.select(runs.c.id, runs.c.person, runs.c.preview).where(
        runs.c.state == "waiting", runs.c.removed.is_(None)
    )
    return [Waiting(*row) for row in connection.execute(query.order_by(runs.c.queued, runs.c.id))]


def latest(connection: Connection) -> dict[tuple[str, bool], datetime]:
    """Return when the latest run of each person who waits was started, by person and lane."""
    who = sa.select(runs.c.person).where(runs.c.state == "waiting", runs.c.removed.is_(None))
    query = (
        sa.select(runs.c.person, runs.c.preview, sa.func.max(runs.c.began, type_=runs.c.began.type))
        .where(runs.c.person.in_(who), runs.c.began.is_not(None))
        .group_by(runs.c.person, runs.c.preview)
    )
    return {(person, preview): began for person, preview, began in connection.execute(query)}


def made(connection: Connection, rows: Sequence[Any], settings: Runs) -> list[Run]:
    """Make runs of whole rows of the table, in their order."""
    ids = [row.id for row in rows]
    order: list[int] = []
    if any(row.state == "waiting" for row in rows):
        order = line(waiting(connection), latest(connection))
    lanes = {one.id: one.preview for one in waiting(connection)} if order else {}
    places: dict[int, int] = {}
    for lane in (True, False):
        places |= {id_: place for place, id_ in enumerate((one for one in order if lanes.get(one) is lane), 1)}
    inputs: defaultdict[int, dict[str, list[Input]]] = defaultdict(dict)
    query = (
        sa.select(run_inputs, datasets.c.identifier, datasets.c.title)
        .join(datasets, datasets.c.id == run_inputs.c.dataset_id)
        .where(among(run_inputs.c.run_id, ids), run_inputs.c.role != LINKED)
        .order_by(run_inputs.c.run_id, run_inputs.c.role, run_inputs.c.position)
    )
    for row in connection.execute(query) if ids else ():
        several = inputs[row.run_id].setdefault(row.role, [])
        several.append(Input(row.identifier, row.file, row.name, row.title))
    results = [row.dataset_id for row in rows if row.dataset_id is not None]
    known = sa.select(datasets.c.id, datasets.c.identifier).where(
        among(datasets.c.id, results), datasets.c.deleted_at.is_(None)
    )
    identifiers = {row.id: row.identifier for row in connection.execute(known)} if results else {}
    return [
        Run(
            identifier=row.identifier,
            person=row.person,
            name=row.name,
            pipeline=row.pipeline,
            version=row.version,
            title=row.title,
            state=row.state,
            why=row.why,
            created=row.created,
            started=row.started,
            ended=row.ended,
            preview=row.preview,
            parameters=row.parameters,
            preset=row.preset,
            seconds=row.seconds,
            memory=row.memory,
            disk=row.disk,
            inputs=dict(inputs[row.id]),
            place=places.get(row.id),
            dataset=identifiers.get(row.dataset_id),
            expires=expiry(row, settings),
            tell=row.tell,
            removed=row.removed,
            id=row.id,
            path=row.folder,
        )
        for row in rows
    ]


def expiry(row: Any, settings: Runs) -> datetime | None:
    """Return when the policy removes a run; None for never."""
    days = settings.keep_preview_days if row.preview else settings.keep_days
    if days is None or row.ended is None or row.state not in ENDED or row.removed is not None:
        return None
    ended: datetime = row.ended
    return ended + timedelta(days=days)
