"""Scores: what is found, in which order, and that they mean the same in every catalogue."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import CLOSED, NOW, dataset, pids, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.search.asking import score, search
from pancommons.catalogue.search.errors import BadFilter

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


def _filler(number):
    return dataset(f"f{number}", title=f"lung {WORDS[number % 10]} {number}", summary=" ".join(WORDS))


@pytest.fixture(scope="module")
def ranked(shared_database):
    records = [
        dataset("both", "tomography of a lung"),
        dataset("title", "tomography of a heart"),
        dataset("summary", "a measurement", summary="of a lung by tomography with many further words " * 3),
        dataset("other", "diffraction of ice"),
        dataset("closed", "tomography of a lung", terms=CLOSED),
    ]
    put(shared_database, records)
    with shared_database.read() as connection:
        yield connection


def test_the_best_come_first_and_others_not_at_all(ranked):
    found = search(ranked, "Dataset", {"query": "lung tomography"}, ANONYMOUS, NOW)
    assert pids(found)[0] == "both"
    assert set(pids(found)) == {"both", "title", "summary"}
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < one < 1 for one in scores)


def test_limits_and_conditions_and_orders_hold(ranked):
    everything = search(ranked, "Dataset", {"query": "lung tomography"}, ANONYMOUS, NOW)
    for skip in range(4):
        page = search(ranked, "Dataset", {"query": "lung tomography", "skip": skip, "limit": 1}, ANONYMOUS, NOW)
        assert page == everything[skip : skip + 1]
    where = {"title": {"like": "heart"}}
    assert pids(search(ranked, "Dataset", {"query": "tomography", "where": where}, ANONYMOUS, NOW)) == ["title"]
    by_title = search(ranked, "Dataset", {"query": "lung tomography", "order": "title"}, ANONYMOUS, NOW)
    assert pids(by_title) == ["summary", "title", "both"]
    assert all(0 < one["score"] < 1 for one in by_title)
    assert search(ranked, "Dataset", {"query": "?!"}, ANONYMOUS, NOW) == []


def test_the_scoring_service(ranked):
    found = score(ranked, "Lung tomographies", ANONYMOUS, NOW, group="Datasets", limit=2)
    assert found["query"] == {"query": "Lung tomographies", "terms": ["lung", "tomographi"]}
    assert found["scores"][0]["itemId"] == "both"
    assert (len(found["scores"]), found["dimension"], found["computeInProgress"]) == (2, 2, False)
    some = score(ranked, "lung", ANONYMOUS, NOW, items=["other", "both", "unknown"])
    assert [one["itemId"] for one in some["scores"]] == ["both"]
    assert score(ranked, "lung", ANONYMOUS, NOW, items=[])["scores"] == []
    with pytest.raises(BadFilter, match="no group 'Things'"):
        score(ranked, "lung", ANONYMOUS, NOW, group="Things")


def test_a_record_scores_the_same_in_a_larger_catalogue(new_database):
    """With the larger of another make, every word of the query common there: nothing but the record counts."""
    scores = []
    for size in (10, 400):
        database = new_database()
        mine = dataset("mine", "tomography of a lung", summary="measured at the beamline alpha")
        put(database, [mine, *map(_filler, range(size))])
        with database.read() as connection:
            found = search(connection, "Dataset", {"query": "alpha lung tomography"}, ANONYMOUS, NOW)
        scores.append(next(one["score"] for one in found if one["pid"] == "mine"))
    assert scores[0] == scores[1]
