"""Time that is over for some connections, and for no others."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pancommons.store.deadlines import Deadlines

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT max(x) FROM n"
SHORT = ENDLESS.replace("1000000000", "300000")


@pytest.fixture
def connections() -> Iterator[list[sqlite3.Connection]]:
    made = [sqlite3.connect(":memory:", check_same_thread=False) for _ in range(6)]
    yield made
    for one in made:
        one.close()


def test_each_connection_is_interrupted_at_its_own_time(connections: list[sqlite3.Connection]) -> None:
    deadlines = Deadlines()

    def ask(number: int) -> float:
        began = time.monotonic()
        limit = deadlines.within(connections[number], 0.2 * (number + 1))
        with pytest.raises(sqlite3.OperationalError, match="interrupted"), limit:
            connections[number].execute(ENDLESS).fetchall()
        return time.monotonic() - began

    with ThreadPoolExecutor(6) as pool:  # the longest first: the others are due before what is waited for already
        took = list(pool.map(ask, reversed(range(6))))
    for number, seconds in enumerate(reversed(took)):
        assert seconds >= 0.2 * (number + 1)
    assert took == sorted(took, reverse=True)


def test_a_statement_begun_after_the_time_ends_too(connections: list[sqlite3.Connection]) -> None:
    deadlines = Deadlines()
    with deadlines.within(connections[0], 0.1):
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="interrupted"):
                connections[0].execute(ENDLESS).fetchall()


def test_nothing_is_interrupted_after_the_block(connections: list[sqlite3.Connection]) -> None:
    deadlines = Deadlines()
    for _ in range(20):
        with deadlines.within(connections[0], 0.01):
            time.sleep(0.009)
        assert connections[0].execute(SHORT).fetchone() == (300_000,)


def test_a_connection_that_is_closed_ends_no_watch(connections: list[sqlite3.Connection]) -> None:
    deadlines = Deadlines()
    with deadlines.within(connections[1], 0.05):
        connections[1].close()
        time.sleep(0.1)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"), deadlines.within(connections[0], 0.1):
        connections[0].execute(ENDLESS).fetchall()
    assert sum(one.name == "deadlines" for one in threading.enumerate()) >= 1
