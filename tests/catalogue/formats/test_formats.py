"""What harvesters get is valid, and holds what the dataset says and nothing that is not public."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import rdflib
from hypothesis import HealthCheck, given, settings
from lxml import etree
from rdflib import Graph, Literal, URIRef

from pancommons.catalogue.formats.datacite import NAMESPACE, datacite, oai_datacite
from pancommons.catalogue.formats.dcat import dcat
from pancommons.catalogue.formats.description import Description, Identifier, parse
from pancommons.catalogue.formats.dublincore import oai_dc
from pancommons.catalogue.formats.openaire import oai_openaire
from pancommons.catalogue.formats.schemaorg import schemaorg
from pancommons.catalogue.records import Dataset
from tests.catalogue.formats.examples import HIDDEN, LUNG, NOW, SITE, any_dataset, described

D = {"d": NAMESPACE, "o": "http://namespace.openaire.eu/schema/oaire/", "c": "http://purl.org/dc/elements/1.1/"}


@pytest.fixture(scope="module")
def schema(shared_data: Callable[[str], Path]) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared_data("schemas/datacite-4.7/metadata.xsd")))


def said(element: etree._Element, path: str) -> list[str]:
    return [str(found) for found in element.xpath(path, namespaces=D)]  # type: ignore[union-attr]


def test_datacite_says_what_the_dataset_says(schema: etree.XMLSchema) -> None:
    xml = datacite(described())
    schema.assertValid(xml)
    assert said(xml, "d:identifier/text()") == ["10.16907/lung"]
    assert said(xml, "d:creators/d:creator/d:creatorName/text()") == ["Lovelace, Ada"]
    assert said(xml, "//d:nameIdentifier/text()") == ["https://orcid.org/0000-0002-1825-0097"]
    assert said(xml, "//d:affiliation/@affiliationIdentifier") == ["https://ror.org/03yrm5c26"]
    assert said(xml, "//d:title/text()") == ["Lung <1> & more "]
    assert said(xml, "d:publicationYear/text()") == ["2026"]
    assert said(xml, "//d:subject/@valueURI") == [LUNG.techniques[0]]
    assert said(xml, "//d:date[@dateType='Collected']/text()") == ["2025-10-17T12:00:00Z/2025-10-18T12:00:00Z"]
    assert said(xml, "//d:relatedIdentifier/@relationType") == ["IsDerivedFrom", "IsCitedBy", "IsCollectedBy"]
    assert "CC-BY-4.0" in said(xml, "//d:rights/@rightsIdentifier")
    assert said(xml, "//d:description[@descriptionType='Abstract']/text()") == ["We look at lungs."]
    assert said(xml, "d:formats/d:format/text()") == ["application/x-hdf5", "text/plain"]


@pytest.mark.parametrize(
    ("days", "right"),
    [(-1, "openAccess"), (1, "embargoedAccess"), (None, "restrictedAccess")],
)
def test_access_is_said_everywhere(schema: etree.XMLSchema, days: int | None, right: str) -> None:
    told = described(open_from=None if days is None else NOW + timedelta(days=days))
    xml = datacite(told)
    schema.assertValid(xml)
    assert f"info:eu-repo/semantics/{right}" in said(xml, "//d:rights/@rightsURI")
    assert f"info:eu-repo/semantics/{right}" in said(oai_dc(told), "c:rights/text()")
    assert schemaorg(told)["isAccessibleForFree"] is (days == -1)
    assert said(oai_openaire(told), "d:rights/text()") == [right.removesuffix("Access") + " access"]


def test_who_is_not_public_is_nowhere() -> None:
    told = described()
    everything = [etree.tostring(make(told)) for make in (datacite, oai_dc, oai_openaire, oai_datacite)]
    everything += [json.dumps(schemaorg(told)).encode(), dcat([told], SITE).serialize(format="turtle").encode()]
    assert not [text for text in everything if HIDDEN.full_name.encode() in text]
    assert all(b"Lovelace" in text for text in everything)


def test_the_facility_stands_in_where_nobody_is_public(schema: etree.XMLSchema) -> None:
    bare = Dataset(pid="x", kind="simulated", title="t", creation_date=NOW)
    told = described(bare)
    xml = datacite(told)
    schema.assertValid(xml)
    assert said(xml, "//d:creatorName/text()") == ["SLS"] and said(xml, "//d:creatorName/@nameType") == [
        "Organizational"
    ]
    assert said(xml, "d:identifier/@identifierType") == ["URL"]
    assert said(xml, "d:identifier/text()") == ["https://data.facility.example/datasets/01jd2x9q5v8k3m7n0r0"]


def test_schemaorg_has_what_search_engines_ask_for() -> None:
    told = schemaorg(described())
    assert told["@id"] == "https://doi.org/10.16907/lung" and told["license"].endswith("CC-BY-4.0.html")
    assert told["measurementTechnique"][0]["url"] == LUNG.techniques[0]
    assert told["variableMeasured"] == [
        {"@type": "PropertyValue", "name": "incident_photon_energy", "value": 21.0, "unitText": "keV"}
    ]
    bare = schemaorg(described(Dataset(pid="x", kind="raw", title="t", creation_date=NOW)))
    assert bare["description"] == "Raw data, measured at TOMCAT, SLS: t" and "license" not in bare


def test_dcat_is_a_graph_that_reads_back() -> None:
    graph = Graph().parse(data=dcat([described()], SITE).serialize(format="turtle"), format="turtle")
    page = URIRef("https://data.facility.example/datasets/01jd2x9q5v8k3m7n0r0")
    assert (page, rdflib.DCTERMS.title, Literal("Lung <1> & more ")) in graph
    assert (URIRef("https://data.facility.example/catalog"), rdflib.DCAT.dataset, page) in graph
    assert (page, rdflib.DCAT.theme, URIRef(LUNG.techniques[0])) in graph


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1000/x y", Identifier("local", "10.1000/x y")),
        ("https://doi.org/10.1000/X", Identifier("DOI", "10.1000/X")),
        ("doi:10.1000/x", Identifier("DOI", "10.1000/x")),
        ("hdl:21.1/a", Identifier("Handle", "21.1/a")),
        ("https://ror.org/03yrm5c26", Identifier("ROR", "03yrm5c26")),
        ("https://example.org/a", Identifier("URL", "https://example.org/a")),
        ("ark:/12148/btv", Identifier("ARK", "ark:/12148/btv")),
        ("2026/17", Identifier("local", "2026/17")),
    ],
)
def test_identifiers_are_known_by_their_form(text: str, expected: Identifier) -> None:
    assert parse(text) == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=any_dataset)
def test_any_dataset_can_be_described(schema: etree.XMLSchema, dataset: Dataset) -> None:
    told: Description = described(dataset)
    schema.assertValid(datacite(told))
    for make in (oai_datacite, oai_dc, oai_openaire):
        etree.fromstring(etree.tostring(make(told)))
    json.dumps(schemaorg(told), allow_nan=False)
    text = dcat([told], SITE).serialize(format="turtle")
    assert len(Graph().parse(data=text, format="turtle"))
