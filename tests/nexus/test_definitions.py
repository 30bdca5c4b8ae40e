"""Finding the definitions: a named folder, the environment, an installed package; and what may be asked of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.nexus.validation import definitions
from pancommons.nexus.validation.definitions import VARIABLE, Definitions, find_definitions

XML = '<definition name="{name}" extends="{extends}" category="base"/>'


def make(folder: Path, **extends: str) -> Path:
    (folder / "base_classes").mkdir(parents=True)
    for name, other in extends.items():
        (folder / "base_classes" / f"{name}.nxdl.xml").write_text(XML.format(name=name, extends=other))
    return folder


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(definitions, "_PACKAGES", ("a_package_of_ours",))


def test_none_is_an_answer() -> None:
    assert find_definitions() is None


def test_the_folder_named_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    monkeypatch.setenv(VARIABLE, str(one))
    found, named = find_definitions(), find_definitions(other)
    assert found is not None and named is not None
    assert (found.folder, named.folder, found.version) == (one, other, "unknown")


def test_a_folder_without_definitions_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no NeXus definitions; name the folder"):
        find_definitions(tmp_path)


def test_a_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "a_package_of_ours" / "definitions", NXa="NXobject")
    (folder / "NXDL_VERSION").write_text("v2026.01\n")
    (tmp_path / "a_package_of_ours" / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_definitions()
    assert found is not None and (found.version, found.source) == ("v2026.01", "a_package_of_ours")
    assert "a_package_of_ours" not in sys.modules


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "NXa/../NXa", "", "NX\n", "N" * 500, "NXö"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.nxdl.xml").write_text(XML.format(name="secret", extends=""))
    known = Definitions(make(tmp_path / "base" / "deep", NXa="NXobject"))
    assert known.get(name) is None and known.lineage(name) == ()


def test_circles_of_extension_end(tmp_path: Path) -> None:
    known = Definitions(make(tmp_path / "d", NXa="NXb", NXb="NXa"))
    assert [one.name for one in known.lineage("NXa")] == ["NXa", "NXb"]
    assert known.is_a("NXa", "NXb") and known.is_a("NXa", "NXobject") and not known.is_a("NXa", "NXc")
