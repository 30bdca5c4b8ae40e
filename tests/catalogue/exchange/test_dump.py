"""A dump is all of a database: restored on either kind of server, every row of every table is the same."""

from __future__ import annotations

import gzip
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.exchange.dump import dump, head, kept, restore
from pancommons.catalogue.ledger import counters
from pancommons.catalogue.opening import change_opening
from pancommons.catalogue.people import accounts, sessions, tokens
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Dataset, Pid, Terms, Thumbnail
from pancommons.catalogue.tables import TEXTS
from pancommons.catalogue.tables import datasets as dataset_table
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import delete, load, put
from pancommons.runs.tables import run_inputs, runs
from pancommons.store.engine import Database, open_database
from pancommons.store.schema import METADATA
from pancommons.store.text import with_substring, with_words
from tests.catalogue import world

AT = datetime(2026, 11, 21, tzinfo=UTC)
KINDS = ("sqlite", "postgresql")


@pytest.fixture
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Give a function that makes a database of a kind, with all tables and nothing in them."""
    opened: list[Database] = []

    def make(kind: str) -> Database:
        if kind == "sqlite":
            file = tmp_path / f"{len(opened)}.db"
            shutil.copy(request.getfixturevalue("empty_sqlite"), file)
            url = f"sqlite:///{file}"
        else:
            url = request.getfixturevalue("postgresql").new(request.getfixturevalue("empty_postgresql"))
        opened.append(open_database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


def fill(database: Database, datasets: int = 60) -> None:
    """Put something into every table."""
    policy = read_policy()
    with database.write() as connection:
        put_techniques(connection, world.techniques(), by=LOCAL_USER, at=AT)
    load(database, world.records(datasets, seed=3), policy=policy, by=LOCAL_USER, at=AT)
    special = Dataset(
        pid="special", kind="simulated", title="Grüße \U0001f52c “quoted” \\ line\nend", creation_date=AT,
        parameters=(parameter("tiny", 5e-324, "m"), parameter("third", 1 / 3), parameter("text", "ä\tb")),
        keywords=("a",), pids=(Pid(scheme="doi", value="10.1/x"),), size=2**62,
        thumbnail=Thumbnail(content=bytes(range(256)), media_type="image/png", width=1, height=2),
        remarks={"a": [1, 1.5, None, "ß"]}, terms=Terms(proposal="proposal/0", owner="ada"),
    )  # fmt: skip
    with database.write() as connection:
        put(connection, special, policy=policy, by=LOCAL_USER, at=AT)
        delete(connection, "dataset", "dataset/3", by=LOCAL_USER, at=AT + timedelta(days=1))
        change_opening(connection, "dataset", "dataset/8", datetime(2012, 1, 1, tzinfo=UTC), by=LOCAL_USER, at=AT)
        grant(connection, "ada", Role.MEMBER, proposal="proposal/0", by=LOCAL_USER, at=AT)
        grant(connection, "bo", Role.INSTRUMENT_SCIENTIST, instrument="instrument/1", by=LOCAL_USER, at=AT)
        grant(connection, "cy", Role.ADMINISTRATOR, by=LOCAL_USER, at=AT)
        account = {"id": 7, "person": "https://idp.example#ada", "issuer": "https://idp.example", "subject": "ada"}
        connection.execute(sa.insert(accounts).values(**account, entitlements=["a"], created_at=AT, signed_in_at=AT))
        held = {"account_id": 7, "created_at": AT}
        connection.execute(
            sa.insert(sessions).values(
                id=8, digest="SECRET-OF-A-SESSION", provider="p", sealed="i", seen_at=AT, ends_at=AT, **held
            )
        )
        connection.execute(
            sa.insert(tokens).values(id=9, digest="SECRET-OF-A-TOKEN", name="n", scopes=["read"], expires_at=AT, **held)
        )
        run = {"id": 10, "identifier": "r", "person": "ada", "pipeline": "strips", "version": "1", "title": "t"}
        run |= {"parameters": {"a": 1}, "preview": False, "digest": "d", "folder": "2026/11/r", "alone": False}
        run |= {"seconds": 1.0, "memory": 1, "disk": 1, "allowed": 1, "state": "done", "created": AT, "queued": AT}
        run |= {"line": 0, "tries": 0, "to_register": False, "to_tell": 0}
        connection.execute(sa.insert(runs).values(**run))
        first = connection.execute(sa.select(sa.func.min(dataset_table.c.id))).scalar_one()
        told = {"run_id": 10, "role": "vector", "position": 0, "dataset_id": first, "file": "f", "name": "n"}
        connection.execute(sa.insert(run_inputs).values(**told))


def rows(database: Database, table: sa.Table) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        found = connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()
    return [tuple(v for k, v in row._mapping.items() if k != "vector") for row in found]


def vectors(database: Database) -> list[Any]:
    with database.read() as connection:
        return [
            connection.execute(sa.select(index.table.c.id, index.table.c.vector).order_by(index.table.c.id)).all()
            for index in TEXTS.values()
        ]


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_every_row_of_every_table_is_the_same(
    new: Callable[[str], Database], tmp_path: Path, source: str, target: str
) -> None:
    one, other = new(source), new(target)
    fill(one)
    shown: list[tuple[int, int]] = []
    made = dump(one, tmp_path / "all.gz", lambda done, total: shown.append((done, total)))
    assert restore(other, tmp_path / "all.gz") == made == head(tmp_path / "all.gz")
    for table in kept():
        there = rows(one, table)
        assert there or table.name == "guards", f"nothing in {table.name} to compare"
        assert rows(other, table) == there, table.name
        assert made.rows[table.name] == len(there)
    assert rows(one, METADATA.tables["guards"])
    assert shown[-1] == (made.total, made.total)
    if source == target == "postgresql":
        assert vectors(one) == vectors(other)
    dump(other, tmp_path / "again.gz")
    assert (tmp_path / "again.gz").read_bytes() == (tmp_path / "all.gz").read_bytes()


@pytest.mark.parametrize("target", KINDS)
def test_what_is_restored_goes_on(new: Callable[[str], Database], tmp_path: Path, target: str) -> None:
    one, other = new("sqlite"), new(target)
    fill(one)
    dump(one, tmp_path / "all.gz")
    restore(other, tmp_path / "all.gz")
    with other.read() as connection:
        index, found = TEXTS["dataset"], {}
        for name, query in (
            ("words", with_words(target, index, ["quot"])),
            ("grams", with_substring(target, index, "grüße")),
        ):
            found[name] = connection.execute(query).scalars().all()
    assert len(found["words"]) == len(found["grams"]) == 1
    again = load(other, world.records(60, seed=3), policy=read_policy(), by=LOCAL_USER, at=AT)
    assert again["added"] == 0 and again["unchanged"] > 60
    assert load(other, [world.dataset(60, 3)], policy=read_policy(), by=LOCAL_USER, at=AT)["added"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_dump_is_of_one_moment_while_others_write(new: Callable[[str], Database], tmp_path: Path, kind: str) -> None:
    one, other = new(kind), new("sqlite")
    fill(one)
    begun, gone_on = threading.Event(), threading.Event()

    def write() -> None:
        begun.wait(30)
        more = (world.dataset(number, 3) for number in range(60, 70))
        load(one, more, policy=read_policy(), by=LOCAL_USER, at=AT)
        gone_on.set()

    writer = threading.Thread(target=write)
    writer.start()
    before = {table.name: rows(one, table) for table in kept()}

    def show(done: int, total: int) -> None:
        begun.set()
        gone_on.wait(10)

    import pancommons.catalogue.exchange.dump as module

    module._BATCH, batch = 50, module._BATCH
    try:
        dump(one, tmp_path / "all.gz", show)
    finally:
        module._BATCH = batch
        begun.set()
        writer.join()
    restore(other, tmp_path / "all.gz")
    assert {table.name: rows(other, table) for table in kept()} == before
    assert len(rows(one, METADATA.tables["datasets"])) > len(before["datasets"])


def test_only_an_empty_database_is_filled(database: Database, tmp_path: Path) -> None:
    fill(database, 12)
    dump(database, tmp_path / "all.gz")
    with pytest.raises(BadInput, match="not empty"):
        restore(database, tmp_path / "all.gz")


def test_a_file_that_is_not_there_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        restore(database, tmp_path / "none.gz")


def lines(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def packed(several: list[bytes]) -> bytes:
    return gzip.compress(b"".join(several))


def replaced(file: Path, old: bytes, new: bytes) -> bytes:
    return packed([line.replace(old, new) for line in lines(file)])


def test_sessions_and_tokens_stay_out_of_a_dump(new: Callable[[str], Database], tmp_path: Path) -> None:
    one, other = new("sqlite"), new("sqlite")
    fill(one, 12)
    assert rows(one, sessions) and rows(one, tokens)
    dump(one, tmp_path / "all.gz")
    assert b"SECRET" not in gzip.decompress((tmp_path / "all.gz").read_bytes())
    restore(other, tmp_path / "all.gz")
    assert len(rows(other, accounts)) == 1
    assert rows(other, sessions) == rows(other, tokens) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: file.read_bytes()[:-100], "cut short"),
        (lambda file: b"not gzip", "damaged"),
        (lambda file: packed(lines(file)[:-1]), "cut short"),
        (lambda file: replaced(file, b"Beamline", b"Beamlime"), "changed"),
        (lambda file: packed([*lines(file)[:40], *lines(file)[41:]]), "rows and not"),
        (
            lambda file: packed([re.sub(rb'"revision":"\d+"', b'"revision":"9999"', line) for line in lines(file)]),
            "9999",
        ),
        (lambda file: replaced(file, b'"table":"audit"', b'"table":"auditt"'), "knows no table"),
        (lambda file: packed([*lines(file), b"[]\n"]), "goes on"),
        (lambda file: packed([b"[" * 10**6 + b"\n"]), "no JSON"),
        (lambda file: packed([b'{"pancommons-dump": 2}\n']), "no dump"),
    ],
)
def test_a_damaged_dump_leaves_the_database_empty(
    new: Callable[[str], Database], tmp_path: Path, change: Callable[[Path], bytes], problem: str
) -> None:
    one, other = new("sqlite"), new("sqlite")
    fill(one, 12)
    dump(one, tmp_path / "all.gz")
    (tmp_path / "all.gz").write_bytes(change(tmp_path / "all.gz"))
    with pytest.raises(BadInput, match=problem):
        restore(other, tmp_path / "all.gz")
    assert not any(rows(other, table) for table in METADATA.sorted_tables if table is not counters)
    assert rows(other, counters) == [("id", 0), ("sequence", 0)]
