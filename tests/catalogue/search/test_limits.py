"""The largest requests that are accepted are answered, by both databases."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import NOW, OPEN, dataset, has, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.records import Document
from pancommons.catalogue.search import weighing
from pancommons.catalogue.search.asking import count, search
from pancommons.catalogue.search.conditions import MOST_AMOUNTS, MOST_VALUES
from pancommons.catalogue.search.errors import BadFilter, TooLarge
from pancommons.catalogue.search.parse import DEEPEST_INCLUDE
from pancommons.catalogue.search.reading import FIRST
from pancommons.catalogue.search.weighing import Budget


@pytest.fixture(scope="module")
def one(shared_database):
    report = Document(pid="report", type="publication", title="a report", terms=OPEN)
    put(shared_database, [report, dataset("one", "a title", size=5, documents=("report",))])
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


def _chain(depth, innermost):
    """Include `depth` relations, one in the other, the last with a scope."""
    scope = innermost
    for level in range(depth):
        scope = {"include": [{"relation": ("documents", "datasets")[(depth - level - 1) % 2], "scope": scope}]}
    return scope


@pytest.mark.parametrize("depth", [4, 8, 14, DEEPEST_INCLUDE])
def test_deep_includes(one, depth):
    [found] = search(one, "Dataset", _chain(depth, {}), ANONYMOUS, NOW)
    for _ in range(depth // 2):
        assert [document["pid"] for document in found["documents"]] == ["report"]
        [found] = found["documents"][0]["datasets"]
    deep = {"title": "a title"}
    for _ in range(12):
        deep = {"or": [deep, {"title": {"nlike": "title"}}]}
    assert len(search(one, "Dataset", _chain(depth, {"where": deep}), ANONYMOUS, NOW)) == 1
    assert search(one, "Dataset", _chain(depth, {"where": {"title": "none"}}), ANONYMOUS, NOW) == []


def test_an_include_too_deep_is_refused(one):
    with pytest.raises(BadFilter, match=f"more than {DEEPEST_INCLUDE} deep"):
        search(one, "Dataset", _chain(DEEPEST_INCLUDE + 1, {}), ANONYMOUS, NOW)


def test_a_large_answer_is_refused_before_it_is_gathered(new_database, monkeypatch):
    database = new_database()
    put(database, [dataset(str(number), "t" * 1000) for number in range(FIRST * 4)])
    monkeypatch.setattr(weighing, "LARGEST", 100_000)
    read = []
    monkeypatch.setattr(Budget, "spend", lambda self, row, spend=Budget.spend: (read.append(1), spend(self, row)))
    with database.read() as connection:
        assert len(search(connection, "Dataset", {"limit": 80}, ANONYMOUS, NOW)) == 80
        read.clear()
        with pytest.raises(TooLarge, match="a smaller limit and go on with skip"):
            search(connection, "Dataset", {}, ANONYMOUS, NOW)
    assert len(read) < 2 * FIRST * 2


def test_what_many_include_counts_each_time(new_database, monkeypatch):
    database = new_database()
    report = Document(pid="report", type="publication", title="t" * 1000, terms=OPEN)
    put(database, [report, *(dataset(str(number), documents=("report",)) for number in range(200))])
    monkeypatch.setattr(weighing, "LARGEST", 100_000)
    asked = {"include": [{"relation": "datasets", "scope": {"include": ["documents"]}}]}
    with database.read() as connection, pytest.raises(TooLarge):
        search(connection, "Document", asked, ANONYMOUS, NOW)


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
