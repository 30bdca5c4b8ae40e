from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pancommons.pipelines import registry
from pancommons.store.engine import Database
from tests.databases import database, empty_postgresql, empty_sqlite, new_database, postgresql
from tests.runs.world import PLUGIN, World, build

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]


@pytest.fixture(autouse=True)
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the third party's technique, in this process and in those that it starts."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    registry.load.cache_clear()
    yield
    registry.load.cache_clear()


@pytest.fixture
def make_world(database: Database, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Give a function that makes the world with settings of runs."""
    made: list[World] = []

    def make(**told: Any) -> World:
        made.append(build(database, tmp_path, **told))
        return made[-1]

    yield make
    for world in made:
        world.desk.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Give the world, on one database after the other."""
    return make_world()
