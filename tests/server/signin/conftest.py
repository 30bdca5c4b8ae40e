"""A real provider, and a database that the tests of a module share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pancommons.store.engine import Database, open_database
from tests.oidc import another_openid, openid

__all__ = ["another_openid", "openid"]


@pytest.fixture(scope="module")
def kept(empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give an empty database that lives as long as the tests of one module."""
    file = tmp_path_factory.mktemp("signin") / "kept.db"
    database = open_database(f"sqlite:///{shutil.copy(empty_sqlite, file)}")
    yield database
    database.close()
