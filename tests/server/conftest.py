"""A server on loopback around a catalogue of its own, on one database after the other."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from pancommons.base.settings import Settings
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.store.engine import Database, open_database
from tests.databases import database, empty_postgresql, empty_sqlite, new_database, postgresql

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]


@contextmanager
def listening(served: Database, settings: Settings | None = None) -> Iterator[str]:
    """Serve a database until the end of the block; give the address."""
    with serving(create_app(Services(served, settings or Settings()))) as address:
        yield address


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application until the end of the block; give the address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def sqlite_database(empty_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database for a test that need not run on both kinds."""
    database = open_database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / 'once.db')}")
    yield database
    database.close()


@pytest.fixture
def served(database: Database) -> Iterator[str]:
    """Give the address of a server around the test's database."""
    with listening(database) as address:
        yield address


@pytest.fixture
def get(served: str) -> Callable[..., httpx.Response]:
    """Give a function that asks the server for a path."""

    def ask(path: str, **arguments: object) -> httpx.Response:
        return httpx.get(served + path, timeout=30, **arguments)  # type: ignore[arg-type]

    return ask
