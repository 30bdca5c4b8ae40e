"""What is one's own: runs that go, data, proposals, the disk that is used, and what goes away when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Action, Principal, Role, visible
from pancommons.catalogue.tables import RECORDS, datasets
from pancommons.runs.desk import Desk
from pancommons.runs.run import Run
from pancommons.server.pages.frame import Paged, router
from pancommons.server.runs.desk import Runs
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.visitor import Asking
from pancommons.store.functions import among

pages = router()

_MOST = 50
_MEASURED = 200


@dataclass(frozen=True)
class Own:
    """A dataset of one's own."""

    identifier: str
    title: str
    kind: str
    size: int | None
    created: datetime
    public_from: datetime | None


@dataclass(frozen=True)
class Held:
    """A role, and where it is held."""

    role: Role
    kind: str
    identifier: str
    title: str


@pages.get("/me", response_model=None)
def mine(page: Paged, shared: Shared, asking: Asking, at: Now, runs: Runs) -> HTMLResponse | RedirectResponse:
    """Show what is one's own."""
    who = asking.principal
    if who.person is None:
        return RedirectResponse(page.to("/signin", {"next": "/me"}), 303)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        own = _own(connection, who, at)
        roles = [
            *_held(connection, "document", who.proposals, who, at),
            *_held(connection, "instrument", who.instruments, who, at),
        ]
    several = runs.list(who, at, limit=_MEASURED)
    sizes = {run.identifier: _size(runs, run) for run in several}
    return page.render(
        "mine/mine.html",
        own=own,
        roles=roles,
        everywhere=sorted(who.everywhere),
        active=[run for run in several if run.active],
        latest=[run for run in several if not run.active][:5],
        kept=len(several),
        more=len(several) == _MEASURED,
        used=sum(sizes.values()),
        sizes=sizes,
        expiring=sorted((run for run in several if run.expires), key=lambda run: str(run.expires))[:_MOST],
        at=at,
    )


def _own(connection: Connection, who: Principal, at: datetime) -> Sequence[Own]:
    query = (
        sa.select(
            datasets.c.identifier,
            datasets.c.title,
            datasets.c.kind,
            datasets.c.size,
            datasets.c.created_at,
            datasets.c.public_from,
        )
        .where(datasets.c.owner == who.person, visible(datasets, who, Action.DISCOVER, at))
        .order_by(datasets.c.id.desc())
        .limit(_MOST)
    )
    return [Own(*row) for row in connection.execute(query)]


def _held(
    connection: Connection, kind: str, held: Mapping[Role, frozenset[int]], who: Principal, at: datetime
) -> Sequence[Held]:
    table = RECORDS[kind]
    name = table.c.title if kind == "document" else table.c.name
    found = []
    for role, ids in held.items():
        query = sa.select(table.c.identifier, name).where(
            among(table.c.id, ids), visible(table, who, Action.DISCOVER, at)
        )
        found += [Held(role, kind, row[0], row[1]) for row in connection.execute(query.order_by(name).limit(_MOST))]
    return found


def _size(runs: Desk, run: Run) -> int:
    """Add up what a run's folder holds; what vanishes meanwhile counts nothing."""
    return sum(_bytes(file) for file in runs.folder(run).path.rglob("*"))


def _bytes(file: Path) -> int:
    try:
        found = file.lstat()
    except OSError:
        return 0
    return found.st_blocks * 512
