"""The application: every face, the errors, and what holds for every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Event

from anyio.to_thread import run_sync
from fastapi import FastAPI

from pancommons.server import (
    carried,
    contact,
    errors,
    files,
    health,
    metrics,
    oai,
    publishing,
    scoring,
    search,
    techniques,
)
from pancommons.server.csrf import OwnPagesOnly
from pancommons.server.description import describe
from pancommons.server.federation import routes as federated
from pancommons.server.guard import Guarded
from pancommons.server.hdf5 import routes as hdf5
from pancommons.server.hdf5.readers import Readers
from pancommons.server.limits import Limited
from pancommons.server.mounting import mount
from pancommons.server.pages import (
    about,
    admin,
    analyse,
    choices,
    dataset,
    home,
    look,
    mine,
    persistent,
    records,
    seen,
)
from pancommons.server.pages import runs as run_pages
from pancommons.server.pages import search as search_pages
from pancommons.server.pages import techniques as technique_pages
from pancommons.server.runs import desk as refusals
from pancommons.server.runs import events, pipelines, results, routes
from pancommons.server.runs.desk import open_desk
from pancommons.server.search_paths import SearchPaths
from pancommons.server.services import Services
from pancommons.server.sightings import Sightings
from pancommons.server.signin import device_routes as device
from pancommons.server.signin import me, stepping_up
from pancommons.server.signin import routes as sign_in
from pancommons.server.signin.desk import Desk
from pancommons.server.together import Together
from pancommons.server.warming import Warming


def create_app(services: Services, together: Together | None = None) -> FastAPI:
    """Put the application together around what is opened already.

    Parameters
    ----------
    together
        What it has in common with other processes of the same server; None where it is the only one.
    """
    federation = federated.Federation(services.settings.providers)
    warming = Warming(services)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        supervisor.start()
        warming.start()
        yield
        await run_sync(warming.stop)
        await run_sync(supervisor.stop)
        app.state.runs.close()
        app.state.readers.close()
        app.state.signin.close()
        app.state.sightings.close()
        services.database.close()

    app = FastAPI(
        title="PaN Commons",
        version=version("pancommons"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.ending = Event()
    app.state.federation = federation
    app.state.signin = Desk.open(services)
    app.state.sightings = Sightings(services.database, services.settings.audit.seen_days)
    app.state.runs, supervisor = open_desk(services)
    app.state.supervisor = supervisor
    app.state.readers = Readers(services.roots().folders.values(), processes=together.count if together else 1)
    app.mount("/static", carried.answer, name="static")  # first: a page asks for several
    for face in (oai, publishing, files, hdf5, health, metrics, contact):
        app.include_router(face.router)
    prefix = services.settings.server.search_prefix
    for made in (search, techniques, scoring, federated):
        app.include_router(made.router(prefix))
    app.include_router(search.nothing_else(prefix))
    for part in (home, choices, look, search_pages, technique_pages, analyse, run_pages, mine, admin):
        app.include_router(part.pages)
    app.include_router(run_pages.files)
    for part in (sign_in, device, me):
        app.include_router(part.pages)
    for face in (device, me):
        app.include_router(face.programs)
    for face in (routes, events, results, pipelines):  # after the pages, which answer browsers at the same addresses
        app.include_router(face.router)
    for part in (about, dataset, seen, records, persistent):  # last: a PID may look like any address
        app.include_router(part.pages)
    errors.install(app)
    refusals.install(app)
    stepping_up.install(app)

    app.add_middleware(
        Limited,
        limits=services.settings.limits,
        prefix=prefix,
        readers=app.state.readers.count,
        table=together.table if together else None,
    )
    app.add_middleware(OwnPagesOnly, services=services)

    app.add_middleware(Guarded)
    app.openapi = describe(app, prefix)  # type: ignore[method-assign]
    app.add_middleware(SearchPaths, prefix=prefix)
    metrics.count_requests(app, metrics.Metrics(services.database, app.state.readers, together))
    app.state.metrics.registry.register(app.state.sightings.open)
    mount(app, services.settings.server)
    return app
