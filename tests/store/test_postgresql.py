"""Transactions of PostgreSQL: what they are, how many messages they take, and that a restart troubles nobody."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.ledger import reached, take
from pancommons.store.engine import Database, TookTooLong, open_database
from pancommons.store.postgresql import sent
from tests.databases import Cluster

_SHOWN = ("transaction_isolation", "transaction_read_only", "statement_timeout", "plan_cache_mode")
_FORCED = "force_custom_plan"


@pytest.fixture
def database(postgresql: Cluster, empty_postgresql: str) -> Iterator[Database]:
    """Give a database of PostgreSQL with all tables."""
    url = postgresql.new(empty_postgresql)
    opened = open_database(url)
    yield opened
    opened.close()
    postgresql.drop(url)


def shown(connection: Connection) -> tuple[str, ...]:
    return tuple(connection.execute(sa.text(f"SHOW {name}")).scalar_one() for name in _SHOWN)


def test_a_transaction_is_what_was_asked_for(database: Database) -> None:
    for _ in range(7):  # from the fifth time on the driver would prepare what it is sent
        with database.read(1.5, by_key=True) as connection:
            assert shown(connection) == ("repeatable read", "on", "1500ms", "auto")
        with database.read() as connection:
            assert shown(connection) == ("repeatable read", "on", "0", _FORCED)
        with database.read(0.2) as connection:
            assert shown(connection) == ("repeatable read", "on", "200ms", _FORCED)
        with database.write() as connection:
            assert shown(connection) == ("read committed", "off", "0", _FORCED)
    assert database.reader.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_a_transaction_takes_no_more_messages_than_it_needs(database: Database) -> None:
    def work() -> None:
        for _ in range(7):
            with database.read(3) as connection:
                reached(connection)
            with database.write() as connection:
                take(connection, "id", 1)

    work()  # until statements are prepared, which takes a message once
    with tempfile.TemporaryFile() as file:
        with database.read() as connection:
            driver: Any = connection.connection.driver_connection
        driver.pgconn.trace(file.fileno())
        work()
        driver.pgconn.untrace()
        file.seek(0)
        told = file.read().decode()
    assert len(re.findall(r"\tF\t\d+\t(?:Query|Sync)\b", told)) == 7 * (3 + 3), "begun, asked, committed"


def fails(database: Database) -> None:
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1 / 0"))


def is_given_up(database: Database) -> None:
    with database.read(), database.write() as connection:
        take(connection, "id", 1)
        raise RuntimeError


def takes_too_long(database: Database) -> None:
    with database.read(0.01) as connection:
        connection.execute(sa.text("SELECT pg_sleep(30)"))


@pytest.mark.parametrize(
    ("ends", "error"), [(fails, sa.exc.DataError), (is_given_up, RuntimeError), (takes_too_long, TookTooLong)]
)
def test_no_connection_stays_in_a_transaction(
    database: Database, ends: Callable[[Database], None], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ends(database)
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
    with database.read() as connection:
        assert connection.execute(sa.text(query)).scalar_one() == 1, "but the one that asks"


def lose(database: Database, count: int) -> None:
    """Let the server end all of so many connections, as when it is restarted."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(database.read())
    ending = open_database(database.reader.url.render_as_string(hide_password=False))
    every = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with ending.write() as connection:
        ended = connection.execute(sa.text(f"SELECT pg_terminate_backend(pid, 10000) {every}")).scalars().all()
    ending.close()
    assert ended == [True] * count


def test_nobody_notices_that_connections_were_lost(database: Database) -> None:
    lose(database, 5)
    with database.read(2) as connection:
        reached(connection)
    with database.write() as connection:
        assert list(take(connection, "id", 2)) == [1, 2]
    lose(database, 5)
    with database.write() as connection:
        assert list(take(connection, "id", 2)) == [3, 4]
    lose(database, 5)
    database.analyse()
    lose(database, 12)

    def read(_: int) -> int:
        with database.read(2, by_key=True) as connection:
            return reached(connection)[1]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(40))) == [4] * 40


def test_a_connection_lost_within_a_transaction_is_told(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError), database.write() as connection:
        take(connection, "id", 1)
        ending = open_database(database.reader.url.render_as_string(hide_password=False))
        with ending.write() as other:
            own = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            other.execute(sa.text(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity {own}"))
        ending.close()
        take(connection, "id", 1)
    with database.write() as connection:
        assert list(take(connection, "id", 1)) == [1]


def test_what_no_connection_takes_is_an_error(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="nonsense"):
        sent(database.reader, "nonsense")
    with database.read() as connection:
        assert reached(connection)
