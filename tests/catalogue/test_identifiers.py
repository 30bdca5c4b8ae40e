"""Identifiers sort by time, survive being typed, and show a slip."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pancommons.catalogue.identifiers import ALPHABET, LENGTH, new_identifier, parse_identifier

made = st.builds(lambda _: new_identifier(), st.none())
place = st.integers(0, LENGTH - 1)


def test_they_are_in_order_and_unlike() -> None:
    several = [new_identifier() for _ in range(5000)]
    assert sorted(set(several)) == several


@given(made)
def test_as_typed(identifier: str) -> None:
    typed = identifier.upper().replace("0", "O").replace("1", "l")
    assert parse_identifier(f" {typed[:5]}-{typed[5:]} ") == identifier


@given(made, place, st.sampled_from(ALPHABET))
def test_one_wrong_sign_shows(identifier: str, at: int, sign: str) -> None:
    wrong = identifier[:at] + sign + identifier[at + 1 :]
    assert parse_identifier(wrong) == (identifier if wrong == identifier else None)


@given(made, place, place)
def test_two_that_changed_places_show(identifier: str, one: int, other: int) -> None:
    signs = list(identifier)
    signs[one], signs[other] = signs[other], signs[one]
    wrong = "".join(signs)
    assert parse_identifier(wrong) == (identifier if wrong == identifier else None)


@given(st.text(max_size=30))
def test_anything_else_is_none(text: str) -> None:
    found = parse_identifier(text)
    assert found is None or len(found) == LENGTH
