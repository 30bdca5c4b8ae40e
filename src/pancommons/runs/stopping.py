"""Stopping a run and going on with it."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal, visible
from pancommons.catalogue.tables import datasets
from pancommons.runs import reading, telling
from pancommons.runs.asked import Conflict, NotYet, TooMany
from pancommons.runs.tables import run_inputs, runs

RESUMABLE = ("stopped", "failed", "partial")


def check_waiting(connection: Connection, person: str, most: int) -> None:
    """Refuse a run of somebody who has as many waiting as may."""
    query = sa.select(sa.func.count()).where(
        runs.c.person == person, runs.c.state == "waiting", runs.c.removed.is_(None)
    )
    if connection.execute(query).scalar_one() >= most:
        raise TooMany(f"You have {most} runs waiting, which is as many as may; wait until one has begun.")


def stop(connection: Connection, row: Any, place: Path, at: datetime) -> None:
    """Stop a run that waits; ask one that goes to, in its folder below a place."""
    if row.state == "waiting":
        why = "stopped before it began" if row.began is None else "stopped before it went on"
        _set(connection, row.id, state="stopped", why=why, ended=at)
    elif row.state == "running":
        _set(connection, row.id, state="stopping", why="stops after the units in hand")
        put_stop(place / row.folder)
    elif row.state != "stopping":
        raise Conflict(f"The run is {row.state} already.")


def resume(
    connection: Connection, row: Any, place: Path, principal: Principal, at: datetime, *, waiting_each: int
) -> None:
    """Let a run wait for its turn again, unless as many of its person's wait as may."""
    if row.state not in RESUMABLE:
        raise Conflict(f"The run is {row.state}; there is nothing to go on with.")
    if row.to_register:
        raise NotYet("The result of this run is just being put into the catalogue; try again in a moment.")
    check_waiting(connection, row.person, waiting_each)
    kept = (
        sa.select(run_inputs.c.run_id)
        .join(datasets, datasets.c.id == run_inputs.c.dataset_id)
        .where(run_inputs.c.run_id == row.id, sa.not_(visible(datasets, principal, Action.READ, at)))
    )
    if connection.execute(kept.limit(1)).first() is not None:
        raise BadInput("you may not run on an input of this run any more")
    _set(
        connection,
        row.id,
        state="waiting",
        why=None,
        ended=None,
        queued=at,
        tries=0,
        handle=None,
        line=reading.lines(place / row.folder),
        to_tell=0 if row.tell is None else telling.TRIES,
        tell_at=None,
    )


def put_stop(folder: Path) -> None:
    """Put the stop file into a run's folder, and nothing anywhere else."""
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(folder / "stop", flags, 0o644))


def _set(connection: Connection, run: int, **values: Any) -> None:
    connection.execute(sa.update(runs).where(runs.c.id == run).values(**values))
