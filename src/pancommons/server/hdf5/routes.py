"""``/hdf5/{file_id}/...``: what h5grove answers, for files that the catalogue knows and whoever asks may read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from pancommons.catalogue.access import Principal
from pancommons.catalogue.ingest.roots import Place
from pancommons.catalogue.read import file_place, unreadable
from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.server.errors import error_object
from pancommons.server.hdf5.readers import Busy, Readers
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.visitor import Who

router = APIRouter(prefix="/hdf5/{file_id}")

_ROUNDS = 3
_NO_FILE = "File not found: there is no such file that you may read"

Inside = Annotated[str, Query(alias="path", max_length=4000, description="inside the file")]
Part = Annotated[str | None, Query(max_length=1000, description="as NumPy has it: 3, 10:20, ::2")]
Links = Annotated[str, Query(max_length=20, description="all, none, or only_valid for those that lead somewhere")]


def readers(request: Request) -> Readers:
    """Return the processes that read for this application."""
    found: Readers = request.app.state.readers
    return found


class _Asker:
    """Whoever asks for a file, with all that is needed to answer."""

    def __init__(
        self,
        file_id: str,
        request: Request,
        shared: Shared,
        who: Who,
        at: Now,
        pool: Annotated[Readers, Depends(readers)],
    ) -> None:
        self.file_id, self.request, self.shared, self.who, self.at, self.pool = file_id, request, shared, who, at, pool

    def answer(self, what: str, **told: Any) -> Response:
        """Have a request answered.

        A file is shown with what it reads from other files, as far as these may be read too: what turns out not to
        be is denied, and the request answered again without it.
        """
        file = _readable(self.shared, self.file_id, self.who, self.at)
        if file is None:
            return _refused(404, _NO_FILE)
        unless = [tag.strip().removeprefix("W/") for tag in self.request.headers.get("if-none-match", "").split(",")]
        denied: list[str] = []
        for _ in range(_ROUNDS):
            asked = Asked(str(file), what, **told, denied=denied, unless=unless)
            try:
                found = self.pool.ask(asked)
            except Busy:
                return _refused(503, "too many files are being read at the moment; try again", {"Retry-After": "2"})
            newly = _denied(self.shared, found.touched, self.who, self.at) - set(denied)
            if not newly:
                return _response(found)
            denied += sorted(newly)
        return _refused(404, _NO_FILE)


Ask = Annotated[_Asker, Depends(_Asker)]


@router.get("/meta", summary="What lies at a path of a file", response_class=Response)
def meta(
    ask: Ask,
    path: Inside = "/",
    resolve_links: Links = "only_valid",
    first: Annotated[int, Query(ge=0, lt=2**31, description="of the members of a group, where to begin")] = 0,
) -> Response:
    """Describe a group with its members, a dataset, a type or a link."""
    return ask.answer("meta", path=path, resolve_links=resolve_links, first=first)


@router.get("/attr", summary="Values of attributes", response_class=Response)
def attr(ask: Ask, path: Inside = "/", attr_keys: Annotated[list[str] | None, Query()] = None) -> Response:
    """Answer the attributes of a group, dataset or type by name."""
    return ask.answer("attr", path=path, attr_keys=attr_keys)


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
    return ask.answer("data", path=path, selection=selection, format=form, dtype=dtype, flatten=flatten)


@router.get("/stats", summary="Extrema, mean and deviation of a dataset", response_class=Response)
def stats(ask: Ask, path: Inside = "/", selection: Part = None) -> Response:
    """Answer the statistics of a part of a dataset."""
    return ask.answer("stats", path=path, selection=selection)


@router.get("/frame", summary="A frame, averaged down", response_class=Response)
def frame(
    ask: Ask,
    path: Inside = "/",
    selection: Part = None,
    max_px: Annotated[int, Query(ge=16, le=4096, description="pixels along the longer edge, at most")] = 512,
) -> Response:
    """Answer two axes of a dataset as float32, each value the mean of a square of pixels."""
    return ask.answer("frame", path=path, selection=selection, max_px=max_px)


@router.get("/chunks", summary="Chunks as they are stored", response_class=Response)
def chunks(ask: Ask, path: Inside = "/", selection: Part = None) -> Response:
    """Answer the chunks that hold a part of a dataset, not decoded."""
    return ask.answer("chunks", path=path, selection=selection)


@router.get("/paths", summary="All paths below a group", response_class=Response)
def paths(ask: Ask, path: Inside = "/", resolve_links: Links = "only_valid") -> Response:
    """List the paths below a group, depth first."""
    return ask.answer("paths", path=path, resolve_links=resolve_links)


def _readable(shared: Services, identifier: str, who: Principal, at: datetime) -> Path | None:
    """Return the path of a file; None if there is none that this principal may read."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        file = file_place(connection, identifier, who, at)
    return None if file is None else shared.roots().path(Place(file.root, file.path))


def _denied(shared: Services, touched: Sequence[str], who: Principal, at: datetime) -> set[str]:
    """Return which files were read that the catalogue keeps from this principal."""
    places: dict[tuple[str, str], str] = {}
    for name, folder in shared.roots().folders.items():
        real = folder.resolve()
        for path in map(Path, touched):
            if path.is_relative_to(real):
                places[name, path.relative_to(real).as_posix()] = str(path)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        return {places[place] for place in unreadable(connection, places, who, at)}


def _response(found: Answer) -> Response:
    if found.problem is not None:
        return _refused(found.status, found.problem)
    headers = {"Cache-Control": "private, no-cache", **found.headers}
    return Response(found.body, found.status, headers)


def _refused(status: int, problem: str, headers: dict[str, str] | None = None) -> Response:
    """Say why not: as all of the server does, and in ``message`` where the viewer looks for it."""
    told: dict[str, object] = json.loads(bytes(error_object(status, problem).body))
    return JSONResponse(told | {"message": problem}, status, {"Cache-Control": "no-store"} | (headers or {}))
