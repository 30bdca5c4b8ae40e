"""Whether the server is well."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pancommons.server.services import Shared
from pancommons.store.migrate import version

router = APIRouter()


@router.get("/health", summary="Whether the server and its database are well")
def health(shared: Shared) -> JSONResponse:
    """Ask the database for an answer within two seconds."""
    try:
        with shared.database.read(2) as connection:
            connection.execute(sa.text("SELECT 1"))
        return JSONResponse({"status": "ok", "database": shared.database.dialect, "version": version(shared.database)})
    except Exception:  # whatever it is, the answer is that the database is not well
        return JSONResponse({"status": "database unavailable"}, 503)
