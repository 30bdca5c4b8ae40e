"""A technique is found by its synonyms, and with all that lies below it."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import NOW, dataset, pids, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.records import Technique
from pancommons.catalogue.search.asking import search


@pytest.fixture(scope="module")
def ontology(shared_database):
    techniques = [
        Technique(pid="p/1", name="tomography", synonyms=("CT", "old tomography")),
        Technique(pid="p/2", name="x-ray tomography", parents=("p/1",)),
        Technique(pid="p/3", name="nano-CT", parents=("p/2",)),
        Technique(pid="p/4", name="scattering"),
    ]
    records = [dataset(f"d{n}", techniques=(f"p/{n}",)) for n in (1, 2, 3, 4)]
    put(shared_database, [*records, dataset("d5", techniques=("p/3", "p/4"))], techniques)
    with shared_database.read() as connection:
        yield connection


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"pid": "p/1"}, "d1 d2 d3 d5"),
        ({"pid": "p/2"}, "d2 d3 d5"),
        ({"name": "tomography"}, "d1 d2 d3 d5"),
        ({"name": "CT"}, "d1 d2 d3 d5"),
        ({"name": {"ilike": "old tomo"}}, "d1 d2 d3 d5"),
        ({"text": "X-RAY"}, "d2 d3 d5"),
        ({"name": {"regexp": "^x"}}, "d2 d3 d5"),
        ({"pid": {"inq": ["p/3", "p/4"]}}, "d3 d4 d5"),
        ({"pid": {"neq": "p/1"}}, "d4 d5"),
        ({"name": {"nlike": "tomography"}}, "d4 d5"),
        ({"pid": "p/9"}, ""),
        ({"and": [{"pid": "p/1"}, {"pid": "p/2"}]}, "d2 d3 d5"),
        ({"or": [{"pid": "p/3"}, {"name": "scattering"}]}, "d3 d4 d5"),
    ],
)
def test_descendants_and_synonyms_are_found(ontology, where, expected):
    found = search(
        ontology, "Dataset", {"include": [{"relation": "techniques", "scope": {"where": where}}]}, ANONYMOUS, NOW
    )
    assert pids(found) == expected.split()
