"""How long runs are kept, and how they go: the folder, and the result if nobody else has seen it."""

from __future__ import annotations

import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.settings import Runs as RunSettings
from pancommons.catalogue import audit
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.tables import datasets
from pancommons.catalogue.write import delete as delete_record
from pancommons.runs.asked import Conflict, NotYet
from pancommons.runs.tables import ENDED, GOING, run_inputs, runs
from pancommons.runs.turns import take_turn
from pancommons.store.engine import Database

log = logging.getLogger(__name__)

SERVER = Principal("the server", everywhere=frozenset({Role.ADMINISTRATOR}))
"""Who removes what the policy does not keep."""
_ORPHAN_HOURS = 6
_AT_ONCE = 100


def delete(connection: Connection, row: Any, at: datetime) -> None:
    """Mark a run as removed and take its result out of the catalogue; the folder is removed after that.

    Raises
    ------
    Conflict
        If it goes, its result is open to others, or another run that waits or goes reads it.
    NotYet
        If its result is just being put into the catalogue.
    """
    if row.state in GOING:
        raise Conflict("The run goes on; stop it first.")
    if row.to_register:
        raise NotYet("The result of this run is just being put into the catalogue; try again in a moment.")
    if row.dataset_id is not None:
        result = connection.execute(sa.select(datasets).where(datasets.c.id == row.dataset_id)).one()
        if result.deleted_at is None:
            if result.public_from is not None and result.public_from <= at:
                raise Conflict("The result of this run is published; it stays.")
            reader = (
                sa.select(runs.c.id)
                .join(run_inputs, run_inputs.c.run_id == runs.c.id)
                .where(run_inputs.c.dataset_id == row.dataset_id, runs.c.state.in_(("waiting", *GOING)))
                .where(runs.c.removed.is_(None))
            )
            if connection.execute(reader.limit(1)).first() is not None:
                raise Conflict("Another run reads the result of this one; wait for its end.")
            delete_record(connection, "dataset", result.identifier, by=SERVER, at=at)
    state = "stopped" if row.state == "waiting" else row.state
    connection.execute(
        sa.update(runs)
        .where(runs.c.id == row.id)
        .values(removed=at, state=state, ended=row.ended or at, to_register=False, to_tell=0, key=None)
    )


def remove_expired(database: Database, place: Path, kept: RunSettings, at: datetime) -> int:
    """Remove the runs that the policy does not keep any longer; return how many."""
    over = [sa.and_(runs.c.preview, runs.c.ended < at - timedelta(days=kept.keep_preview_days))]
    if kept.keep_days is not None:
        over.append(sa.and_(sa.not_(runs.c.preview), runs.c.ended < at - timedelta(days=kept.keep_days)))
    query = sa.select(runs).where(
        runs.c.removed.is_(None), runs.c.state.in_(ENDED), sa.not_(runs.c.to_register), sa.or_(*over)
    )
    with database.read() as connection:
        found = connection.execute(query.order_by(runs.c.ended).limit(_AT_ONCE)).all()
    count = 0
    for one in found:
        try:
            with database.write() as connection:
                take_turn(connection)
                row = connection.execute(query.where(runs.c.id == one.id)).first()
                if row is None:  # gone on with, or removed, since
                    continue
                delete(connection, row, at)
                facts = {"person": row.person, "state": row.state}
                audit.record(connection, SERVER, "delete", at, kind="run", identifier=row.identifier, facts=facts)
        except Conflict:
            continue
        remove_folder(place, row.folder)
        count += 1
    return count


def remove_orphans(database: Database, place: Path, at: datetime) -> int:
    """Remove folders that no run has, as a server leaves that dies while one is asked for; return how many."""
    count = 0
    for path in place.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/*"):
        name = path.relative_to(place).as_posix()
        with database.read() as connection:
            row = connection.execute(sa.select(runs.c.removed).where(runs.c.folder == name)).first()
        try:
            age = at.timestamp() - path.lstat().st_mtime
        except OSError:
            continue
        if (row is None and age > _ORPHAN_HOURS * 3600) or (row is not None and row.removed is not None):
            remove_folder(place, name)
            count += 1
    return count


def remove_folder(place: Path, name: str) -> None:
    """Remove a run's folder; a link in it is removed, not followed."""
    shutil.rmtree(place / name, ignore_errors=True)
    if (place / name).exists():
        log.warning("the folder of the run %s could not be removed", name)
