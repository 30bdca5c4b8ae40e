"""What those who may not see a record do not learn of it, by no way of asking."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.catalogue.search.putting import CLOSED, NOW, OPEN, PAST, dataset, has, pids, put

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal, Role
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Document, File, Instrument, Member, Person, Terms
from pancommons.catalogue.search.asking import count, files, get, score, search
from pancommons.catalogue.tables import documents


@pytest.fixture(scope="module")
def guarded(shared_database):
    ada = Member(person=Person(pid="ada", full_name="Ada"), role="principal investigator")
    bob = Member(person=Person(pid="bob", full_name="Bob"), role="speaker", public=True)
    embargoed = Terms(proposal="p", open_from=datetime(2099, 1, 1, tzinfo=UTC), discoverable_from=PAST, fixed=True)
    secret = Terms(proposal="p", fixed=True)
    records = [
        Instrument(pid="i", name="I", facility="F", terms=OPEN),
        Document(pid="p", type="proposal", title="secret plan", members=(ada,), terms=CLOSED),
        Document(pid="q", type="publication", title="talk", members=(ada, bob), terms=OPEN),
        dataset("open", "lung", instrument="i", documents=("p", "q"), files=(File(root="r", path="a.h5"),)),
        dataset("embargoed", "lung", embargoed, instrument="i", documents=("q",), files=(File(root="r", path="b.h5"),),
                 parameters=(parameter("t", 1.0, "K"),)),
        dataset("secret", "lung", secret, instrument="i", documents=("q",), parameters=(parameter("t", 2.0, "K"),)),
    ]  # fmt: skip
    put(shared_database, records)
    with shared_database.read() as connection:
        yield connection


def _member(connection):
    key = connection.execute(documents.select().where(documents.c.pid == "p")).one().id
    return Principal("ada", proposals={Role.MEMBER: frozenset({key})})


def test_what_is_not_to_be_discovered_is_not_found_counted_scored_or_joined(guarded):
    assert pids(search(guarded, "Dataset", None, ANONYMOUS, NOW)) == ["open", "embargoed"]
    assert count(guarded, "Dataset", None, ANONYMOUS, NOW) == 2
    assert count(guarded, "Dataset", {"text": "lung"}, ANONYMOUS, NOW) == 2
    assert len(search(guarded, "Dataset", {"query": "lung"}, ANONYMOUS, NOW)) == 2
    assert len(score(guarded, "lung", ANONYMOUS, NOW)["scores"]) == 2
    assert get(guarded, "Dataset", "secret", None, ANONYMOUS, NOW) is None
    [instrument] = search(guarded, "Instrument", {"include": ["datasets"]}, ANONYMOUS, NOW)
    assert pids(instrument["datasets"]) == ["open", "embargoed"]
    deep = {"include": [{"relation": "datasets", "scope": has("t", {"gt": 1.5}, "K")}]}
    assert search(guarded, "Instrument", deep, ANONYMOUS, NOW) == []
    [found] = search(guarded, "Dataset", {"where": {"pid": "open"}, "include": ["documents"]}, ANONYMOUS, NOW)
    assert pids(found["documents"]) == ["q"]


def test_files_of_an_embargoed_dataset_are_data(guarded):
    found = search(guarded, "Dataset", {"include": ["files"]}, ANONYMOUS, NOW)
    assert [(one["isPublic"], len(one["files"])) for one in found] == [(True, 1), (False, 0)]
    asks = {"include": [{"relation": "files", "scope": {"where": {"text": "b.h5"}}}]}
    assert search(guarded, "Dataset", asks, ANONYMOUS, NOW) == []
    assert files(guarded, "embargoed", None, ANONYMOUS, NOW) == []
    assert files(guarded, "secret", None, ANONYMOUS, NOW) is None


def test_names_that_are_not_public_cannot_be_asked_for(guarded):
    asks = {"include": [{"relation": "members", "scope": {"include": [
        {"relation": "person", "scope": {"where": {"fullName": "Ada"}}}]}}]}  # fmt: skip
    assert search(guarded, "Document", asks, ANONYMOUS, NOW) == []
    [found] = search(guarded, "Document", {"include": ["members"]}, ANONYMOUS, NOW)
    assert [one["role"] for one in found["members"]] == ["speaker"]
    assert pids(search(guarded, "Document", asks, LOCAL_USER, NOW)) == ["p", "q"]


def test_the_team_sees_its_own(guarded):
    team = _member(guarded)
    assert pids(search(guarded, "Dataset", None, team, NOW)) == ["open", "embargoed", "secret"]
    assert count(guarded, "Dataset", None, team, NOW) == 3
    deep = {"include": [{"relation": "datasets", "scope": has("t", {"gt": 1.5}, "K")}]}
    [found] = search(guarded, "Instrument", deep, team, NOW)
    assert pids(found["datasets"]) == ["secret"]
    assert len(files(guarded, "embargoed", None, team, NOW)) == 1
