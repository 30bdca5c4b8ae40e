"""Catalogues that are loaded once and asked many times."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from pancommons.store.engine import Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a database with all tables that the tests of a module share, on one kind of server after the other."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("shared") / "catalogue.db"
        shutil.copy(request.getfixturevalue("empty_sqlite"), file)
        url = f"sqlite:///{file}"
        drop: Callable[[str], None] = lambda _url: None  # noqa: E731
    else:
        cluster = request.getfixturevalue("postgresql")
        url, drop = cluster.new(request.getfixturevalue("empty_postgresql")), cluster.drop
    database = open_database(url)
    yield database
    database.close()
    drop(url)
