"""Conditions as people type them: read back as they were meant, and anything else is one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.catalogue.scales import UNITS
from pancommons.cli.where import OPERATORS, Condition, read_where

FIELDS = {"title", "creationDate", "size"}

names = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True).filter(lambda one: one not in (*FIELDS, "and"))
numbers = st.floats(allow_nan=False, allow_infinity=False)
units = st.none() | st.sampled_from(UNITS)
texts = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8)
signs = st.sampled_from([one for one in OPERATORS if OPERATORS[one] != "ilike"])


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Condition]:
    name, unit = draw(names), draw(units)
    behind = "" if unit is None else f" {unit}"
    shape = draw(st.integers(0, 2))
    if shape == 0:
        sign, value = draw(signs), draw(numbers)
        return f"{name} {sign} {value!r}{behind}", Condition(name, OPERATORS[sign], value, unit)
    if shape == 1:
        low, high = draw(numbers), draw(numbers)
        between = draw(st.sampled_from(["between", "BETWEEN"]))
        return f"{name} {between} {low!r} and {high!r}{behind}", Condition(name, "between", (low, high), unit)
    sign, text = draw(st.sampled_from([*OPERATORS])), draw(texts)
    return f'{name} {sign} "{text}"', Condition(name, OPERATORS[sign], text)


@settings(deadline=None)  # the first unit loads all of them
@given(st.lists(conditions(), min_size=1, max_size=4), st.sampled_from(["and", "AND"]))
def test_what_is_written_is_read(asked: list[tuple[str, Condition]], joined: str) -> None:
    text = f" {joined} ".join(one for one, _ in asked)
    assert read_where(text, FIELDS.__contains__) == [one for _, one in asked]


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("abet<>=!'\" and019.eV", max_size=30))
def test_anything_else_is_one_sentence(text: str) -> None:
    try:
        found = read_where(text, FIELDS.__contains__)
    except BadInput as error:
        assert str(error).startswith("--where: ")
    else:
        assert found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("photon_energy>20keV", [Condition("photon_energy", "gt", 20.0, "keV")]),
        ("a between 0.5 nm and 2 nm", [Condition("a", "between", (0.5, 2.0), "nm")]),
        ("creationDate >= 2024-01-31", [Condition("creationDate", "gte", "2024-01-31")]),
        ("size > 1e9", [Condition("size", "gt", "1e9")]),
        ("phase = solid and t < 4 K", [Condition("phase", "eq", "solid"), Condition("t", "lt", 4.0, "K")]),
        ("title contains 'lung and heart'", [Condition("title", "ilike", "lung and heart")]),
        ("t = -.5e-3", [Condition("t", "eq", -0.0005)]),
    ],
)
def test_forms(text: str, expected: list[Condition]) -> None:
    assert read_where(text, FIELDS.__contains__) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected a name"),
        ("t", "expected an operator behind t"),
        ("t <", "expected a value of t"),
        ("t ~ 4", "no operator '~'"),
        ("t between 1", "expected and"),
        ("t between 1 and", "expected a value of t"),
        ("t between 1 nm and 2 angstrom", "in nm and in angstrom"),
        ("t between 1 and solid", "one end of t is a number"),
        ("t < 4 parsnips", "'parsnips' is not understood"),
        ("t = a b", "expected and before 'b'"),
        ("t = 'a", "close the quotes"),
        ("4 < t", "'4' is no name"),
        ("t < 4 and", "expected a name"),
        ("t < 1e999", "too large"),
    ],
)
def test_mistakes(text: str, part: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_where(text, FIELDS.__contains__)
    assert part in str(raised.value)
