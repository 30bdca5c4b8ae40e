"""Which pipelines suit a dataset by its technique, and which other data suit its further inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Action, Principal, visible
from pancommons.catalogue.parts import files
from pancommons.catalogue.tables import datasets, technique_closure, techniques
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Pipeline

_MOST = 60


class Near(Enum):
    """How a dataset's techniques stand to a pipeline's."""

    SAME = "the same, or one of its kinds"
    WIDER = "a wider one, or not known"
    FAR = "another"


@dataclass(frozen=True)
class Judged:
    """A pipeline, and whether it fits a dataset."""

    pipeline: Pipeline
    fits: bool
    why: str


@dataclass(frozen=True)
class Suggested:
    """A file that may be another input: its identifier, what it is called, and whose dataset it is."""

    file: str
    name: str
    title: str


def near(connection: Connection, held: Sequence[str]) -> Mapping[str, Near]:
    """Say for the technique of each pipeline how those of a dataset stand to it; by IRI."""
    wanted = {registry.load(name).technique.iri for name in registry.names()}
    if not held:
        return dict.fromkeys(wanted, Near.WIDER)
    above, below = techniques.alias("above"), techniques.alias("below")
    pairs = {
        (row[0], row[1])
        for row in connection.execute(
            sa.select(above.c.pid, below.c.pid)
            .select_from(
                technique_closure.join(above, above.c.id == technique_closure.c.ancestor_id).join(
                    below, below.c.id == technique_closure.c.descendant_id
                )
            )
            .where(
                sa.or_(
                    sa.and_(above.c.pid.in_(wanted), below.c.pid.in_(held)),
                    sa.and_(above.c.pid.in_(held), below.c.pid.in_(wanted)),
                )
            )
        )
    }
    found = {}
    for iri in wanted:
        if iri in held or any((iri, one) in pairs for one in held):
            found[iri] = Near.SAME
        else:
            found[iri] = Near.WIDER if any((one, iri) in pairs for one in held) else Near.FAR
    return found


def suggested(connection: Connection, dataset: int, principal: Principal, at: datetime) -> list[Suggested]:
    """List files of the same dataset, and of datasets of the same proposal, that somebody may run on."""
    same = sa.select(datasets.c.proposal_id).where(datasets.c.id == dataset).scalar_subquery()
    query = (
        sa.select(files.c.identifier, files.c.name, datasets.c.title)
        .join(datasets, datasets.c.id == files.c.dataset_id)
        .where(
            sa.or_(datasets.c.id == dataset, datasets.c.proposal_id == same),
            files.c.role == "data",
            sa.not_(files.c.missing),
            visible(datasets, principal, Action.RUN, at),
            visible(files, principal, Action.READ, at),
        )
        .order_by(sa.case((datasets.c.id == dataset, 0), else_=1), datasets.c.id.desc(), files.c.path)
        .limit(_MOST)
    )
    return [Suggested(*row) for row in connection.execute(query)]
