"""``/runs/{id}/events``: what happens in a run, as it happens, each event once and with the number of its line."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from pancommons.runs.desk import Desk
from pancommons.runs.reading import Tail
from pancommons.runs.run import Run
from pancommons.server.runs.desk import Runs
from pancommons.server.runs.routes import Identifier, seen_run
from pancommons.server.services import Now
from pancommons.server.sightings import Noted
from pancommons.server.visitor import Asking, Visitor, still

router = APIRouter(tags=["runs"])

EVERY = 0.5
"""Seconds between two looks at the file."""
_BEAT = 15.0
_ASK_AGAIN = 20.0
_LAST = 3
"""Looks without anything new after which the events of a run that has ended are complete."""
_PRIVATE = {"Cache-Control": "private, no-store"}

LastSeen = Annotated[str | None, Header(alias="Last-Event-ID", max_length=20, description="go on after this event")]
After = Annotated[int, Query(ge=0, lt=2**31, description="go on after this event; Last-Event-ID goes before it")]


@router.get("/runs/{identifier}/events", summary="Events of a run, as they come", response_class=Response)
async def events(
    identifier: Identifier,
    request: Request,
    desk: Runs,
    asking: Asking,
    at: Now,
    noted: Noted,
    last_event_id: LastSeen = None,
    after: After = 0,
) -> Response:
    """Send events as server-sent events until the run has ended; those so far as a list where JSON is asked for.

    Before each batch of events it is asked anew whether whoever follows them may still see the run.
    With status 204 nothing is left to come after the last event that is known.
    """
    run = await run_sync(seen_run, desk, identifier, asking.principal, at, noted, "log")
    if last_event_id is not None and last_event_id.isdecimal():
        after = int(last_event_id)
    tail = Tail(desk.folder(run).path, after)
    if "application/json" in request.headers.get("accept", ""):
        told = [{"id": line, **desk.shown(event)} for line, event in await run_sync(tail.more)]
        return JSONResponse(told, headers=_PRIVATE)
    first = await run_sync(tail.more)
    if not first and not run.active and after:
        return Response(status_code=204, headers=_PRIVATE)
    seen = partial(_seen, desk, identifier, request, asking)
    stream = _stream(desk, seen, tail, first, request.app.state.ending)
    headers = {**_PRIVATE, "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _seen(desk: Desk, identifier: str, request: Request, asking: Visitor) -> Run | None:
    """Return the run as it is now; None if it is gone, or whoever asked may not see it any more."""
    at = datetime.now(UTC)
    who = still(request, asking, at)
    run = None if who is None else desk.get(identifier, who, at)
    return None if run is None or run.removed is not None else run


async def _stream(
    desk: Desk,
    seen: Callable[[], Run | None],
    tail: Tail,
    found: list[tuple[int, dict[str, object]]],
    ending: Event,
) -> AsyncIterator[str]:
    beat = asked = time.monotonic()
    quiet = 0
    known = True
    yield "retry: 2000\n\n"
    while not ending.is_set():
        now = time.monotonic()
        quiet = 0 if found else quiet + 1
        over = False
        if (found and not known) or quiet >= _LAST or now - asked > _ASK_AGAIN:
            run = await run_sync(seen)
            asked = now
            if run is None:
                return
            over = not run.active and quiet >= _LAST
            quiet = min(quiet, _LAST - 1) if run.active else quiet
        known = False
        for line, event in found:
            yield f"id: {line}\ndata: {json.dumps(desk.shown(event), ensure_ascii=False)}\n\n"
        if over:
            return
        if found or now - beat > _BEAT:
            beat = now
            if not found:
                yield ": still here\n\n"
        await anyio.sleep(EVERY)
        found = await run_sync(tail.more)
