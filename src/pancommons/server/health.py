"""Whether the server is well."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version as release
from pathlib import Path

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pancommons.runs.roots import runs_folder
from pancommons.server.services import Shared
from pancommons.store.migrate import version

router = APIRouter()

ROOM = 1 << 30
"""Bytes on the disk of runs below which it is said that it is nearly full."""


@router.get("/health", summary="Whether the server and its database are well")
def health(shared: Shared) -> JSONResponse:
    """Ask the database for an answer within two seconds, and look whether there is room for runs."""
    try:
        with shared.database.read(2) as connection:
            connection.execute(sa.text("SELECT 1"))
        tables = version(shared.database)
    except Exception:  # whatever it is, the answer is that the database is not well
        return JSONResponse({"status": "database unavailable"}, 503)
    told = {"database": shared.database.dialect, "version": tables, "release": release("pancommons")}
    return JSONResponse({"status": "ok", **told, "warnings": _warnings(runs_folder(shared.settings))})


def _warnings(folder: Path) -> list[str]:
    """Say what keeps runs from being made; all else is served all the same."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ["the folder of runs is not there"]
    if not os.access(folder, os.W_OK | os.X_OK):
        return ["the folder of runs cannot be written to"]
    return ["the disk of runs is nearly full"] if free < ROOM else []
