"""The first page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi.responses import HTMLResponse

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.search.choosing import Choice
from pancommons.catalogue.search.facets import Counting
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.search.welcome import opened, pictured
from pancommons.server.pages.frame import Paged, router
from pancommons.server.pages.search import ontology
from pancommons.server.pages.technique_tree import leaves
from pancommons.server.services import STATEMENT_SECONDS, Now
from pancommons.server.visitor import Who
from pancommons.store.engine import Database

pages = router()

_MOST_TILES = 12


@dataclass(frozen=True)
class Tile:
    """A technique on the first page: its name, how many datasets are open, and one of them for its picture."""

    identifier: str
    name: str
    count: int
    pictured: str | None


@pages.get("/")
def home(page: Paged, who: Who, at: Now) -> HTMLResponse:
    """Show where to begin: a search, what there is of each technique, and what has opened of late."""
    database = page.shared.database
    # What is open, everybody may see: it is found once for all.
    counted = Counting(database, ANONYMOUS, at, Choice(access=("open",))).techniques()
    every = Counting(database, who, at, Choice()).total()
    known = ontology(page.shared)
    shown = leaves(known, counted.counts)[:_MOST_TILES]
    pictures = Lasting(database, ANONYMOUS, at).get(
        ("pictured", tuple(shown)), lambda: (_pictures(database, shown, at), True), len
    )
    with database.read(STATEMENT_SECONDS) as connection:
        news = opened(Ground(connection.dialect.name, who, at), connection)
    tiles = [
        Tile(pid.removeprefix(PANET), one.name, counted.counts[pid], pictures.get(pid))
        for pid in shown
        if (one := known.get(pid)) is not None
    ]
    return page.render(
        "home.html", tiles=tiles, exact=counted.exact, news=news, total=every.counts.get("all", 0), known=every.exact
    )


def _pictures(database: Database, shown: Sequence[str], at: datetime) -> dict[str, str]:
    with database.read(STATEMENT_SECONDS) as connection:
        return pictured(shown, Ground(connection.dialect.name, ANONYMOUS, at), connection)
