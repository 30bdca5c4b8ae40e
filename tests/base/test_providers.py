"""The catalogues of a federation in the settings: what fits, and a sentence for what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.base.settings import settings

GOOD = {"name": '"One"', "url": '"https://data.example.org/search-api"'}


def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **keys: str) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path))
    monkeypatch.delenv("PANCOMMONS_CONFIG", raising=False)
    lines = [f"{key} = {value}" for key, value in {**GOOD, **keys}.items()]
    (tmp_path / "pancommons.toml").write_text("\n".join(["[[providers]]", *lines]) + "\n")


def test_a_provider_with_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    [one] = settings().providers
    assert (one.kind, one.timeout, one.honours_order) == ("panosc", 5.0, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", '"ftp://data.example.org"'),
        ("url", '"https://data.example.org/"'),
        ("url", '"https://user:secret@data.example.org"'),
        ("url", '"https://data.example.org/api?x=1"'),
        ("name", '"two\\nlines"'),
        ("kind", '"gopher"'),
        ("timeout", "0"),
        ("timeout", "1000"),
        ("colour", '"blue"'),
    ],
)
def test_what_does_not_fit(key: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch, **{key: value})
    with pytest.raises(BadInput) as raised:
        settings()
    assert f"providers.0.{key}" in str(raised.value)
