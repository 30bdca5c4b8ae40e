"""Notes of who saw what become lines of the audit: once, soon, within bounds, and for some time."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, OperationalError

import pancommons
from pancommons.catalogue import audit
from pancommons.catalogue.access import LOCAL_USER, Action, Resource
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import fetch
from pancommons.catalogue.readers import readers
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.tables import datasets
from pancommons.catalogue.write import put
from pancommons.server import sighted, sightings
from pancommons.server.sighted import Note, Recognised
from pancommons.server.sightings import EVERY, WINDOW, Sightings
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.store.engine import Database

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPEN, CLOSED = Terms(open_from=AT, discoverable_from=AT, fixed=True), Terms(fixed=True)
ADA = "https://idp.example#ada"


@dataclass
class Kept:
    """Notes, the database that they are written to, and files by the names of their datasets."""

    database: Database
    sightings: Sightings
    files: dict[str, str]

    def saw(self, name: str, who: str = ADA, *, after: timedelta = timedelta(0)) -> None:
        """Let somebody download the file of a dataset."""
        self.sightings.note(Note(who, None, "download", "file", self.files[name]), AT + after)

    def lines(self, **asked: str) -> list[audit.Line]:
        """Write what is noted and return what was seen, the newest first."""
        self.sightings.flush()
        with self.database.read() as connection:
            found = audit.search(connection, limit=1000, **asked)  # type: ignore[arg-type]
        return [line for line in found if line.what in audit.SEEN]


@pytest.fixture
def kept(database: Database) -> Iterator[Kept]:
    files = {}
    with database.write() as connection:
        note_sign_in(connection, Identity("https://idp.example", "ada", "Ada Lovelace", "ada@example.org"), AT)
        for name, terms in (("open", OPEN), ("closed", CLOSED), ("other", CLOSED)):
            parts = (File(root="data", path=f"{name}.nxs"), File(root="data", path=f"{name}-2.nxs"))
            made = Dataset(pid=name, kind="raw", title=name, creation_date=AT, terms=terms, files=parts)
            done = put(connection, made, policy=read_policy(), by=LOCAL_USER, at=AT)
            record = fetch(connection, "dataset", done.identifier, LOCAL_USER, AT).record  # type: ignore[union-attr]
            files |= {Path(one.path).stem: str(one.identifier) for one in record.files}  # type: ignore[union-attr]
    noted = Sightings(database, 30)
    yield Kept(database, noted, files)
    noted.close()


once = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


def test_the_same_again_within_ten_minutes_is_one_line(kept: Kept) -> None:
    for seconds in (0, 1, 2):
        kept.saw("closed", after=timedelta(seconds=seconds))
    assert len(kept.lines()) == 1
    for minutes, lines in ((5, 1), (WINDOW.total_seconds() / 60 + 1, 2)):
        kept.saw("closed", after=timedelta(minutes=minutes))
        assert len(kept.lines()) == lines


def test_files_of_one_dataset_stand_in_one_line(kept: Kept) -> None:
    kept.saw("closed")
    kept.saw("closed-2")
    kept.sightings.note(Note(ADA, None, "download", "place", "data\0other.nxs"), AT)
    kept.sightings.note(Note(ADA, None, "download", "place", "data\0open.nxs"), AT)
    kept.saw("closed", "https://idp.example#eve")
    assert sorted((line.who, [*(line.facts or {})["files"].values()]) for line in kept.lines()) == [
        (ADA, ["closed.nxs", "closed-2.nxs"]),
        (ADA, ["other.nxs"]),
        ("https://idp.example#eve", ["closed.nxs"]),
    ]
    for about, count in (("closed", 2), (kept.files["closed-2"], 1), (kept.files["other"], 1), (kept.files["open"], 0)):
        assert len(kept.lines(about=about)) == count, about


@once
def test_names_of_files_are_for_those_who_may_have_them(kept: Kept) -> None:
    kept.saw("closed")
    [line] = kept.lines()
    assert audit.shown_to(LOCAL_USER, None) is None and audit.shown_to(LOCAL_USER, line.facts) == line.facts
    for scopes, told in (({Action.READ}, "closed.nxs"), ({Action.ADMINISTER, Action.PUBLISH}, kept.files["closed"])):
        holder = replace(LOCAL_USER, scopes=frozenset(scopes | {Action.PUBLISH}))
        shown = audit.shown_to(holder, line.facts) or {}
        assert told in (shown["files"].values() if isinstance(shown["files"], dict) else shown["files"])
        about = Resource()
        with kept.database.read() as connection:
            [seen] = readers(connection, str(line.identifier), about, holder, AT) or []
        assert seen.files == (told,)


def test_how_to_ask(kept: Kept) -> None:
    kept.saw("closed")
    kept.sightings.note(Note("anonymous", None, "download", "dataset", "closed", refused=True), AT)
    for who in (ADA, "lovelace", "ADA@EXAMPLE"):
        assert [line.what for line in kept.lines(who=who)] == ["download"], who
    assert [line.what for line in kept.lines(who="anonymous")] == ["refuse"]
    assert [line.what for line in kept.lines(what="reads")] == ["download"]
    assert kept.lines(what="changes") == kept.lines(who="\0") == kept.lines(about="\0") == []
    with kept.database.read() as connection:
        assert {line.what for line in audit.search(connection, what="changes")} == {"adopt", "put"}
        assert audit.search(connection, what="reads", until=AT) == []
        assert len(audit.search(connection, what="reads", since=AT)) == 1


def test_what_closes_again_is_written_down_at_once(kept: Kept) -> None:
    """That data were open a moment ago is not remembered."""
    kept.saw("open")
    assert kept.lines() == []
    with kept.database.write() as connection:
        closed = sa.update(datasets).where(datasets.c.pid == "open")
        connection.execute(closed.values(open_from=None, public_from=None))
    kept.saw("open")
    assert [line.what for line in kept.lines()] == ["download"]


@once
def test_nothing_is_lost_while_nobody_can_write(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.saw("closed")
    with monkeypatch.context() as broken:

        def locked(_self: Database) -> None:
            raise OperationalError("BEGIN", None, Exception("database is locked"))

        broken.setattr(Database, "write", locked)
        kept.sightings.flush()
    kept.sightings.close()
    with kept.database.read() as connection:
        assert len(audit.search(connection, what="reads")) == 1


@once
def test_a_note_that_the_database_does_not_take_keeps_no_other_from_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recognise(connection: Connection, notes: Mapping[Note, datetime]) -> Recognised:
        if any(note.key == "poison" for note in notes):
            raise DataError("SELECT", None, Exception("no text"))
        return sighted.recognise(connection, notes)

    monkeypatch.setattr(sightings, "recognise", recognise)
    kept.sightings.note(Note(ADA, None, "download", "file", "poison"), AT)
    kept.saw("closed")
    assert [line.what for line in kept.lines()] == ["download"]
    kept.saw("other")
    assert [line.what for line in kept.lines()] == ["download"] * 2


@once
def test_a_flood_of_refusals_is_bounded_and_says_so(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given is noted beside what is refused: guessing does not push it out."""
    monkeypatch.setattr(sightings, "MOST", {False: 50_000, True: 10})
    for number in range(50):
        kept.sightings.note(Note("anonymous", None, "download", "file", f"guessed-{number}", refused=True), AT)
    kept.saw("closed")
    lines = kept.lines()
    assert sorted(line.what for line in lines) == ["download", "overlook"]
    assert [line.facts for line in lines if line.what == "overlook"] == [{"seen": 0, "refused": 40}]


