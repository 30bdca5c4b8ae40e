from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.catalogue.ontology.graph import PANET, core
from pancommons.catalogue.ontology.reading import read_ontology

SharedData = Callable[[str], Path]


def _closure_of_json(file: Path) -> dict[str, set[str]]:
    """Work the descendant sets out again, by matrix powers instead of a walk."""
    told = json.loads(file.read_text())
    pids = {one["pid"] for one in told}
    above = {one["pid"]: {*one["parents"], *one["equivalent"]} & pids for one in told}
    for one in told:
        for equal in one["equivalent"]:
            if equal in pids:
                above[equal].add(one["pid"])
    ancestors = {pid: {pid} for pid in pids}
    while True:
        grown = {pid: {pid}.union(*(ancestors[one] for one in above[pid])) for pid in pids}
        if grown == ancestors:
            break
        ancestors = grown
    return {pid: {one for one in pids if pid in ancestors[one]} for pid in pids}


@pytest.mark.real
@pytest.mark.parametrize("name", ["PaNET-1.3.0.owl", "panet-1.3.0-inferred.json"])
def test_every_set_of_descendants_of_panet_is_that_of_the_shared_list(shared_data: SharedData, name: str) -> None:
    expected = _closure_of_json(shared_data("panet/panet-1.3.0-inferred.json"))
    ontology = read_ontology(shared_data(f"panet/{name}"))
    assert {pid: set(found) for pid, found in ontology.closure.items()} == expected
    assert len(expected) == 505
    assert len(ontology.techniques_only()) == 377


@pytest.mark.real
def test_both_forms_of_panet_hold_the_same_names(shared_data: SharedData) -> None:
    owl, listed = (
        read_ontology(shared_data(f"panet/{name}")) for name in ("PaNET-1.3.0.owl", "panet-1.3.0-inferred.json")
    )
    for one in listed:
        other = owl.get(one.pid)
        assert other is not None
        assert (other.name, set(other.synonyms)) == (one.name, set(one.synonyms))


@pytest.mark.real
def test_the_shipped_techniques_are_those_of_panet(shared_data: SharedData) -> None:
    whole = read_ontology(shared_data("panet/PaNET-1.3.0.owl"))
    shipped = core()
    for one in shipped:
        there = whole.get(one.pid)
        assert there is not None
        assert there.name == one.name
        assert set(there.synonyms) <= set(one.synonyms)
        among = {pid for pid in whole.closure[one.pid] if pid in shipped}
        assert set(shipped.closure[one.pid]) == among


def test_old_and_new_names_find_the_same_technique() -> None:
    for name in ("tomography", "Tomography-based  techniques"):
        assert [one.pid for one in core().named(name)] == [f"{PANET}PaNET01129"]


def test_equals_lie_beneath_each_other(tmp_path: Path) -> None:
    file = tmp_path / "ours.ttl"
    file.write_text(
        """
        @prefix owl: <http://www.w3.org/2002/07/owl#> .
        @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        @prefix : <https://example.org/> .
        :a a owl:Class ; rdfs:label "a" .
        :b a owl:Class ; rdfs:label "b" ; rdfs:subClassOf :a, owl:Thing ; owl:equivalentClass :c .
        :c a owl:Class ; rdfs:label "c"@en, "zeh"@de .
        :d a owl:Class ; rdfs:label "d" ; rdfs:subClassOf :c .
        :both a owl:Class ; rdfs:label "both" ; owl:equivalentClass [ a owl:Class ; owl:intersectionOf ( :b :d ) ] .
        :same a owl:Class ; rdfs:label "same" ; owl:equivalentClass [ a owl:Class ; owl:intersectionOf ( :d :b ) ] .
        :old a owl:Class ; rdfs:label "old" ; rdfs:subClassOf :a ; owl:deprecated true .
        """
    )
    ontology = read_ontology(file)
    beneath = {
        pid[-1] if len(pid) < 22 else pid[20:]: {one[20:] for one in found} for pid, found in ontology.closure.items()
    }
    assert beneath["a"] == {"a", "b", "c", "d"}
    assert beneath["b"] == beneath["c"] == {"b", "c", "d"}
    assert beneath["both"] == beneath["same"] == {"both", "same"}
    [c] = ontology.named("zeh")
    assert c.name == "c"
    told = ontology.as_json(c)
    assert told["parents"] == []
    assert told["children"] == ["https://example.org/d"]
    assert told["relatives"][0] == "https://example.org/c"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.owl", "<rdf", "cannot be read as OWL"),
        ("a.json", "{}", "expected a list"),
        ("a.json", "[", "is no JSON"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.json", '[{"pid": "x"}]', "this is no technique"),
        ("a.json", '[{"pid": "x", "name": "y", "synonym": [1]}]', "this is no technique"),
        ("a.json", "[]", "no named classes"),
        ("a.ttl", "", "no named classes"),
    ],
)
def test_what_is_no_ontology_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=says):
        read_ontology(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_ontology(tmp_path / "none.owl")
