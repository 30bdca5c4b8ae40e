"""``pan nexus validate``: what it prints, its exit codes, and that a file cannot write to the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import pytest

from pancommons.nexus.validation import definitions
from pancommons.nexus.validation.definitions import VARIABLE
from tests.cli.conftest import Command

XML = '<definition name="{name}" extends="NXobject" category="{category}">{content}</definition>'
RUNNING = '<group type="NXentry"><field name="definition"/><field name="speed" type="NX_FLOAT" units="m/s"/></group>'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of definitions: one class, and one application, which wants a speed."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(definitions, "_PACKAGES", ())
    for kind, name, content in (("base_classes", "NXentry", ""), ("applications", "NXrun", RUNNING)):
        place = tmp_path / "definitions" / kind
        place.mkdir(parents=True)
        category = "application" if kind == "applications" else "base"
        (place / f"{name}.nxdl.xml").write_text(XML.format(name=name, category=category, content=content))
    return tmp_path / "definitions"


def write(path: Path, unit: str | None = "km/h", definition: str = "NXrun", **others: int) -> Path:
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = definition
        if unit is not None:
            entry["speed"] = 3.5
            entry["speed"].attrs["units"] = unit
        for name, value in others.items():
            entry[name] = value
    return path


def test_valid(pan: Command, here: Path, folder: Path) -> None:
    said = pan("nexus", "validate", write(here / "a.nxs"), "--definitions", folder)
    assert said.code == 0, said
    assert "a.nxs: valid\n" in said.out and "/entry: valid, against NXrun (unknown from a folder)" in said.out


def test_invalid(pan: Command, here: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(folder))
    said = pan("nexus", "validate", write(here / "a.nxs", "kg"), write(here / "b.nxs", None), write(here / "c.nxs"))
    assert said.code == 1
    assert "error   /entry/speed: has the unit 'kg', where one of m/s is expected" in said.out
    assert "error   /entry/speed: field speed is missing, which NXrun requires" in said.out
    assert "c.nxs: valid" in said.out


def test_remarks_only_when_asked_for(pan: Command, here: Path, folder: Path) -> None:
    path = write(here / "a.nxs", extra=1)
    arguments = ("nexus", "validate", path, "--definitions", folder)
    assert "1 more with --notes" in pan(*arguments).out
    assert "info    /entry/extra: this dataset is not described in NXrun or NXentry" in pan(*arguments, "--notes").out


def test_json(pan: Command, here: Path, folder: Path) -> None:
    (here / "no.nxs").write_text("nothing")
    said = pan("nexus", "validate", write(here / "a.nxs", "kg"), "no.nxs", "--json", "--definitions", folder)
    assert said.code == 2
    first, second = json.loads(said.out)
    assert (first["verdict"], first["counts"]) == ("invalid", {"error": 1, "warning": 0, "info": 0})
    assert first["entries"][0]["definitions"] == ["NXrun"]
    assert first["findings"][0] == {
        "severity": "error", "rule": "units", "path": "/entry/speed",
        "text": "has the unit 'kg', where one of m/s is expected",
    }  # fmt: skip
    assert second["verdict"] == "not validated" and "is no HDF5 file" in second["reason"]


def test_what_cannot_be_judged(pan: Command, here: Path, folder: Path) -> None:
    path = write(here / "a.nxs")
    said = pan("nexus", "validate", path)
    assert said.code == 2 and "a.nxs: not validated\n  there are no NeXus definitions here; install" in said.out
    said = pan("nexus", "validate", write(here / "b.nxs", definition="NXrum"), "--definitions", folder)
    assert said.code == 2 and "there is no definition NXrum" in said.out
    said = pan("nexus", "validate", "nowhere.nxs", path, "--definitions", folder)
    assert said.code == 2 and "there is no such file" in said.out and "a.nxs: valid" in said.out
    said = pan("nexus", "validate", path, "--definitions", here)
    assert said.code == 2 and said.out == "" and "holds no NeXus definitions" in said.err
    (folder / "applications" / "NXrun.nxdl.xml").write_text("<definition")
    said = pan("nexus", "validate", path, "--definitions", folder)
    assert said.code == 2 and "NXrun.nxdl.xml: is no XML" in said.out


def test_a_name_in_a_file_is_no_command_to_the_terminal(pan: Command, here: Path, folder: Path) -> None:
    path = write(here / "a.nxs", **{"\x1b[2Jgone\n": 1})
    said = pan("nexus", "validate", path, "--notes", "--definitions", folder)
    assert "\x1b" not in said.out and r"\x1b[2Jgone" in said.out


def test_the_package_of_definitions_is_not_imported(pan: Command, here: Path, folder: Path) -> None:
    pan("nexus", "validate", write(here / "a.nxs"))
    assert not {"nexusformat", "pynxtools", "nxvalidate"} & set(sys.modules)


def test_help(pan: Command) -> None:
    assert "validate" in pan("nexus", "--help").out
    assert "--definitions" in pan("nexus", "validate", "--help").out
