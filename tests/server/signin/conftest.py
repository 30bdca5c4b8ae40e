"""A real provider, and a database that the tests of a module share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pancommons.base.settings import Settings
from pancommons.store.engine import Database, open_database
from tests.oidc import another_openid, openid
from tests.server.conftest import listening
from tests.server.signin.forger import Forger, forging

__all__ = ["another_openid", "openid"]


@pytest.fixture(scope="module")
def kept(empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give an empty database that lives as long as the tests of one module."""
    file = tmp_path_factory.mktemp("signin") / "kept.db"
    database = open_database(f"sqlite:///{shutil.copy(empty_sqlite, file)}")
    yield database
    database.close()


@pytest.fixture
def forger() -> Iterator[Forger]:
    """Give a provider that forges."""
    with forging() as made:
        yield made


@pytest.fixture
def at_forger(forger: Forger, sqlite_database: Database) -> Iterator[str]:
    """Serve people who sign in at a provider that forges; give the address."""
    with listening(sqlite_database, Settings(signin={"providers": [forger.settings()]})) as address:
        yield address
