"""DataCite 4.7 as XML.

Source: DataCite Metadata Schema 4.7 (2026), https://schema.datacite.org/meta/kernel-4.7/.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from lxml import etree

from pancommons.catalogue.formats import xml
from pancommons.catalogue.formats.description import Agent, Description, Identifier
from pancommons.catalogue.formats.xml import address, clean, license_url, stamp

NAMESPACE = "http://datacite.org/schema/kernel-4"
SCHEMA = "http://schema.datacite.org/meta/kernel-4.7/metadata.xsd"
VERSION = "4.7"
PANET = "http://purl.org/pan-science/PaNET/PaNET.owl"

_RELATED = {"DOI": "DOI", "Handle": "Handle", "URL": "URL", "ARK": "ARK"}
_RIGHTS = {
    "open": ("open access", "http://purl.org/coar/access_right/c_abf2"),
    "embargoed": ("embargoed access", "http://purl.org/coar/access_right/c_f1cf"),
    "restricted": ("restricted access", "http://purl.org/coar/access_right/c_16ec"),
}


def access_right(described: Description) -> tuple[str, str]:
    """Return the label and the address of an access right in COAR's vocabulary."""
    return _RIGHTS[described.access]


def datacite(described: Description) -> etree._Element:
    """Write a description as the element ``resource`` of DataCite 4.7, in the order of its schema."""
    root = xml.root(NAMESPACE, "resource", None, SCHEMA)
    _add(root, "identifier", described.primary.value, identifierType=described.primary.scheme)
    creators = _add(root, "creators")
    for agent in described.creators:
        _agent(_add(creators, "creator"), "creator", agent)
    _add(_add(root, "titles"), "title", described.title)
    ror = {
        "publisherIdentifier": described.publisher_ror,
        "publisherIdentifierScheme": "ROR",
        "schemeURI": "https://ror.org/",
    }
    _add(root, "publisher", described.publisher, **(ror if described.publisher_ror else {}))
    _add(root, "publicationYear", str(described.published.astimezone(UTC).year))
    _add(root, "resourceType", described.kind_in_words, resourceTypeGeneral="Dataset")
    _subjects(root, described)
    contributors = _add(root, "contributors")
    for agent in described.contributors:
        _agent(_add(contributors, "contributor", contributorType=agent.role), "contributor", agent)
    _dates(root, described)
    _alternates(root, described)
    _related(root, described)
    if described.size is not None:
        _add(_add(root, "sizes"), "size", f"{described.size} bytes")
    if described.media_types:
        formats = _add(root, "formats")
        for kind in described.media_types:
            _add(formats, "format", kind)
    _rights(root, described)
    _descriptions(root, described)
    return root


def oai_datacite(described: Description) -> etree._Element:
    """Wrap DataCite's XML as OAI-PMH carries it (``oai_datacite``, version 1.1)."""
    space = "http://schema.datacite.org/oai/oai-1.1/"
    root = xml.root(space, "oai_datacite", None, f"{space}oai.xsd")
    for name, text in (("datacentreSymbol", described.publisher), ("schemaVersion", VERSION)):
        xml.add(root, f"{{{space}}}{name}", text)
    etree.SubElement(root, f"{{{space}}}payload").append(datacite(described))
    return root


def _subjects(root: etree._Element, described: Description) -> None:
    if not described.techniques and not described.keywords:
        return
    subjects = _add(root, "subjects")
    for term in described.techniques:
        panet = {"subjectScheme": "PaNET", "schemeURI": PANET, "valueURI": term.url}
        _add(subjects, "subject", term.term, **(panet if address(term.url) else {}))
    for word in described.keywords:
        _add(subjects, "subject", word.term)


def _dates(root: etree._Element, described: Description) -> None:
    dates = _add(root, "dates")
    began = stamp(described.created)
    collected = f"{began}/{stamp(described.ended)}" if described.ended else began
    _add(dates, "date", collected, dateType="Created" if described.kind != "raw" else "Collected")
    if described.open_from is not None:
        _add(dates, "date", stamp(described.open_from), dateType="Available")
    _add(dates, "date", stamp(described.published), dateType="Issued")
    _add(dates, "date", stamp(described.updated), dateType="Updated")


def _alternates(root: etree._Element, described: Description) -> None:
    alternates = _add(root, "alternateIdentifiers")
    names = {"local": "Local accession number"}
    for one in described.others:
        _add(alternates, "alternateIdentifier", one.value, alternateIdentifierType=names.get(one.scheme, one.scheme))


def _related(root: etree._Element, described: Description) -> None:
    resolvable = [(one, kind) for one in described.related if (kind := _RELATED.get(one.identifier.scheme))]
    if not resolvable:
        return
    related = _add(root, "relatedIdentifiers")
    for one, kind in resolvable:
        _add(
            related,
            "relatedIdentifier",
            one.identifier.value,
            relatedIdentifierType=kind,
            relationType=one.relation,
            **({"resourceTypeGeneral": one.kind} if one.kind else {}),
        )


def _rights(root: etree._Element, described: Description) -> None:
    rights = _add(root, "rightsList")
    label, term = access_right(described)
    _add(rights, "rights", label, rightsURI=term)
    _add(rights, "rights", rightsURI=described.access_term)
    page = license_url(described.license)
    if described.license and page:
        spdx = {
            "rightsIdentifier": described.license,
            "rightsIdentifierScheme": "SPDX",
            "schemeURI": "https://spdx.org/licenses/",
        }
        _add(rights, "rights", described.license, rightsURI=page, **(spdx if page != described.license else {}))
    elif described.license:
        _add(rights, "rights", described.license)


def _descriptions(root: etree._Element, described: Description) -> None:
    descriptions = _add(root, "descriptions")
    if described.summary:
        _add(descriptions, "description", described.summary, descriptionType="Abstract")
    where = " at ".join(one for one in (described.instrument, described.facility) if one)
    how = ", ".join(term.term for term in described.techniques)
    text = "; ".join(part for part in (how, where) if part)
    if text:
        _add(descriptions, "description", text, descriptionType="Methods")
    elif not described.summary:
        root.remove(descriptions)


def _agent(element: etree._Element, kind: str, agent: Agent) -> None:
    name = _add(element, f"{kind}Name", agent.name, nameType="Personal" if agent.person else "Organizational")
    if agent.person and agent.family:
        name.text = clean(f"{agent.family}, {agent.given}" if agent.given else agent.family)
        if agent.given:
            _add(element, "givenName", agent.given)
        _add(element, "familyName", agent.family)
    if agent.orcid:
        _add(
            element, "nameIdentifier", Identifier("ORCID", agent.orcid).url, nameIdentifierScheme="ORCID",
            schemeURI="https://orcid.org/",
        )  # fmt: skip
    if agent.affiliation:
        ror = {
            "affiliationIdentifier": agent.affiliation_ror,
            "affiliationIdentifierScheme": "ROR",
            "schemeURI": "https://ror.org/",
        }
        _add(element, "affiliation", agent.affiliation, **(ror if agent.affiliation_ror else {}))


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _add(parent: etree._Element, local: str, text: str | None = None, **attributes: Any) -> etree._Element:
    return xml.add(parent, _name(local), text, **attributes)
