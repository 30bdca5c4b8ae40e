"""What machines find at the address of a dataset: other forms of it, links in the header, its metadata in the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from lxml import etree
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.catalogue.formats.citation import bibtex, csl, ris, sentence
from pancommons.catalogue.formats.datacite import datacite
from pancommons.catalogue.formats.dcat import dcat
from pancommons.catalogue.formats.description import Description, Download, Identifier, Site, media_type
from pancommons.catalogue.formats.dublincore import ELEMENTS, oai_dc
from pancommons.catalogue.formats.schemaorg import schemaorg
from pancommons.catalogue.formats.xml import address, license_url
from pancommons.catalogue.oai.harvest import describe_datasets
from pancommons.catalogue.read import Found, unreadable
from pancommons.catalogue.records import Dataset, File
from pancommons.server.search_asked import json_answer

HTML, JSON = "text/html", "application/json"
_MOST_DOWNLOADS = 1000
_MOST_LINKED = 50

Make = Callable[[Description], Response]


def _jsonld(described: Description) -> Response:
    return JSONResponse(schemaorg(described), media_type="application/ld+json")


def _datacite(described: Description) -> Response:
    body = etree.tostring(datacite(described), xml_declaration=True, encoding="UTF-8")
    return Response(body, media_type="application/vnd.datacite.datacite+xml")


def _turtle(described: Description) -> Response:
    site = Site(described.landing_page.rsplit("/datasets/", 1)[0], described.publisher, described.publisher_ror)
    return Response(dcat([described], site).serialize(format="turtle"), media_type="text/turtle; charset=utf-8")


def _text(make: Callable[[Description], str], kind: str) -> Make:
    return lambda described: Response(make(described), media_type=f"{kind}; charset=utf-8")


FORMS: Mapping[str, tuple[str, Make]] = {
    "application/ld+json": ("jsonld", _jsonld),
    "application/vnd.schemaorg.ld+json": ("jsonld", _jsonld),
    "application/vnd.datacite.datacite+xml": ("datacite.xml", _datacite),
    "text/turtle": ("ttl", _turtle),
    "application/x-bibtex": ("bib", _text(bibtex, "application/x-bibtex")),
    "application/x-research-info-systems": ("ris", _text(ris, "application/x-research-info-systems")),
    "application/vnd.citationstyles.csl+json": (
        "csl.json", lambda described: JSONResponse(csl(described), media_type="application/vnd.citationstyles.csl+json")
    ),
    "text/x-bibliography": ("txt", _text(lambda described: sentence(described) + "\n", "text/x-bibliography")),
}  # fmt: skip
"""What a dataset is described in, by media type: the end of its own address, and what makes it."""

ENDINGS = dict(FORMS.values())
OFFERED = (HTML, "application/xhtml+xml", JSON, *FORMS)


def describe_one(
    connection: Connection, found: Found, site: Site, at: datetime, public: Collection[Found] = ()
) -> Description | None:
    """Describe a dataset as anybody may see it, with the files that anybody may have; None where nobody may.

    Parameters
    ----------
    found
        As whoever asks may have it: what a token of theirs is not made for is left out, public or not.
    public
        What was fetched for anybody already, see `describe_datasets`.
    """
    described = describe_datasets(connection, [found.identifier], site, at, public).get(found.identifier)
    if described is None or described.access != "open" or not isinstance(found.record, Dataset):
        return described
    files = served(connection, found.record.files[:_MOST_DOWNLOADS], ANONYMOUS, at)
    return replace(
        described,
        downloads=tuple(
            Download(one.name, f"{site.url}/files/{one.identifier}", one.size, one.sha256, media_type(one.name))
            for one in files
            if not one.missing
        ),
    )


def served(connection: Connection, files: Iterable[File], principal: Principal, at: datetime) -> list[File]:
    """Return those of a dataset's files that are not the data of another one which the principal may not read."""
    listed = list(files)
    kept_back = unreadable(connection, [(one.root, one.path) for one in listed], principal, at)
    return [one for one in listed if (one.root, one.path) not in kept_back]


def panosc(told: dict[str, Any], files: Iterable[File], site: Site) -> Response:
    """Answer a record of the search API, with the files that may be had."""
    listed = [
        {"id": one.identifier, "name": one.name, "path": one.path, "size": one.size, "sha256": one.sha256,
         "url": f"{site.url}/files/{one.identifier}"}
        for one in files
    ]  # fmt: skip
    return json_answer(told | {"files": listed}, {"Cache-Control": "private, no-cache"})


def link_header(described: Description) -> str:
    """Write the signposts of a landing page (https://signposting.org/FAIR/)."""
    page = described.landing_page
    links: list[tuple[str, str, str | None]] = [(described.primary.url or page, "cite-as", None)]
    kinds = dict(reversed([(ending, kind) for kind, (ending, _) in FORMS.items()]))
    links += [(f"{page}.{ending}", "describedby", kinds[ending]) for ending in ENDINGS]
    links += [(str(Identifier("ORCID", one.orcid).url), "author", None) for one in described.creators if one.orcid]
    links += [("https://schema.org/AboutPage", "type", None), ("https://schema.org/Dataset", "type", None)]
    if licence := license_url(described.license):
        links.append((licence, "license", None))
    links += [
        (one.url, "item", one.media_type or "application/octet-stream") for one in described.downloads[:_MOST_LINKED]
    ]
    return ", ".join(
        f'<{where}>; rel="{rel}"' + (f'; type="{kind}"' if kind else "") for where, rel, kind in links if address(where)
    )


def embedded(described: Description) -> str:
    """Write JSON-LD for a ``script`` element of a page, which nothing in it can end."""
    text = json.dumps(schemaorg(described), ensure_ascii=False, allow_nan=False, indent=1)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def meta_tags(described: Description) -> list[tuple[str, str]]:
    """Return names and contents of ``meta`` elements: Dublin Core, and what reference managers look for."""
    told = [
        (f"DC.{etree.QName(one).localname}", one.text or "")
        for one in oai_dc(described)
        if etree.QName(one).namespace == ELEMENTS
    ]
    if described.license:
        told.append(("DCTERMS.license", license_url(described.license) or described.license))
    told += [("citation_title", described.title), ("citation_publisher", described.publisher)]
    told += [("citation_author", agent.name) for agent in described.creators]
    told.append(("citation_publication_date", f"{described.published:%Y/%m/%d}"))
    if described.primary.scheme == "DOI":
        told.append(("citation_doi", described.primary.value))
    return told
