"""Every file that a technique writes is what its definition says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pancommons
from pancommons.nexus.validation import validate
from pancommons.nexus.validation.definitions import find_definitions

SMALL = {
    "tomography": ("scan.nxs", {"columns": 48, "rows": 4, "angles": 61, "flats": 2, "darks": 2}),
    "sans": ("spheres.nxs", {}),
    "thz": ("run.nxs", {}),
}
WITHOUT_DEFINITION = {"sans", "thz"}  # ISISTOFRAW and our layout of pulses have no NXDL


@pytest.mark.parametrize("name", SMALL)
def test_simulated_and_reduced(
    name: str, tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = next(path.parent for path in shared_data("nexus-definitions").rglob("base_classes"))
    monkeypatch.setenv("PANCOMMONS_NEXUS_DEFINITIONS", str(folder))
    file, parameters = SMALL[name]
    raw, truth = pancommons.simulate(name, tmp_path / file, **parameters)
    definitions = find_definitions()
    expected = "not validated" if name in WITHOUT_DEFINITION else "valid"
    verdict = validate(raw, definitions)
    assert (verdict.judgement, verdict.counts.get("error", 0)) == (expected, 0), verdict.findings
    assert validate(truth, definitions).judgement == "valid"
    run = pancommons.run(name, raw, out=tmp_path / "result")
    told = run.report["validation"]
    assert (told["verdict"], told["counts"]["error"]) == ("valid", 0), told["findings"]
