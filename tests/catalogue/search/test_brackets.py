"""A filter in brackets is the filter in JSON, with texts for leaves."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.catalogue.search.brackets import from_query
from pancommons.catalogue.search.errors import BadFilter


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], None),
        ([("limit", "1")], None),
        ([("filter", '{"limit": 1}')], '{"limit": 1}'),
        ([("filter[limit]", "1")], {"limit": "1"}),
        ([("filter[where][title][like]", "a%")], {"where": {"title": {"like": "a%"}}}),
        (
            [("filter[include][0][relation]", "techniques"), ("filter[include][1]", "files")],
            {"include": [{"relation": "techniques"}, "files"]},
        ),
        (
            [("filter[where][pid][inq]", "a"), ("filter[where][pid][inq]", "b")],
            {"where": {"pid": {"inq": ["a", "b"]}}},
        ),
        (
            [("filter[where][pid][inq][]", "a"), ("filter[where][pid][inq][]", "b")],
            {"where": {"pid": {"inq": ["a", "b"]}}},
        ),
        (
            [(f"filter[where][or][{n}][pid]", str(n)) for n in range(11)],
            {"where": {"or": [{"pid": str(n)} for n in range(11)]}},
        ),
    ],
)
def test_brackets(pairs, expected):
    assert from_query(pairs) == expected


@pytest.mark.parametrize(
    "pairs",
    [
        [("filter[limit", "1")],
        [("filter[a]b", "1")],
        [("filter[limit]", "1"), ("filter", "{}")],
        [("filter", "{}"), ("filter", "{}")],
        [("filter[a]", "1"), ("filter[a][b]", "2")],
        [("filter[a][b]", "1"), ("filter[a]", "2")],
        [("filter" + "[a]" * 41, "1")],
        [("filter[a]", "x" * 70000)],
    ],
)
def test_nonsense_in_brackets_is_refused(pairs):
    with pytest.raises(BadFilter):
        from_query(pairs)


@given(st.lists(st.tuples(st.text("filter[]ab01", max_size=20), st.text("ab", max_size=2)), max_size=6))
def test_no_query_string_fails_otherwise(pairs):
    with suppress(BadFilter):
        from_query([("filter" + key, value) for key, value in pairs])
