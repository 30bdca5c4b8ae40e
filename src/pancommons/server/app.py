"""The application: every face, the errors, and what holds for every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from pancommons.server import errors, files, health, metrics, oai, publishing, scoring, search, techniques
from pancommons.server.description import describe
from pancommons.server.federation import routes as federated
from pancommons.server.hdf5 import routes as hdf5
from pancommons.server.hdf5.readers import Readers
from pancommons.server.mounting import mount
from pancommons.server.pages import choices, home
from pancommons.server.pages import search as search_pages
from pancommons.server.pages import techniques as technique_pages
from pancommons.server.search_paths import SearchPaths
from pancommons.server.services import Services

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


def create_app(services: Services) -> FastAPI:
    """Put the application together around what is opened already."""
    federation = federated.Federation(services.settings.providers)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.readers.close()
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
    app.state.federation = federation
    app.state.readers = Readers(services.roots().folders.values())
    for face in (oai, publishing, files, hdf5, health, metrics):
        app.include_router(face.router)
    prefix = services.settings.server.search_prefix
    for made in (search, techniques, scoring, federated):
        app.include_router(made.router(prefix))
    app.include_router(search.nothing_else(prefix))
    for part in (home, choices, search_pages, technique_pages):
        app.include_router(part.pages)
    app.mount("/static", StaticFiles(packages=[("pancommons.server", "static")]), name="static")
    errors.install(app)

    @app.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.scheme == "https":
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response

    app.openapi = describe(app, prefix)  # type: ignore[method-assign]
    app.add_middleware(SearchPaths, prefix=prefix)
    metrics.count_requests(app, metrics.Metrics(services.database, app.state.readers))
    mount(app, services.settings.server)
    return app
