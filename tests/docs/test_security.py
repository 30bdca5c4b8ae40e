"""The page on security names modules and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pancommons
from tests.docs.examples import DOCS, ROOT


def test_every_defence_is_a_module_and_every_proof_a_test() -> None:
    page = (DOCS / "explanation" / "security.md").read_text(encoding="utf-8")
    modules, proofs = re.findall(r"`([\w/]+\.py)`", page), re.findall(r"`([\w/]+\.py)::(test_\w+)`", page)
    assert len(modules) > 15 and len(proofs) > 30
    for name in modules:
        assert (Path(pancommons.__file__).parent / name).is_file(), name
    for name, test in proofs:
        assert f"\ndef {test}(" in (ROOT / "tests" / name).read_text(encoding="utf-8"), f"{name}::{test}"


def test_every_threat_has_a_proof() -> None:
    page = (DOCS / "explanation" / "security.md").read_text(encoding="utf-8")
    threats = page.partition("## Threats")[2].partition("## Who saw what")[0]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 25
    assert [row for row in rows if "::test_" not in row] == []
