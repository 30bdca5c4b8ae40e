"""Administration: what goes on, people and their roles, what was done; there only for those who run the portal."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Annotated

from fastapi import Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue import audit, principals
from pancommons.catalogue.access import Action, Role
from pancommons.runs.sight import administers
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.runs.desk import Runs
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.signin import accounts, held
from pancommons.server.signin.desk import AtDesk, Desk
from pancommons.server.signin.stepping_up import recent_to_change
from pancommons.server.visitor import Asking, Visitor
from pancommons.store.migrate import version as schema

_RUN_THE_PORTAL = {Role.ADMINISTRATOR, Role.DATA_MANAGER}
_A_PAGE = 50
_MOST_RUNS = 200
_REFUSED = 422


def _only_those(asking: Asking) -> None:
    """Let in who runs the portal; for all others there is nothing here."""
    who = asking.principal
    if not _RUN_THE_PORTAL & who.everywhere or (who.scopes is not None and Action.ADMINISTER not in who.scopes):
        raise HTTPException(404)


pages = router()
pages.dependencies += [Depends(_only_those), Depends(recent_to_change)]

Text = Annotated[str, Query(max_length=500)]
Sent = Annotated[str, Form(max_length=500)]


@dataclass(frozen=True)
class Root:
    """A data root: its name, and the bytes of the disk it lies on; None if it is not there."""

    name: str
    free: int | None
    total: int | None


@pages.get("/admin")
def overview(page: Paged, request: Request, shared: Shared, asking: Asking, at: Now, runs: Runs) -> HTMLResponse:
    """Show what goes on."""
    may = administers(asking.principal)
    several = runs.list(asking.principal, at, everybody=True, limit=_MOST_RUNS) if may else []
    waiting = sorted((run for run in several if run.state == "waiting"), key=lambda run: (run.preview, run.place or 0))
    return page.render(
        "admin/overview.html",
        may=may,
        going=[run for run in several if run.state in ("running", "stopping")],
        waiting=waiting,
        failed=[run for run in several if run.state in ("failed", "partial")][:5],
        roots=_roots(shared),
        remotes=[(one.name, one.breaker.closed) for one in request.app.state.federation.remotes],
        versions={
            "pancommons": version("pancommons"),
            "Python": platform.python_version(),
            page.gettext("database"): f"{shared.database.dialect}, {schema(shared.database)}",
            page.gettext("up since"): f"{shared.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        },
        settings=shared.settings.runs,
        at=at,
    )


@pages.get("/admin/people")
def people(page: Paged, shared: Shared, asking: Asking) -> HTMLResponse:
    """Show who has signed in, and their roles."""
    return _people(page, shared, asking)


@pages.post("/admin/people", response_model=None)
def change_person(
    page: Paged,
    shared: Shared,
    asking: Asking,
    at: Now,
    person: Sent,
    what: Annotated[str, Form(alias="do", max_length=20)],
    role: Sent = "",
    proposal: Sent = "",
    instrument: Sent = "",
) -> HTMLResponse | RedirectResponse:
    """Give or take a role, let somebody sign in or not."""
    if not administers(asking.principal):
        raise HTTPException(403, page.gettext("Only administrators give and take roles."))
    given = {"person": person, "role": role, "proposal": proposal, "instrument": instrument}
    who = person.strip()
    try:
        with shared.database.write() as connection:
            if what in ("grant", "revoke"):
                if not who or role not in list(Role):
                    raise BadInput("name a person and a role", field="role")
                change = principals.grant if what == "grant" else principals.revoke
                change(
                    connection,
                    who,
                    Role(role),
                    proposal=proposal.strip() or None,
                    instrument=instrument.strip() or None,
                    by=asking.principal,
                    at=at,
                )
            elif what in ("disable", "enable"):
                act = accounts.disable if what == "disable" else accounts.enable
                act(connection, who, by=asking.principal, at=at)
            else:
                raise HTTPException(404)
    except BadInput as error:
        return _people(page, shared, asking, status=_REFUSED, wrong=str(error), given=given)
    return RedirectResponse(page.to("/admin/people"), 303)


@pages.get("/admin/people/held")
def people_held(page: Paged, shared: Shared, asking: Asking, at_desk: AtDesk, at: Now, person: Text) -> HTMLResponse:
    """Show the sessions and tokens of somebody."""
    return _held(page, shared, asking, at_desk, at, person)


@pages.post("/admin/people/held", response_model=None)
def end_held(
    page: Paged,
    shared: Shared,
    asking: Asking,
    at_desk: AtDesk,
    at: Now,
    person: Sent,
    number: Annotated[int, Form(ge=0, lt=2**63)],
) -> HTMLResponse | RedirectResponse:
    """End one of them."""
    _check_administers(page, asking)
    try:
        with shared.database.write() as connection:
            held.end(connection, number, by=asking.principal, at=at)
    except BadInput as error:
        return _held(page, shared, asking, at_desk, at, person, status=_REFUSED, wrong=error.problem)
    return RedirectResponse(page.to("/admin/people/held", {"person": person}), 303)


@pages.get("/admin/audit")
def log(
    page: Paged,
    shared: Shared,
    runs: Runs,
    asking: Asking,
    who: Text = "",
    what: Text = "",
    record: Text = "",
    since: Text = "",
    until: Text = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> HTMLResponse:
    """Search what was done."""
    wrong, moments = [], {}
    for name, text, later in (("since", since, 0), ("until", until, 1)):
        try:
            moments[name] = _day(text, later)
        except (ValueError, OverflowError):
            wrong.append(name)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        lines = audit.search(
            connection,
            who=who.strip() or None,
            what=what or None,
            about=record.strip() or None,
            since=moments.get("since"),
            until=moments.get("until"),
            before=before,
            limit=_A_PAGE,
        )
    lines = [replace(line, facts=runs.hiding.json(audit.shown_to(asking.principal, line.facts))) for line in lines]
    asked = {"who": who, "what": what, "record": record, "since": since, "until": until}
    following = lines[-1].id if len(lines) == _A_PAGE else None
    return page.render(
        "admin/audit.html",
        lines=lines,
        seen=audit.SEEN,
        changes=audit.CHANGES,
        asked=asked,
        following=following,
        wrong=wrong,
        before=before,
    )


def _check_administers(page: Page, asking: Visitor) -> None:
    if not administers(asking.principal):
        raise HTTPException(403, page.gettext("Only administrators see and end what others are signed in with."))


def _held(
    page: Page,
    shared: Services,
    asking: Visitor,
    at_desk: Desk,
    at: datetime,
    person: str,
    *,
    status: int = 200,
    wrong: str = "",
) -> HTMLResponse:
    _check_administers(page, asking)
    try:
        with shared.database.read(STATEMENT_SECONDS) as connection:
            several = held.held(connection, person.strip(), at_desk.told, at)
    except BadInput as error:
        raise HTTPException(404, error.problem) from None
    titles = {name: one.told.title for name, one in at_desk.providers.items()}
    return page.render("admin/held.html", status, person=person.strip(), held=several, titles=titles, wrong=wrong)


def _people(
    page: Page,
    shared: Services,
    asking: Visitor,
    *,
    status: int = 200,
    wrong: str = "",
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    with shared.database.read(STATEMENT_SECONDS) as connection:
        everybody = accounts.everybody(connection)
    return page.render(
        "admin/people.html",
        status,
        people=everybody,
        roles=list(Role),
        may=administers(asking.principal),
        wrong=wrong,
        given=given or {"person": "", "role": "", "proposal": "", "instrument": ""},
    )


def _roots(shared: Services) -> list[Root]:
    found = []
    for name, folder in shared.roots().folders.items():
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            found.append(Root(name, None, None))
        else:
            found.append(Root(name, usage.free, usage.total))
    return found


def _day(text: str, later: int) -> datetime | None:
    """Read a day as its beginning in UTC, so many days later."""
    if not text.strip():
        return None
    day = date.fromisoformat(text.strip()) + timedelta(days=later)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
