"""The verdict on what a run wrote stands in its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from pancommons.pipelines import validity
from tests.pipelines import toy

DEFINITIONS = "nexus-definitions/v2026.01"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    return toy.write_input(tmp_path / "scan.npy")


@pytest.fixture
def definitions(shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = next(path.parent for path in shared_data("nexus-definitions").rglob("base_classes"))
    monkeypatch.setenv("PANCOMMONS_NEXUS_DEFINITIONS", str(folder))


@pytest.mark.usefixtures("definitions")
def test_a_valid_result(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    told = run.report_facts()
    assert told["validation"]["verdict"] == "valid" and told["validation"]["file"] == "result.nxs"
    assert "v2026" in told["validation"]["definitions"]
    assert "valid NeXus" in run.page.read_text()


@pytest.mark.usefixtures("definitions")
def test_an_invalid_result_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "result.nxs"
    with h5py.File(file, "w") as nexus:
        entry = nexus.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomoproc"
    verdict = validity.judge(file)
    assert verdict.judgement == "invalid"
    assert [text.startswith("result.nxs is not valid NeXus: /entry") for text in validity.warnings(verdict)] == [True]
    assert {finding["severity"] for finding in validity.facts(verdict)["findings"]} <= {"error", "warning"}


def test_definitions_that_are_not_there_do_not_end_a_run(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANCOMMONS_NEXUS_DEFINITIONS", str(tmp_path / "nowhere"))
    run = toy.run(source, tmp_path / "run")
    told = run.report_facts()["validation"]
    assert told["verdict"] == "not validated" and "holds no NeXus definitions" in told["reason"]
    assert "not validated" in run.page.read_text()