@once
def test_what_was_seen_is_forgotten_in_time_and_what_was_changed_is_not(kept: Kept) -> None:
    kept.saw("closed", "first")
    assert len(kept.lines()) == 1
    kept.saw("closed", "second", after=timedelta(days=31))
    assert [line.who for line in kept.lines()] == ["second"]
    with kept.database.read() as connection:
        assert len(audit.search(connection, what="put")) == 3


@once
def test_a_thread_writes_without_being_asked(kept: Kept) -> None:
    """Nothing but a little time passes; what a server that is killed has not written is what came in it."""
    kept.saw("closed")
    kept.sightings._writer.submit(lambda: None).result(timeout=EVERY + 60)
    with kept.database.read() as connection:
        assert len(audit.search(connection, what="reads")) == 1


def test_every_word_that_is_written_can_be_asked_for() -> None:
    """The words of the audit are listed where people choose among them."""
    said = set()
    for file in Path(pancommons.__file__).parent.rglob("*.py"):
        text = file.read_text()
        for call in ast.walk(ast.parse(text)) if "record(" in text else ():
            if not isinstance(call, ast.Call) or ast.unparse(call.func) not in ("record", "audit.record"):
                continue
            told = [value.value for one in call.args[2:3] for value in ast.walk(one) if isinstance(value, ast.Constant)]
            said |= {one for one in told if isinstance(one, str)}
    assert said <= {*audit.CHANGES}, "list it in pancommons.catalogue.audit.CHANGES"
    assert len(said) > 15
