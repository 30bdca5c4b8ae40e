"""The catalogue as VISA's tables: what it holds comes back, and again nothing changes."""

from __future__ import annotations

import csv
import random
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal, Role
from pancommons.catalogue.exchange.formats import import_file
from pancommons.catalogue.exchange.leaving import leaving
from pancommons.catalogue.exchange.visa import TABLES as READ
from pancommons.catalogue.exchange.visa_writing import COLUMNS, export_visa
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant, principal
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Affiliation, Dataset, Document, Instrument, Member, Person, Pid, Record, Terms
from pancommons.catalogue.write import load
from pancommons.store.engine import Database
from tests.catalogue.exchange.test_panosc import AT
from tests.catalogue.exchange.test_visa import bring

PAST = datetime(2020, 1, 1, tzinfo=UTC)
Rows = list[dict[str, str]]


def tables(folder: Path) -> dict[str, Rows]:
    """Read all tables, with other tables' keys replaced by what they name, and in one order."""
    found = {}
    for name in COLUMNS:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            assert tuple(reader.fieldnames or ()) == COLUMNS[name] and set(READ[name]) <= set(COLUMNS[name])
            found[name] = list(reader)
    called = {
        "affiliation_id": {one["id"]: one["name"] for one in found["employer"]} | {"": ""},
        "instrument_id": {one["id"]: one["name"] for one in found["instrument"]},
        "proposal_id": {one["id"]: one["identifier"] for one in found["proposal"]},
    }
    for name, rows in found.items():
        for row in rows:
            for column, names in called.items():
                if column in row:
                    row[column] = names[row[column]]
            if name in ("employer", "instrument", "proposal"):
                del row["id"]
        rows.sort(key=lambda row: sorted(row.items()))
    return found


def contents(database: Database) -> dict[str, Record]:
    with leaving(database, LOCAL_USER, AT) as source:
        return {one.record.pid: one.record for kind in ("instrument", "document") for one in source.found(kind)}


def taken(database: Database, folder: Path) -> None:
    report = import_file(database, folder, facility="ILL", policy=read_policy(), by=LOCAL_USER, at=AT)
    assert (report.refusals, report.changed) == ([], 0)


def held(record: Record) -> object:
    """Leave of a record what VISA has a place for; people without order."""
    if isinstance(record, Instrument):
        return record.name
    assert isinstance(record, Document)
    people = {
        (one.person.pid, one.person.full_name, one.affiliation and (one.affiliation.name, one.affiliation.city))
        for one in record.members
        if one.person
    }
    return (
        record.type, record.title, record.summary, record.doi, record.pids, record.terms.proposal, people,
        record.terms.open_from, record.start_date, record.end_date, record.parameters,
    )  # fmt: skip


def generated(seed: int, count: int) -> Iterator[Record]:
    """Make proposals of one to three experiments; every third experiment names none of its people itself."""
    chance = random.Random(seed)
    for number in range(5):
        yield Instrument(pid=f"ill:d{number}", name=f"D{number}", facility="ILL")
    people = []
    for number in range(30):
        institute = Affiliation(
            pid=f"affiliation:i{number % 7}", name=f"I, {number % 7}", city="Ö" * (number % 2) or None
        )
        first, last = (f"Ada {number}", 'Lö "x"') if number % 2 else (None, None)
        name = f"{first} {last}" if first else f"Bo, {number}"
        person = Person(pid=f"u{number}", full_name=name, first_name=first, last_name=last)
        people.append(Member(person=person, affiliation=institute if number % 5 else None, role="member"))
    for number in range(count):
        team = tuple(chance.sample(people, chance.randint(1, 4)))
        opens = PAST + timedelta(hours=chance.randrange(10**5))
        yield Document(
            pid=f"p/{number}", type="proposal", title=f"Why, {number}?\nBecause", members=team,
            summary="=1+1" if number % 2 else None, doi=f"10.5072/{number}" if number % 3 else None,
            terms=Terms(open_from=opens, discoverable_from=opens, fixed=True),
        )  # fmt: skip
        for part in range(chance.randint(1, 3)):
            yield Document(
                pid=f"p/{number}/{part}", type="experiment", title=f"e {part}", members=team if part < 2 else (),
                start_date=PAST, end_date=PAST + timedelta(days=1) if part else None,
                parameters=(parameter("instrument", f"D{chance.randrange(5)}"),),
                pids=(Pid(scheme="url", value=f"https://ill.example/{number}/{part}"),),
                terms=Terms(
                    proposal=f"p/{number}", data_class="proposal", open_from=opens, discoverable_from=opens, fixed=True
                ),
            )  # fmt: skip


