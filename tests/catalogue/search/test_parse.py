"""The grammar of filters: what is read, what is refused and with what name, and that nothing else happens."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.models import DATASET, DOCUMENT, MODELS, PARAMETER, model
from pancommons.catalogue.search.parse import read_filter, read_where
from pancommons.catalogue.search.query import All, Contains, Equals, Measured, Missing, Not, Ordered, Some, Text


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"title": "a"}, Equals("title", ("a",))),
        ({"title": {"eq": "a"}}, Equals("title", ("a",))),
        ({"title": None}, Missing("title")),
        ({"title": {"neq": "a"}}, Not(Equals("title", ("a",)))),
        ({"pid": 17}, Equals("pid", ("17",))),
        ({"size": {"gt": "1e3"}}, Ordered("size", "gt", 1000.0)),
        ({"size": {"gte": 5, "lt": 9}}, All((Ordered("size", "gte", 5.0), Ordered("size", "lt", 9.0)))),
        ({"size": {"between": [1, "2"]}}, All((Ordered("size", "gte", 1.0), Ordered("size", "lte", 2.0)))),
        ({"pid": {"inq": []}}, Equals("pid", ())),
        ({"pid": {"nin": ["a", "b", "a"]}}, Not(Equals("pid", ("a", "b")))),
        ({"title": {"like": "%a.b%"}}, Contains("title", "a.b", False)),
        ({"title": {"nilike": "A"}}, Not(Contains("title", "A", True))),
        ({"isPublic": "true"}, Equals("isPublic", (True,))),
        ({"creationDate": {"lte": "2020-05-05"}}, Ordered("creationDate", "lte", "2020-05-05T00:00:00.000Z")),
        (
            {"creationDate": "2020-05-05T15:01:02.341 02:00"},
            Equals("creationDate", ("2020-05-05T13:01:02.341Z",)),
        ),
        ({"text": "lung"}, Text("lung")),
        ({"or": [{"title": "a"}, {"pid": "b"}]}, Some((Equals("title", ("a",)), Equals("pid", ("b",))))),
        ({"and": [{"title": "a"}, {"and": [{"pid": "b"}]}]}, All((Equals("title", ("a",)), Equals("pid", ("b",))))),
        ({}, None),
    ],
)
def test_conditions(where, expected):
    assert read_where(DATASET, where) == expected
    assert read_where(DATASET, json.dumps(where)) == expected


def _refused(given_filter, one=DATASET):
    with pytest.raises(BadFilter) as caught:
        read_filter(one, given_filter)
    return caught.value


@pytest.mark.parametrize(
    ("given_filter", "field", "said"),
    [
        ("{", "filter", "not JSON"),
        ("[1]", "filter", "an object"),
        ("7", "filter", "an object"),
        ('{"limit": NaN}', "filter", "NaN is not a number"),
        ("[" * 60000, "filter", "nested too deep"),
        ("x" * 70000, "filter", "longer than"),
        ({"wher": {}}, "filter.wher", "no part 'wher'"),
        ({"where": []}, "filter.where", "an object of conditions"),
        ({"where": {"titel": "a"}}, "filter.where.titel", "a Dataset has no field 'titel'"),
        ({"where": {"and": {"title": "a"}}}, "filter.where.and", "expected a list"),
        ({"where": {"or": ["a"]}}, "filter.where.or[0]", "an object of conditions"),
        ({"where": {"title": {"lk": "a"}}}, "filter.where.title.lk", "no operator 'lk'"),
        ({"where": {"title": {}}}, "filter.where.title", "no operator"),
        ({"where": {"title": ["a"]}}, "filter.where.title", "expected a text"),
        ({"where": {"title": True}}, "filter.where.title", "expected a text"),
        ({"where": {"title": "\ud800"}}, "filter.where.title", "letter that there is not"),
        ({"where": {"title": "a\0"}}, "filter.where.title", "letter that there is not"),
        ({"where": {"size": "big"}}, "filter.where.size", "expected a number"),
        ({"where": {"size": 10**400}}, "filter.where.size", "expected a number"),
        ({"where": {"size": {"like": "1"}}}, "filter.where.size.like", "like is for texts"),
        ({"where": {"isPublic": "maybe"}}, "filter.where.isPublic", "true or false"),
        ({"where": {"isPublic": {"gt": True}}}, "filter.where.isPublic.gt", "has no order"),
        ({"where": {"creationDate": "yesterday"}}, "filter.where.creationDate", "expected a date"),
        ({"where": {"creationDate": "0001-01-01T00:00:00+14:00"}}, "filter.where.creationDate", "expected a date"),
        ({"where": {"size": {"between": [1]}}}, "filter.where.size.between", "two values"),
        ({"where": {"size": {"between": 1}}}, "filter.where.size.between", "two values"),
        ({"where": {"pid": {"inq": "a"}}}, "filter.where.pid.inq", "expected a list"),
        ({"where": {"pid": {"inq": ["a"] * 1001}}}, "filter.where.pid.inq", "more than 1000"),
        ({"where": {"title": {"regexp": "("}}}, "filter.where.title.regexp", "not a regular expression"),
        ({"where": {"title": {"regexp": "(?=a)"}}}, "filter.where.title.regexp", "not a regular expression"),
        ({"where": {"title": {"regexp": "\\pL"}}}, "filter.where.title.regexp", "not understood"),
        ({"where": {"title": {"regexp": "/a/x"}}}, "filter.where.title.regexp", "flags"),
        ({"where": {"title": {"regexp": "((a{99}){99}){99}"}}}, "filter.where.title.regexp", "regular expression"),
        ({"where": {"score": 1}}, "filter.where.score", "score"),
        ({"include": [{"relation": "technique"}]}, "filter.include[0].relation", "no relation 'technique'"),
        ({"include": "samples2"}, "filter.include[0].relation", "no relation"),
        ({"include": [1]}, "filter.include[0]", "name of a relation"),
        ({"include": [{"relation": "files", "scop": {}}]}, "filter.include[0].scop", "no part"),
        ({"include": [{"relation": "files", "scope": {"query": "a"}}]}, "filter.include[0].scope.query", "no part"),
        (
            {"include": [{"relation": "files", "scope": {"where": {"title": "a"}}}]},
            "filter.include[0].scope.where.title",
            "a File has no field",
        ),
        (
            {"include": [{"relation": "parameters", "scope": {"where": {"text": "a"}}}]},
            None,
            "no text that is searched",
        ),
        ({"limit": -1}, "filter.limit", "whole number"),
        ({"limit": "ten"}, "filter.limit", "whole number"),
        ({"limit": 1.5}, "filter.limit", "whole number"),
        ({"limit": True}, "filter.limit", "whole number"),
        ({"skip": -1}, "filter.skip", "whole number"),
        ({"skip": 1, "offset": 1}, "filter.offset", "the same"),
        ({"order": "titel"}, "filter.order", "no field 'titel'"),
        ({"order": "title UP"}, "filter.order", "cannot order"),
        ({"order": 3}, "filter.order", "cannot order"),
        ({"fields": ["titel"]}, "filter.fields", "no field 'titel'"),
        ({"fields": {"title": "perhaps"}}, "filter.fields.title", "true or false"),
        ({"fields": [[]]}, "filter.fields", "no field"),
        ({"query": ["a"]}, "filter.query", "expected a text"),
    ],
)
def test_what_is_refused_names_the_culprit(given_filter, field, said):
    error = _refused(given_filter)
    assert field is None or error.field == field
    assert said in str(error)


def test_the_budget_of_a_request():
    many = {"where": {"or": [{"title": "a"}] * 300}}
    assert "more than 256" in str(_refused(many))
    deep: dict = {"title": "a"}
    for _ in range(20):
        deep = {"or": [deep]}
    assert "nested more than 16 deep" in str(_refused({"where": deep}))
    include: dict = {"relation": "documents"}
    for name in ("datasets", "documents") * 13:
        include = {"relation": name, "scope": {"include": [include]}}
    assert "nested more than 24 deep" in str(
        _refused({"include": [include]}, DOCUMENT if name == "datasets" else DATASET)
    )


def test_parts_of_a_filter():
    found = read_filter(
        DATASET,
        {
            "limit": "10",
            "offset": 5,
            "order": ["title desc", "pid"],
            "fields": {"title": True},
            "query": " x-ray ",
            "include": ["files", {"relation": "document", "scope": {"limit": 0, "fields": {"summary": False}}}],
        },
    )
    assert (found.limit, found.skip, found.query, found.fields) == (10, 5, "x-ray", {"title"})
    assert [(one.field, one.descending) for one in found.order] == [("title", True), ("pid", False)]
    assert [one.relation.name for one in found.include] == ["files", "document"]
    assert found.include[1].scope.limit is None
    assert found.include[1].scope.fields == set(DOCUMENT.fields) - {"summary"}
    assert not any(one.requires for one in found.include)
    assert read_filter(DATASET, None) == read_filter(DATASET, "{}") == read_filter(DATASET, "")


def test_a_unit_is_that_of_every_value_beside_it():
    found = read_where(PARAMETER, {"and": [{"name": "photon_energy"}, {"value": {"lt": "2"}}, {"unit": "keV"}]})
    name, value, unit = found.parts
    assert name == Equals("name", ("photon_energy",))
    assert isinstance(value, Measured)
    assert (value.order, value.value, value.unit.scale.dimension) == ("lt", 2.0, "kg*m^2/s^2")
    assert (unit.order, unit.unit) == (None, value.unit)
    assert [reading.power for reading in value.unit.readings] == [1.0]


def test_two_units_for_one_value_are_refused():
    with pytest.raises(BadFilter, match="more than one unit"):
        read_where(PARAMETER, {"and": [{"value": 1}, {"unit": "eV"}, {"unit": "keV"}]})


def test_a_model_is_known_by_its_name_in_any_case():
    assert model("datasets") is model("DATASET") is DATASET
    with pytest.raises(KeyError):
        model("Datum")


@pytest.mark.parametrize("one", MODELS.values(), ids=lambda one: one.name)
def test_every_relation_leads_to_a_model_and_every_field_can_be_asked(one):
    for relation in one.relations.values():
        assert read_filter(one, {"include": [relation.name]}).include[0].scope.model is MODELS[relation.model]
    for field in set(one.fields) - {"score"}:
        assert read_where(one, {field: None}) is not None


WORDS = ("where", "include", "relation", "scope", "limit", "order", "fields", "and", "or", "title", "pid", "size")
WORDS += ("value", "unit", "name", "text", "like", "gt", "inq", "between", "regexp", "isPublic")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(list(MODELS.values())))
def test_nothing_fails_otherwise(given_filter, one):
    for text in (given_filter, {"where": given_filter}, {"include": given_filter}):
        try:
            read_filter(one, text)
        except BadFilter as error:
            assert error.field and error.field.startswith("filter")


@given(st.text("ab.[]()*+?{}|^$\\/-^1,dDwsbBAzZxpPiq:=!<", max_size=12))
def test_no_regular_expression_fails_otherwise(text):
    with suppress(BadFilter):
        read_where(DATASET, {"title": {"regexp": text}})
