"""What a dataset was made from and what was made from it, as far as whoever asks may know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import MOMENT, Action, Principal, visible
from pancommons.catalogue.bounds import DERIVED
from pancommons.catalogue.gathering import KEPT
from pancommons.catalogue.ingest.crates import UNKNOWN_INPUT
from pancommons.catalogue.parts import parameters, relations
from pancommons.catalogue.tables import datasets
from pancommons.store.functions import among, listed

MOST = 40
"""So many datasets are shown at most in each direction."""

_DEEPEST = 12
_IDS = listed("ids", numeric=True)
_KEY = sa.bindparam("key", type_=sa.BigInteger())
_RELATED = sa.union_all(
    sa.select(relations.c.kind, sa.true().label("names")).where(relations.c.dataset_id == _KEY).distinct(),
    sa.select(relations.c.kind, sa.false()).where(relations.c.target_id == _KEY).distinct(),
)


@dataclass(frozen=True)
class Node:
    """A dataset in a lineage.

    Attributes
    ----------
    identifier
        None where the catalogue does not have it.
    pid
        None where there is nothing to be said of it but that it was.
    pipeline
        What made it, with its version, if it came of a run.
    step
        How many derivations away from the dataset asked for: below zero for what it was made from.
    """

    key: int | str
    identifier: str | None
    pid: str | None
    title: str | None
    kind: Literal["raw", "processed", "simulated"] | None
    pipeline: str | None
    step: int


@dataclass(frozen=True)
class Lineage:
    """Datasets, and which was made from which: pairs of keys, input first.

    Attributes
    ----------
    more
        Whether there is more than is given.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[tuple[int | str, int | str], ...] = ()
    more: bool = False

    def inputs(self, key: int | str) -> list[Node]:
        """Return what a dataset was made from."""
        from_ = {one for one, other in self.edges if other == key}
        return [node for node in self.nodes if node.key in from_]


def related(connection: Connection, key: int) -> frozenset[tuple[str, bool]]:
    """Return the kinds of relations that a dataset has, each with whether it is the one that names the other.

    Whoever may know of them: for those who ask further, as most datasets stand alone, and what may be seen takes long.
    """
    return frozenset((row.kind, bool(row.names)) for row in connection.execute(_RELATED, {"key": key}))


@dataclass
class _Way:
    """What is found in one direction."""

    steps: dict[int | str, int] = field(default_factory=dict)
    edges: set[tuple[int | str, int | str]] = field(default_factory=set)
    elsewhere: dict[str, str | None] = field(default_factory=dict)
    more: bool = False


def lineage(connection: Connection, key: int, principal: Principal, at: datetime, *, most: int = MOST) -> Lineage:
    """Follow derivations from a dataset in both directions, through what the principal may discover.

    What lies behind a dataset that they may not discover is not followed.

    Parameters
    ----------
    key
        The id of a dataset that the principal may discover.
    """
    ways = [_follow(connection, key, principal, at, most, up=up) for up in (True, False)]
    steps: dict[int | str, int] = {key: 0}
    for way, sign in zip(ways, (-1, 1), strict=True):
        _spread(way, key, up=sign < 0)
        steps.update({one: sign * step for one, step in way.steps.items() if one not in steps})
    known = _datasets(connection, [one for one in steps if isinstance(one, int)], principal, at)
    elsewhere = ways[0].elsewhere
    nodes = []
    for one, step in sorted(steps.items(), key=lambda each: (each[1], str(each[0]))):
        if isinstance(one, str):
            nodes.append(Node(one, None, elsewhere[one], None, None, None, step))
        elif (row := known.get(one)) is not None:
            nodes.append(Node(one, row.identifier, row.pid, row.title, row.kind, row.pipeline, step))
    there = {node.key for node in nodes}
    edges = {(one, other) for way in ways for one, other in way.edges if one in there and other in there}
    return Lineage(tuple(nodes), tuple(sorted(edges, key=str)), any(way.more for way in ways))


def _follow(connection: Connection, key: int, principal: Principal, at: datetime, most: int, *, up: bool) -> _Way:
    """Follow derivations in one direction."""
    way = _Way()
    frontier, depth = {key}, 0
    seen: set[int] = {key}
    while frontier and depth < _DEEPEST:
        depth += 1
        found: set[int] = set()
        for row in _relations(connection, frontier, principal, at, most, up=up):
            if up and row.target_id is None:
                name = f"{row.dataset_id}:{row.target}"
                way.elsewhere[name] = None if row.target.startswith(UNKNOWN_INPUT) else row.target
                way.steps[name] = depth
                way.edges.add((name, row.dataset_id))
                continue
            far = row.target_id if up else row.dataset_id
            if far not in seen and len(seen) > most:
                way.more = True
                continue
            way.edges.add((row.target_id, row.dataset_id))
            if far not in seen:
                way.steps[far] = depth
                seen.add(far)
                found.add(far)
        frontier = found
    way.more |= bool(frontier)
    return way


def _spread(way: _Way, key: int, *, up: bool) -> None:
    """Count steps by the longest way, so that inputs stand before results; derivations in a circle end somewhere."""
    steps = {key: 0} | way.steps
    for _ in range(_DEEPEST):
        for one, other in way.edges:
            near, far = (other, one) if up else (one, other)
            if far != key and steps[far] <= steps[near] < _DEEPEST:
                steps[far] = steps[near] + 1
    way.steps = {one: step for one, step in steps.items() if one != key}


def _relations(
    connection: Connection, frontier: Iterable[int], principal: Principal, at: datetime, most: int, *, up: bool
) -> list[Any]:
    asked = {"ids": sorted(frontier), "moment": at, "most": 4 * most}
    return list(connection.execute(_derivations(principal, up=up), asked))


def _datasets(connection: Connection, ids: list[int], principal: Principal, at: datetime) -> dict[int, Any]:
    return {row.id: row for row in connection.execute(_described(principal), {"ids": ids, "moment": at})}


@lru_cache(maxsize=KEPT)
def _derivations(principal: Principal, *, up: bool) -> sa.Select[Any]:
    """Select what datasets, ``ids``, were derived from, or what was from them, as far as it may be known."""
    near = relations.c.dataset_id if up else relations.c.target_id
    return (
        sa.select(relations.c.dataset_id, relations.c.target_id, relations.c.target)
        .where(
            among(near, _IDS),
            relations.c.kind == DERIVED,
            visible(relations, principal, Action.DISCOVER, MOMENT),
        )
        .order_by(relations.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer()))
    )


@lru_cache(maxsize=KEPT)
def _described(principal: Principal) -> sa.Select[Any]:
    """Select what a lineage says of datasets, ``ids``, that may be discovered."""
    pipeline = (
        sa.select(sa.func.min(parameters.c.text))
        .where(parameters.c.dataset_id == datasets.c.id, parameters.c.name == "pipeline")
        .scalar_subquery()
        .label("pipeline")
    )
    shown = datasets.c
    query = sa.select(shown.id, shown.identifier, shown.pid, shown.title, shown.kind, pipeline)
    return query.where(among(shown.id, _IDS), visible(datasets, principal, Action.DISCOVER, MOMENT))
