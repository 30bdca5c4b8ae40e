"""Persistent identifiers in addresses: ``/datasets/10.16907/x`` leads to the record of that PID.

These routes come last: a PID may look like anything.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from pancommons.catalogue.read import Tombstone, fetch
from pancommons.catalogue.tables import KINDS
from pancommons.server.pages.frame import Paged, router
from pancommons.server.pages.gone import gone
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.visitor import Who

pages = router()

_LONGEST = 2048


def _leading(kind: str) -> Callable[..., Response]:
    def lead(key: str, request: Request, page: Paged, shared: Shared, who: Who, at: Now) -> Response:
        """Lead to the record's own address."""
        found = None
        if len(key) <= _LONGEST:
            with shared.database.read(STATEMENT_SECONDS) as connection:
                found = fetch(connection, kind, key, who, at)
        if found is None:
            raise HTTPException(404, f"There is no such {kind} that you may see.")
        if isinstance(found, Tombstone):
            return gone(kind, found, request, page)
        return RedirectResponse(page.to(f"/{kind}s/{found.identifier}"), 302, {"Vary": "Cookie, Authorization"})

    return lead


for _kind in KINDS:
    pages.api_route(f"/{_kind}s/{{key:path}}", methods=["GET", "HEAD"], name=f"{_kind} by PID")(_leading(_kind))
