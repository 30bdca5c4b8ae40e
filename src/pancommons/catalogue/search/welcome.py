"""What the first page shows of a catalogue: pictures of what is open, and what has opened of late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.parts import thumbnails
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.listing import DatasetHit, dataset_hits
from pancommons.catalogue.tables import dataset_techniques, datasets, technique_closure, techniques

WEEK = timedelta(days=7)


def opened(ground: Ground, connection: Connection, most: int = 6) -> list[DatasetHit]:
    """List the datasets that opened within the last week, the newest first."""
    table = ground.alias(datasets)
    since = sa.bindparam(None, ground.at - WEEK, type_=datasets.c.public_from.type, unique=True)
    ids = connection.execute(
        sa.select(table.c.id)
        .where(table.c.public_from > since, ground.public(table), ground.seen(table))
        .order_by(table.c.public_from.desc(), table.c.id.desc())
        .limit(most)
    ).scalars()
    return dataset_hits(list(ids), ground, connection)


def pictured(pids: Iterable[str], ground: Ground, connection: Connection) -> dict[str, str]:
    """Return an open dataset with a picture for each technique that has one: identifiers by PID, the newest."""
    found = {}
    for pid in pids:
        table, has = ground.alias(datasets), ground.alias(dataset_techniques)
        below = (
            sa.select(technique_closure.c.descendant_id)
            .join(techniques, techniques.c.id == technique_closure.c.ancestor_id)
            .where(techniques.c.pid == pid)
        )
        identifier = connection.execute(
            sa.select(table.c.identifier)
            .join(has, has.c.dataset_id == table.c.id)
            .join(thumbnails, thumbnails.c.dataset_id == table.c.id)
            .where(has.c.technique_id.in_(below), ground.public(table), ground.seen(table))
            .order_by(table.c.creation_date.desc(), table.c.id.desc())
            .limit(1)
        ).scalar()
        if identifier is not None:
            found[pid] = identifier
    return found
