"""The catalogue for machines that crawl it: DCAT-AP, each dataset in every form there is of it, the sitemap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from lxml import etree
from starlette.exceptions import HTTPException

from pancommons.catalogue.formats.dcat import dcat
from pancommons.catalogue.formats.xml import stamp
from pancommons.catalogue.oai.harvest import describe_datasets, headers
from pancommons.catalogue.read import Found, fetch
from pancommons.server.landing import ENDINGS, Make, describe_one
from pancommons.server.mounting import below
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.visitor import Who

router = APIRouter()

_CATALOGUE_PAGE = 200
_SITEMAP_PAGE = 40_000  # the sitemap protocol takes 50,000 and 50 MB
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_SPACES: Any = {None: _SITEMAP}

After = Annotated[int, Query(ge=0, lt=2**62, description="go on after this place")]
Place = Annotated[int, Path(ge=0, lt=2**62, description="the place that this part goes on after")]


@router.get("/catalog.ttl", summary="The catalogue in DCAT-AP, as Turtle, in pages", response_class=Response)
def turtle(request: Request, shared: Shared, at: Now, after: After = 0) -> Response:
    """Answer a page of the catalogue; the ``Link`` header names the next."""
    return _catalogue(request, shared, at, after, "turtle", "text/turtle; charset=utf-8")


@router.get("/catalog.jsonld", summary="The catalogue in DCAT-AP, as JSON-LD, in pages", response_class=Response)
def jsonld(request: Request, shared: Shared, at: Now, after: After = 0) -> Response:
    """Answer a page of the catalogue; the ``Link`` header names the next."""
    return _catalogue(request, shared, at, after, "json-ld", "application/ld+json")


def _form(make: Make) -> Callable[..., Response]:
    """Make the route that describes a dataset in one form."""

    def dataset_form(identifier: str, request: Request, shared: Shared, who: Who, at: Now) -> Response:
        """Describe one dataset as anybody may see it."""
        with shared.database.read(STATEMENT_SECONDS) as connection:
            found = fetch(connection, "dataset", identifier, who, at)
            described = describe_one(connection, found, shared.site(request), at) if isinstance(found, Found) else None
        if described is None:
            raise HTTPException(404, "there is no such dataset that anybody may see")
        answer = make(described)
        answer.headers["Link"] = f'<{described.landing_page}>; rel="describes"'
        return answer

    return dataset_form


for _ending, _make in ENDINGS.items():
    _path, _route = f"/datasets/{{identifier}}.{_ending}", _form(_make)
    router.head(_path, include_in_schema=False)(_route)
    router.get(_path, summary=f"A dataset as .{_ending}", response_class=Response, name=f"dataset.{_ending}")(_route)


@router.get("/sitemap.xml", summary="The index of sitemaps", response_class=Response)
def sitemap(request: Request, shared: Shared, at: Now) -> Response:
    """List the parts of the sitemap."""
    site = shared.site(request)
    root = etree.Element(f"{{{_SITEMAP}}}sitemapindex", nsmap=_SPACES)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        after = 0
        while page := headers(connection, at, after=after, limit=_SITEMAP_PAGE):
            part = etree.SubElement(root, f"{{{_SITEMAP}}}sitemap")
            etree.SubElement(part, f"{{{_SITEMAP}}}loc").text = f"{site.url}/sitemap/{after}.xml"
            after = page[-1].place
    return _xml(root)


@router.get("/sitemap/{after}.xml", summary="A part of the sitemap", response_class=Response)
def sitemap_part(after: Place, request: Request, shared: Shared, at: Now) -> Response:
    """List the pages of datasets, with when they changed."""
    site = shared.site(request)
    root = etree.Element(f"{{{_SITEMAP}}}urlset", nsmap=_SPACES)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        for header in headers(connection, at, after=after, limit=_SITEMAP_PAGE):
            if not header.deleted:
                place = etree.SubElement(root, f"{{{_SITEMAP}}}url")
                etree.SubElement(place, f"{{{_SITEMAP}}}loc").text = site.landing_page(quote(header.identifier))
                etree.SubElement(place, f"{{{_SITEMAP}}}lastmod").text = stamp(header.stamp)
    return _xml(root)


def _catalogue(request: Request, shared: Shared, at: Now, after: int, form: str, media_type: str) -> Response:
    site = shared.site(request)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        page = headers(connection, at, after=after, limit=_CATALOGUE_PAGE + 1)
        shown = [header.identifier for header in page[:_CATALOGUE_PAGE] if not header.deleted]
        body = dcat(describe_datasets(connection, shown, site, at).values(), site).serialize(format=form)
    links = {}
    if len(page) > _CATALOGUE_PAGE:
        links["Link"] = f'<{site.url}{below(request.scope)}?after={page[_CATALOGUE_PAGE - 1].place}>; rel="next"'
    return Response(body, media_type=media_type, headers=links)


def _xml(root: etree._Element) -> Response:
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type="application/xml")
