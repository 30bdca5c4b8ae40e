"""What anybody may have of a record, told from what somebody has: the same as asking again, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal
from pancommons.catalogue.anybody import for_anybody
from pancommons.catalogue.formats.description import Site
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import Found, fetch, fetch_those
from pancommons.catalogue.records import (
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Person,
    Record,
    Relation,
    Sample,
    Terms,
)
from pancommons.catalogue.surroundings import surroundings
from pancommons.catalogue.write import put
from pancommons.server.landing import describe_one
from pancommons.server.pages.dataset_view import view
from tests.server.records.conftest import Portal, visitors

HERE = Site("https://portal.example", "Facility")

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


@pytest.fixture
def filled(portal: Portal) -> Portal:
    """Put datasets of every state, and what they refer to of every state, each with members who are not public."""
    at = portal.world.at
    past, later = at - timedelta(days=300), at + timedelta(days=300)
    terms = {
        "open": Terms(open_from=past, discoverable_from=past, fixed=True),
        "embargoed": Terms(open_from=later, discoverable_from=past, fixed=True),
        "hidden": Terms(open_from=later, discoverable_from=later, fixed=True),
        "owned": Terms(open_from=later, discoverable_from=later, fixed=True, owner="https://issuer#owner"),
    }
    members = tuple(
        Member(person=Person(pid=f"person:{name}", full_name=name), role="member", public=public)
        for name, public in (("seen", True), ("unseen", False))
    )
    records: list[Record] = []
    for name, each in terms.items():
        records += [
            Instrument(pid=f"line/{name}", name=name, facility="f", terms=each),
            Document(pid=f"paper/{name}", type="publication", title=name, members=members, terms=each),
            Document(pid=f"work/{name}", type="proposal", title=name, members=members, terms=each),
            Sample(pid=f"sample/{name}", name=name, terms=each),
        ]
    for name, each in terms.items():
        for around in terms:
            records.append(
                Dataset(
                    pid=f"{name} beside {around}", kind="raw", title=f"{name} {around}", creation_date=past,
                    instrument=f"line/{around}", documents=(f"paper/{around}", f"work/{around}", "paper/open"),
                    samples=(f"sample/{around}", "sample/open"), members=members if around != "embargoed" else (),
                    files=(File(root="data", path=f"{name}{around}.h5", size=1),), keywords=("a", "b"),
                    terms=replace(each, proposal=f"work/{around}" if around != "hidden" else None),
                )
            )  # fmt: skip
        records.append(
            Dataset(
                pid=f"{name} derived", kind="processed", title="derived", creation_date=past, terms=each,
                relations=(Relation(kind="derived from", target=f"{name} beside open"),),
            )
        )  # fmt: skip
    with portal.database.write() as connection:
        for one in records:
            put(connection, one, policy=read_policy(), by=LOCAL_USER, at=at)
        portal.world.records["filled"] = [one.pid for one in records if isinstance(one, Dataset)]
    return portal


def test_it_is_what_anybody_gets_who_asks(filled: Portal) -> None:
    at, certain, refused = filled.world.at, 0, 0
    kinds = {Dataset: "dataset", Document: "document", Instrument: "instrument", Sample: "sample"}
    with filled.database.read() as connection:
        for who in visitors(filled.world).values():
            for pid in [*filled.world.records["filled"], *filled.world.records["dataset"][1::2]]:
                found = fetch(connection, "dataset", pid, who, at)
                if not isinstance(found, Found):
                    continue
                around = surroundings(connection, found, who, at)
                lines = (around.instrument,) if around.instrument else ()
                given = (found, *around.documents, *around.samples, *lines)
                told = for_anybody(given, who, at)
                for one in told:
                    kind = kinds[type(one.record)]
                    asked = fetch_those(connection, kind, "id", [one.id], ANONYMOUS, at, pictures=who == ANONYMOUS)
                    assert [one] == asked, (who, pid)
                certain += found.id in {one.id for one in told if isinstance(one.record, Dataset)}
                refused += found.id not in {one.id for one in told if isinstance(one.record, Dataset)}
                assert describe_one(connection, found, HERE, at, told) == describe_one(connection, found, HERE, at)
    assert certain > 50
    assert refused > 50


def test_a_page_is_not_asked_for_twice_by_those_who_sign_in(filled: Portal) -> None:
    at, asked = filled.world.at, []
    who = Principal("issuer#stranger")
    sa.event.listen(filled.database.reader, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with filled.database.read() as connection:
        found = fetch(connection, "dataset", "open beside open", who, at)
        assert isinstance(found, Found)
        asked.clear()
        assert view(connection, found, HERE, who, at).described
    assert len([one for one in asked if "FROM members" in one]) == 1
