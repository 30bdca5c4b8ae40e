"""``/documents/{id}``, ``/instruments/{id}``, ``/samples/{id}``: what datasets belong to, with the datasets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.datasets_of import datasets_of
from pancommons.catalogue.formats.description import parse
from pancommons.catalogue.read import Found, Tombstone, fetch
from pancommons.catalogue.search import asking
from pancommons.catalogue.team import GIVEN, let_in, put_out, team
from pancommons.catalogue.write import Refused
from pancommons.server.negotiation import best
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.pages.gone import gone
from pancommons.server.search_asked import json_answer
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.sighted import Kind
from pancommons.server.sightings import Noted
from pancommons.server.visitor import Who

pages = router()

_INCLUDED = {"document": ("members", "parameters"), "instrument": (), "sample": ()}
_BLANK = {"person": "", "role": ""}

Text = Annotated[str, Form(max_length=500)]


def _showing(kind: str) -> Callable[..., Response]:
    def show(
        key: str, request: Request, page: Paged, shared: Shared, who: Who, at: Now, noted: Noted,
        number: Annotated[int, Query(ge=1, le=10**9, alias="page")] = 1,
    ) -> Response:  # fmt: skip
        """Show a record with the datasets that the visitor may see of it."""
        with shared.database.read(STATEMENT_SECONDS) as connection:
            found = fetch(connection, kind, key, who, at)
            if isinstance(found, Tombstone):
                return gone(kind, found, request, page)
            if found is None:
                noted.refused("metadata", cast("Kind", kind), key)
            found = _check(kind, found)
            if key != found.identifier:
                return RedirectResponse(page.to(f"/{kind}s/{found.identifier}"), 302, {"Vary": "Cookie, Authorization"})
            noted.saw("metadata", cast("Kind", kind), found.identifier)
            if best(request.headers.get("accept"), ("text/html", "application/json")) == "text/html":
                return _shown(connection, kind, found, page, who, at, number=number)
            include = {"include": [{"relation": name} for name in _INCLUDED[kind]]}
            told = asking.get(connection, kind.capitalize(), found.record.pid, include, who, at)
        return json_answer(told, {"Cache-Control": "private, no-cache", "Vary": "Accept, Cookie, Authorization"})

    return show


for _kind in _INCLUDED:
    pages.api_route(f"/{_kind}s/{{key}}", methods=["GET", "HEAD"], name=_kind)(_showing(_kind))


@pages.post("/documents/{key}/team")
def change_team(
    key: str, page: Paged, shared: Shared, who: Who, at: Now, person: Text = "", role: Text = "", away: Text = ""
) -> Response:
    """Let somebody in to a proposal, or put somebody out."""
    try:
        with shared.database.write() as connection:
            found = _check("document", fetch(connection, "document", key, who, at))
            change = put_out if away else let_in
            change(connection, found.identifier, person, _role(page, role), by=who, at=at)
    except Refused as refused:
        raise HTTPException(403, str(refused)) from None
    except BadInput as wrong:
        with shared.database.read(STATEMENT_SECONDS) as connection:
            found = _check("document", fetch(connection, "document", key, who, at))
            problem = f"{wrong.problem}; {wrong.remedy}" if wrong.remedy else wrong.problem
            beside = {"role" if wrong.field == "role" else "person": problem}
            given = {"person": person, "role": role}
            return _shown(connection, "document", found, page, who, at, status=422, wrong=beside, given=given)
    return RedirectResponse(page.to(f"/documents/{found.identifier}", {"done": "team"}) + "#team", 303)


def _role(page: Page, name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise BadInput(page.gettext("choose what they are"), field="role") from None


def _check(kind: str, found: Found | Tombstone | None) -> Found:
    if not isinstance(found, Found):
        raise HTTPException(404, f"There is no such {kind} that you may see.")
    return found


def _shown(
    connection: Connection,
    kind: str,
    found: Found,
    page: Page,
    who: Principal,
    at: datetime,
    *,
    number: int = 1,
    status: int = 200,
    wrong: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    record: Any = found.record
    proposal = record.terms.proposal
    of = fetch(connection, "document", proposal, who, at) if proposal else None
    return page.render(
        f"records/{kind}.html",
        status,
        found=found,
        record=record,
        name=record.title if kind == "document" else record.name,
        address=f"/{kind}s/{found.identifier}",
        identifiers=[parse(one) for one in dict.fromkeys((record.pid, *(pid.value for pid in record.pids)))],
        proposal=of if isinstance(of, Found) else None,
        listing=datasets_of(connection, kind, found, number, who, at),
        team=team(connection, found.identifier, who, at) if kind == "document" else None,
        roles=GIVEN,
        wrong=wrong or {},
        given=_BLANK | (given or {}),
        done=page.request.query_params.get("done", ""),
    )
