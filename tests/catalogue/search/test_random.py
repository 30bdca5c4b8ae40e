"""The compiler against the naive evaluator: the same answers over random catalogues, on both databases."""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.catalogue.search import naive, random_world

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.search import driving, walking
from pancommons.catalogue.search.asking import count, get, search
from pancommons.catalogue.search.parse import DEEPEST_INCLUDE
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATTERNS = ("^a", "/^A/i", "b$", "a.b", "[^a]b", "a|x", "\\.", "\\d", "(a|b){2}", "^$", "\\\\d")
EXAMPLES = int(os.environ.get("PANCOMMONS_TEST_EXAMPLES", "150"))

texts = st.sampled_from(random_world.TEXTS)
likes = st.builds("{}{}{}".format, st.sampled_from(["", "%"]), texts, st.sampled_from(["", "%"]))


def operators(values, *, ordered=True, texts_too=False):
    """Draw a condition on a field."""
    kinds = [
        values,
        st.fixed_dictionaries({"eq": st.none() | values}),
        st.fixed_dictionaries({"neq": st.none() | values}),
        st.fixed_dictionaries({"inq": st.lists(values, max_size=3)}),
        st.fixed_dictionaries({"nin": st.lists(values, max_size=3)}),
    ]
    if ordered:
        kinds += [st.fixed_dictionaries({op: values}) for op in ("gt", "gte", "lt", "lte")]
        kinds.append(st.fixed_dictionaries({"between": st.tuples(values, values).map(list)}))
        kinds.append(st.fixed_dictionaries({"gte": values, "lt": values}))
    if texts_too:
        kinds += [st.fixed_dictionaries({op: likes}) for op in ("like", "nlike", "ilike", "nilike")]
        kinds.append(st.fixed_dictionaries({"regexp": st.sampled_from(PATTERNS)}))
    return st.one_of(kinds)


numbers = st.sampled_from([*random_world.NUMBERS, 1, "20", "1e3", 68])
FIELD_VALUES = {
    "size": operators(st.sampled_from([0, 5, "1000", 2.5])),
    "isPublic": operators(st.booleans(), ordered=False),
    **{name: operators(st.sampled_from([*random_world.DATES, "2021-01-01"])) for name in naive.DATES},
}
PIDS = {"Dataset": "x1 x2 x11", "Document": "d0 d1", "Instrument": "i0 i1", "Sample": "s0 s2"}


def field_conditions(model):
    fields = []
    for name in naive.FIELDS[model]:
        if name == "id" and model in ("File", "Member", "Parameter"):
            continue  # given by the catalogue
        values = FIELD_VALUES[name] if name in FIELD_VALUES else operators(texts, texts_too=True)
        if model == "Technique" and name != "name":
            values = operators(st.sampled_from(["http://purl.org/pan-science/PaNET/PaNET2", "local/technique"]))
        elif name == "pid":
            values = operators(st.sampled_from(PIDS[model].split()), texts_too=True)
        fields.append(st.fixed_dictionaries({name: values}))
    if model in naive.SEARCHED:
        fields.append(st.fixed_dictionaries({"text": texts}))
    return st.one_of(fields)


def amounts():
    """Draw what people ask of parameters: a name, a value, a unit."""
    value = operators(numbers) | operators(st.sampled_from(["Cu", "20", "a"]), texts_too=True)
    known = st.sampled_from([unit for unit in random_world.UNITS if unit in naive.UNITS])
    name = st.sampled_from(random_world.NAMES)
    names = name | st.fixed_dictionaries({"inq": st.lists(name, min_size=1, max_size=3)})
    parts = st.tuples(
        st.fixed_dictionaries({"name": names}),
        st.fixed_dictionaries({"value": value}),
        st.fixed_dictionaries({"unit": known | st.sampled_from(["", "widget"])}),
    )
    whole = parts.map(lambda three: {"and": list(three)})
    return st.one_of(
        whole,
        whole,
        parts.map(lambda three: {**three[0], **three[1]}),
        parts.map(lambda three: {"and": list(three[1:])}),
        st.lists(whole, min_size=1, max_size=2).map(lambda several: {"or": several}),
    )


