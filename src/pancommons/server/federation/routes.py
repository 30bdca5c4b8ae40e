"""The search API over several catalogues, below ``/federated``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, cast

import httpx
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from pancommons.base.settings import Provider as Configured
from pancommons.server.errors import error_object
from pancommons.server.federation import asking
from pancommons.server.federation.asking import Answer
from pancommons.server.federation.providers import GATEWAY, Own, Provider, Remote
from pancommons.server.search import KINDS, unknown
from pancommons.server.search_asked import AskedFilter, AskedPid, AskedWhere, PlainFilter, json_answer
from pancommons.server.search_models import DESCRIBED, FAILURES, LISTED, UNKNOWN, Count, Failure
from pancommons.server.services import Now, Services, Shared
from pancommons.server.sighted import Kind
from pancommons.server.sightings import Noted, Noting
from pancommons.server.visitor import Who


class Envelope(BaseModel):
    """An answer with what each catalogue contributed to it."""

    model_config = ConfigDict(extra="allow")

    items: list[dict[str, Any]]
    partial: bool
    providers: list[dict[str, Any]]


class CountOfAll(Count):
    """A sum, with what each catalogue contributed to it."""

    upperBound: bool  # noqa: N815
    partial: bool
    providers: list[dict[str, Any]]


class Federation:
    """The other catalogues of the settings; connections to them are kept, and who does not answer is left alone."""

    def __init__(self, configured: Sequence[Configured], client: httpx.AsyncClient | None = None) -> None:
        self._configured = list(configured)
        self._client = client
        self._remotes: list[Remote] | None = None

    @property
    def remotes(self) -> list[Remote]:
        """The other catalogues; opened where they are asked for first."""
        if self._remotes is None:
            self._client = self._client or httpx.AsyncClient(
                limits=httpx.Limits(max_connections=128, max_keepalive_connections=32)
            )
            self._remotes = [Remote(one, self._client) for one in self._configured]
        return self._remotes

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()


def providers(request: Request, shared: Shared, who: Who, at: Now) -> list[Provider]:
    """Return all catalogues for a request, ours first; a federation that asks itself is refused."""
    if any(GATEWAY in via for via in request.headers.getlist("via")):
        raise HTTPException(508, "this is asked by a federation; a provider must be a catalogue, not a federation")
    return [own(shared, request, who, at), *federation(request).remotes]


def own(shared: Services, request: Request, who: Any, at: Any) -> Own:
    """Return our own catalogue as one of them."""
    site = shared.site(request)
    return Own(site.publisher, site.url + shared.settings.server.search_prefix, shared.database, who, at)


def federation(request: Request) -> Federation:
    """Return what the application was made with."""
    found: Federation = request.app.state.federation
    return found


Providers = Annotated[list[Provider], Depends(providers)]
Wrapped = Annotated[
    bool, Query(alias="envelope", description="answer `{items, partial, providers}` in place of the plain list")
]
_SILENT: dict[int | str, dict[str, Any]] = {503: {"model": Failure, "description": "no catalogue answered"}}


def router(prefix: str) -> APIRouter:
    """Make the routes, under the prefix of the search API."""
    made = APIRouter(prefix=f"{prefix}/federated", tags=["federation"], responses={**FAILURES, **_SILENT})
    made.get("", summary="Which catalogues are asked, and how they do", response_class=JSONResponse)(about)
    for kind in KINDS:
        low = kind.lower()
        made.get(
            f"/{kind}s",
            summary=f"Find {low}s in all catalogues",
            responses={200: {"model": LISTED[kind] | Envelope}},
            name=f"findAll{kind}s",
        )(find(kind))
        made.get(
            f"/{kind}s/count",
            summary=f"Count {low}s in all catalogues",
            responses={200: {"model": CountOfAll}},
            name=f"countAll{kind}s",
        )(count(kind))
        made.get(
            f"/{kind}s/{{pid}}",
            summary=f"Get one {low} from the catalogue that has it",
            responses={200: {"model": DESCRIBED[kind]}, **UNKNOWN},
            name=f"getAny{kind}",
        )(get(kind))
    made.get(
        "/Datasets/{pid}/files",
        summary="Find files of a dataset in the catalogue that has it",
        responses={200: {"model": LISTED["File"]}, **UNKNOWN},
    )(find_files_of_any_dataset)
    made.get(
        "/Datasets/{pid}/files/count",
        summary="Count files of a dataset in the catalogue that has it",
        responses={200: {"model": Count}, **UNKNOWN},
    )(count_files_of_any_dataset)
    return made


async def about(request: Request, asked: Providers) -> JSONResponse:
    """List the catalogues."""
    told = [
        {"name": one.name, "url": one.url, "kind": one.kind, "timeout": one.timeout, "honoursOrder": one.honours_order,
         "answers": one.breaker.closed if isinstance(one, Remote) else True}
        for one in asked
    ]  # fmt: skip
    return JSONResponse({"providers": told, "farthest": asking.FARTHEST, "usualLimit": asking.USUAL})


def find(kind: str) -> Callable[..., Awaitable[Response]]:
    """Make the route that finds records of a model."""

    async def find_them(asked: Providers, given: AskedFilter, wrapped: Wrapped = False) -> Response:
        """Find records: one page of all of them in one order, without duplicates; `provider` says whose each is."""
        found = await asking.find(asked, kind, given)
        if found.silent:
            return silent(found)
        return json_answer(enveloped(found) if wrapped else found.records, headers(found))

    return find_them


def count(kind: str) -> Callable[..., Awaitable[Response]]:
    """Make the route that counts records of a model."""

    async def count_them(asked: Providers, where: AskedWhere) -> Response:
        """Sum the counts of all; an upper bound where a record may be in two catalogues."""
        found = await asking.count(asked, kind, where)
        if found.silent:
            return silent(found)
        told = {
            "count": found.count,
            "upperBound": found.upper_bound,
            "partial": found.partial,
            "providers": [part.described() for part in found.parts],
        }
        bound = {"X-Count-Is": "upper bound"} if found.upper_bound else {}
        return json_answer(told, {**headers(found), **bound})

    return count_them


def get(kind: str) -> Callable[..., Awaitable[Response]]:
    """Make the route that gets one record of a model."""
    named = cast("Kind", kind.lower())

    async def get_one(asked: Providers, pid: AskedPid, given: PlainFilter, noted: Noted) -> Response:
        """Get a record from the first catalogue that has it; `provider` says which."""
        found = await asking.get(asked, kind, pid, given)
        _note(noted, "metadata", named, pid, found)
        if found.records:
            return json_answer(found.records[0], headers(found))
        return silent(found) if found.silent else missing(kind, pid, found)

    return get_one


async def find_files_of_any_dataset(asked: Providers, pid: AskedPid, given: PlainFilter, noted: Noted) -> Response:
    """Find files of a dataset where it lies."""
    found = await asking.files(asked, pid, given)
    _note(noted, "list files", "dataset", pid, found)
    if found is None or found.partial:
        return missing("Dataset", pid, found)
    return json_answer(found.records)


async def count_files_of_any_dataset(asked: Providers, pid: AskedPid, where: AskedWhere) -> Response:
    """Count files of a dataset where it lies."""
    found = await asking.count_files(asked, pid, where)
    if found is None or found.partial:
        return missing("Dataset", pid, found)
    return json_answer({"count": found.count})


def _note(noted: Noting, what: str, kind: Kind, pid: str, found: Answer | None) -> None:
    """Note that something of our own catalogue was seen, or may have been refused; others keep their own audit."""
    if found is None or (not found.records and what == "metadata"):
        noted.refused(what, kind, pid)
    elif found.records and any(isinstance(part.provider, Own) and part.given for part in found.parts):
        noted.saw(what, kind, pid)


def headers(found: Answer) -> dict[str, str]:
    """Say in a header that something may be missing."""
    return {"X-Partial": " ".join(found.note().encode("ascii", "replace").decode().split())} if found.partial else {}


def enveloped(found: Answer) -> dict[str, Any]:
    """Say in the body who contributed what."""
    return {
        "items": found.records,
        "partial": found.partial,
        "providers": [part.described() for part in found.parts],
    }


def silent(found: Answer) -> Response:
    """Say that nobody answered."""
    return error_object(503, f"no catalogue answered: {found.note()}")


def missing(kind: str, pid: str, found: Answer | None) -> Response:
    """Say that nobody who answered has a record; who did not might."""
    if found is None or not found.partial:
        return unknown(kind, pid)
    answer = error_object(404, f"nobody who answered has it, and not all did: {found.note()}", code="MODEL_NOT_FOUND")
    answer.headers.update(headers(found))
    return answer
