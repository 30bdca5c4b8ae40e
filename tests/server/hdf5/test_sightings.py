"""What is read through a link is seen, too, and written down of the dataset that it belongs to."""

from __future__ import annotations

import pytest

from pancommons.catalogue import audit
from pancommons.catalogue.access import ANONYMOUS
from tests.server.hdf5.conftest import Portal


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/theirs", "/virtual"])
def test_protected_data_behind_a_link_of_an_open_file(portal: Portal, path: str) -> None:
    for who in (portal.team, ANONYMOUS):
        portal.asking = who
        answer = portal.get("main", "data", path=path)
        assert (b"SECRET" in answer.content) is (who is portal.team)
    portal.app.state.sightings.flush()
    with portal.app.state.services.database.read() as connection:
        lines = [line for line in audit.search(connection, limit=100) if line.what in audit.SEEN]
    secret = {"files": {portal.files["embargoed"]: "embargoed.h5"}}
    assert sorted((line.who, line.what, str(line.facts)) for line in lines) == [
        ("a member", "look inside", str(secret)),
        ("anonymous", "refuse", str({"access": "look inside", **secret})),
    ]
