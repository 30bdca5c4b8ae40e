"""Settings: the file, the environment above it, and one sentence for whatever does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.base.home import config_file, home
from pancommons.base.settings import settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path))
    monkeypatch.delenv("PANCOMMONS_CONFIG", raising=False)
    return tmp_path / "pancommons.toml"


def test_defaults_without_a_file(config: Path) -> None:
    found = settings()
    assert (found.on, found.workers, found.memory, found.agent.name, found.techniques) == (
        "threads",
        None,
        None,
        None,
        {},
    )


def test_environment_goes_before_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('on = "processes"\nworkers = 3\nmemory = "2G"\n[agent]\nname = "A. Lovelace"\n')
    found = settings()
    assert (found.on, found.workers, found.memory, found.agent.name) == ("processes", 3, "2G", "A. Lovelace")
    monkeypatch.setenv("PANCOMMONS_WORKERS", "7")
    monkeypatch.setenv("PANCOMMONS_AGENT__AFFILIATION", "Analytical Engines")
    found = settings()
    assert (found.on, found.workers) == ("processes", 7)
    assert (found.agent.name, found.agent.affiliation) == ("A. Lovelace", "Analytical Engines")


def test_another_file_may_be_named(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("workers = 3\n")
    other = tmp_path / "other.toml"
    other.write_text("workers = 4\n")
    monkeypatch.setenv("PANCOMMONS_CONFIG", str(other))
    assert config_file() == other
    assert settings().workers == 4


def test_home_follows_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path / "x"))
    assert home() == tmp_path / "x"
    monkeypatch.setenv("PANCOMMONS_HOME", "~/x")
    assert home() == Path.home() / "x"
    monkeypatch.delenv("PANCOMMONS_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home() == tmp_path / "pancommons"


def test_a_techniques_own_table_is_handed_on(config: Path) -> None:
    config.write_text('[techniques.tomography]\nanything = ["goes"]\n')
    assert settings().techniques["tomography"] == {"anything": ["goes"]}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"workers = 0\n", "workers"),
        (b'workers = "many"\n', "workers"),
        (b"on = 5\n", "on"),
        (b"[agent]\norcid = '12'\n", "agent.orcid"),
        (b"[agent]\nnmae = 'x'\n", "agent.nmae"),
        (b"techniques = 3\n", "techniques"),
        (b"workers = = 3\n", "TOML"),
        (b"\xff\xfe\x00", "TOML"),
    ],
)
def test_what_does_not_fit_is_named(config: Path, content: bytes, field: str) -> None:
    config.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        settings()
    assert str(config) in str(caught.value) and field in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PANCOMMONS_WORKERS", "-1"), ("PANCOMMONS_TECHNIQUES", "not json"), ("PANCOMMONS_AGENT", "Ada")],
)
def test_a_wrong_variable_is_one_sentence(config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as caught:
        settings()
    assert name.removeprefix("PANCOMMONS_").lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)
