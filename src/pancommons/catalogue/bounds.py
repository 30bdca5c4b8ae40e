"""How inputs bound what was derived from them, worked out once when something changes.

Of every derived dataset the table ``guards`` holds all datasets that bound it: its inputs, and what bounds
those, but not past a dataset that a data manager has lifted. From them follow its effective moments
``public_from`` and ``findable_from``, which answer for the public without a look at the guards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.ledger import take
from pancommons.catalogue.parts import relations
from pancommons.catalogue.tables import datasets, guards
from pancommons.store.functions import among
from pancommons.store.rows import insert_rows

DERIVED = "derived from"


def connect(connection: Connection, targets: dict[str, int]) -> set[int]:
    """Point relations at datasets that have just come, by PID; return the ids of those derived from them."""
    waiting = connection.execute(
        sa.select(relations.c.id, relations.c.dataset_id, relations.c.target, relations.c.kind).where(
            among(relations.c.target, list(targets)), relations.c.target_id.is_(None)
        )
    ).all()
    if waiting:
        connection.execute(
            sa.update(relations).where(relations.c.id == sa.bindparam("key")),
            [{"key": row.id, "target_id": targets[row.target]} for row in waiting],
        )
    return {row.dataset_id for row in waiting if row.kind == DERIVED}


def renew(connection: Connection, ids: Iterable[int], at: datetime) -> None:
    """Work out guards and effective moments of datasets and of all that is derived from them.

    Those whose moments change are stamped as changed, so that harvesters see it.
    """
    affected = set(ids) | _reach(connection, set(ids), relations.c.target_id, relations.c.dataset_id)[0]
    if not affected:
        return
    above, inputs = _reach(connection, affected, relations.c.dataset_id, relations.c.target_id)
    rows = {
        row.id: row
        for row in connection.execute(
            sa.select(
                datasets.c.id,
                datasets.c.open_from,
                datasets.c.discoverable_from,
                datasets.c.public_from,
                datasets.c.findable_from,
                datasets.c.withdrawn_at,
                datasets.c.lifted,
            ).where(among(datasets.c.id, affected | above))
        )
    }
    lifted = {key for key, row in rows.items() if row.lifted}
    bounding = {key: _bounding(key, inputs, lifted) for key in affected}
    connection.execute(sa.delete(guards).where(among(guards.c.dataset_id, affected)))
    insert_rows(
        connection,
        guards,
        [{"dataset_id": key, "input_id": bound} for key in sorted(affected) for bound in sorted(bounding[key])],
    )
    changes = []
    for key in sorted(affected):
        together = [rows[key], *(rows[bound] for bound in bounding[key])]
        public = _latest([row.open_from for row in together])
        findable = _latest([row.discoverable_from for row in together])
        before = rows[key]
        if (public, findable) != (before.public_from, before.findable_from):
            withdrawn = _past(before.findable_from, at) and not _past(findable, at)
            stamps = {"updated_at": at, "withdrawn_at": at if withdrawn else before.withdrawn_at}
            changes.append({"key": key, "public_from": public, "findable_from": findable, **stamps})
    if changes:
        sequence = take(connection, "sequence", len(changes))
        connection.execute(
            sa.update(datasets).where(datasets.c.id == sa.bindparam("key")),
            [{**change, "sequence": place} for change, place in zip(changes, sequence, strict=True)],
        )


def _past(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment <= at


def _bounding(key: int, inputs: dict[int, set[int]], lifted: set[int]) -> set[int]:
    found: set[int] = set()
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if one not in lifted:
            new = inputs.get(one, set()) - found - {key}
            found |= new
            waiting += new
    return found


def _latest(moments: list[datetime | None]) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None


def _reach(
    connection: Connection, start: set[int], one: sa.Column[int], other: sa.Column[int]
) -> tuple[set[int], dict[int, set[int]]]:
    """Follow derivations from datasets, step by step; return what was reached and every single step."""
    reached: set[int] = set()
    steps: defaultdict[int, set[int]] = defaultdict(set)
    frontier = set(start)
    while frontier:
        found = connection.execute(
            sa.select(one, other).where(
                among(one, frontier), relations.c.kind == DERIVED, relations.c.target_id.is_not(None)
            )
        ).all()
        for here, there in found:
            steps[here].add(there)
        frontier = {there for _, there in found} - reached - start
        reached |= frontier
    return reached, steps
