"""``/datasets/{id}``: a dataset, for people and, at the same address, for machines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal, allows
from pancommons.catalogue.opening import change_opening
from pancommons.catalogue.read import Found, Tombstone, fetch, resource
from pancommons.catalogue.records import Dataset
from pancommons.catalogue.search import asking
from pancommons.catalogue.write import Refused, delete
from pancommons.server.landing import FORMS, JSON, OFFERED, describe_one, embedded, link_header, meta_tags, panosc
from pancommons.server.landing import served as files_served
from pancommons.server.negotiation import best
from pancommons.server.pages.dataset_view import is_hdf5, view
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.pages.gone import gone
from pancommons.server.pages.graph import draw
from pancommons.server.pages.languages import later
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.sightings import Noted
from pancommons.server.signin.stepping_up import OfOthers
from pancommons.server.visitor import Who

pages = router()

NO_DATASET = later("There is no such dataset that you may see.")
_INCLUDED = ("techniques", "instrument", "documents", "parameters", "samples")
_BOTH = ["GET", "HEAD"]
_LONGEST = 2000
_BLANK = {"choice": "day", "day": "", "reason": "", "sure": ""}

Text = Annotated[str, Form(max_length=_LONGEST)]


@pages.api_route("/datasets/{key}", methods=_BOTH, name="dataset")
def dataset(key: str, request: Request, page: Paged, shared: Shared, who: Who, at: Now, noted: Noted) -> Response:
    """Show a dataset, or describe it in the form that is asked for."""
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        found = fetch(connection, "dataset", key, who, at)
        if found is None:
            noted.refused("metadata", "dataset", key)
            raise HTTPException(404, NO_DATASET)
        if isinstance(found, Tombstone):
            return gone("dataset", found, request, page)
        if key != found.identifier:
            return RedirectResponse(page.to(f"/datasets/{found.identifier}"), 302, {"Vary": "Cookie, Authorization"})
        noted.saw("metadata", "dataset", found.identifier)
        if isinstance(found.record, Dataset) and found.record.files:
            noted.saw("list files", "dataset", found.identifier)
        wanted = best(request.headers.get("accept"), OFFERED)
        if wanted == JSON:
            answer = _json(connection, found, page, who, at)
        elif wanted in FORMS:
            answer = _form(connection, found, page, at, wanted)
        else:
            answer = shown(connection, found, page, who, at)
    answer.headers["Vary"] = "Accept, Accept-Language, Cookie, Authorization"
    return answer


@pages.post("/datasets/{key}/opening")
def opening(
    key: str, page: Paged, shared: Shared, who: Who, at: Now, choice: Text = "", day: Text = "", reason: Text = ""
) -> Response:
    """Let a dataset open earlier or later, as the policy allows whoever asks."""
    given = {"choice": choice, "day": day, "reason": reason}
    try:
        opens = _moment(page, choice, day, at)
        if not reason.strip():
            raise BadInput(page.gettext("say why, for the history of this dataset"), field="reason")
        with shared.database.write() as connection:
            found = _there(connection, key, who, at)
            change_opening(connection, "dataset", found.identifier, opens, by=who, at=at, reason=reason.strip())
    except Refused as refused:
        raise HTTPException(403, str(refused)) from None
    except BadInput as wrong:
        return _again(page, shared, key, who, at, wrong, given)
    return RedirectResponse(page.to(f"/datasets/{found.identifier}", {"done": "opening"}), 303)


@pages.post("/datasets/{key}/delete")
def remove(key: str, page: Paged, shared: Shared, who: Who, at: Now, of_others: OfOthers, sure: Text = "") -> Response:
    """Take a dataset out of the catalogue; its files stay where they are."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        about = resource(connection, "dataset", _there(connection, key, who, at).id)
    if allows(who, Action.ADMINISTER, about, at):
        of_others(about.owner)
    try:
        with shared.database.write() as connection:
            found = _there(connection, key, who, at)
            if sure != found.identifier:
                raise BadInput(page.gettext("type the identifier of this dataset to delete it"), field="sure")
            delete(connection, "dataset", found.identifier, by=who, at=at)
            left = fetch(connection, "dataset", found.identifier, who, at)
    except Refused as refused:
        raise HTTPException(403, str(refused)) from None
    except BadInput as wrong:
        return _again(page, shared, key, who, at, wrong, {"sure": sure})
    return RedirectResponse(page.to(f"/datasets/{found.identifier}" if left else "/datasets"), 303)


def _there(connection: Connection, key: str, who: Principal, at: datetime) -> Found:
    found = fetch(connection, "dataset", key, who, at)
    if not isinstance(found, Found):
        raise HTTPException(404, NO_DATASET)
    return found


def _moment(page: Page, choice: str, day: str, at: datetime) -> datetime | None:
    if choice == "now":
        return at
    if choice == "never":
        return None
    if choice != "day":
        raise BadInput(page.gettext("choose when it opens"), field="choice")
    try:
        return datetime.combine(date.fromisoformat(day.strip()), datetime.min.time(), UTC)
    except ValueError:
        raise BadInput(page.gettext("expected a day, as 2027-03-04"), field="day") from None


def _again(
    page: Page, shared: Services, key: str, who: Principal, at: datetime, wrong: BadInput, given: dict[str, str]
) -> Response:
    """Show the page once more, with what was wrong beside the field."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = _there(connection, key, who, at)
        field = "day" if wrong.field == "open_from" else str(wrong.field)
        return shown(connection, found, page, who, at, status=422, wrong={field: wrong.problem}, given=given)


def shown(
    connection: Connection,
    found: Found,
    page: Page,
    who: Principal,
    at: datetime,
    *,
    status: int = 200,
    wrong: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    """Make the page of a dataset, where something was wrong with what was given and why."""
    told = view(connection, found, page.shared.site(page.request), who, at)
    answer = page.render(
        "dataset/page.html",
        status,
        view=told,
        graph=draw(told.lineage) if len(told.lineage.nodes) > 1 else None,
        is_hdf5=is_hdf5,
        base=page.shared.site(page.request).url,
        embedded=embedded(told.described) if told.described else None,
        meta=meta_tags(told.described) if told.described else [],
        wrong=wrong or {},
        given=_BLANK | (given or {}),
        done=page.request.query_params.get("done", ""),
        at=at,
    )
    if told.described:
        answer.headers["Link"] = link_header(told.described)
    return answer


def _json(connection: Connection, found: Found, page: Page, who: Principal, at: datetime) -> Response:
    include = {"include": [{"relation": name} for name in _INCLUDED]}
    told = asking.get(connection, "Dataset", found.record.pid, include, who, at)
    if told is None or not isinstance(found.record, Dataset):
        raise HTTPException(404, NO_DATASET)
    files = files_served(connection, found.record.files, who, at)
    return panosc(told, files, page.shared.site(page.request))


def _form(connection: Connection, found: Found, page: Page, at: datetime, wanted: str) -> Response:
    described = describe_one(connection, found, page.shared.site(page.request), at)
    if described is None:
        raise HTTPException(406, "before its metadata are public a dataset is described in JSON and HTML alone")
    answer = FORMS[wanted][1](described)
    answer.headers["Link"] = link_header(described)
    return answer
