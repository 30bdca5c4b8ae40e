"""What a page of a search asks the database for once others have asked for the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from fastapi import Request

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.records import Technique
from pancommons.catalogue.techniques import put_techniques
from pancommons.server.pages.frame import Page
from pancommons.server.pages.search import datasets
from pancommons.server.services import Services, Settings, now
from pancommons.server.visitor import NOBODY
from pancommons.store.engine import Database
from tests.server.pages.finding import NOW, fill, scan
from tests.server.pages.finding import records as every


def read(services: Services, asked: str = "") -> str:
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "server": ("localhost", 80), "path": "/datasets",
        "query_string": asked.encode(), "headers": [],
    }  # fmt: skip
    return bytes(datasets(Page(Request(scope), services, NOBODY), ANONYMOUS, now()).body).decode()


def test_a_search_asks_how_far_the_catalogue_is_and_for_what_it_lists(database: Database) -> None:
    fill(database)
    services, told = Services(database, Settings()), Counter[str]()

    def began(_: Any) -> None:
        told["transactions"] += 1

    def asks(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        told["statements"] += statement.startswith("SELECT")
        told["counters"] += "FROM counters" in statement

    sa.event.listen(database.reader, "begin", began)
    sa.event.listen(database.reader, "before_cursor_execute", asks)
    for asked in ("", "q=lung", "q=lung&kind=raw&year=2021"):
        first = read(services, asked)
        told.clear()
        assert read(services, asked) == first
        assert told == {"transactions": 2, "statements": 8, "counters": 1}


def test_a_search_shows_techniques_as_they_are_called_now(database: Database) -> None:
    fill(database)
    services = Services(database, Settings())
    asked = "technique=PaNET01207"
    assert "breathing pictures" not in read(services, asked)
    fill(database, [*every(), scan(10, "one more")])
    assert "one more" in read(services, asked)
    with database.write() as connection:
        renamed = Technique(pid=f"{PANET}PaNET01207", name="breathing pictures")
        put_techniques(connection, [renamed], by=LOCAL_USER, at=NOW)
    assert "breathing pictures" in read(services, asked)
