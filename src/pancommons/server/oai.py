"""OAI-PMH at ``/oai``."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from pancommons.catalogue import oai
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared

router = APIRouter()

_LONGEST_FORM = 64 << 10


@router.get("/oai", summary="OAI-PMH 2.0", response_class=Response)
@router.post("/oai", summary="OAI-PMH 2.0", response_class=Response)
async def harvest(request: Request, shared: Shared, at: Now) -> Response:
    """Answer a harvester; arguments are in the address, or in the form of a POST."""
    arguments = list(request.query_params.multi_items())
    if request.method == "POST":
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_FORM:
                return Response("The form is too long.", 413, media_type="text/plain")
        arguments += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    site = shared.site(request)

    def say() -> oai.Answer:
        with shared.database.read(STATEMENT_SECONDS) as connection:
            return oai.answer(connection, arguments, site, f"{site.url}/oai", at)

    told = await run_in_threadpool(say)
    return Response(told.body, media_type=told.media_type)
