"""Whoever sees something of a run, or tries to, is written down."""

from __future__ import annotations

import pytest

from pancommons.catalogue import audit
from pancommons.catalogue.access import Principal, Role
from pancommons.server.sighted import Note
from tests.runs.world import BOB
from tests.server.runs.conftest import Portal

ROUTES = {
    "": "report",
    "/report": "report",
    "/report.html": "report",
    "/figures/a.png": "picture",
    "/crate": "provenance",
    "/result": "download",
    "/events": "log",
    "/now": "log",
    "/log.txt": "log",
    "/notebook.ipynb": "provenance",
}


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_every_part_of_a_run(portal: Portal) -> None:
    run = portal.ask().json()["id"]
    eve, root = Principal("eve"), Principal("root", everywhere=frozenset({Role.ADMINISTRATOR}))
    for who in (BOB, eve, root):
        portal.asking = who
        for part, what in ROUTES.items():
            headers = {"Accept": "application/json"} if part in ("", "/events") else {}
            kept = portal.app.state.sightings
            kept.flush()
            kept._written.clear()
            portal("GET", f"/runs/{run}{part}", headers=headers)
            note = Note(who.name, None, what, "run", run, refused=who is eve)
            waiting = kept._waiting[who is eve] | kept._being_written | kept._written
            assert note in waiting, (who.name, part)
        kept.flush()
    portal("GET", "/runs/none/report")
    kept.flush()
    with portal.app.state.services.database.read() as connection:
        lines = [line for line in audit.search(connection, about=run, limit=100) if line.what in audit.SEEN]
    assert {(line.kind, line.identifier) for line in lines} == {("run", run)}
    told = {
        who: sorted((line.facts or {}).get("access", line.what) for line in lines if line.who == who)
        for who in ("bob", "eve", "root")
    }
    assert told == dict.fromkeys(told, sorted(ROUTES.values()))
    assert {line.what for line in lines if line.who == "eve"} == {"refuse"}
