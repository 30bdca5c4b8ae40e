"""The desk of this application, and what it refuses as answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from pancommons.runs.asked import Conflict, NotSignedIn, NotYet, TooMany
from pancommons.runs.desk import Desk
from pancommons.runs.supervising import Supervisor
from pancommons.server.errors import told
from pancommons.server.services import Services


def open_desk(services: Services) -> tuple[Desk, Supervisor]:
    """Open the desk and what looks after its runs, which is started by itself."""
    desk = Desk(services.database, services.settings, services.roots())
    return desk, Supervisor(desk)


def desk(request: Request) -> Desk:
    """Return the desk of this application."""
    found: Desk = request.app.state.runs
    return found


Runs = Annotated[Desk, Depends(desk)]


def install(app: FastAPI) -> None:
    """Make what the desk refuses an answer."""

    @app.exception_handler(NotSignedIn)
    async def unknown(request: Request, error: NotSignedIn) -> Response:
        return told(request, 401, str(error), headers={"WWW-Authenticate": 'Bearer realm="PaN Commons"'})

    @app.exception_handler(TooMany)
    async def too_many(request: Request, error: TooMany) -> Response:
        return told(request, 429, str(error), headers={"Retry-After": "60"})

    @app.exception_handler(Conflict)
    async def conflict(request: Request, error: Conflict) -> Response:
        return told(request, 409, str(error))

    @app.exception_handler(NotYet)
    async def not_yet(request: Request, error: NotYet) -> Response:
        return told(request, 409, str(error), headers={"Retry-After": "1"})
