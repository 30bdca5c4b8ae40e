"""The catalogue for machines that crawl it: DCAT-AP, JSON-LD and DataCite of each dataset, the sitemap."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from lxml import etree
from starlette.exceptions import HTTPException

from pancommons.catalogue.formats.datacite import datacite
from pancommons.catalogue.formats.dcat import dcat
from pancommons.catalogue.formats.description import Description
from pancommons.catalogue.formats.schemaorg import schemaorg
from pancommons.catalogue.formats.xml import stamp
from pancommons.catalogue.oai.harvest import describe_datasets, headers
from pancommons.server.mounting import below
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared

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


@router.get("/datasets/{identifier}.jsonld", summary="A dataset in schema.org's words", response_class=Response)
def dataset_jsonld(identifier: str, request: Request, shared: Shared, at: Now) -> Response:
    """Describe one dataset."""
    return JSONResponse(schemaorg(_described(identifier, request, shared, at)), media_type="application/ld+json")


@router.get("/datasets/{identifier}.datacite.xml", summary="A dataset in DataCite 4.7", response_class=Response)
def dataset_datacite(identifier: str, request: Request, shared: Shared, at: Now) -> Response:
    """Describe one dataset."""
    element = datacite(_described(identifier, request, shared, at))
    body = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return Response(body, media_type="application/vnd.datacite.datacite+xml")


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
        links["Link"] = f'<{site.url}{below(request)}?after={page[_CATALOGUE_PAGE - 1].place}>; rel="next"'
    return Response(body, media_type=media_type, headers=links)


def _described(identifier: str, request: Request, shared: Shared, at: Now) -> Description:
    with shared.database.read(STATEMENT_SECONDS) as connection:
        described = describe_datasets(connection, [identifier], shared.site(request), at)
    if identifier not in described:
        raise HTTPException(404, "there is no such dataset that anybody may see")
    return described[identifier]


def _xml(root: etree._Element) -> Response:
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type="application/xml")
