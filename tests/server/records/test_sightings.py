"""Who saw what when: protected data that are handed out or refused are lines of the audit, and nothing else is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import pancommons
from pancommons.catalogue import audit
from pancommons.catalogue.access import ANONYMOUS, Action, Principal, Role
from pancommons.catalogue.ledger import audit as table
from pancommons.catalogue.tables import datasets
from pancommons.server import sightings
from pancommons.server.sighted import Note
from pancommons.server.sightings import EVERY, WINDOW, Sightings
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.server.records.conftest import Portal

once = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


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
    yield f"/datasets/{identifier}/analyse", "text/html", "look inside"


def test_what_the_team_sees_of_protected_data_is_written_down_and_what_others_try(portal: Portal) -> None:
    member, stranger = portal.role(Role.MEMBER), Principal("issuer#stranger")
    for who in (member, stranger, ANONYMOUS):
        for address, accept, what in addresses(portal, "hidden"):
            portal.asking = who
            status = portal.get(address, accept).status_code
            assert (status < 400) is (who is member), (address, status)
            lines = written(portal)
            found = [line for line in lines if line.who == who.name]
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


@once
def test_public_metadata_of_protected_data_are_nobodys_secret(portal: Portal) -> None:
    identifier = portal.identifier("dataset", "embargoed")
    assert portal.get(f"/datasets/{identifier}").status_code == 200
    assert written(portal) == []
    portal.asking = portal.role(Role.MEMBER)
    assert portal.get(f"/datasets/{identifier}").status_code == 200
    assert [line.what for line in written(portal)] == ["list files"]


@once
def test_what_does_not_exist_or_was_deleted_is_not_refused(portal: Portal) -> None:
    for path in ("/files/none", "/files/%00", "/datasets/none", "/datasets/%00/thumbnail", "/hdf5/none/meta"):
        assert portal.get(path).status_code == 404
    with portal.database.write() as connection:
        connection.execute(sa.update(datasets).values(deleted_at=portal.world.at))
    assert portal.get(f"/files/{portal.world.files['hidden']}").status_code == 404
    assert written(portal) == []


@once
def test_a_picture_that_there_is_not_is_not_refused(portal: Portal) -> None:
    portal.asking = portal.role(Role.MEMBER)
    identifier = portal.identifier("dataset", "hidden")
    with portal.database.write() as connection:
        connection.execute(sa.text("DELETE FROM thumbnails"))
    assert portal.get(f"/datasets/{identifier}/thumbnail").status_code == 404
    assert written(portal) == []


@once
def test_a_document_that_is_not_public_yet(portal: Portal) -> None:
    identifier = portal.identifier("document", "proposal-1")
    for who in (ANONYMOUS, portal.role(Role.MEMBER)):
        portal.asking = who
        portal.get(f"/documents/{identifier}")
    assert [(line.what, line.kind, line.identifier) for line in written(portal)] == [
        ("refuse", "document", identifier),
        ("metadata", "document", identifier),
    ]


@once
def test_a_line_says_by_which_session_or_token(portal: Portal) -> None:
    member = portal.role(Role.MEMBER)
    address = f"/files/{portal.world.files['hidden']}"
    for by, key in (("session", 7), ("token", 8)):
        found = Visitor(member, "M", by, 1, key)  # type: ignore[arg-type]
        portal.client.app.dependency_overrides[visitor] = lambda found=found: found  # type: ignore[attr-defined]
        portal.get(address)
    facts = [line.facts for line in written(portal)]
    assert [{name: one[name] for name in one if name != "files"} for one in facts if one] == [
        {"session": 7},
        {"token": 8},
    ]


@once
def test_the_same_again_within_ten_minutes_is_one_line(portal: Portal) -> None:
    portal.asking = portal.role(Role.MEMBER)
    address = f"/files/{portal.world.files['hidden']}"
    for _ in range(3):
        portal.get(address)
    assert len(written(portal)) == 1
    portal.get(address)
    assert len(written(portal)) == 1
    kept: Sightings = portal.client.app.state.sightings  # type: ignore[attr-defined]
    note = Note(portal.asking.name, None, "download", "file", portal.world.files["hidden"])
    for later, lines in ((WINDOW - timedelta(seconds=30), 1), (WINDOW + timedelta(seconds=30), 2)):
        kept.note(note, portal.world.at + later)
        assert len(written(portal)) == lines


@once
def test_what_closes_again_is_written_down_at_once(portal: Portal) -> None:
    """That data were open a moment ago is not remembered."""
    portal.asking = portal.role(Role.MEMBER)
    address = f"/files/{portal.world.files['open']}"
    portal.get(address)
    assert written(portal) == []
    with portal.database.write() as connection:
        closed = sa.update(datasets).where(datasets.c.pid == "open")
        connection.execute(closed.values(open_from=None, public_from=None))
    portal.get(address)
    assert [line.what for line in written(portal)] == ["download"]


@once
def test_an_export_is_written_down_with_its_question(portal: Portal) -> None:
    portal.get("/datasets.csv?q=a")
    assert written(portal) == []
    portal.asking = portal.role(Role.MEMBER)
    portal.get("/datasets.csv?q=a")
    assert [(line.what, line.facts) for line in written(portal)] == [("export", {"asked": "q=a"})]


@once
def test_the_history_of_a_dataset_stays_one_of_changes(portal: Portal) -> None:
    portal.asking = portal.role(Role.PRINCIPAL_INVESTIGATOR)
    page = f"/datasets/{portal.identifier('dataset', 'hidden')}"
    portal.get(f"/files/{portal.world.files['hidden']}")
    assert written(portal)
    assert "<td>download</td>" not in portal.get(page).text


def test_how_to_ask(portal: Portal) -> None:
    portal.asking = portal.role(Role.MEMBER)
    portal.get(f"/files/{portal.world.files['hidden']}")
    portal.get(f"/files/{portal.world.files['embargoed']}")
    portal.asking = ANONYMOUS
    portal.get(f"/files/{portal.world.files['hidden']}")
    written(portal)
    with portal.database.read() as connection:

        def found(**asked: str) -> list[tuple[str, str]]:
            return [(line.who, line.what) for line in audit.search(connection, **asked)]  # type: ignore[arg-type]

        me = "issuer#member"
        for about in (portal.identifier("dataset", "hidden"), "hidden", portal.world.files["hidden"]):
            assert found(about=about, what="reads") == [(me, "download")], about
        assert found(about=portal.world.files["hidden"]) == [("anonymous", "refuse"), (me, "download")]
        assert found(what="download") == [(me, "download")] * 2
        assert found(who="issuer#member") == [(me, "download")] * 2
        assert not {what for _, what in found(what="changes")} & {*audit.SEEN} and found(what="changes")
        assert found(who="\0") == found(about="\0") == []


@once
def test_nothing_is_lost_while_nobody_can_write(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    portal.asking = portal.role(Role.MEMBER)
    portal.get(f"/files/{portal.world.files['hidden']}")
    kept: Sightings = portal.client.app.state.sightings  # type: ignore[attr-defined]
    with monkeypatch.context() as broken:

        def locked(_self: Database) -> None:
            raise OperationalError("BEGIN", None, Exception("database is locked"))

        broken.setattr(Database, "write", locked)
        kept.flush()
    kept.close()
    assert [line.what for line in written(portal)] == ["download"]


@once
def test_a_flood_of_refusals_is_bounded_and_says_so(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given is noted beside what is refused: guessing does not push it out."""
    monkeypatch.setattr(sightings, "MOST", {False: 50_000, True: 10})
    kept: Sightings = portal.client.app.state.sightings  # type: ignore[attr-defined]
    for number in range(50):
        kept.note(Note("anonymous", None, "download", "file", f"guessed-{number}", refused=True), portal.world.at)
    portal.asking = portal.role(Role.MEMBER)
    portal.get(f"/files/{portal.world.files['hidden']}")
    assert [(line.what, line.facts) for line in written(portal) if line.what != "download"] == [
        ("overlook", {"seen": 0, "refused": 40})
    ]
    assert "download" in {line.what for line in written(portal)}


