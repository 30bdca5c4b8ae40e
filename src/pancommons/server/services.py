"""What every face of the server needs: the database, who publishes, and the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request

from pancommons.base.settings import Settings, settings
from pancommons.catalogue.formats.description import Site
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ready import make_ready
from pancommons.runs.roots import all_roots
from pancommons.store.engine import Database, open_database

STATEMENT_SECONDS = 10.0
"""What a query of a client may take."""


@dataclass(frozen=True)
class Services:
    """What is opened once and shared by all requests.

    Attributes
    ----------
    database
        Of the catalogue, brought to its newest version.
    settings
        Of this installation.
    started
        When the server was, in UTC.
    """

    database: Database
    settings: Settings
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def open(cls) -> Services:
        """Open the database of the settings, which is made and upgraded where needed."""
        database = open_database()
        make_ready(database)
        return cls(database, settings())

    def roots(self) -> Roots:
        """Return the data roots of the settings, and the folder of runs."""
        return self._roots

    @cached_property
    def _roots(self) -> Roots:
        return all_roots(self.settings)

    def site(self, request: Request) -> Site:
        """Return who publishes; the address is that of the request where none is configured."""
        told = self.settings.site
        url = told.url or f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
        return Site(url.rstrip("/"), told.publisher, told.ror, told.email)


def services(request: Request) -> Services:
    """Return what the application was made with."""
    found: Services = request.app.state.services
    return found


def now() -> datetime:
    """Return the moment of a request, in UTC."""
    return datetime.now(UTC)


async def shared(request: Request) -> Services:
    """Return what the application was made with.

    What is asked for without being waited for is asynchronous: all else takes a way to another thread and back.
    """
    return services(request)


async def asked_at() -> datetime:
    """Return the moment of a request, in UTC."""
    return now()


Shared = Annotated[Services, Depends(shared)]
Now = Annotated[datetime, Depends(asked_at)]
