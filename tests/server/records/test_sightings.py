"""Who saw what when: protected data that are handed out or refused are lines of the audit, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from pancommons.catalogue import audit
from pancommons.catalogue.access import ANONYMOUS, Action, Principal, Role
from pancommons.catalogue.parts import thumbnails
from pancommons.catalogue.tables import datasets
from pancommons.server.visitor import Visitor, visitor
from tests.server.records.conftest import Portal, visitors

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


def written(portal: Portal) -> list[audit.Line]:
    """Return what was seen, the oldest first."""
    portal.client.app.state.sightings.flush()  # type: ignore[attr-defined]
    with portal.database.read() as connection:
        return [line for line in reversed(audit.search(connection, limit=1000)) if line.what in audit.SEEN]


def addresses(portal: Portal, pid: str) -> Iterator[tuple[str, str, str]]:
    """Give what hands out data of a dataset: address, form, and the word for it."""
    identifier, file = portal.identifier("dataset", pid), portal.world.files[pid]
    yield f"/files/{file}", "*/*", "download"
    yield f"/hdf5/{file}/meta", "*/*", "look inside"
    yield f"/look/{file}", "text/html", "look inside"
    yield f"/look/{file}/plot.png?path=/entry/data", "image/png", "picture"
    yield f"/datasets/{identifier}/thumbnail", "image/*", "picture"
    yield f"/datasets/{identifier}/files.metalink", "*/*", "list files"
    yield f"/datasets/{identifier}/files.txt", "*/*", "list files"
    yield f"/datasets/{identifier}", "text/html", "metadata"
    yield f"/datasets/{identifier}", "application/json", "metadata"
    yield f"/search-api/Datasets/{pid}", "application/json", "metadata"
    yield f"/search-api/Datasets/{pid}/files", "application/json", "list files"
    yield f"/search-api/federated/Datasets/{pid}", "application/json", "metadata"
    yield f"/search-api/federated/Datasets/{pid}/files", "application/json", "list files"


def test_what_the_team_sees_of_protected_data_is_written_down_and_what_others_try(portal: Portal) -> None:
    member, stranger = portal.role(Role.MEMBER), Principal("issuer#stranger")
    for who in (member, stranger, ANONYMOUS):
        for address, accept, what in addresses(portal, "hidden"):
            portal.asking = who
            before = {line.id for line in written(portal)}
            portal.client.app.state.sightings._written.clear()  # type: ignore[attr-defined]
            status = portal.get(address, accept).status_code
            assert (status < 400) is (who is member), (address, status)
            found = [line for line in written(portal) if line.id not in before]
            assert {line.who for line in found} == {who.name}, (address, found)
            if who is member:
                assert what in {line.what for line in found}, (address, found)
            else:
                said = {line.facts["access"] for line in found if line.facts}
                assert {line.what for line in found} == {audit.REFUSED} and what in said, (address, found)
    everything = written(portal)
    assert {line.identifier for line in everything} == {portal.identifier("dataset", "hidden")}
    assert {line.kind for line in everything} == {"dataset"}
    file = portal.world.files["hidden"]
    downloads = [line for line in everything if line.what == "download"]
    assert [list(line.facts["files"]) for line in downloads if line.facts] == [[file]]


def test_open_data_are_only_counted(portal: Portal) -> None:
    """Nobody's reading of what everybody may have is kept; that it was read is a number."""
    for who in (portal.role(Role.MEMBER), ANONYMOUS):
        portal.asking = who
        for address, accept, _ in addresses(portal, "open"):
            assert portal.get(address, accept).status_code < 500
    assert written(portal) == []
    counted = portal.client.app.state.metrics.text().decode()  # type: ignore[attr-defined]
    assert 'pancommons_open_data_total{access="download"} 2.0' in counted