@once
def test_what_was_seen_is_forgotten_in_time_and_what_was_changed_is_not(portal: Portal) -> None:
    file = portal.world.files["hidden"]
    kept = Sightings(portal.database, 30)
    for days, who in ((0, "first"), (31, "second")):
        kept.note(Note(who, None, "download", "file", file), portal.world.at + timedelta(days=days))
        kept.flush()
    kept.close()
    with portal.database.read() as connection:
        lines = audit.search(connection, limit=1000)
    assert [line.who for line in lines if line.what == "download"] == ["second"]
    assert [line for line in lines if line.what == "put"]


@once
def test_a_thread_writes_without_being_asked(portal: Portal) -> None:
    """Nothing but time passes; a server that is killed loses what came in that time."""
    portal.asking = portal.role(Role.MEMBER)
    portal.get(f"/files/{portal.world.files['hidden']}")
    kept: Sightings = portal.client.app.state.sightings  # type: ignore[attr-defined]
    kept._writer.submit(lambda: None).result(timeout=EVERY + 60)
    with portal.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(table.c.what == "download")) == 1


@once
def test_a_token_without_the_scope_is_refused_with_its_number(portal: Portal) -> None:
    narrow = portal.role(Role.MEMBER, scopes=frozenset({Action.DISCOVER}))
    portal.client.app.dependency_overrides[visitor] = lambda: Visitor(narrow, "M", "token", 1, 9)  # type: ignore[attr-defined]
    assert portal.get(f"/files/{portal.world.files['hidden']}").status_code == 404
    assert [(line.what, line.facts and line.facts["token"]) for line in written(portal)] == [("refuse", 9)]


def test_every_word_that_is_written_can_be_asked_for() -> None:
    """The words of the audit are listed where people choose among them."""
    said = set()
    for file in Path(pancommons.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(call, ast.Call)
                and ast.unparse(call.func) in ("record", "audit.record")
                and len(call.args) > 2
            ):
                said |= {
                    one.value
                    for one in ast.walk(call.args[2])
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    assert said <= {*audit.CHANGES}, "list it in pancommons.catalogue.audit.CHANGES"
    assert len(said) > 15
