"""``/hdf5/{file_id}/...``: what h5grove answers, for files that the catalogue knows and whoever asks may read."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from pancommons.nexus.serving.answering import Answer
from pancommons.server.errors import error_object
from pancommons.server.hdf5.asking import Ask
from pancommons.server.hdf5.passing import Passed

router = APIRouter(prefix="/hdf5/{file_id}")

Inside = Annotated[str, Query(alias="path", max_length=4000, description="inside the file")]
Part = Annotated[str | None, Query(max_length=1000, description="as NumPy has it: 3, 10:20, ::2")]
Links = Annotated[str, Query(max_length=20, description="all, none, or only_valid for those that lead somewhere")]


@router.get("/meta", summary="What lies at a path of a file", response_class=Response)
def meta(
    ask: Ask,
    path: Inside = "/",
    resolve_links: Links = "only_valid",
    first: Annotated[int, Query(ge=0, lt=2**31, description="of the members of a group, where to begin")] = 0,
) -> Response:
    """Describe a group with its members, a dataset, a type or a link."""
    return _sent(ask("meta", path=path, resolve_links=resolve_links, first=first))


@router.get("/attr", summary="Values of attributes", response_class=Response)
def attr(ask: Ask, path: Inside = "/", attr_keys: Annotated[list[str] | None, Query()] = None) -> Response:
    """Answer the attributes of a group, dataset or type by name."""
    return _sent(ask("attr", path=path, attr_keys=attr_keys))


@router.get("/data", summary="Values of a dataset", response_class=Response)
def data(
    ask: Ask,
    path: Inside = "/",
    selection: Part = None,
    form: Annotated[str, Query(alias="format", max_length=20, description="json, bin, npy, csv or tiff")] = "json",
    dtype: Annotated[str, Query(max_length=20, description="origin, or safe for types that JavaScript has")] = "origin",
    flatten: bool = False,
) -> Response:
    """Answer a part of a dataset."""
    return _sent(ask("data", path=path, selection=selection, format=form, dtype=dtype, flatten=flatten))


@router.get("/stats", summary="Extrema, mean and deviation of a dataset", response_class=Response)
def stats(ask: Ask, path: Inside = "/", selection: Part = None) -> Response:
    """Answer the statistics of a part of a dataset."""
    return _sent(ask("stats", path=path, selection=selection))


@router.get("/frame", summary="A frame, averaged down", response_class=Response)
def frame(
    ask: Ask,
    path: Inside = "/",
    selection: Part = None,
    max_px: Annotated[int, Query(ge=16, le=4096, description="pixels along the longer edge, at most")] = 512,
) -> Response:
    """Answer two axes of a dataset, each value the mean of a square of pixels."""
    return _sent(ask("frame", path=path, selection=selection, max_px=max_px))


@router.get("/chunks", summary="Chunks as they are stored", response_class=Response)
def chunks(ask: Ask, path: Inside = "/", selection: Part = None) -> Response:
    """Answer the chunks that hold a part of a dataset, not decoded."""
    return _sent(ask("chunks", path=path, selection=selection))


@router.get("/paths", summary="All paths below a group", response_class=Response)
def paths(ask: Ask, path: Inside = "/", resolve_links: Links = "only_valid") -> Response:
    """List the paths below a group, depth first."""
    return _sent(ask("paths", path=path, resolve_links=resolve_links))


class _Parts(Response):
    """An answer in several parts, none of which is copied to be sent; the first is its header."""

    def __init__(self, found: Passed) -> None:
        size = len(found.body) + sum(map(len, found.stored))
        headers = {"Cache-Control": "private, no-cache", **found.headers, "Content-Length": str(size)}
        super().__init__(None, found.status, headers)
        self._parts = [found.body, *found.stored]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let go of each part once it is sent."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while self._parts:
            part = self._parts.pop(0)
            await send({"type": "http.response.body", "body": part, "more_body": bool(self._parts)})


def _sent(found: Answer) -> Response:
    """Send an answer; say why not as all of the server does, and in ``message`` where the viewer looks for it."""
    if isinstance(found, Passed):
        return _Parts(found)
    if found.problem is None:
        return Response(found.body, found.status, {"Cache-Control": "private, no-cache", **found.headers})
    told: dict[str, object] = json.loads(bytes(error_object(found.status, found.problem).body))
    headers = {"Cache-Control": "no-store", **found.headers}
    return JSONResponse(told | {"message": found.problem}, found.status, headers)
