"""``/runs``: asking for runs, seeing, stopping, going on with and removing them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal
from pancommons.runs.desk import Desk
from pancommons.runs.run import Run, State
from pancommons.server.pages.languages import later
from pancommons.server.runs import shapes
from pancommons.server.runs.desk import Runs
from pancommons.server.runs.shapes import BODY, Wanted
from pancommons.server.services import Now
from pancommons.server.sightings import Noted, Noting
from pancommons.server.signin.stepping_up import OfOthers
from pancommons.server.visitor import Asking, Who

router = APIRouter(tags=["runs"])

NO_RUN = later("there is no such run that you may see")
_PRIVATE = {"Cache-Control": "private, no-store"}

Identifier = Annotated[str, Path(max_length=100, description="of the run")]
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="the same key and request give the same run, however often"),
]


@router.post("/runs", status_code=201, summary="Ask for a run", openapi_extra=BODY)
def ask(
    asked: Wanted, request: Request, desk: Runs, asking: Asking, at: Now, idempotency_key: IdempotencyKey = None
) -> Response:
    """Check a request against its data, and let it wait for its turn."""
    name = asking.name if asking.by in ("session", "token") else None
    run, new = desk.ask_once(asked, asking.principal, at, idempotency_key, name=name)
    told = shapes.run(run, _to(request))
    return JSONResponse(told, 201 if new else 200, {**_PRIVATE, "Location": told["links"]["self"]})


@router.post("/runs/estimate", summary="See what a run would find and take", openapi_extra=BODY)
def estimate(asked: Wanted, desk: Runs, who: Who, at: Now) -> Response:
    """Look at the data, and keep nothing."""
    return JSONResponse(shapes.examined(desk.examine(asked, who, at)), headers=_PRIVATE)


@router.get("/runs", summary="Runs, the newest first")
def several(
    request: Request,
    desk: Runs,
    who: Who,
    at: Now,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(max_length=100, description="go on after this run")] = None,
    everybody: Annotated[bool, Query(description="those of all people, for administrators")] = False,
) -> Response:
    """List one's own runs."""
    if who.person is None:
        raise HTTPException(401, "sign in to see your runs", {"WWW-Authenticate": 'Bearer realm="PaN Commons"'})
    found = desk.list(who, at, everybody=everybody, state=state, limit=limit, before=before)
    to = _to(request)
    following = f"{to}/runs?limit={limit}&before={found[-1].identifier}" if len(found) == limit else None
    if following is not None:
        following += (f"&state={state}" if state else "") + ("&everybody=true" if everybody else "")
    told = {"runs": [shapes.run(run, to) for run in found], "next": following}
    return JSONResponse(told, headers=_PRIVATE)


@router.get("/runs/{identifier}", summary="A run, and how far it is")
def one(identifier: Identifier, request: Request, desk: Runs, who: Who, at: Now, noted: Noted) -> Response:
    """Tell all that is known of a run."""
    run = seen_run(desk, identifier, who, at, noted, "report")
    return JSONResponse(_described(desk, run, request, at), headers=_PRIVATE)


@router.post("/runs/{identifier}/stop", summary="Ask a run to stop")
def stop(identifier: Identifier, request: Request, desk: Runs, who: Who, at: Now, of_others: OfOthers) -> Response:
    """Stop a run that waits; let one that goes stop after the units in hand."""
    of_others(there(desk, identifier, who, at).person)
    return JSONResponse(_described(desk, desk.stop(identifier, who, at), request, at), headers=_PRIVATE)


@router.post("/runs/{identifier}/resume", summary="Go on with a run")
def resume(identifier: Identifier, request: Request, desk: Runs, who: Who, at: Now, of_others: OfOthers) -> Response:
    """Let a run that was stopped, failed or ended partial wait for its turn again."""
    of_others(there(desk, identifier, who, at).person)
    return JSONResponse(_described(desk, desk.resume(identifier, who, at), request, at), headers=_PRIVATE)


@router.delete("/runs/{identifier}", status_code=204, summary="Remove a run and its result")
def delete(identifier: Identifier, desk: Runs, who: Who, at: Now, of_others: OfOthers) -> Response:
    """Remove a run that does not go; one whose result is published stays."""
    of_others(there(desk, identifier, who, at).person)
    desk.delete(identifier, who, at)
    return Response(status_code=204)


def there(desk: Desk, identifier: str, who: Principal, at: datetime) -> Run:
    """Return a run that somebody may see.

    Raises
    ------
    HTTPException
        With 404 if there is none, 410 if it was removed.
    """
    found = desk.get(identifier, who, at)
    if found is None:
        raise HTTPException(404, NO_RUN)
    if found.removed is not None:
        raise HTTPException(410, "this run was removed")
    return found


def seen_run(desk: Desk, identifier: str, who: Principal, at: datetime, noted: Noting, what: str) -> Run:
    """Return a run that somebody may see, as `there` does, and note that they see it, or do not.

    Parameters
    ----------
    what
        The kind of access, of `pancommons.catalogue.audit.READS`.
    """
    try:
        found = there(desk, identifier, who, at)
    except HTTPException:
        noted.refused(what, "run", identifier)
        raise
    noted.saw(what, "run", identifier)
    return found


def _described(desk: Desk, run: Run, request: Request, at: datetime) -> dict[str, Any]:
    told = shapes.run(run, _to(request))
    try:
        return told | shapes.progress(desk.progress(run), at.timestamp())
    except BadInput as error:
        return told | {"stages": [], "found": {}, "warnings": [error.problem], "failures": [], "phase": ""}


def _to(request: Request) -> str:
    mounted: str = request.scope.get("root_path", "")
    return mounted.rstrip("/")
