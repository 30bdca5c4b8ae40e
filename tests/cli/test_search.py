"""``pan search``: in the database here, at a server, in a federation; a table or JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pancommons.base.settings import Provider, Settings
from pancommons.catalogue.ontology.graph import core
from pancommons.catalogue.quantities import parameter
from pancommons.store.engine import open_database
from tests.catalogue.search.putting import dataset, put
from tests.cli.conftest import Command
from tests.databases import empty_sqlite
from tests.server.conftest import listening

__all__ = ["empty_sqlite"]

TOMOGRAPHY = "http://purl.org/pan-science/PaNET/PaNET01207"


@pytest.fixture
def home(empty_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home with a catalogue of three datasets."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(empty_sqlite, folder / "pancommons.db")
    monkeypatch.setenv("PANCOMMONS_HOME", str(folder))
    monkeypatch.delenv("PANCOMMONS_CONFIG", raising=False)
    database = open_database(f"sqlite:///{folder / 'pancommons.db'}")
    energies = {"x/1": ("Lung of a mouse", 25.0), "x/2": ("Lung, whole", 60.0), "x/3": ("A battery\x1b[31m", 30.0)}
    records = [
        dataset(pid, title=title, techniques=(TOMOGRAPHY,) * (pid != "x/2"),
                parameters=(parameter("photon_energy", energy, "keV"),))
        for pid, (title, energy) in energies.items()
    ]  # fmt: skip
    put(database, [replace(records[0], size=5_000_000), *records[1:]], list(core()))
    database.close()
    return folder


def test_words_conditions_and_techniques(home: Path, pan: Command) -> None:
    said = pan("search", "lung")
    lines = said.out.splitlines()
    assert said.code == 0 and lines[0].split() == ["score", "date", "PID", "title"] and len(lines) == 3
    assert "x/1" in pan("search", "lung", "--where", "photon_energy between 20000 and 30000 eV").out
    assert "x/2" not in pan("search", "lung", "--where", "photon_energy < 0.05 MeV").out
    assert "x/2" in pan("search", "--where", "photon_energy < 0.4 angstrom and title contains LUNG").out
    found = json.loads(pan("search", "--technique", "PaNET01207", "--json").out)
    assert [one["pid"] for one in found] == ["x/3", "x/1"]
    assert len(json.loads(pan("search", "--technique", "tomography", "--limit", "1", "--json").out)) == 1
    assert [one["pid"] for one in json.loads(pan("search", "--where", "size > 1e6", "--json").out)] == ["x/1"]
    assert "\x1b" not in pan("search", "battery").out


def test_mistakes_and_nothing(home: Path, pan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = pan("search", "unicorn")
    assert nothing.code == 1 and "Nothing was found" in nothing.err
    for arguments, part in (
        (["--where", "photon_energy ~ 3"], "no operator '~'"),
        (["--technique", "alchemy"], "pan ontology find"),
        (["--where", "size = big"], "size"),
        (["--federated"], "[[providers]]"),
        (["--server", "nowhere"], "write https://HOST"),
        (["--server", "http://127.0.0.1:9"], "cannot be reached"),
    ):
        said = pan("search", "x", *arguments)
        assert said.code == 2 and part in said.err, said.err
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path / "empty"))
    said = pan("search", "x")
    assert said.code == 2 and "pan ingest" in said.err


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    """Give the address of a server of that catalogue, which knows a catalogue that is dead."""
    database = open_database(f"sqlite:///{home / 'pancommons.db'}")
    dead = Provider(name="Dead", url="http://127.0.0.1:9/api")
    with listening(database, Settings(providers=[dead])) as address:
        yield address
    database.close()


def test_at_a_server(server: str, pan: Command) -> None:
    here = json.loads(pan("search", "lung", "--json").out)
    assert json.loads(pan("search", "lung", "--json", "--server", server).out) == here
    assert json.loads(pan("search", "lung", "--json", "--server", f"{server}/search-api/").out) == here
    wrong = pan("search", "lung", "--server", f"{server}/elsewhere")
    assert wrong.code == 2 and "--server" in wrong.err
    all_of_them = pan("search", "lung", "--federated", "--server", server)
    assert all_of_them.code == 3 and "Dead cannot be reached" in all_of_them.err
    assert all_of_them.out.splitlines()[0].split()[-1] == "catalogue" and len(all_of_them.out.splitlines()) == 3


def test_in_all_catalogues_of_the_settings(server: str, home: Path, pan: Command) -> None:
    (home / "pancommons.toml").write_text(
        f'[[providers]]\nname = "Other"\nurl = "{server}/search-api"\nkind = "pancommons"\n'
    )
    said = pan("search", "lung", "--federated", "--json")
    found = json.loads(said.out)
    assert said.code == 0 and len(found) == 4  # both have both, and no DOI says that they are the same
    assert {one["provider"] for one in found} == {"here", f"{server}/search-api"}