def test_what_is_a_secret_and_what_is_not(portal: Portal) -> None:
    """Public metadata of protected data, what does not exist, and a picture that there is not."""
    member, hidden = portal.role(Role.MEMBER), portal.identifier("dataset", "hidden")
    page = f"/datasets/{portal.identifier('dataset', 'embargoed')}"
    assert portal.get(page).status_code == 200
    for path in ("/files/none", "/files/%00", "/datasets/none", "/datasets/%00/thumbnail", "/hdf5/none/meta"):
        assert portal.get(path).status_code == 404
    portal.get("/datasets.csv?q=a")
    with portal.database.write() as connection:
        connection.execute(sa.delete(thumbnails))
    portal.asking = member
    assert portal.get(f"/datasets/{hidden}/thumbnail").status_code == 404
    assert written(portal) == []
    assert portal.get(page).status_code == 200
    assert [line.what for line in written(portal)] == ["list files"]
    portal.get("/datasets.csv?q=a")
    assert [line.facts for line in written(portal) if line.what == "export"] == [{"asked": "q=a"}]
    document = portal.identifier("document", "proposal-1")
    for who in (ANONYMOUS, member):
        portal.asking = who
        portal.get(f"/documents/{document}")
    assert [(line.what, line.kind) for line in written(portal) if line.identifier == document] == [
        ("refuse", "document"),
        ("metadata", "document"),
    ]
    portal.asking = ANONYMOUS
    assert portal.get(f"/datasets/{hidden}/analyse").status_code == 404
    assert [line.facts for line in written(portal) if line.identifier == hidden] == [{"access": "look inside"}]
    before = written(portal)
    with portal.database.write() as connection:
        connection.execute(sa.update(datasets).values(deleted_at=portal.world.at))
    assert portal.get(f"/files/{portal.world.files['restricted']}").status_code == 404
    assert written(portal) == before


def test_a_line_says_by_which_session_or_token_and_is_no_change(portal: Portal) -> None:
    member, narrow = portal.role(Role.MEMBER), portal.role(Role.MEMBER, scopes=frozenset({Action.DISCOVER}))
    address = f"/files/{portal.world.files['hidden']}"
    for who, by, key in ((member, "session", 7), (member, "token", 8), (narrow, "token", 9)):
        found = Visitor(who, "M", by, 1, key)  # type: ignore[arg-type]
        portal.client.app.dependency_overrides[visitor] = lambda found=found: found  # type: ignore[attr-defined]
        assert portal.get(address).status_code == (404 if who is narrow else 200)
    told = [(line.what, *(line.facts or {}).items()) for line in written(portal)]
    assert [one[:2] for one in told] == [
        ("download", ("session", 7)),
        ("download", ("token", 8)),
        ("refuse", ("token", 9)),
    ]
    investigator = Visitor(portal.role(Role.PRINCIPAL_INVESTIGATOR), "I", "session", 1, 10)
    portal.client.app.dependency_overrides[visitor] = lambda: investigator  # type: ignore[attr-defined]
    page = portal.get(f"/datasets/{portal.identifier('dataset', 'hidden')}").text
    assert "<td>put</td>" in page and "<td>download</td>" not in page


def test_those_who_answer_for_a_dataset_are_told_who_saw_it(portal: Portal) -> None:
    """The principal investigator and the facility; who tried in vain is told to those who administer alone."""
    identifier = portal.identifier("dataset", "hidden")
    for who in (portal.role(Role.MEMBER), Principal("issuer#nosy")):
        portal.asking = who
        portal.get(f"/files/{portal.world.files['hidden']}")
    written(portal)
    page, everybody = f"/datasets/{identifier}/seen", visitors(portal.world)
    told = {
        **{role.value: portal.role(role) for role in (Role.PRINCIPAL_INVESTIGATOR, Role.MEMBER, Role.COLLABORATOR)},
        **{name: everybody[name] for name in ("administrator", "token of an administrator to discover", "anybody")},
        "other": portal.role(Role.PRINCIPAL_INVESTIGATOR, "proposal-2"),
        "scientist": everybody["scientist"],
    }
    for name, who in told.items():
        portal.asking = who
        answer = portal.get(page)
        may = name in ("principal investigator", "administrator")
        assert answer.status_code == (200 if may else 404), name
        assert ("issuer#member" in answer.text) is may, name
        assert ("issuer#nosy" in answer.text) is (name == "administrator"), name
        if answer.status_code == 200:
            assert page in portal.get(f"/datasets/{identifier}").text
        else:
            assert page not in portal.get(f"/datasets/{identifier}").text
