"""OpenAIRE's application profile (``oai_openaire``): DataCite's elements with COAR's vocabularies.

Source: OpenAIRE Guidelines for Literature Repository Managers 4.0 and for Data Archive Managers 3.0 (draft).
"""

from __future__ import annotations

from lxml import etree

from pancommons.catalogue.formats import datacite, xml
from pancommons.catalogue.formats.description import Description

NAMESPACE = "http://namespace.openaire.eu/schema/oaire/"
SCHEMA = "https://www.openaire.eu/schema/repo-lit/4.0/openaire.xsd"

_DC = "http://purl.org/dc/elements/1.1/"
_DATASET = "http://purl.org/coar/resource_type/c_ddb1"


def oai_openaire(described: Description) -> etree._Element:
    """Write a description as the element ``oaire:resource``."""
    root = xml.root(NAMESPACE, "resource", "oaire", SCHEMA, datacite=datacite.NAMESPACE, dc=_DC)
    for element in datacite.datacite(described):
        local = etree.QName(element).localname
        if local in {"titles", "creators", "contributors", "alternateIdentifiers", "relatedIdentifiers", "subjects",
                     "sizes"}:  # fmt: skip
            root.append(element)
    _dates(root, described)
    xml.add(root, f"{{{_DC}}}publisher", described.publisher)
    xml.add(root, f"{{{NAMESPACE}}}resourceType", "dataset", resourceTypeGeneral="dataset", uri=_DATASET)
    if described.summary:
        xml.add(root, f"{{{_DC}}}description", described.summary)
    for kind in described.media_types:
        xml.add(root, f"{{{_DC}}}format", kind)
    xml.add(
        root, f"{{{datacite.NAMESPACE}}}identifier", described.primary.url or described.primary.value,
        identifierType=described.primary.scheme,
    )  # fmt: skip
    label, address = datacite.access_right(described)
    xml.add(root, f"{{{datacite.NAMESPACE}}}rights", label, rightsURI=address)
    if described.license:
        since = {"startDate": xml.stamp(described.open_from)[:10]} if described.open_from else {}
        page = xml.license_url(described.license)
        where = {"uri": page} if page else {}
        xml.add(root, f"{{{NAMESPACE}}}licenseCondition", described.license, **where, **since)
    return root


def _dates(root: etree._Element, described: Description) -> None:
    """Write the dates the profile knows: accepted and available where embargoed, else issued."""
    space = f"{{{datacite.NAMESPACE}}}"
    dates = xml.add(root, f"{space}dates")
    xml.add(dates, f"{space}date", xml.stamp(described.published)[:10], dateType="Issued")
    if described.access == "embargoed" and described.open_from is not None:
        xml.add(dates, f"{space}date", xml.stamp(described.published)[:10], dateType="Accepted")
        xml.add(dates, f"{space}date", xml.stamp(described.open_from)[:10], dateType="Available")
