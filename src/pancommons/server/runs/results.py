"""What a run made: report, figures, provenance, result."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pancommons.runs.desk import Desk
from pancommons.runs.reading import open_inside, read_inside
from pancommons.runs.run import Run
from pancommons.server.confined import Opened
from pancommons.server.pages.languages import later
from pancommons.server.runs.desk import Runs
from pancommons.server.runs.routes import Identifier, seen_run
from pancommons.server.sending import answer_file, disposition, unchanged
from pancommons.server.services import Now
from pancommons.server.sightings import Noted
from pancommons.server.visitor import Who

router = APIRouter(tags=["runs"])

_PRIVATE = {"Cache-Control": "private, no-store"}
_PAGE = {
    **_PRIVATE,
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Frame-Options": "SAMEORIGIN",
}
_PICTURES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
_NOT_YET = later("the run has not come so far")


@router.get("/runs/{identifier}/report", summary="The report of a run, as JSON")
def report(identifier: Identifier, desk: Runs, who: Who, at: Now, noted: Noted) -> Response:
    """Answer parameters, figures of merit, figures and warnings."""
    told = _report(desk, seen_run(desk, identifier, who, at, noted, "report"))
    return JSONResponse(told, headers=_PRIVATE)


@router.get("/runs/{identifier}/report.html", summary="The report of a run, as a page", response_class=Response)
def page(identifier: Identifier, desk: Runs, who: Who, at: Now, noted: Noted) -> Response:
    """Answer the page that the run wrote, in which nothing is executed."""
    text = _text(desk, seen_run(desk, identifier, who, at, noted, "report"), "report.html")
    return Response(text, media_type="text/html", headers=_PAGE)


@router.get("/runs/{identifier}/figures/{name}", summary="A figure of a run", response_class=Response)
def figure(
    identifier: Identifier,
    name: Annotated[str, Path(max_length=255, description="as the report lists it")],
    request: Request,
    desk: Runs,
    who: Who,
    at: Now,
    noted: Noted,
) -> Response:
    """Answer a picture that the report lists."""
    run = seen_run(desk, identifier, who, at, noted, "picture")
    listed = {one.get("file") for one in _report(desk, run).get("figures", ())}
    kind = _PICTURES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122  a name, not a path
    content = read_inside(desk.folder(run).path, f"figures/{name}") if name in listed and kind else None
    if content is None:
        raise HTTPException(404, "the report of this run lists no such figure")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_PAGE, "Cache-Control": "private, no-cache", "ETag": tag}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


@router.get("/runs/{identifier}/crate", summary="The provenance of a run, as RO-Crate", response_class=Response)
def crate(identifier: Identifier, desk: Runs, who: Who, at: Now, noted: Noted) -> Response:
    """Answer what was made from what, how and by whom, in JSON-LD."""
    text = _text(desk, seen_run(desk, identifier, who, at, noted, "provenance"), "ro-crate-metadata.json")
    headers = {**_PRIVATE, "Content-Disposition": disposition("ro-crate-metadata.json")}
    return Response(text, media_type="application/ld+json", headers=headers)


@router.get("/runs/{identifier}/result", summary="The result of a run, a NeXus file", response_class=Response)
def result(identifier: Identifier, request: Request, desk: Runs, who: Who, at: Now, noted: Noted) -> Response:
    """Send the result, whole or in part."""
    run = seen_run(desk, identifier, who, at, noted, "download")
    file = open_inside(desk.folder(run).path, "result.nxs")
    if file is None or run.state not in ("done", "partial"):
        if file is not None:
            file.close()
        raise HTTPException(404, _NOT_YET)
    told = os.fstat(file.fileno())
    opened = Opened(file, (), told.st_size, told.st_mtime_ns)
    return answer_file(request, opened, f"{run.pipeline}-{run.identifier}.nxs", "application/x-hdf5", None)


def _report(desk: Desk, run: Run) -> dict[str, Any]:
    told = desk.report(run)
    if not told:
        raise HTTPException(404, _NOT_YET)
    return told


def _text(desk: Desk, run: Run, name: str) -> str:
    """Return a text that the run wrote, without the folders of the server."""
    content = read_inside(desk.folder(run).path, name)
    if content is None:
        raise HTTPException(404, _NOT_YET)
    if name.endswith(".json"):
        with suppress(ValueError):
            return json.dumps(desk.hiding.json(json.loads(content)), ensure_ascii=False, indent=1)
    return desk.hiding.text(content.decode("utf-8", "replace"))
