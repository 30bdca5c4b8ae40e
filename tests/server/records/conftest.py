"""A commons full of secrets, with a team, and whoever is taken to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from pancommons.base.settings import Settings, Site
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal, Role, allows
from pancommons.catalogue.read import find, resource
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.server.conftest import database, empty_postgresql, empty_sqlite, new_database, postgresql
from tests.server.leaking import World, make_world

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]

SITE = Site(url="https://portal.example", publisher="Facility", email="data@facility.example")


@dataclass
class Portal:
    """An application around a world, asked as one or another."""

    database: Database
    world: World
    client: TestClient
    asking: Principal = ANONYMOUS

    def get(self, path: str, accept: str = "text/html", **more: Any) -> httpx.Response:
        """Ask for a path as whoever is taken to ask."""
        headers = {"accept": accept, **more.pop("headers", {})}
        return self.client.get(path, headers=headers, follow_redirects=False, **more)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as a browser does."""
        return self.client.post(
            path, data=fields, headers={"accept": "text/html", "sec-fetch-site": "same-origin"}, follow_redirects=False
        )

    def may(self, action: Action, kind: str, pid: str) -> bool:
        """Say what the decision is that everything here rests on."""
        with self.database.read() as connection:
            key = find(connection, kind, pid)
            assert key is not None
            return allows(self.asking, action, resource(connection, kind, key), self.world.at)

    def identifier(self, kind: str, pid: str) -> str:
        """Return our identifier of a record."""
        listed = self.world.records[kind]
        return listed[listed.index(pid) - 1]

    def role(self, role: Role, proposal: str = "proposal-1", **more: Any) -> Principal:
        """Make somebody with a role in a proposal."""
        with self.database.read() as connection:
            key = find(connection, "document", proposal)
        assert key is not None
        return Principal(f"issuer#{role.value}", proposals={role: frozenset({key})}, **more)


def visitors(world: World) -> dict[str, Principal]:
    """Give one of each kind, the administrators too."""
    admin = Principal("issuer#a", everywhere=frozenset({Role.ADMINISTRATOR}))
    narrow = Principal("issuer#a", everywhere=admin.everywhere, scopes=frozenset({Action.DISCOVER}))
    bare = Principal("issuer#a", everywhere=admin.everywhere, scopes=frozenset())
    return {
        **world.visitors,
        "administrator": admin,
        "token of an administrator to discover": narrow,
        "token of an administrator to do nothing": bare,
        "local user": LOCAL_USER,
    }


@pytest.fixture
def portal(database: Database, tmp_path: Path) -> Iterator[Portal]:
    """Give an application with records in every state, on one database after the other."""
    (tmp_path / "data").mkdir()
    world = make_world(database, tmp_path / "data", datetime.now(UTC))
    app = create_app(Services(database, Settings(data_roots={"data": str(world.root)}, site=SITE)))
    app.router.lifespan_context = _alone

    with TestClient(app, base_url="https://portal.example") as client:
        made = Portal(database, world, client)

        def whoever() -> Visitor:
            by = "nothing" if made.asking.person is None else "token" if made.asking.scopes is not None else "session"
            return Visitor(made.asking, made.asking.person, by)  # type: ignore[arg-type]

        app.dependency_overrides[visitor] = whoever
        yield made
    app.state.readers.close()


@asynccontextmanager
async def _alone(_app: object) -> AsyncIterator[None]:
    """Start nothing beside the application."""
    yield
