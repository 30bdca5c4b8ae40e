"""The PaNOSC search API: find, count and get datasets, documents and instruments."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, cast

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from pancommons.catalogue.search import asking
from pancommons.server.errors import error_object
from pancommons.server.search_asked import AskedFilter, AskedPid, AskedWhere, PlainFilter, json_answer
from pancommons.server.search_models import DESCRIBED, FAILURES, LISTED, UNKNOWN, Count
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.sighted import Kind
from pancommons.server.sightings import Noted
from pancommons.server.visitor import Who

KINDS = ("Dataset", "Document", "Instrument")


def router(prefix: str) -> APIRouter:
    """Make the routes, under a prefix."""
    made = APIRouter(prefix=prefix, tags=["search"], responses=FAILURES)
    made.get("", summary="How long the server has been up, and its version", response_class=JSONResponse)(about)
    for kind in KINDS:
        many, one = LISTED[kind], DESCRIBED[kind]
        made.get(f"/{kind}s", summary=f"Find {kind.lower()}s", responses=_gives(many), name=f"find{kind}s")(find(kind))
        made.get(
            f"/{kind}s/count", summary=f"Count {kind.lower()}s", responses=_gives(Count), name=f"count{kind}s"
        )(count(kind))  # fmt: skip
        made.get(
            f"/{kind}s/{{pid}}", summary=f"Get one {kind.lower()}", responses={**_gives(one), **UNKNOWN},
            name=f"get{kind}",
        )(get(kind))  # fmt: skip
    files = LISTED["File"]
    made.get("/Datasets/{pid}/files", summary="Find files of a dataset", responses={**_gives(files), **UNKNOWN})(
        dataset_files
    )
    made.get("/Datasets/{pid}/files/count", summary="Count files of a dataset", responses={**_gives(Count), **UNKNOWN})(
        count_dataset_files
    )
    return made


def nothing_else(prefix: str) -> APIRouter:
    """Make the route for every other path under the prefix; it comes last."""
    made = APIRouter(prefix=prefix)
    made.get("/{rest:path}", include_in_schema=False)(nowhere)
    return made


def about(shared: Shared, at: Now) -> JSONResponse:
    """Say how long the server has been up, which version it is, and what it federates."""
    return JSONResponse(
        {
            "started": shared.started.isoformat(),
            "uptime": round((at - shared.started).total_seconds(), 3),
            "version": version("pancommons"),
            "api": "PaNOSC search API",
            "publisher": shared.settings.site.publisher,
        }
    )


def find(kind: str) -> Callable[..., Response]:
    """Make the route that finds records of a model."""

    def find_them(shared: Shared, who: Who, at: Now, given: AskedFilter) -> Response:
        """Find records that a filter selects."""
        with shared.database.read(STATEMENT_SECONDS) as connection:
            found = asking.search(connection, kind, given, who, at)
        return json_answer(found, truncated(found))

    return find_them


def count(kind: str) -> Callable[..., Response]:
    """Make the route that counts records of a model."""

    def count_them(shared: Shared, who: Who, at: Now, where: AskedWhere) -> Response:
        """Count the records that a where selects."""
        with shared.database.read(STATEMENT_SECONDS) as connection:
            return json_answer({"count": asking.count(connection, kind, where, who, at)})

    return count_them


def get(kind: str) -> Callable[..., Response]:
    """Make the route that gets one record of a model."""
    named = cast("Kind", kind.lower())

    def get_one(shared: Shared, who: Who, at: Now, pid: AskedPid, given: PlainFilter, noted: Noted) -> Response:
        """Get a record by its PID or our identifier; a scope filters what is included and nothing else."""
        with shared.database.read(STATEMENT_SECONDS) as connection:
            found = asking.get(connection, kind, pid, given, who, at)
        (noted.refused if found is None else noted.saw)("metadata", named, pid)
        return unknown(kind, pid) if found is None else json_answer(found)

    return get_one


def dataset_files(shared: Shared, who: Who, at: Now, pid: AskedPid, given: PlainFilter, noted: Noted) -> Response:
    """Find files of a dataset."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = asking.files(connection, pid, given, who, at)
    if found is None:
        noted.refused("list files", "dataset", pid)
    elif found:
        noted.saw("list files", "dataset", pid)
    return unknown("Dataset", pid) if found is None else json_answer(found, truncated(found))


def count_dataset_files(shared: Shared, who: Who, at: Now, pid: AskedPid, where: AskedWhere) -> Response:
    """Count files of a dataset."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = asking.count_files(connection, pid, where, who, at)
    return unknown("Dataset", pid) if found is None else json_answer({"count": found})


def nowhere(rest: str) -> JSONResponse:
    """Say that there is nothing at a path under the prefix."""
    return error_object(404, "there is nothing at this path; a slash in a PID is written %2F")


def unknown(kind: str, pid: str) -> JSONResponse:
    """Say that there is no such record that the client may see."""
    shown = ascii(pid)[1:-1] if len(pid) <= 200 else f"{ascii(pid[:200])[1:-1]}..."
    return error_object(404, f'Unknown "{kind}" id "{shown}".', code="MODEL_NOT_FOUND")


def truncated(found: list[Any]) -> dict[str, str]:
    """Say that there may be more than is ever given at once."""
    return {"X-Truncated-At": str(asking.MOST)} if len(found) >= asking.MOST else {}


def _gives(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}}
