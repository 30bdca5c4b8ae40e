"""What is said of a record that was deleted."""

from __future__ import annotations

from fastapi import Request, Response

from pancommons.catalogue.read import Tombstone
from pancommons.server.errors import error_object
from pancommons.server.negotiation import best
from pancommons.server.pages.frame import Page


def gone(kind: str, found: Tombstone, request: Request, page: Page) -> Response:
    """Say what may be known of it, as a page or in JSON."""
    if best(request.headers.get("accept"), ("application/json", "text/html")) == "text/html":
        return page.render("dataset/gone.html", 410, gone=found)
    when = found.deleted_at.date().isoformat()
    return error_object(410, f"the {kind} {found.pid} was deleted on {when}", name="GoneError")
