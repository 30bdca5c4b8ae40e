"""Signed out at the provider, which says so itself (back-channel) or by a frame in the browser (front-channel).

A frame of the provider's page has none of our cookies, for they are ``SameSite=Lax``. The name of the session is
enough: only the provider, this portal and the ID token, which never leaves it, hold it, and all that it can do is end
a session.
"""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pancommons.catalogue.access import Principal
from pancommons.catalogue.audit import record
from pancommons.server.pages.frame import router
from pancommons.server.services import Now, Shared
from pancommons.server.signin import sessions
from pancommons.server.signin.desk import AtDesk
from pancommons.server.signin.messages import first_time
from pancommons.server.signin.verifying import Refused

log = logging.getLogger(__name__)

pages = router()

_UNCACHED = {"Cache-Control": "no-store"}
_LONGEST = 255

Said = Annotated[str, Query(max_length=2000)]


@pages.post("/signin/{provider}/ended")
def by_provider(
    shared: Shared, at_desk: AtDesk, at: Now, provider: str, logout_token: Annotated[str, Form()]
) -> Response:
    """End the sessions that a provider names in a token that it signed (OpenID Connect Back-Channel Logout 1.0)."""
    one = at_desk.provider(provider)
    try:
        subject, session, message = one.ended(logout_token, at)
        with shared.database.write() as connection:
            first_time(connection, one.told.issuer, message, at)
            for person in sessions.end_at_provider(connection, provider, one.told.issuer, subject, session):
                facts = {"provider": provider, "message": message[:100]}
                record(connection, Principal(person), "sign out at provider", at, facts=facts)
    except Refused as refused:
        log.warning("sign-out at %s: %s", provider, refused)
        told = {"error": "invalid_request", "error_description": "this is no logout token for this portal"}
        return JSONResponse(told, 400, _UNCACHED)
    return Response(status_code=200, headers=_UNCACHED)


@pages.get("/signin/{provider}/ended")
def by_browser(shared: Shared, at_desk: AtDesk, at: Now, provider: str, iss: Said = "", sid: Said = "") -> HTMLResponse:
    """End the session that a provider names in a frame (OpenID Connect Front-Channel Logout 1.0).

    Whether there was one is not told.
    """
    one = at_desk.provider(provider)
    issuer = one.told.issuer
    if iss == issuer and 0 < len(sid) <= _LONGEST:
        with shared.database.read() as connection:
            known = sessions.known_at_provider(connection, provider, sid)
        if known:
            with shared.database.write() as connection:
                for person in sessions.end_at_provider(connection, provider, issuer, None, sid):
                    facts = {"provider": provider, "by": "browser"}
                    record(connection, Principal(person), "sign out at provider", at, facts=facts)
    parts = urlsplit(issuer)
    policy = f"default-src 'none'; frame-ancestors {parts.scheme}://{parts.netloc}"
    return HTMLResponse("<!doctype html><title>-</title>", 200, {**_UNCACHED, "Content-Security-Policy": policy})