def wheres(model):
    leaf = amounts() if model == "Parameter" else field_conditions(model)
    if model == "Parameter":
        leaf = (
            leaf
            | leaf
            | st.fixed_dictionaries({"name": operators(st.sampled_from(random_world.NAMES), texts_too=True)})
        )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: {"or": parts}),
            st.lists(inner, max_size=2).map(lambda parts: {"and": parts}),
        ),
        max_leaves=3,
    )


def includes(model, depth=2):
    def one(relation):
        target = naive.LEADS[model][relation]
        scope = {"where": wheres(target), "limit": st.integers(0, 2), "order": orders(target)}
        if depth:
            scope["include"] = includes(target, depth - 1)
        scopes = st.fixed_dictionaries({}, optional=scope)
        return st.just(relation) | st.fixed_dictionaries({"relation": st.just(relation)}, optional={"scope": scopes})

    return st.lists(st.sampled_from(sorted(naive.LEADS[model])).flatmap(one), max_size=2 if depth else 1)


@st.composite
def chains(draw, model):
    """Draw a filter that includes one relation of another, far down."""
    innermost = query = {"limit": 3}
    for _ in range(draw(st.integers(5, DEEPEST_INCLUDE))):
        relation = draw(st.sampled_from(sorted(naive.LEADS[model])))
        model = naive.LEADS[model][relation]
        scope = {"limit": 1, **({"where": draw(wheres(model))} if draw(st.integers(0, 3)) == 3 else {})}
        innermost["include"] = [{"relation": relation, "scope": scope}]
        innermost = scope
    return query


def orders(model):
    fields = [name for name in naive.FIELDS[model] if name not in ("id", "value", "keywords", "panetId")]
    one = st.builds("{}{}".format, st.sampled_from(fields), st.sampled_from(["", " ASC", " DESC"]))
    return one | st.lists(one, max_size=2)


def filters(model):
    names = st.sampled_from(naive.FIELDS[model])
    return st.fixed_dictionaries(
        {},
        optional={
            "where": wheres(model),
            "include": includes(model),
            "limit": st.integers(0, 4),
            "skip": st.integers(0, 3),
            "order": orders(model),
            "fields": st.lists(names, max_size=3) | st.dictionaries(names, st.booleans(), max_size=2),
        },
    )


asked = st.sampled_from(["Dataset", "Dataset", "Document", "Instrument"])
queries = asked.flatmap(lambda model: st.tuples(st.just(model), filters(model)))
deep_queries = asked.flatmap(lambda model: st.tuples(st.just(model), chains(model)))


def _same(ours, theirs):
    """Compare objects but for the ids that the catalogue gives; numbers to the rounding of a conversion."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = {key for key in (*ours, *theirs) if key not in ("id", "identifier") or isinstance(theirs.get(key), str)}
        return all(key in ours and key in theirs and _same(ours[key], theirs[key]) for key in keys)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)) and not isinstance(ours, bool):
        return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-10)
    return ours == theirs


@pytest.mark.parametrize(
    ("seed", "queries", "examples"),
    [(0, queries, EXAMPLES), (1, queries, EXAMPLES), (1, deep_queries, EXAMPLES // 3)],
    ids=["0", "1", "deep"],
)
def test_the_compiler_answers_as_the_naive_evaluator(database, seed, queries, examples, monkeypatch):
    monkeypatch.setattr(driving, "FEW", 3)  # so that SQLite goes both ways
    for name, value in {"ENOUGH": 0, "FEW": 3, "_FOR_EACH": 0}.items():  # and PostgreSQL all three
        monkeypatch.setattr(walking, name, value)
    techniques, records, world = random_world.make(seed)
    with database.write() as connection:
        put_techniques(connection, techniques, by=LOCAL_USER, at=NOW)
    load(database, records, policy=read_policy(None), by=LOCAL_USER, at=NOW)

    with database.read() as connection:

        @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(queries)
        def compare(query):
            model, filter_ = query
            ours = search(connection, model, json.dumps(filter_), ANONYMOUS, NOW)
            theirs = naive.find(world, model, filter_)
            assert _same(ours, theirs), f"{filter_}\nours   {ours}\ntheirs {theirs}"
            where = filter_.get("where")
            assert count(connection, model, where, ANONYMOUS, NOW) == naive.count(world, model, where)
            for pid in ("x1", "d1", "i1"):
                one = naive.get(world, model, pid, filter_)
                assert _same(get(connection, model, pid, filter_, ANONYMOUS, NOW), one), f"{pid} {filter_} {one}"

        compare()
