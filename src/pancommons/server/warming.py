"""What the first visitors would wait for, made ready beside them once the server runs.

Templates are compiled, words read, pipelines loaded, and what the first pages show to anybody is counted. All of this
is made when it is needed, too: nothing depends on it, and a server that ends does not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Event, Thread
from urllib.parse import urlencode

from fastapi import Request, Response

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.catalogue.read import Found, fetch_many
from pancommons.catalogue.search.choosing import Choice, Slice, dataset_ids
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.query import Sorting
from pancommons.catalogue.tables import datasets
from pancommons.pipelines import registry
from pancommons.server.carried import carried
from pancommons.server.pages import dataset, home, search, techniques
from pancommons.server.pages.frame import Page, built, environment
from pancommons.server.pages.languages import LANGUAGES
from pancommons.server.services import STATEMENT_SECONDS, Services, now
from pancommons.server.visitor import NOBODY

log = logging.getLogger(__name__)

_LONGEST_WAIT = 1.0


class Warming:
    """Makes everything ready in a thread of its own, one step after the other, until it is told to stop."""

    def __init__(self, services: Services) -> None:
        self._services, self._stopping = services, Event()
        self._thread = Thread(target=self._go, name="warming", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let the step that goes on be the last one, without waiting long for it."""
        self._stopping.set()
        with suppress(RuntimeError):  # it was never started
            self._thread.join(_LONGEST_WAIT)

    def steps(self) -> Iterator[Callable[[], object]]:
        """Give what is to be done, what most visitors need first."""
        yield carried
        yield built
        yield lambda: self._page("/", home.home)
        yield lambda: self._page("/datasets", search.datasets)
        yield self._newest
        for code in LANGUAGES:
            words = environment(code)
            yield from (partial(words.get_template, name) for name in words.list_templates())
        yield from (partial(registry.load, name) for name in registry.names())
        yield lambda: self._page("/techniques", techniques.techniques)
        yield lambda: self._page("/documents", search.documents)
        yield lambda: self._page("/instruments", search.instruments)

    def _go(self) -> None:
        for step in self.steps():
            if self._stopping.is_set():
                return
            try:
                step()
            except Exception:  # whoever needs it is told
                log.debug("something could not be made ready", exc_info=True)

    def _page(self, path: str, make: Callable[[Page, Principal, datetime], object], asked: str = "") -> None:
        """Make a page as anybody would get it, for nobody."""
        scope = {
            "type": "http", "method": "GET", "scheme": "http", "server": ("localhost", 80), "path": path,
            "query_string": asked.encode(), "headers": [],
        }  # fmt: skip
        make(Page(Request(scope), self._services, NOBODY), ANONYMOUS, now())

    def _newest(self) -> None:
        """Make the page of the newest dataset that is open, and of a search for what it is called."""
        newest = Slice(Sorting("creationDate", descending=True), limit=1)
        with self._services.database.read(STATEMENT_SECONDS) as connection:
            ground = Ground(connection.dialect.name, ANONYMOUS, now())
            for key in dataset_ids(Choice(access=("open",)), newest, ground, connection):
                for found in fetch_many(connection, "dataset", datasets.c.id == key, ANONYMOUS, ground.at):
                    self._page("/datasets", search.datasets, urlencode({"q": getattr(found.record, "title", "")}))

                    def shown(page: Page, who: Principal, at: datetime, found: Found = found) -> Response:
                        return dataset.shown(connection, found, page, who, at)

                    self._page(f"/datasets/{found.identifier}", shown)