def test_what_comes_back_is_what_went_out(new_database: Callable[[], Database], tmp_path: Path) -> None:
    one, other = new_database(), new_database()
    load(one, generated(5, 280), policy=read_policy(), by=LOCAL_USER, at=AT)
    shown: list[tuple[int, int]] = []
    count = export_visa(
        one, tmp_path / "all", principal=LOCAL_USER, at=AT, show=lambda done, total: shown.append((done, total))
    )
    before = contents(one)
    assert count == len(before) > 780 and shown[-1] == (count, count)
    taken(other, tmp_path / "all")
    after = contents(other)
    assert set(after) == set(before)
    named = {one.pid: one.terms.proposal for one in before.values() if isinstance(one, Document)}
    for pid, record in before.items():
        team = before[named[pid] or pid] if pid in named else None
        if isinstance(record, Document) and not record.members and isinstance(team, Document):
            assert held(after[pid])[:6] == held(record)[:6]  # type: ignore[index]
        else:
            assert held(after[pid]) == held(record), pid
    export_visa(other, tmp_path / "again", principal=LOCAL_USER, at=AT)
    assert tables(tmp_path / "again") == tables(tmp_path / "all")


def test_tables_that_were_read_are_written_again(new_database: Callable[[], Database], tmp_path: Path) -> None:
    one, two, three = new_database(), new_database(), new_database()
    (tmp_path / "given").mkdir()
    bring(one, tmp_path / "given")
    export_visa(one, tmp_path / "first", principal=LOCAL_USER, at=AT)
    first = tables(tmp_path / "first")
    users = {(row["id"], row["first_name"], row["last_name"], row["affiliation_id"]) for row in first["users"]}
    assert users == {("u1", "Ada", "Lö", "ILL"), ("u2", "", "Bo", ""), ("u3", "", "u3", "")}
    assert len(first["users"]) == 3
    assert first["user_role"] == [{"user_id": "u3", "role_id": "1", "expires_at": ""}]
    assert first["instrument_scientist"] == [{"instrument_id": "D11", "user_id": "u3"}]
    assert len(first["experiment_user"]) == 3
    taken(two, tmp_path / "first")
    export_visa(two, tmp_path / "second", principal=LOCAL_USER, at=AT)
    assert tables(tmp_path / "second") == first
    taken(three, tmp_path / "second")
    assert contents(three) == contents(two)
    again = import_file(two, tmp_path / "second", facility="ILL", policy=read_policy(), by=LOCAL_USER, at=AT)
    assert (again.added, again.changed, again.refused) == (0, 0, 0)
    with two.read() as connection:
        assert principal(connection, "u3").everywhere == {Role.ADMINISTRATOR}
        assert set(principal(connection, "u2").proposals) == {Role.MEMBER}


def small() -> list[Record]:
    """Make an open proposal with an experiment that is not, and one of a hidden proposal."""
    ada = Member(person=Person(pid="ada", full_name="Ada"), role="principal investigator", public=True)
    bo, cy = (Member(person=Person(pid=name, full_name=name.title()), role="member") for name in ("bo", "cy"))
    at = (parameter("instrument", "D1"),)
    open_, closed = Terms(open_from=PAST, discoverable_from=PAST, fixed=True), Terms(fixed=True)
    mine = Terms(proposal="open", open_from=PAST, discoverable_from=PAST, fixed=True)
    theirs = Terms(proposal="closed", fixed=True)
    return [
        Instrument(pid="d1", name="D1", facility="ILL"),
        Document(pid="open", type="proposal", title="seen", members=(ada, bo), terms=open_),
        Document(pid="e1", type="experiment", title="first", members=(bo,), parameters=at, terms=mine),
        Document(pid="e2", type="experiment", title="no place", terms=mine),
        Document(pid="closed", type="proposal", title="hidden", members=(cy,), summary="s" * 140_000, terms=closed),
        Document(pid="e3", type="experiment", title="hidden", members=(cy,), parameters=at, terms=theirs),
        Document(pid="10.1/x", type="publication", title="other", members=(cy,), terms=open_),
        Dataset(pid="d", kind="raw", title="data", creation_date=PAST, members=(cy,), terms=open_),
    ]  # fmt: skip


