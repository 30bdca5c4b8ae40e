"""The records around a dataset, as far as whoever asks may discover them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import MOMENT, Action, Principal, visible
from pancommons.catalogue.bounds import DERIVED
from pancommons.catalogue.gathering import KEPT
from pancommons.catalogue.lineage import related
from pancommons.catalogue.parts import relations
from pancommons.catalogue.read import Found, fetch_those
from pancommons.catalogue.records import Dataset, Technique
from pancommons.catalogue.tables import datasets, techniques
from pancommons.store.functions import among, listed

_MOST = 200
_NAMED = sa.select(techniques).where(among(techniques.c.pid, listed("pids", numeric=False))).order_by(techniques.c.name)


@dataclass(frozen=True)
class Surroundings:
    """What a dataset refers to, and what refers to it other than by derivation.

    Attributes
    ----------
    wholes, parts
        Datasets and collections that it is a part of, and those that are parts of it: identifier and title.
    derived
        Whether it may have a lineage: whoever may know of it, it was derived from another, or another one from it.
    """

    instrument: Found | None
    documents: tuple[Found, ...]
    samples: tuple[Found, ...]
    techniques: tuple[Technique, ...]
    wholes: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str], ...]
    derived: bool


def surroundings(connection: Connection, found: Found, principal: Principal, at: datetime) -> Surroundings:
    """Look around a dataset that the principal may discover."""
    dataset = found.record
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{found.identifier} is no dataset")

    def several(kind: str, pids: Iterable[str]) -> tuple[Found, ...]:
        return tuple(fetch_those(connection, kind, "pid", list(pids), principal, at))

    near = related(connection, found.id)
    beside = {names for kind, names in near if kind != DERIVED}
    return Surroundings(
        instrument=next(iter(several("instrument", [dataset.instrument] if dataset.instrument else [])), None),
        documents=several("document", dataset.documents),
        samples=several("sample", dataset.samples),
        techniques=_techniques(connection, dataset.techniques),
        wholes=_related(connection, found.id, principal, at, to_wholes=True) if True in beside else (),
        parts=_related(connection, found.id, principal, at, to_wholes=False) if False in beside else (),
        derived=any(kind == DERIVED for kind, _ in near),
    )


def _techniques(connection: Connection, pids: tuple[str, ...]) -> tuple[Technique, ...]:
    if not pids:
        return ()
    rows = connection.execute(_NAMED, {"pids": sorted(pids)})
    return tuple(Technique(pid=row.pid, name=row.name, definition=row.definition) for row in rows)


def _related(
    connection: Connection, key: int, principal: Principal, at: datetime, *, to_wholes: bool
) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(_beside(principal, to_wholes=to_wholes), {"key": key, "moment": at})
    return tuple((row.identifier, row.title) for row in rows)


@lru_cache(maxsize=KEPT)
def _beside(principal: Principal, *, to_wholes: bool) -> sa.Select[Any]:
    """Select identifiers and titles of what a dataset, ``key``, is a part of, or of its parts."""
    near, far = relations.c.dataset_id, relations.c.target_id
    if not to_wholes:
        near, far = far, near
    return (
        sa.select(datasets.c.identifier, datasets.c.title)
        .join(relations, far == datasets.c.id)
        .where(
            near == sa.bindparam("key"),
            relations.c.kind != DERIVED,
            visible(relations, principal, Action.DISCOVER, MOMENT),
            visible(datasets, principal, Action.DISCOVER, MOMENT),
        )
        .distinct()
        .order_by(datasets.c.title, datasets.c.identifier)
        .limit(_MOST)
    )
