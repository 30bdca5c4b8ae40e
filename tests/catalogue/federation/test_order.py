"""Records that come as JSON are ordered as the databases order theirs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.catalogue.federation.merging import Found, Given, merge
from pancommons.catalogue.federation.order import complete, place, written
from pancommons.catalogue.search.models import DATASET, INSTRUMENT
from pancommons.catalogue.search.parse import read_filter
from pancommons.catalogue.search.query import Sorting


def ordered(records: list[dict[str, Any]], *order: Sorting) -> list[dict[str, Any]]:
    return sorted(records, key=lambda one: place(one, order, DATASET))


@given(st.lists(st.text(max_size=4)))
def test_texts_by_code_point_both_ways(titles: list[str]) -> None:
    records = [{"title": title} for title in titles]
    assert [one["title"] for one in ordered(records, Sorting("title"))] == sorted(titles)
    assert [one["title"] for one in ordered(records, Sorting("title", True))] == sorted(titles, reverse=True)


@given(st.lists(st.none() | st.integers(-5, 5) | st.floats(-5, 5)))
def test_numbers_both_ways_and_nothing_last(sizes: list[Any]) -> None:
    records = [{"size": size} for size in sizes]
    there = [size for size in sizes if size is not None]
    missing = [None] * (len(sizes) - len(there))
    assert [one["size"] for one in ordered(records, Sorting("size"))] == sorted(there) + missing
    assert [one["size"] for one in ordered(records, Sorting("size", True))] == sorted(there, reverse=True) + missing


def test_moments_in_any_zone_and_spelling() -> None:
    dates = ["2026-01-01T12:00:00+02:00", "2026-01-01T10:30:00.000Z", "2026-01-01T11:00:00", "no date"]
    records = [{"creationDate": date} for date in dates]
    assert [one["creationDate"] for one in ordered(records, Sorting("creationDate"))] == dates


@given(st.lists(st.fixed_dictionaries({"size": st.none() | st.booleans() | st.integers() | st.text() | st.just([])})))
def test_nonsense_is_put_somewhere(records: list[dict[str, Any]]) -> None:
    assert len(ordered(records, Sorting("size"), Sorting("title", True))) == len(records)


@pytest.mark.parametrize(
    ("model", "filter_", "expected"),
    [
        (DATASET, {}, ["title ASC", "pid ASC"]),
        (INSTRUMENT, {}, ["name ASC", "pid ASC"]),
        (DATASET, {"order": "size DESC"}, ["size DESC", "pid ASC"]),
        (DATASET, {"order": ["pid DESC", "title"]}, ["pid DESC", "title ASC"]),
        (DATASET, {"query": "x"}, []),
        (DATASET, {"query": "x", "order": "size"}, ["size ASC", "pid ASC"]),
    ],
)
def test_an_order_leaves_no_two_alike(model: Any, filter_: Any, expected: list[str]) -> None:
    assert written(complete(read_filter(model, filter_))) == expected


def test_a_merge_says_who_must_give_more() -> None:
    def found(*pids: str) -> list[Found]:
        return [Found({"pid": pid}, (pid,)) for pid in pids]

    first, second = Given(found("a", "c"), ended=False), Given(found("b", "d"), ended=True)
    assert merge([first, second], 3) == merge([first, Given(found("b", "d"), ended=False)], 3)
    assert [record["pid"] for _, record in merge([first, second], 3).records] == ["a", "b", "c"]
    assert merge([first, second], 4).starved == 0
    assert merge([Given([], ended=False), second], 1).starved == 0
    assert merge([], 3).records == []
