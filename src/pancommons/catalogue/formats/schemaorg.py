"""A dataset in schema.org's words, as JSON-LD on its page.

Source: https://schema.org/Dataset and the guidelines of Google Dataset Search and Science on Schema.org.
"""

from __future__ import annotations

from typing import Any

from pancommons.catalogue.formats.datacite import access_right
from pancommons.catalogue.formats.description import Agent, Description, Download, Identifier
from pancommons.catalogue.formats.xml import address, license_url, stamp

CONTEXT = {"@vocab": "https://schema.org/", "prov": "http://www.w3.org/ns/prov#"}
"""Written out, so that nobody needs to fetch it."""


def schemaorg(described: Description) -> dict[str, Any]:
    """Write a description as a JSON-LD object of the type ``Dataset``."""
    told: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Dataset",
        "@id": described.primary.url or described.landing_page,
        "url": described.landing_page,
        "identifier": [_identifier(one) for one in (described.primary, *described.others)],
        "name": described.title,
        "description": described.summary or _sentence(described),
        "creator": [_agent(agent) for agent in described.creators],
        "publisher": {
            "@type": "Organization",
            "name": described.publisher,
            **({"@id": described.publisher_ror} if described.publisher_ror else {}),
        },
        "datePublished": stamp(described.published)[:10],
        "dateCreated": stamp(described.created),
        "dateModified": stamp(described.updated),
        "temporalCoverage": "/".join(stamp(one) for one in (described.created, described.ended) if one),
        "isAccessibleForFree": described.access == "open",
        "conditionsOfAccess": access_right(described)[1],
        "measurementTechnique": [
            {"@type": "DefinedTerm", "name": term.term, "url": term.url, "inDefinedTermSet": "PaNET"}
            for term in described.techniques
        ],
        "keywords": [word.term for word in described.keywords],
        "variableMeasured": [
            {
                "@type": "PropertyValue",
                "name": parameter.name,
                "value": parameter.value,
                **({"unitText": parameter.unit} if parameter.unit else {}),
            }
            for parameter in described.parameters
            if parameter.value is not None
        ],
        "includedInDataCatalog": {"@type": "DataCatalog", "name": described.publisher},
        "encodingFormat": list(described.media_types),
        "distribution": [_download(one) for one in described.downloads],
        "prov:wasAttributedTo": [_agent(agent) for agent in described.creators],
    }
    if described.license:
        told["license"] = license_url(described.license) or described.license
    if described.size is not None:
        told["size"] = f"{described.size} B"
    if described.instrument:
        told["instrument"] = described.instrument
    for relation, name in (("IsDerivedFrom", "isBasedOn"), ("IsPartOf", "isPartOf"), ("IsCitedBy", "subjectOf")):
        those = [one.identifier.url or one.identifier.value for one in described.related if one.relation == relation]
        if those:
            told[name] = those
            if relation == "IsDerivedFrom":
                told["prov:wasDerivedFrom"] = [{"@id": one} if address(one) else one for one in those]
    return {name: value for name, value in told.items() if value not in ("", [])}


def _sentence(described: Description) -> str:
    """Say in one sentence what it is, where nobody wrote a summary."""
    how = ", ".join(term.term for term in described.techniques)
    where = ", ".join(one for one in (described.instrument, described.facility) if one)
    of = f"{described.kind_in_words} of {how}" if how else described.kind_in_words
    return f"{of}{f', measured at {where}' if where else ''}: {described.title}"


def _agent(agent: Agent) -> dict[str, Any]:
    told: dict[str, Any] = {"@type": "Person" if agent.person else "Organization", "name": agent.name}
    if agent.orcid:
        told["@id"] = Identifier("ORCID", agent.orcid).url
    if agent.given:
        told["givenName"] = agent.given
    if agent.family:
        told["familyName"] = agent.family
    if agent.affiliation:
        told["affiliation"] = {"@type": "Organization", "name": agent.affiliation}
        if agent.affiliation_ror:
            told["affiliation"]["@id"] = agent.affiliation_ror
    return told


def _download(one: Download) -> dict[str, Any]:
    return {
        "@type": "DataDownload",
        "name": one.name,
        "contentUrl": one.url,
        "encodingFormat": one.media_type or "application/octet-stream",
        **({} if one.size is None else {"contentSize": f"{one.size} B"}),
        **({"sha256": one.sha256} if one.sha256 else {}),
    }


def _identifier(one: Identifier) -> dict[str, str]:
    return {
        "@type": "PropertyValue",
        "propertyID": one.scheme,
        "value": one.value,
        **({"url": one.url} if one.url else {}),
    }
