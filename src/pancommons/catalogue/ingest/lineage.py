"""What a run was made from, found in the catalogue: by the digest of the input, else by where it lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.ingest.crates import UNKNOWN_INPUT, Input
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.parts import files
from pancommons.catalogue.records import Dataset, Relation
from pancommons.catalogue.tables import datasets, documents

_MOST = 100


def with_inputs(
    connection: Connection, roots: Roots, dataset: Dataset, inputs: tuple[Input, ...], *, alone: bool = False
) -> Dataset:
    """Link a derived dataset to the datasets that its inputs belong to, and share their proposal unless ``alone``.

    An input that the catalogue does not know stays named by its digest, and is linked once its file comes.
    Results of simulated data only are simulated data to the policy.
    """
    found: dict[str, Any] = {}
    relations: list[Relation] = []
    unknown = []
    for one in inputs:
        rows = _datasets(connection, roots, one)
        found.update({row.pid: row for row in rows})
        relations += [Relation(kind="derived from", target=row.pid) for row in rows]
        if not rows:
            unknown.append(one.name)
            if one.sha256:
                relations.append(Relation(kind="derived from", target=UNKNOWN_INPUT + one.sha256))
    remarks = dict(dataset.remarks or {}) | ({"unknown_inputs": unknown} if unknown else {})
    proposals = {row.proposal for row in found.values()}
    proposal = proposals.pop() if len(proposals) == 1 and not alone else None
    simulated = bool(found) and not unknown and all(row.data_class == "simulated" for row in found.values())
    terms = replace(dataset.terms, proposal=proposal, data_class="simulated" if simulated else None)
    return replace(
        dataset,
        relations=tuple(dict.fromkeys(relations)),
        documents=(proposal,) if proposal else (),
        terms=terms,
        remarks=remarks,
    )


def _datasets(connection: Connection, roots: Roots, one: Input) -> list[Any]:
    ways = [files.c.sha256 == one.sha256] if one.sha256 else []
    place = roots.place(one.path) if one.path else None
    if place is not None:
        below = sa.and_(files.c.path >= f"{place.path}/", files.c.path < f"{place.path}0")  # "0" comes after "/"
        ways.append(sa.and_(files.c.root == place.root, sa.or_(files.c.path == place.path, below)))
    for way in ways:
        query = (
            sa.select(datasets.c.pid, datasets.c.data_class, documents.c.pid.label("proposal"))
            .distinct()
            .join(files, files.c.dataset_id == datasets.c.id)
            .outerjoin(documents, documents.c.id == datasets.c.proposal_id)
            .where(way, files.c.role == "data", datasets.c.deleted_at.is_(None))
            .order_by(datasets.c.pid)
            .limit(_MOST)
        )
        if rows := list(connection.execute(query)):
            return rows
    return []
