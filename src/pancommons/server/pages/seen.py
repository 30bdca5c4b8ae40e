"""``/datasets/{id}/seen``: who saw a dataset and when, for those who answer for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from pancommons.catalogue.read import Found, fetch, resource
from pancommons.catalogue.readers import readers
from pancommons.server.pages.dataset import NO_DATASET
from pancommons.server.pages.frame import Paged, router
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.visitor import Who

pages = router()

_A_PAGE = 50


@pages.get("/datasets/{key}/seen")
def seen(
    key: str,
    page: Paged,
    shared: Shared,
    who: Who,
    at: Now,
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> HTMLResponse:
    """Show who saw a dataset."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = fetch(connection, "dataset", key, who, at)
        if not isinstance(found, Found):
            raise HTTPException(404, NO_DATASET)
        about = resource(connection, "dataset", found.id)
        lines = readers(connection, found.identifier, about, who, at, before=before, limit=_A_PAGE)
    if lines is None:
        raise HTTPException(404, page.gettext("Who saw this dataset is told to those alone who answer for it."))
    is_open = found.public_from is not None and found.public_from <= at
    return page.render(
        "dataset/seen.html",
        found=found,
        lines=lines,
        before=before,
        following=lines[-1].id if len(lines) == _A_PAGE else None,
        is_open=is_open,
        days=shared.settings.audit.seen_days,
    )
