"""Selections: NumPy's answer, or a refusal, for any text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.selection import select

SHAPES = st.lists(st.integers(0, 7), max_size=4).map(tuple)
NUMBERS = st.one_of(st.just(""), st.integers(-9, 9).map(str))
MEMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.tuples(NUMBERS, NUMBERS).map(":".join),
    st.tuples(NUMBERS, NUMBERS, NUMBERS).map(":".join),
)


def _numpy(text: str, values: np.ndarray) -> np.ndarray | None:
    index = []
    for member in text.split(","):
        numbers = [int(part) if part.strip() else None for part in member.split(":")]
        if len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1:
            return None
        if len(numbers) == 1 and numbers[0] is None:
            return None
        index.append(numbers[0] if len(numbers) == 1 else slice(*numbers))
    try:
        return values[tuple(index)]
    except IndexError:
        return None


@given(SHAPES, st.lists(MEMBERS, min_size=1, max_size=5).map(", ".join), st.integers(1, 40))
def test_what_numpy_takes(shape: tuple[int, ...], text: str, most: int) -> None:
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    expected = _numpy(text, values)
    try:
        selection = select(text, shape)
    except Refused as error:
        assert expected is None and error.status == 422
        return
    assert expected is not None and selection.shape == expected.shape and selection.size == expected.size
    chunks = tuple(max(1, length // 2) for length in shape)
    got = np.full(selection.counts, -1)
    for piece, place in selection.blocks(most, chunks):
        got[place] = values[piece]
        assert got[place].size <= most
    np.testing.assert_array_equal(got.reshape(selection.shape), expected)


@given(st.text(max_size=40), SHAPES)
def test_any_text_is_read_or_refused(text: str, shape: tuple[int, ...]) -> None:
    try:
        selection = select(text, shape)
    except Refused as error:
        assert error.status == 422
    else:
        assert 0 <= selection.size <= np.prod(shape, dtype=int)


@pytest.mark.parametrize("text", ["", "x", "1.5", "...", "None", "1:2:0", "::-1", "1:2:3:4", "9" * 30, "\u0663", ","])
def test_refused(text: str) -> None:
    with pytest.raises(Refused):
        select(text, (5, 5))


def test_chunks_touched() -> None:
    assert select("0:10, 5", (100, 100)).chunks_touched((5, 100)) == 2
    assert select("::10", (100, 100)).chunks_touched((5, 50)) == 20
    assert select("3:3", (100,)).chunks_touched((5,)) == 0
