"""Reading an ontology from a file: OWL in any notation that rdflib knows, or a list of techniques as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.errors import BadInput
from pancommons.catalogue.ontology.graph import Ontology
from pancommons.catalogue.records import Technique

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

_LARGEST = 64 << 20
_NOTATIONS = {".owl": "xml", ".rdf": "xml", ".xml": "xml", ".ttl": "turtle", ".nt": "nt", ".jsonld": "json-ld"}
_DEFINITION = "http://purl.obolibrary.org/obo/IAO_0000115"
_REMEDY = "give PaNET's OWL file, or a list of objects with pid, name, synonym, parents, equivalent, definition"


def read_ontology(path: str | Path) -> Ontology:
    """Read all classes of an ontology; nothing is inferred, so the file must be a reasoned one.

    Parameters
    ----------
    path
        OWL (``.owl``, ``.rdf``, ``.ttl``, ``.nt``, ``.jsonld``) or ``.json``: a list of objects with ``pid``,
        ``name`` and, where there are any, ``synonym``, ``parents``, ``equivalent`` and ``definition``.

    Raises
    ------
    BadInput
        If it cannot be read, or holds no class with a name.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"is larger than {_LARGEST >> 20} MiB, which no ontology of techniques is", file=path)
        read = _from_json if path.suffix.lower() == ".json" else _from_owl
        ontology = Ontology(read(path))
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the name") from None
    if not len(ontology):
        raise BadInput("there are no named classes in it", file=path, remedy=_REMEDY)
    return ontology


def _from_json(path: Path) -> list[Technique]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is no JSON ({error})", file=path, remedy=_REMEDY) from None
    if not isinstance(told, list):
        raise BadInput("expected a list of techniques", file=path, remedy=_REMEDY)
    return [_technique(one, number, path) for number, one in enumerate(told)]


def _technique(told: Any, number: int, path: Path) -> Technique:
    try:
        lists = [told.get(name) or [] for name in ("synonym", "parents", "equivalent", "definition")]
        synonyms, parents, equals, definitions = ([one] if isinstance(one, str) else list(one) for one in lists)
        named = (told["pid"], told["name"], *synonyms, *parents, *equals, *definitions)
    except (AttributeError, KeyError, TypeError):
        named = (None,)
    if not all(isinstance(one, str) for one in named):
        raise BadInput("this is no technique", file=path, field=f"[{number}]", remedy=_REMEDY)
    return Technique(
        pid=told["pid"],
        name=_plain(told["name"]),
        definition=next(map(_plain, definitions), None),
        synonyms=tuple(map(_plain, synonyms)),
        parents=tuple(dict.fromkeys(parents + equals)),
    )


def _from_owl(path: Path) -> list[Technique]:
    from rdflib import OWL, RDF, RDFS, SKOS, Graph, URIRef

    graph = Graph()
    try:
        graph.parse(path.absolute(), format=_NOTATIONS.get(path.suffix.lower(), "xml"))
    except OSError:
        raise
    except Exception as error:  # each of rdflib's parsers raises its own kinds
        raise BadInput(
            f"cannot be read as OWL ({' '.join(str(error).split())[:200]})", file=path, remedy=_REMEDY
        ) from None
    equals = _equals(graph)
    found = []
    for node in sorted(node for node in graph.subjects(RDF.type, OWL.Class) if isinstance(node, URIRef)):
        names = _texts(graph, node, RDFS.label)
        if not names or (node, OWL.deprecated, None) in graph:
            continue
        above = (one for one in graph.objects(node, RDFS.subClassOf) if isinstance(one, URIRef) and one != OWL.Thing)
        parents = sorted(map(str, above))
        found.append(
            Technique(
                pid=str(node),
                name=names[0],
                definition=next(iter(_texts(graph, node, URIRef(_DEFINITION))), None),
                synonyms=tuple(dict.fromkeys(names[1:] + _texts(graph, node, SKOS.altLabel))),
                parents=tuple(dict.fromkeys(parents + sorted(equals.get(str(node), ())))),
            )
        )
    return found


def _equals(graph: Graph) -> dict[str, set[str]]:
    """Find the classes that are named as equivalent, or defined as the intersection of the same classes."""
    from rdflib import OWL, URIRef
    from rdflib.collection import Collection

    same: dict[frozenset[Node], set[str]] = {}
    for one, other in graph.subject_objects(OWL.equivalentClass):
        members = graph.value(other, OWL.intersectionOf)
        key = frozenset([one, other] if isinstance(other, URIRef) else Collection(graph, members) if members else [])
        if isinstance(one, URIRef) and key and all(isinstance(part, URIRef) for part in key):
            same.setdefault(key, set()).update({str(one), str(other)} if isinstance(other, URIRef) else {str(one)})
    equals: dict[str, set[str]] = {}
    for names in same.values():
        for name in names:
            equals.setdefault(name, set()).update(names - {name})
    return equals


def _texts(graph: Graph, node: Node, predicate: Node) -> list[str]:
    """List what a class is called, English and words of no language first."""
    found = [one for one in graph.objects(node, predicate) if str(one).strip()]
    english = {None: 0, "en": 0}
    ordered = sorted(found, key=lambda one: (english.get(getattr(one, "language", None), 1), str(one)))
    return [_plain(str(one)) for one in ordered]


def _plain(text: str) -> str:
    return " ".join(text.split())
