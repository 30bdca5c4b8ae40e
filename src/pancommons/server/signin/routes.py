"""Signing in and out with a browser, at a provider of OpenID Connect."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from pancommons.base.settings import LOOPBACK
from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.catalogue.audit import record
from pancommons.server.csrf import same_origin
from pancommons.server.pages.choices import local
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.services import Now, Services, Shared
from pancommons.server.signin import cookies, ended, pending, sessions
from pancommons.server.signin.accounts import Disabled, note_sign_in
from pancommons.server.signin.desk import AtDesk, Desk
from pancommons.server.signin.sealed import unseal
from pancommons.server.signin.stepping_up import check_again
from pancommons.server.signin.verifying import Refused
from pancommons.server.visitor import Asking

log = logging.getLogger(__name__)

pages = router()
pages.include_router(ended.pages)

After = Annotated[str, Query(alias="next", max_length=2000)]


@pages.get("/signin")
def choose(request: Request, page: Paged, asking: Asking, at_desk: AtDesk, after: After = "/") -> Response:
    """Offer the providers; nothing is begun before one is chosen."""
    if asking.account is not None:
        return RedirectResponse(local(after, request), 303)
    return page.render("signin/signin.html", providers=_offered(at_desk), after=after, wrong="")


@pages.get("/signin/{provider}/start")
def start(
    request: Request,
    page: Paged,
    shared: Shared,
    at_desk: AtDesk,
    asking: Asking,
    at: Now,
    provider: str,
    after: After = "/",
    again: bool = False,
) -> Response:
    """Send the browser to a provider, if somebody chose it on a page of ours.

    With ``again`` whoever is signed in shall show that it is still them.
    """
    one = at_desk.provider(provider)
    if not _chosen_here(request, shared):
        return RedirectResponse(page.to("/signin", {"next": after}), 303)
    if not _is_safe(request, shared):
        return _told(page, at_desk, page.gettext("Signing in needs https, and this address has none."), 403)
    browser = pending.browser(cookies.shown(request, cookies.SIGN_IN))
    begun = pending.Begun(provider, local(after, request), asking.account if again else None)
    back = _back(request, shared, provider)
    try:
        address = one.address(back, begun.state, begun.nonce, begun.verifier, again=begun.account is not None)
        with shared.database.write() as connection:
            pending.keep(connection, begun, browser, at)
    except Refused as error:
        log.warning("sign-in at %s: %s", provider, error)
        return _told(page, at_desk, page.gettext("Nobody can sign in there just now. Try again in some minutes."), 503)
    answer = RedirectResponse(address, 303)
    cookies.put(answer, request, cookies.SIGN_IN, browser, pending.LASTS)
    return answer


@pages.get("/signin/{provider}/callback")
def callback(
    request: Request,
    page: Paged,
    shared: Shared,
    at_desk: AtDesk,
    at: Now,
    provider: str,
    state: str = "",
    code: str = "",
    iss: str | None = None,
    error: str = "",
) -> Response:
    """Take the answer of a provider, once, in the browser that asked for it."""
    one = at_desk.provider(provider)
    with shared.database.write() as connection:
        begun = pending.take(connection, state, cookies.shown(request, cookies.SIGN_IN), provider, at)
    if begun is None:
        log.warning("sign-in at %s refused: no sign-in of this browser waits for this answer", provider)
        return _told(
            page,
            at_desk,
            page.gettext("You are not signed in: this answer is too old, or was used already. Try again."),
            403,
        )
    who = ANONYMOUS
    try:
        one.check_answer(iss)
        if error or not code:
            raise Refused(f"the provider refused: {error[:60] or 'no code'}")
        proof = one.redeem(code, _back(request, shared, provider), begun.nonce, begun.verifier, at)
        who = Principal(proof.who.person)
        with shared.database.write() as connection:
            account = note_sign_in(connection, proof.who, at)
            if begun.account is not None:
                check_again(begun, account, proof, one.told.admin_acr)
            if held := cookies.shown(request, cookies.SESSION):
                sessions.end_shown(connection, held)
            agent = request.headers.get("user-agent")
            new = sessions.Begun(account, provider, proof.held, proof.session, agent, proof.auth_time, proof.acr)
            made = sessions.begin(connection, new, at_desk.told, at)
            facts = {"provider": provider} | ({"again": True} if begun.account is not None else {})
            record(connection, who, "sign in", at, facts=facts)
    except Refused as refused:
        _note(shared, who, provider, str(refused), at)
        wrong = (
            page.gettext("You are not signed in: the provider did not confirm who you are. Try again.")
            if begun.account is None
            else page.gettext("The provider did not confirm that it is you, just now. You are signed in as before.")
        )
        return _told(page, at_desk, wrong, 403, begun.next)
    except Disabled:
        _note(shared, who, provider, "the account is disabled", at)
        return _told(page, at_desk, page.gettext("This account was disabled by the people who run this portal."), 403)
    answer = RedirectResponse(begun.next, 303)
    cookies.remove(answer, request, cookies.SIGN_IN)
    cookies.put(answer, request, cookies.SESSION, made, timedelta(hours=at_desk.told.longest_hours))
    return answer


@pages.post("/signout")
def sign_out(request: Request, page: Paged, shared: Shared, asking: Asking, at_desk: AtDesk, at: Now) -> Response:
    """End the session here, then at the provider where it can be."""
    held, onward, title = cookies.shown(request, cookies.SESSION), None, ""
    if held is not None:
        with shared.database.write() as connection:
            gone = sessions.end_shown(connection, held)
            if gone is not None:
                record(connection, asking.principal, "sign out", at)
        given = None if gone is None else unseal(gone.sealed, held)
        if gone is not None and given is not None and (one := at_desk.providers.get(gone.provider)) is not None:
            at_desk.refreshing.give_up(gone.provider, given)
            onward, title = one.sign_out_address(given.id_token, f"{shared.site(request).url}/"), one.told.title
    answer = page.render("signin/signed_out.html", onward=onward, title=title)
    answer.headers["Cache-Control"] = "no-store"
    cookies.remove(answer, request, cookies.SESSION)
    return answer


def _chosen_here(request: Request, shared: Services) -> bool:
    """Say whether a page of ours sent the browser; one that does not say so names at least where it comes from."""
    known = same_origin(request, shared.settings.site.url)
    if known is None:
        ours = shared.site(request).url
        return request.headers.get("referer", "").startswith((f"{ours}/", f"{request.base_url}"))
    return known


def _is_safe(request: Request, shared: Services) -> bool:
    url = shared.site(request).url
    return url.startswith("https:") or request.url.hostname in LOOPBACK


def _back(request: Request, shared: Services, provider: str) -> str:
    return f"{shared.site(request).url}/signin/{provider}/callback"


def _offered(at_desk: Desk) -> list[dict[str, Any]]:
    return [{"name": name, "title": one.told.title} for name, one in at_desk.providers.items()]


def _told(page: Page, at_desk: Desk, wrong: str, status: int, after: str = "/") -> HTMLResponse:
    return page.render("signin/signin.html", status, providers=_offered(at_desk), after=after, wrong=wrong)


def _note(shared: Services, who: Principal, provider: str, reason: str, at: datetime) -> None:
    """Write down that somebody who had begun here was refused."""
    log.warning("sign-in at %s refused: %s", provider, reason)
    with shared.database.write() as connection:
        record(connection, who, "refuse sign-in", at, facts={"provider": provider, "reason": reason[:200]})
