"""Signing in a program: it shows a code, a person approves it in a browser, it receives a personal token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal
from pancommons.catalogue.audit import record
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.services import Now, Shared
from pancommons.server.signin import devices
from pancommons.server.signin.asked import USUAL, account_of, scopes, to_sign_in
from pancommons.server.signin.desk import AtDesk
from pancommons.server.signin.stepping_up import check_recent
from pancommons.server.visitor import Asking

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_UNCACHED = {"Cache-Control": "no-store"}

programs = APIRouter(tags=["sign-in"])
pages = router()


@programs.post("/device/code")
def ask(
    request: Request,
    shared: Shared,
    at: Now,
    at_desk: AtDesk,
    scope: Annotated[str, Form()] = " ".join(USUAL),
    name: Annotated[str, Form(max_length=200)] = "pan",
) -> Response:
    """Begin to sign in a program (RFC 8628): ``scope`` names actions, ``name`` is what the person is shown."""
    if not at_desk.providers:
        return _refused("access_denied", "nobody signs in here: this server answers its own machine, without a token")
    try:
        wanted = scopes(scope.split())
    except BadInput as error:
        return _refused("invalid_scope", str(error))
    if not wanted:
        return _refused("invalid_scope", "a token that allows nothing is of no use")
    try:
        with shared.database.write() as connection:
            asked = devices.ask(connection, name, wanted, at)
    except devices.TooMany:
        return _refused("temporarily_unavailable", "too many programs wait to be approved; try in some minutes", 503)
    code = devices.shown(asked.user_code)
    place = f"{shared.site(request).url}/device"
    told = {
        "device_code": asked.device_code,
        "user_code": code,
        "verification_uri": place,
        "verification_uri_complete": f"{place}?user_code={code}",
        "expires_in": int(devices.LASTS.total_seconds()),
        "interval": devices.INTERVAL,
    }
    return JSONResponse(told, headers=_UNCACHED)


@programs.post("/device/token")
def poll(
    shared: Shared,
    at: Now,
    at_desk: AtDesk,
    grant_type: Annotated[str, Form()],
    device_code: Annotated[str, Form()],
) -> Response:
    """Ask whether the person has answered: with a token once they approved, else with ``error`` and why."""
    if grant_type != GRANT:
        return _refused("unsupported_grant_type", f"grant_type must be {GRANT}")
    try:
        with shared.database.write() as connection:
            answer = devices.poll(connection, device_code, at_desk.told.token_days, at)
            if isinstance(answer, devices.Granted):
                who = Principal(answer.person)
                facts = {"name": answer.name, "scopes": [*answer.scopes], "token": answer.key}
                record(connection, who, "make token", at, facts=facts)
    except BadInput as error:
        return _refused("access_denied", str(error))
    if isinstance(answer, devices.Refusal):
        return _refused(answer.value, _WHY[answer])
    told = {
        "access_token": answer.token,
        "token_type": "Bearer",
        "expires_in": at_desk.told.token_days * 86400,
        "scope": " ".join(answer.scopes),
    }
    return JSONResponse(told, headers=_UNCACHED)


@pages.get("/device")
def look(
    request: Request, page: Paged, shared: Shared, asking: Asking, at: Now, at_desk: AtDesk, user_code: str = ""
) -> Response:
    """Ask for the code that a program shows, then whether it may have what it asks for."""
    if asking.account is None and at_desk.providers:
        return to_sign_in(page, request)
    account = account_of(asking)
    if not user_code:
        return _shown(page)
    if at_desk.guesses.too_many(account, at):
        return _shown(page, 429, wrong=page.gettext("Too many codes were wrong. Wait ten minutes, then try again."))
    with shared.database.read() as connection:
        found = devices.waiting(connection, user_code, at)
    if found is None:
        at_desk.guesses.wrong(account, at)
        return _unknown(page, user_code)
    return _shown(page, found=found, code=devices.shown(found.user_code), days=at_desk.told.token_days)


@pages.post("/device")
def answer(
    page: Paged,
    shared: Shared,
    asking: Asking,
    at: Now,
    at_desk: AtDesk,
    user_code: Annotated[str, Form()],
    yes: Annotated[bool, Form(alias="approve")],
) -> Response:
    """Approve what a program asks for, or deny it."""
    account = account_of(asking)
    if at_desk.guesses.too_many(account, at):
        return _shown(page, 429, wrong=page.gettext("Too many codes were wrong. Wait ten minutes, then try again."))
    with shared.database.read() as connection:
        waits = devices.waiting(connection, user_code, at)
    if yes and waits is not None and Action.ADMINISTER in waits.scopes:
        check_recent(asking, shared, at_desk, at)
    with shared.database.write() as connection:
        found = devices.answer(connection, user_code, account, at, yes=yes)
        if found is not None:
            what = "approve device" if yes else "deny device"
            facts = {"name": found.name, "scopes": found.scopes}
            record(connection, asking.principal, what, at, facts=facts)
    if found is None:
        at_desk.guesses.wrong(account, at)
        return _unknown(page, user_code)
    return page.render("signin/device_done.html", name=found.name, approved=yes)


def _unknown(page: Page, user_code: str) -> HTMLResponse:
    wrong = page.gettext("No program waits with this code: it may be mistyped, answered already, or too old.")
    return _shown(page, 404, code=user_code[:20], wrong=wrong)


def _shown(
    page: Page, status: int = 200, *, found: Any = None, code: str = "", wrong: str = "", days: int = 0
) -> HTMLResponse:
    return page.render("signin/device.html", status, found=found, code=code, wrong=wrong, days=days)


def _refused(error: str, why: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": why}, status, headers=_UNCACHED)


_WHY = {
    devices.Refusal.PENDING: "nobody has approved this yet",
    devices.Refusal.SLOW_DOWN: "wait longer between two questions",
    devices.Refusal.EXPIRED: "the code is too old, was used, or is none; begin anew",
    devices.Refusal.DENIED: "this was denied",
}
