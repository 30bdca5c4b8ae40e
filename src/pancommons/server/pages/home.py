"""The first page."""

from __future__ import annotations

from fastapi.responses import HTMLResponse

from pancommons.server.pages.frame import Paged, router

pages = router()


@pages.get("/")
def home(page: Paged) -> HTMLResponse:
    """Show where to begin."""
    return page.render("home.html")
