"""Whatever providers do, a federation's pages are those of the sorted union of what they have."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.settings import Provider
from pancommons.catalogue.federation.merging import doi
from pancommons.catalogue.search.errors import BadFilter
from pancommons.server.federation import asking
from pancommons.server.federation.breaker import Breaker
from pancommons.server.federation.providers import Remote
from tests.server.federation.pretending import Pretender, Record, remotes, talking

SILENT = ("dead", "slow", "broken", "refuses", "nonsense", "moved", "packed", "list")

pids = st.sampled_from([*(f"10.5072/{letter}" for letter in "abcdefgh"), *(f"20.500.12269/{n}" for n in range(12))])
records = st.lists(
    st.builds(lambda pid, title: {"pid": pid, "title": title}, pids, st.text("abé", max_size=2)),
    max_size=14,
    unique_by=lambda one: one["pid"],
)
faults = st.sampled_from(("honest", "honest", "repeats", "unsorted", *SILENT))
federations = st.lists(st.tuples(records, faults), min_size=1, max_size=4).map(
    lambda told: [Pretender(f"p{number}", *one) for number, one in enumerate(told)]
)


def union(pretenders: list[Pretender]) -> list[tuple[str, Record]]:
    """Sort what all that answer have, and leave out what came before."""
    rows = sorted(
        (record["title"], record["pid"], number, one.name)
        for number, one in enumerate(pretenders)
        if one.fault not in SILENT
        for record in one.records
    )
    seen: set[Any] = set()
    kept = []
    for title, pid, number, name in rows:
        mark = pid if pid.startswith("10.") else (number, pid)
        if mark not in seen:
            kept.append((name, {"pid": pid, "title": title}))
        seen.add(mark)
    return kept


def ask(pretenders: list[Pretender], **filter_: Any) -> asking.Answer:
    return asyncio.run(asking.find(remotes(pretenders), "Dataset", filter_))


def shown(rows: list[tuple[str, Record]]) -> list[Record]:
    return [{**record, "provider": f"http://{name}.example/api"} for name, record in rows]


@settings(deadline=None, max_examples=150)
@given(federations, st.integers(0, 20), st.integers(1, 20))
def test_a_page_is_a_page_of_the_sorted_union(pretenders: list[Pretender], skip: int, limit: int) -> None:
    found = ask(pretenders, skip=skip, limit=limit)
    assert found.records == shown(union(pretenders))[skip : skip + limit]
    failing = {one.name for one in pretenders if one.fault in SILENT}
    assert {part.provider.name for part in found.parts if part.problem} == failing
    assert found.partial == bool(failing) and found.silent == (len(failing) == len(pretenders))
    assert "Traceback" not in found.note()


@settings(deadline=None, max_examples=40)
@given(federations, st.integers(1, 7))
def test_pages_together_are_the_whole(pretenders: list[Pretender], limit: int) -> None:
    pages: list[Record] = []
    while page := ask(pretenders, skip=len(pages), limit=limit).records:
        pages += page
    assert pages == shown(union(pretenders)) == ask(pretenders, limit=0).records


@settings(deadline=None, max_examples=40)
@given(federations, st.integers(1, 7))
def test_one_that_sorts_by_other_rules_loses_and_repeats_nothing(pretenders: list[Pretender], limit: int) -> None:
    for one in pretenders[::2]:
        one.fault = "collates"
    pages: list[Record] = []
    while page := ask(pretenders, skip=len(pages), limit=limit).records:
        pages += page
    assert pages == ask(pretenders, limit=0).records
    marks = [one["pid"] if one["pid"].startswith("10.") else (one["pid"], one["provider"]) for one in pages]
    assert len(marks) == len(set(marks)) == len(union(pretenders))


@settings(deadline=None, max_examples=40)
@given(federations)
def test_a_count_is_a_sum_and_says_where_it_is_a_bound(pretenders: list[Pretender]) -> None:
    found = asyncio.run(asking.count(remotes(pretenders), "Dataset", {}))
    answering = [one for one in pretenders if one.fault not in SILENT]
    assert found.count == sum(len(one.records) for one in answering) >= len(union(pretenders))
    assert found.upper_bound == (sum(bool(one.records) for one in answering) > 1)


@pytest.mark.parametrize("told", [{"count": -1}, {"count": "7"}, {"count": True}, {"count": 1e99}, {"n": 1}, 7, []])
def test_a_count_that_is_none_is_left_out(told: Any) -> None:
    client = talking(lambda _: httpx.Response(200, json=told))
    remote = Remote(Provider(name="liar", url="http://liar.example"), client)
    found = asyncio.run(asking.count([remote], "Dataset", {}))
    assert found.count == 0 and found.note() == "liar answers with what is no count"


def test_one_that_ignores_skip_does_not_hold_us_up() -> None:
    first = [{"pid": f"x/{n}", "title": "t"} for n in range(5)]
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=first * 2)

    told = Provider(name="stuck", url="http://stuck.example", kind="pancommons")
    remote = Remote(told, talking(answer))
    found = asyncio.run(asking.find([remote], "Dataset", {"limit": 10}))
    assert len(found.records) == 5 and "repeats" in found.note() and len(asked) == 2


def test_an_answer_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ask([Pretender("big", [], "endless"), Pretender("well", [{"pid": "a", "title": "t"}])])
    assert found.note() == "big answers with more than 32 MiB" and len(found.records) == 1


def test_what_does_not_sort_and_is_too_large_is_marked() -> None:
    many = [{"pid": f"x/{n:05}", "title": f"{n % 7}"} for n in range(1500)]
    found = ask([Pretender("wild", many, "unsorted")], limit=5)
    assert "only its first 1000" in found.note() and len(found.records) == 5


@pytest.mark.parametrize(
    "told", [{"limit": 1001}, {"skip": 1000}, {"skip": 1, "limit": 1000}, {"skip": 2000, "limit": 0}]
)
def test_pages_too_far_away_are_refused(told: dict[str, int]) -> None:
    with pytest.raises(BadFilter, match="1000"):
        ask([Pretender("one", [])], **told)


def test_the_reference_is_asked_without_a_limit_where_it_would_cut_too_early() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.url.params["filter"]))
        return httpx.Response(200, json=[{"pid": 7, "title": "b"}, {"pid": "6", "title": "a"}])

    told = Provider(name="ref", url="http://ref.example", kind="panosc", honours_order=True)
    remote = Remote(told, talking(answer))
    joined = {"include": [{"relation": "techniques", "scope": {"where": {"name": "x"}}}], "limit": 1, "fields": ["pid"]}
    found = asyncio.run(asking.find([remote], "Dataset", joined))
    assert found.records == [{"pid": "6", "provider": "http://ref.example"}] and not found.partial
    assert asked == [{"include": joined["include"]}]


def test_a_query_is_ranked_by_one_measure() -> None:
    unscored = [{"pid": "r/1", "title": "Lung of a mouse"}, {"pid": "r/2", "title": "A battery", "score": 0}]
    scored = [{"pid": "s/1", "title": "unknown here", "score": 0.99}, {"pid": "s/2", "title": "lung"}]
    own = [{"pid": "p/1", "title": "lung tissue", "score": 0.5}, {"pid": "p/2", "title": "lung x", "score": 0.01}]
    made = []
    for name, kind, told in (("ref", "panosc", unscored), ("sci", "scicat", scored), ("pan", "pancommons", own)):
        provider = Provider(name=name, url=f"http://{name}.example", kind=kind)
        made.append(Remote(provider, talking(lambda _, told=told: httpx.Response(200, json=told))))
    found = asyncio.run(asking.find(made, "Dataset", {"query": "lung"})).records
    assert [one["pid"] for one in found] == ["s/2", "r/1", "p/1", "p/2", "s/1"]
    assert all(0 < one["score"] < 1 for one in found)


def test_a_record_and_its_files_come_from_who_has_it() -> None:
    pretenders = [
        Pretender("dead", [], "dead"),
        Pretender("a", [{"pid": "x/1", "title": "t"}]),
        Pretender("b", [{"pid": "x/1", "title": "other"}, {"pid": "x/2", "title": "u"}]),
    ]
    asked = remotes(pretenders)
    found = asyncio.run(asking.get(asked, "Dataset", "x/1", None))
    assert found.records == [{"pid": "x/1", "title": "t", "provider": "http://a.example/api"}] and found.partial
    files = asyncio.run(asking.files(asked, "x/2", None))
    assert files is not None
    assert files.records == [{"id": "1", "name": "of b", "provider": "http://b.example/api"}]
    assert asyncio.run(asking.get(remotes(pretenders[1:]), "Dataset", "x/3", None)).records == []
    assert asyncio.run(asking.files(remotes(pretenders[1:]), "x/3", None)) is None


def test_who_does_not_answer_is_left_alone_for_a_while() -> None:
    now = [0.0]
    breaker = Breaker(failures=3, seconds=30, clock=lambda: now[0])
    for _ in range(3):
        assert breaker.passes()
        breaker.failed()
    assert not breaker.passes()
    now[0] = 31
    assert breaker.passes() and not breaker.passes()  # one goes through to see
    breaker.failed()
    now[0] = 50
    assert not breaker.passes()
    now[0] = 62
    assert breaker.passes()
    breaker.succeeded()
    assert breaker.passes() and breaker.passes()


def test_only_three_questions_reach_a_dead_one() -> None:
    pretender = Pretender("dead", [], "broken")
    asked = remotes([pretender])
    notes = [asyncio.run(asking.find(asked, "Dataset", {})).note() for _ in range(5)]
    assert len(pretender.asked) == 3 and notes[0] == "dead answers with status 500"
    assert "not asked for a while" in notes[4]


def test_a_wrong_question_does_not_count_as_a_failure() -> None:
    pretender = Pretender("strict", [], "refuses")
    asked = remotes([pretender])
    for _ in range(5):
        asyncio.run(asking.find(asked, "Dataset", {}))
    assert len(pretender.asked) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.5072/ABC", "10.5072/abc"),
        ("https://doi.org/10.5072/x", "10.5072/x"),
        ("http://dx.doi.org/10.5072/x", "10.5072/x"),
        ("doi: 10.5072/x", "10.5072/x"),
        ("20.500.12269/x", None),
        ("x10.5072/x", None),
        ("10.5072/", None),
        (None, None),
        (7, None),
    ],
)
def test_a_doi_is_known_in_every_spelling(text: Any, expected: str | None) -> None:
    assert doi(text) == expected
