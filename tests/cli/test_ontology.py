from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.cli import main


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["ontology", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path / "home"))


def test_without_a_catalogue_the_packages_techniques_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "show", "SANS")
    assert code == 0
    assert "PaNET01189  small angle neutron scattering" in out
    assert "above: PaNET01124  small angle scattering" in out
    code, out, _ = _run(capsys, "find", "small", "neutron")
    assert code == 0 and out.startswith("PaNET01189")
    assert _run(capsys, "find", "astrology")[0] == 1
    code, _, err = _run(capsys, "show", "astrology")
    assert code == 2 and "pan ontology find" in err


@pytest.mark.real
def test_a_loaded_ontology_is_asked(capsys: pytest.CaptureFixture[str], shared_data: Callable[[str], Path]) -> None:
    code, out, _ = _run(capsys, "load", str(shared_data("panet/PaNET-1.3.0.owl")))
    assert (code, out) == (0, "377 techniques\n")
    code, out, _ = _run(capsys, "show", "PaNET01124", "--json")
    assert len(json.loads(out)["relatives"]) == 22


def test_a_file_that_is_no_ontology_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.owl").write_text("none")
    code, _, err = _run(capsys, "load", str(tmp_path / "a.owl"))
    assert code == 2 and "cannot be read as OWL" in err
