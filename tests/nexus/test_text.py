"""Strings in every shape in which files hold them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.nexus.text import as_text, as_texts, decode, is_placeholder, names_in


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_utf8_comes_back(text: str) -> None:
    assert decode(text.encode()) == text.strip(" \t\r\n\x00")


@given(st.binary())
def test_any_bytes_become_text(raw: bytes) -> None:
    assert isinstance(decode(raw), str)


def test_latin_1_where_utf8_fails() -> None:
    assert decode(b"\xb5m") == "µm"
    assert decode(b"\xc5") == "Å"
    assert decode(b"\xb5m".decode("utf-8", "surrogateescape")) == "µm"


@pytest.mark.parametrize(
    "value",
    [
        "NXentry",
        b"NXentry",
        np.bytes_(b"NXentry"),
        np.array([b"NXentry"]),
        np.array(["NXentry", ""], dtype=object),
        np.array([b"", b"NXentry\x00 "]),
        np.array([[b"NXentry"]]),
    ],
)
def test_one_text_from_every_shape(value: object) -> None:
    assert as_text(value) == "NXentry"


def test_nothing_gives_no_text() -> None:
    assert as_text(None) is None
    assert as_text(h5py.Empty("S1")) is None
    assert as_text(np.array([b"", b" "])) is None
    assert as_texts(np.array([33837])) == ["33837"]


@pytest.mark.parametrize("text", ["", "{title}", "NX_CHAR", "SASsample-CHAR-DATA", "Unknown", "n/a", "---"])
def test_placeholders(text: str) -> None:
    assert is_placeholder(text)


def test_what_is_no_placeholder() -> None:
    assert not any(is_placeholder(text) for text in ("WSe2", "unknown phase of ice", "{Mg} alloy", "NXtomo"))


@pytest.mark.parametrize("value", ["y:x", "y,x", "[y,x]", np.array([b"y", b"x"]), ["y", "x"]])
def test_axes_in_every_dialect(value: object) -> None:
    assert names_in(value) == ["y", "x"]
