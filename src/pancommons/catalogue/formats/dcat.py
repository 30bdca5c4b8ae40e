"""The catalogue in DCAT-AP 3, as an RDF graph.

Source: https://semiceu.github.io/DCAT-AP/releases/3.0.0/; access rights by the EU's authority table.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rdflib import DCAT, DCTERMS, FOAF, RDF, XSD, BNode, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from pancommons.catalogue.formats.description import Agent, Description, Identifier, Site
from pancommons.catalogue.formats.xml import address, clean, license_url, stamp

ADMS = Namespace("http://www.w3.org/ns/adms#")
PROV = Namespace("http://www.w3.org/ns/prov#")
_RIGHTS = "http://publications.europa.eu/resource/authority/access-right/"
_ACCESS = {"open": "PUBLIC", "embargoed": "RESTRICTED", "restricted": "RESTRICTED"}


def dcat(described: Iterable[Description], site: Site) -> Graph:
    """Make the graph of a catalogue and the datasets given."""
    graph = Graph()
    for prefix, space in (("dcat", DCAT), ("dcterms", DCTERMS), ("foaf", FOAF), ("adms", ADMS), ("prov", PROV)):
        graph.bind(prefix, space)
    catalogue = URIRef(f"{site.url}/catalog")
    publisher = URIRef(site.ror) if site.ror else URIRef(f"{site.url}/#publisher")
    graph.add((catalogue, RDF.type, DCAT.Catalog))
    graph.add((catalogue, DCTERMS.title, Literal(f"Data of {site.publisher}", "en")))
    graph.add((catalogue, DCTERMS.description, Literal(f"Datasets kept by {site.publisher}", "en")))
    graph.add((catalogue, DCTERMS.publisher, publisher))
    graph.add((catalogue, FOAF.homepage, URIRef(site.url)))
    graph.add((publisher, RDF.type, FOAF.Agent))
    graph.add((publisher, FOAF.name, Literal(site.publisher)))
    for one in described:
        graph.add((catalogue, DCAT.dataset, _dataset(graph, one, publisher)))
    return graph


def _dataset(graph: Graph, described: Description, publisher: Node) -> URIRef:
    dataset = URIRef(described.landing_page)

    def say(predicate: URIRef, *values: Node | None) -> None:
        for value in values:
            if value is not None:
                graph.add((dataset, predicate, value))

    say(RDF.type, DCAT.Dataset)
    say(DCTERMS.title, _text(described.title))
    say(DCTERMS.description, _text(described.summary or described.title))
    say(DCTERMS.publisher, publisher)
    say(DCTERMS.identifier, Literal(described.primary.url or described.primary.value))
    say(DCTERMS.issued, _moment(described.published))
    say(DCTERMS.modified, _moment(described.updated))
    say(DCTERMS.accessRights, URIRef(_RIGHTS + _ACCESS[described.access]))
    say(DCAT.landingPage, URIRef(described.landing_page))
    say(DCAT.theme, *(_address(term.url) for term in described.techniques))
    say(DCAT.keyword, *(_text(word.term) for word in (*described.techniques, *described.keywords)))
    say(DCTERMS.creator, *(_agent(graph, agent) for agent in described.creators))
    say(ADMS.identifier, *(_identifier(graph, one) for one in described.others))
    for one in described.related:
        predicate = {"IsDerivedFrom": PROV.wasDerivedFrom, "IsPartOf": DCTERMS.isPartOf}.get(one.relation)
        say(predicate or DCTERMS.relation, _address(one.identifier.url))
    period = BNode()
    say(DCTERMS.temporal, period)
    graph.add((period, RDF.type, DCTERMS.PeriodOfTime))
    graph.add((period, DCAT.startDate, _moment(described.created)))
    if described.ended:
        graph.add((period, DCAT.endDate, _moment(described.ended)))
    _distribution(graph, described, dataset)
    return dataset


def _distribution(graph: Graph, described: Description, dataset: URIRef) -> None:
    distribution = URIRef(f"{described.landing_page}#files")
    graph.add((dataset, DCAT.distribution, distribution))
    graph.add((distribution, RDF.type, DCAT.Distribution))
    graph.add((distribution, DCAT.accessURL, URIRef(described.landing_page)))
    licence = _address(license_url(described.license))
    if licence is not None:
        graph.add((distribution, DCTERMS.license, licence))
    if described.size is not None:
        graph.add((distribution, DCAT.byteSize, Literal(described.size, datatype=XSD.nonNegativeInteger)))
    for kind in described.media_types:
        address = URIRef(f"https://www.iana.org/assignments/media-types/{kind}")
        graph.add((distribution, DCAT.mediaType, address))


def _agent(graph: Graph, agent: Agent) -> Node:
    node: Node = URIRef(str(Identifier("ORCID", agent.orcid).url)) if agent.orcid else BNode()
    graph.add((node, RDF.type, FOAF.Person if agent.person else FOAF.Organization))
    graph.add((node, FOAF.name, _text(agent.name)))
    return node


def _identifier(graph: Graph, one: Identifier) -> Node:
    node = BNode()
    graph.add((node, RDF.type, ADMS.Identifier))
    graph.add((node, URIRef("http://www.w3.org/2004/02/skos/core#notation"), Literal(one.value)))
    return node


def _address(url: str | None) -> URIRef | None:
    known = address(url)
    return URIRef(known) if known else None


def _moment(moment: datetime) -> Literal:
    return Literal(stamp(moment), datatype=XSD.dateTime)


def _text(text: str) -> Literal:
    return Literal(clean(text))
