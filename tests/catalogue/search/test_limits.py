"""The largest requests that are accepted are answered, by both databases."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import NOW, dataset, has, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.search.asking import count, search
from pancommons.catalogue.search.conditions import MOST_AMOUNTS, MOST_VALUES
from pancommons.catalogue.search.errors import BadFilter


@pytest.fixture(scope="module")
def one(shared_database):
    put(shared_database, [dataset("one", "a title", size=5)])
    with shared_database.read() as connection:
        yield connection


def test_long_lists(one):
    numbers = list(range(MOST_VALUES))
    assert count(one, "Dataset", {"size": {"inq": numbers}}, ANONYMOUS, NOW) == 1
    assert count(one, "Dataset", {"size": {"nin": [str(number) for number in numbers]}}, ANONYMOUS, NOW) == 0
    assert count(one, "Dataset", {"pid": {"inq": [*map(str, numbers[1:]), "one"]}}, ANONYMOUS, NOW) == 1
    amounts = [str(number) for number in numbers[:MOST_AMOUNTS]]
    assert search(one, "Dataset", has("incident_photon_energy", {"inq": amounts}, "nm"), ANONYMOUS, NOW) == []
    assert search(one, "Dataset", has("t", {"nin": amounts}, ""), ANONYMOUS, NOW) == []
    with pytest.raises(BadFilter, match="more than 100 values"):
        search(one, "Dataset", has("t", {"inq": [*amounts, 1]}, "K"), ANONYMOUS, NOW)


def test_many_conditions_and_deep_ones(one):
    assert count(one, "Dataset", {"or": [{"title": {"regexp": "tit"}}] * 120}, ANONYMOUS, NOW) == 1
    deep = {"text": "title"}
    for _ in range(15):
        deep = {"or": [deep, {"title": {"nlike": "title"}}]}
    assert count(one, "Dataset", deep, ANONYMOUS, NOW) == 1


@pytest.mark.parametrize("depth", [4, 8, 14])
def test_deep_includes(one, depth):
    include = {"relation": "documents"}
    for level in range(depth):
        include = {"relation": ("datasets", "documents")[level % 2], "scope": {"include": [include]}}
    if depth > 4 and one.dialect.name == "sqlite":
        with pytest.raises(BadFilter, match="deeper than SQLite can follow"):
            search(one, "Dataset", {"include": [include]}, ANONYMOUS, NOW)
    else:
        [found] = search(one, "Dataset", {"include": [include]}, ANONYMOUS, NOW)
        assert found["documents"] == []


def test_many_includes(one):
    several = [has("t", {"gt": n}, "K")["include"][0] for n in range(40)]
    assert search(one, "Dataset", {"include": several}, ANONYMOUS, NOW) == []
    wide = [{"relation": "techniques", "scope": {"where": {"name": {"neq": str(n)}}}} for n in range(80)]
    assert search(one, "Dataset", {"include": wide}, ANONYMOUS, NOW) == []


def test_large_numbers(one):
    assert search(one, "Dataset", {"skip": 10**18, "limit": 10**18}, ANONYMOUS, NOW) == []
    assert count(one, "Dataset", {"size": {"lt": 1e308}}, ANONYMOUS, NOW) == 1
    assert search(one, "Dataset", has("t", {"gt": 1e308}, "YeV"), ANONYMOUS, NOW) == []
    assert search(one, "Dataset", has("incident_photon_energy", {"gt": 1e-300}, "ym"), ANONYMOUS, NOW) == []
    with pytest.raises(BadFilter):
        search(one, "Dataset", {"limit": 1e18}, ANONYMOUS, NOW)
