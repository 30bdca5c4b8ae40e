"""Putting the result of a run into the catalogue: as a derived dataset of whoever ran it, however often it is tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pancommons.base.errors import PanError
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.ingest.crates import RunHarvest
from pancommons.catalogue.ingest.opening import configured_mappings
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ingest.storing import Catalogue
from pancommons.catalogue.ingest.workers import Reading, Task, read_all
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Terms
from pancommons.catalogue.tables import datasets
from pancommons.store.engine import Database

_TRIES = 3


class NotRegistered(PanError):
    """The result could not be put into the catalogue."""


def register(database: Database, roots: Roots, folder: Path, run: Any) -> int:
    """Put the result of a run into the catalogue, and return the id of the dataset.

    It is read by a process of its own. It belongs to who ran it, and to the team of the proposal that all inputs
    are of if they are in that team; nobody else sees it until it is published. Again is no change, and what was
    published since stays so.

    Raises
    ------
    NotRegistered
        Saying why not.
    """
    mappings = configured_mappings()
    by = Principal(run.person, everywhere=frozenset({Role.ADMINISTRATOR}))
    catalogue = Catalogue(database, roots, mappings.digest, read_policy(), by)
    harvest = None
    for _ in range(_TRIES):  # a process that reads may be lost for no fault of the crate
        harvest = next(iter(read_all([Task(folder)], Reading(mappings, roots), 1)), None)
        if isinstance(harvest, RunHarvest):
            break
    if not isinstance(harvest, RunHarvest) or not harvest.found:
        raise NotRegistered((harvest.problem if harvest else None) or "its crate cannot be read")
    [found] = harvest.found
    terms = Terms(owner=run.person, fixed=not _is_there(database, found.dataset.pid))
    own = replace(found.dataset, title=run.title, terms=terms)
    harvest = replace(harvest, found=(replace(found, dataset=own),), alone=run.alone)
    outcome = catalogue.put(harvest, last=True)
    if not outcome.datasets:
        raise NotRegistered(outcome.problem or outcome.status)
    with database.read() as connection:
        query = sa.select(datasets.c.id).where(datasets.c.identifier == outcome.datasets[0][0])
        return int(connection.execute(query).scalar_one())


def _is_there(database: Database, pid: str) -> bool:
    with database.read() as connection:
        return connection.execute(sa.select(datasets.c.id).where(datasets.c.pid == pid)).first() is not None
