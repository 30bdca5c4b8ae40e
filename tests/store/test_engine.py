"""Opening, reading from one state, writing in turns, and stopping what takes too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pancommons.base.errors import BadInput
from pancommons.catalogue.ledger import counters, take
from pancommons.store.engine import Database, TookTooLong, open_database
from pancommons.store.migrate import upgrade, version
from pancommons.store.schema import METADATA, floor, instant_text


def test_the_database_is_under_home_unless_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path))
    database = open_database()
    assert version(database) is None
    assert upgrade(database)[0] is None
    assert (tmp_path / "pancommons.db").exists()
    monkeypatch.setenv("PANCOMMONS_DATABASE", f"sqlite:///{tmp_path}/other.db")
    assert Path(str(open_database().reader.url.database)).name == "other.db"


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "postgres+x://y"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="database"):
        open_database(url)


def test_migrating_gives_the_declared_tables(database: Database) -> None:
    def ours(thing: sa.schema.SchemaItem, name: str | None, kind: str, reflected: bool, _compared: object) -> bool:
        if isinstance(thing, sa.Index) and (only := getattr(thing, "_ddl_if", None)):
            return bool(only.dialect == database.dialect)
        virtual = kind == "table" and reflected and ("_text_words" in str(name) or "_text_grams" in str(name))
        return not virtual

    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert compare_metadata(context, METADATA) == []


def test_upgrading_again_changes_nothing(database: Database) -> None:
    before, after = upgrade(database)
    assert before == after == version(database)


def test_a_database_of_a_later_release_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="9999"):
        upgrade(database)


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        take(connection, "id", 5)
        raise RuntimeError
    with database.write() as connection:
        assert list(take(connection, "id", 2)) == [1, 2]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        take(connection, "id", 1)


def test_a_reader_sees_one_state(database: Database) -> None:
    value = sa.select(counters.c.value).where(counters.c.name == "id")
    with database.read() as reader:
        before = reader.execute(value).scalar_one()
        with database.write() as writer:
            take(writer, "id", 7)
        assert reader.execute(value).scalar_one() == before
    with database.read() as reader:
        assert reader.execute(value).scalar_one() == before + 7


def test_writers_take_turns(database: Database) -> None:
    taken: list[int] = []

    def write() -> None:
        for _ in range(20):
            with database.write() as connection:
                taken.extend(take(connection, "sequence", 3))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 241))


def test_what_takes_too_long_is_stopped(database: Database) -> None:
    endless = sa.text(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT max(x) FROM n"
    )
    with pytest.raises(TookTooLong, match=r"0\.2 s"), database.read(seconds=0.2) as connection:
        connection.execute(endless)
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1


def test_two_databases_are_apart(new_database: Callable[[], Database]) -> None:
    one, other = new_database(), new_database()
    with one.write() as connection:
        take(connection, "id", 5)
    with other.write() as connection:
        assert take(connection, "id", 1)[0] == 1


def test_moments_are_text_in_utc() -> None:
    moment = datetime(2020, 5, 5, 17, 1, 2, 341_999, tzinfo=timezone(timedelta(hours=2)))
    assert instant_text(moment) == "2020-05-05T15:01:02.341Z"
    assert floor(moment) == datetime(2020, 5, 5, 15, 1, 2, 341_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        instant_text(datetime(2020, 5, 5))
