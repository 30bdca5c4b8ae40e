"""Simple Dublin Core as OAI-PMH carries it (``oai_dc``).

Source: https://www.openarchives.org/OAI/2.0/oai_dc.xsd; access rights as OpenAIRE's guidelines write them.
"""

from __future__ import annotations

from lxml import etree

from pancommons.catalogue.formats import xml
from pancommons.catalogue.formats.description import Description

NAMESPACE = "http://www.openarchives.org/OAI/2.0/oai_dc/"
SCHEMA = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
ELEMENTS = "http://purl.org/dc/elements/1.1/"


def oai_dc(described: Description) -> etree._Element:
    """Write a description as the element ``oai_dc:dc``."""
    root = xml.root(NAMESPACE, "dc", "oai_dc", SCHEMA, dc=ELEMENTS)

    def say(name: str, *values: str | None) -> None:
        for value in values:
            if value:
                xml.add(root, f"{{{ELEMENTS}}}{name}", value)

    say("title", described.title)
    say("creator", *(f"{a.family}, {a.given}" if a.family and a.given else a.name for a in described.creators))
    say("contributor", *(agent.name for agent in described.contributors))
    say("subject", *(term.term for term in described.techniques), *(word.term for word in described.keywords))
    say("description", described.summary)
    say("publisher", described.publisher)
    say("date", xml.stamp(described.created)[:10])
    say("type", "Dataset", "info:eu-repo/semantics/dataset", described.kind_in_words)
    say("format", *described.media_types)
    say("identifier", described.primary.url or described.primary.value)
    if described.landing_page != described.primary.url:
        say("identifier", described.landing_page)
    say("source", ", ".join(one for one in (described.instrument, described.facility) if one))
    say("relation", *(one.identifier.url or one.identifier.value for one in described.related))
    say("rights", described.access_term)
    if described.access == "embargoed" and described.open_from:
        say("date", f"info:eu-repo/date/embargoEnd/{xml.stamp(described.open_from)[:10]}")
    if described.license:
        say("rights", xml.license_url(described.license) or described.license)
    return root
