"""``/.well-known/security.txt``: whom to tell of a vulnerability (RFC 9116), where the settings name somebody."""

from __future__ import annotations

from datetime import UTC, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from pancommons.server.services import Now, Shared

router = APIRouter()

_HOLDS = timedelta(days=180)
"""The standard asks for less than a year."""


@router.get("/.well-known/security.txt", include_in_schema=False)
def security(request: Request, shared: Shared, at: Now) -> PlainTextResponse:
    """Say whom to tell."""
    contact = shared.settings.site.security_contact
    if contact is None:
        raise HTTPException(404)
    expires = (at.astimezone(UTC) + _HOLDS).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}"]
    if shared.settings.site.url:
        lines.append(f"Canonical: {shared.site(request).url}/.well-known/security.txt")
    return PlainTextResponse("\n".join(lines) + "\n")
