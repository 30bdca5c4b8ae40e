"""Every example of README, tutorials and how-to guides is executed, and prints what its page states."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.examples import ROOT, Session, executed_pages, expect


@pytest.mark.parametrize("page", executed_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Session(tmp_path).follow(page) > 0


def test_a_wrong_statement_is_noticed() -> None:
    expect("one ... three\n...\nlast", "one two three\nmore\nlines\nlast\n", "here")
    with pytest.raises(AssertionError, match="states"):
        expect("PSNR 41 dB", "PSNR 31 dB", "here")
    with pytest.raises(AssertionError, match="states"):
        expect("first", "first\nsecond", "here")
