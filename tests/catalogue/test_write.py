"""Records go in and come out; again changes nothing; the embargo is changed by rule; what goes leaves a stone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue import ledger, parts
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal, Role, visible
from pancommons.catalogue.opening import change_opening, lift_bounds
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant, principal, revoke
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.read import Found, Tombstone, fetch, file_place, thumbnail
from pancommons.catalogue.records import Dataset, Document, File, Pid, Record, Relation, Sample, Terms, Thumbnail
from pancommons.catalogue.tables import RECORDS, datasets, datasets_text
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import Refused, delete, load, put, put_all
from pancommons.store.engine import Database
from pancommons.store.text import with_substring, with_words
from pancommons.store.words import terms
from tests.catalogue import world

NOW = datetime(2012, 6, 1, tzinfo=UTC)
POLICY = read_policy()
BY = LOCAL_USER


def fill(database: Database, count: int = 120) -> None:
    with database.write() as connection:
        put_techniques(connection, world.techniques(), by=BY, at=NOW)
    load(database, world.records(count), policy=POLICY, by=BY, at=NOW, batch=50)


def found(connection: sa.Connection, kind: str, key: str, who: Principal = BY, at: datetime = NOW) -> Found:
    got = fetch(connection, kind, key, who, at)
    assert isinstance(got, Found)
    return got


def plain(record: Record) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__slots__ if name not in ("terms", "license")}
    for name in ("documents", "samples", "techniques", "keywords", "pids"):
        if name in values:
            values[name] = sorted(set(values[name]), key=str)
    if "files" in values:
        values["files"] = [replace(file, identifier=None) for file in values["files"]]
    return values


def test_what_goes_in_comes_out(database: Database) -> None:
    fill(database)
    with database.read() as connection:
        for record in world.records(120):
            kind = type(record).__name__.lower()
            assert plain(found(connection, kind, record.pid).record) == plain(record)


def test_all_of_a_dataset_comes_out(database: Database) -> None:
    fill(database, 10)
    moment = datetime(2011, 3, 4, 5, 6, 7, 8000, tzinfo=UTC)
    everything = replace(
        world.dataset(3),
        pid="x/ü y",
        end_date=moment,
        keywords=("b", "a"),
        files=(File(root="r", path="a/ü.h5", role="linked", size=1, sha256="0" * 64, mtime=moment, missing=True),),
        relations=(Relation(kind="in collection", target="elsewhere"),),
        pids=(Pid(scheme="doi", value="10.5072/x"),),
        thumbnail=Thumbnail(content=b"\0\xff", media_type="image/webp", width=2, height=1),
        remarks={"title": "derived"},
    )
    with database.write() as connection:
        done = put(connection, everything, policy=POLICY, by=BY, at=NOW)
        assert plain(found(connection, "dataset", done.identifier).record) == plain(everything)
        assert found(connection, "dataset", "10.5072/x").identifier == done.identifier
        assert thumbnail(connection, "x/ü y", BY, NOW) == everything.thumbnail
        assert thumbnail(connection, "x/ü y", ANONYMOUS, NOW) is None
        [file] = found(connection, "dataset", "x/ü y").record.files  # type: ignore[union-attr]
        assert file_place(connection, str(file.identifier), BY, NOW) == file
        assert file_place(connection, str(file.identifier), ANONYMOUS, NOW) is None


def test_again_changes_nothing(database: Database) -> None:
    fill(database)
    with database.read() as connection:
        before = {
            kind: connection.execute(sa.select(table).order_by(table.c.id)).all() for kind, table in RECORDS.items()
        }
    assert (
        load(database, world.records(120), policy=POLICY, by=BY, at=NOW + timedelta(1))["unchanged"]
        == 120 + 30 + 4 + 13
    )
    with database.read() as connection:
        assert before == {
            kind: connection.execute(sa.select(table).order_by(table.c.id)).all() for kind, table in RECORDS.items()
        }


def test_a_change_keeps_what_must_stay(database: Database) -> None:
    fill(database, 10)
    later = NOW + timedelta(days=1)
    with database.write() as connection:
        before = found(connection, "dataset", "dataset/3")
        changed = replace(world.dataset(3), title="entirely different")
        assert put(connection, changed, policy=POLICY, by=BY, at=later).change == "changed"
        after = found(connection, "dataset", "dataset/3")
        assert (after.id, after.identifier, after.public_from) == (before.id, before.identifier, before.public_from)
        assert after.sequence > before.sequence and after.updated_at == later and after.created_at == NOW
        assert after.record.files == before.record.files  # type: ignore[union-attr]
        dialect = connection.dialect.name
        for query in (
            with_words(dialect, datasets_text, terms("differ")),
            with_substring(dialect, datasets_text, "rely DIFF"),
        ):
            assert connection.execute(query).scalars().all() == [after.id]


def test_what_is_not_there_is_named(database: Database) -> None:
    fill(database, 10)
    for change, noun in (
        ({"instrument": "i/x"}, "instrument i/x"),
        ({"samples": ("s/x",)}, "sample s/x"),
        ({"techniques": ("t/x",)}, "technique t/x"),
        ({"terms": Terms(proposal="p/x")}, "proposal p/x"),
        ({"terms": Terms(data_class="secret")}, "secret"),
    ):
        with pytest.raises(BadInput, match=noun), database.write() as connection:
            put(connection, replace(world.dataset(3), pid="new", **change), policy=POLICY, by=BY, at=NOW)
    with pytest.raises(BadInput, match="dataset/3 is there twice"):
        load(database, [world.dataset(3)] * 2, policy=POLICY, by=BY, at=NOW)


def test_a_load_cut_short_goes_on(database: Database) -> None:
    def broken() -> Any:
        for place, record in enumerate(world.records(60)):
            if place == 70:
                raise RuntimeError
            yield record

    with database.write() as connection:
        put_techniques(connection, world.techniques(), by=BY, at=NOW)
    with pytest.raises(RuntimeError):
        load(database, broken(), policy=POLICY, by=BY, at=NOW, batch=16)
    done = load(database, world.records(60), policy=POLICY, by=BY, at=NOW, batch=16)
    assert done == {"unchanged": 64, "added": 36}
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(datasets)).scalar() == 60


def test_sequence_is_in_order_of_change(database: Database) -> None:
    fill(database, 30)
    with database.write() as connection:
        delete(connection, "dataset", "dataset/5", by=BY, at=NOW)
        put(connection, replace(world.dataset(2), title="x"), policy=POLICY, by=BY, at=NOW)
        order = connection.execute(sa.select(datasets.c.pid).order_by(datasets.c.sequence.desc()).limit(2)).scalars()
        assert list(order) == ["dataset/2", "dataset/5"]


def test_a_deleted_record_leaves_a_stone(database: Database) -> None:
    fill(database, 20)
    with database.write() as connection:
        before = found(connection, "dataset", "dataset/8")
        delete(connection, "dataset", "dataset/8", by=BY, at=NOW)
        stone = fetch(connection, "dataset", "dataset/8", ANONYMOUS, NOW)
        assert isinstance(stone, Tombstone) and stone.identifier == before.identifier and stone.deleted_at == NOW
        for table in (parts.files, parts.parameters):
            left = sa.select(sa.func.count()).select_from(table).where(table.c.dataset_id == before.id)
            assert connection.execute(left).scalar() == 0
        again = put(connection, world.dataset(8), policy=POLICY, by=BY, at=NOW)
        assert again.identifier == before.identifier
        assert found(connection, "dataset", "dataset/8").record.files
    with pytest.raises(BadInput, match="no dataset nothing"), database.write() as connection:
        delete(connection, "dataset", "nothing", by=BY, at=NOW)


def test_the_embargo_is_the_policys(database: Database) -> None:
    fill(database, 20)
    with database.write() as connection:
        raw = found(connection, "dataset", "dataset/3", ANONYMOUS)
        assert raw.public_from == raw.record.creation_date.replace(year=2013)  # type: ignore[union-attr]
        assert not raw.record.files and raw.record.parameters  # type: ignore[union-attr]
        assert raw.record.documents == ()  # type: ignore[union-attr]  a proposal is not found before it opens
        opened = found(connection, "dataset", "dataset/3", ANONYMOUS, NOW.replace(year=2014))
        assert opened.record.files and opened.record.documents  # type: ignore[union-attr]


def test_who_may_change_the_embargo(database: Database) -> None:
    fill(database, 20)
    with database.write() as connection:
        for person, role in (("pi", Role.PRINCIPAL_INVESTIGATOR), ("m", Role.MEMBER), ("dm", Role.DATA_MANAGER)):
            grant(connection, person, role, proposal="proposal/0", by=BY, at=NOW)
        pi, member, manager = (principal(connection, person) for person in ("pi", "m", "dm"))
        measured = world.dataset(3).creation_date
        for who, moment in ((member, NOW), (pi, measured.replace(year=2014)), (pi, None), (Principal("x"), NOW)):
            with pytest.raises(Refused):
                change_opening(connection, "dataset", "dataset/3", moment, by=who, at=NOW)
        with pytest.raises(BadInput, match="2015-01-01"):
            change_opening(connection, "dataset", "dataset/3", measured.replace(year=2016), by=manager, at=NOW)
        change_opening(connection, "dataset", "dataset/3", measured.replace(year=2014), by=manager, at=NOW)
        change_opening(connection, "dataset", "dataset/3", NOW, by=pi, at=NOW)
        assert found(connection, "dataset", "dataset/3", ANONYMOUS).record.files  # type: ignore[union-attr]
        told = connection.execute(sa.select(ledger.audit).where(ledger.audit.c.what == "release")).all()
        assert [line.who for line in told] == ["dm", "pi"] and told[1].facts["after"] == "2012-06-01T00:00:00.000Z"
        revoke(connection, "pi", Role.PRINCIPAL_INVESTIGATOR, proposal="proposal/0", by=BY, at=NOW)
        assert principal(connection, "pi") == Principal("pi")


def test_inputs_bound_what_is_derived_until_lifted(database: Database) -> None:
    fill(database, 20)
    open_now = Terms(proposal="proposal/0", open_from=NOW, discoverable_from=NOW, fixed=True)
    result = Dataset(
        pid="result",
        kind="processed",
        title="result",
        creation_date=NOW,
        relations=(Relation(kind="derived from", target="later"),),
        terms=open_now,
    )

    def readable(*pids: str) -> list[str]:
        seen = visible(datasets, ANONYMOUS, Action.READ, NOW)
        return sorted(connection.execute(sa.select(datasets.c.pid).where(datasets.c.pid.in_(pids), seen)).scalars())

    with database.write() as connection:
        put(connection, result, policy=POLICY, by=BY, at=NOW)
        second = replace(result, pid="second", relations=(Relation(kind="derived from", target="result"),))
        put(connection, second, policy=POLICY, by=BY, at=NOW)
        assert readable("result", "second") == ["result", "second"]
        put(connection, replace(world.dataset(3), pid="later"), policy=POLICY, by=BY, at=NOW)
        assert readable("result", "second") == []
        lift_bounds(connection, "result", by=BY, at=NOW)
        assert readable("result", "second") == ["result", "second"]
        put(connection, replace(result, title="renamed"), policy=POLICY, by=BY, at=NOW)
        assert readable("result", "second") == ["result", "second"]
        change_opening(connection, "dataset", "result", NOW + timedelta(1), by=BY, at=NOW)
        assert readable("result", "second") == []
        change_opening(connection, "dataset", "result", NOW, by=BY, at=NOW)
        assert readable("result", "second") == ["result", "second"]
        delete(connection, "dataset", "later", by=BY, at=NOW)
        third = replace(result, pid="third", relations=(Relation(kind="derived from", target="later"),))
        put(connection, third, policy=POLICY, by=BY, at=NOW)
        assert readable("third") == []


def test_who_may_put(database: Database) -> None:
    fill(database, 20)
    with database.write() as connection:
        grant(connection, "m", Role.MEMBER, proposal="proposal/0", by=BY, at=NOW)
        member, stranger = principal(connection, "m"), Principal("s")
        mine = replace(world.dataset(3), pid="mine", terms=Terms(proposal="proposal/0", owner="m"))
        put(connection, mine, policy=POLICY, by=member, at=NOW)
        put(connection, replace(mine, title="better"), policy=POLICY, by=member, at=NOW)
        for record in (
            replace(mine, title="stolen"),
            replace(mine, pid="theirs", terms=Terms(proposal="proposal/0", owner="s")),
            replace(world.dataset(3), title="vandal"),
        ):
            with pytest.raises(Refused):
                put(connection, record, policy=POLICY, by=stranger, at=NOW)
        with pytest.raises(Refused):
            delete(connection, "dataset", "dataset/3", by=member, at=NOW)
        delete(connection, "dataset", "mine", by=member, at=NOW)


def test_names_that_are_not_public_stay_with_the_team(database: Database) -> None:
    fill(database, 20)
    opened = NOW.replace(year=2020)
    with database.write() as connection:
        grant(connection, "m", Role.MEMBER, proposal="proposal/0", by=BY, at=NOW)
        all_of_them = world.records(20)
        expected = next(one for one in all_of_them if isinstance(one, Document)).members
        shown = found(connection, "document", "proposal/0", ANONYMOUS, opened).record
        inside = found(connection, "document", "proposal/0", principal(connection, "m"), NOW).record
        assert isinstance(shown, Document) and isinstance(inside, Document)
        assert shown.members == tuple(one for one in expected if one.public) and inside.members == expected


def test_a_sample_of_a_closed_proposal_is_its_own(database: Database) -> None:
    fill(database, 20)
    with database.write() as connection:
        closed = Terms(proposal="proposal/0", fixed=True)
        put(connection, Sample(pid="secret", name="secret", terms=closed), policy=POLICY, by=BY, at=NOW)
        put(connection, replace(world.dataset(3), samples=("secret",)), policy=POLICY, by=BY, at=NOW)
        assert found(connection, "dataset", "dataset/3", ANONYMOUS).record.samples == ()  # type: ignore[union-attr]
        assert fetch(connection, "sample", "secret", ANONYMOUS, NOW) is None


def test_a_proposal_and_what_its_team_wrote_come_together(database: Database) -> None:
    proposal = Document(pid="p1", type="proposal", title="proposal", terms=Terms(proposal="p1"))
    paper = Document(pid="d1", type="publication", title="paper", terms=Terms(proposal="p1"))
    with database.write() as connection:
        done = put_all(connection, [proposal, paper], policy=POLICY, by=LOCAL_USER, at=NOW)
        assert [one.change for one in done] == ["added", "added"]
        found = fetch(connection, "document", "d1", LOCAL_USER, NOW)
    assert isinstance(found, Found) and found.record.terms.proposal == "p1"
    with database.write() as connection, pytest.raises(BadInput, match="no proposal p2"):
        put_all(
            connection, [replace(paper, pid="d2", terms=Terms(proposal="p2"))], policy=POLICY, by=LOCAL_USER, at=NOW
        )


def test_a_number_past_what_si_can_hold_is_kept_as_it_is_said() -> None:
    huge = parameter("distance", 1e308, "km")
    assert (huge.value, huge.unit, huge.si, huge.dimension) == (1e308, "km", None, None)