def test_only_what_somebody_may_have_goes_out(database: Database, tmp_path: Path) -> None:
    load(database, small(), policy=read_policy(), by=LOCAL_USER, at=AT)
    with database.write() as connection:
        grant(connection, "boss", Role.ADMINISTRATOR, by=LOCAL_USER, at=AT)
        grant(connection, "cy", Role.INSTRUMENT_SCIENTIST, instrument="d1", by=LOCAL_USER, at=AT)
        grant(connection, "ada", Role.PRINCIPAL_INVESTIGATOR, proposal="open", by=LOCAL_USER, at=AT)
    assert export_visa(database, tmp_path / "public", principal=ANONYMOUS, at=AT) == 3
    public = tables(tmp_path / "public")
    assert [one["id"] for one in public["users"]] == ["ada"], "Bo's name is not public"
    assert public["experiment_user"] == [{"experiment_id": "e1", "user_id": "ada"}]
    assert public["user_role"] == public["instrument_scientist"] == []
    assert [(one["identifier"], one["public_at"]) for one in public["proposal"]] == [
        ("open", "2020-01-01T00:00:00.000Z")
    ]
    assert export_visa(database, tmp_path / "all", principal=LOCAL_USER, at=AT) == 5
    every = tables(tmp_path / "all")
    assert {one["id"]: one["last_name"] for one in every["users"]} == {
        "ada": "Ada",
        "bo": "Bo",
        "cy": "Cy",
        "boss": "boss",
    }
    assert [one["user_id"] for one in every["user_role"]] == ["boss"]
    assert [one["user_id"] for one in every["instrument_scientist"]] == ["cy"]
    assert {one["id"] for one in every["experiment"]} == {"e1", "e3"}, "e2 was done at no instrument"
    assert {one["public_at"] for one in every["proposal"] if one["identifier"] == "closed"} == {""}
    assert {one["summary"] for one in every["proposal"]} == {""}, "readers of CSV take no longer field"
    with database.read() as connection:
        insider: Principal = principal(connection, "ada")
    export_visa(database, tmp_path / "mine", principal=insider, at=AT)
    mine = tables(tmp_path / "mine")
    assert [one["id"] for one in mine["users"]] == ["ada", "bo"] and mine["user_role"] == []


def test_a_proposal_is_public_when_the_last_of_its_experiments_is(
    new_database: Callable[[], Database], tmp_path: Path
) -> None:
    later = AT + timedelta(days=9)
    for name, since, expected in (("late", later, "2026-11-30T00:00:00.000Z"), ("never", None, "")):
        one, terms = new_database(), Terms(proposal="open", open_from=since, discoverable_from=since, fixed=True)
        kept = Document(
            pid="e9", type="experiment", title="kept", parameters=(parameter("instrument", "D1"),), terms=terms
        )
        load(one, [*small()[:3], kept], policy=read_policy(), by=LOCAL_USER, at=AT)
        export_visa(one, tmp_path / name, principal=LOCAL_USER, at=AT)
        assert [row["public_at"] for row in tables(tmp_path / name)["proposal"]] == [expected]


def test_a_zip_or_a_folder_and_nothing_else(database: Database, tmp_path: Path) -> None:
    load(database, small(), policy=read_policy(), by=LOCAL_USER, at=AT)
    export_visa(database, tmp_path / "all.zip", principal=LOCAL_USER, at=AT)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == [f"{name}.csv" for name in COLUMNS]
        archive.extractall(tmp_path / "out of it")
    for _ in range(2):
        export_visa(database, tmp_path / "folder", principal=LOCAL_USER, at=AT)
    assert tables(tmp_path / "folder") == tables(tmp_path / "out of it")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(BadInput, match="is no folder"):
        export_visa(database, tmp_path / "file", principal=LOCAL_USER, at=AT)
    assert (tmp_path / "file").read_text() == "kept"
    assert {one.name for one in tmp_path.iterdir() if not one.name.startswith("catalogue-")} == {
        "all.zip",
        "out of it",
        "folder",
        "file",
    }, "nothing is left over"
