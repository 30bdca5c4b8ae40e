"""Figures are drawn for every kind of result, and tell what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pancommons
from tests.techniques.thz.conftest import Simulate


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"trace", "spectrum", "arrivals", "counts"}),
        (
            {"pump": "alternate", "intensity": "modulation", "classes": 2, "bin": 0.05},
            {"trace", "spectrum", "classes", "arrivals", "counts"},
        ),
        ({"bin": 5.0}, {"trace", "arrivals", "counts"}),
    ],
    ids=["plain", "alternate in classes", "too few bins"],
)
def test_figures(simulate: Simulate, tmp_path: Path, options: dict[str, Any], expected: set[str]) -> None:
    raw, truth = simulate(positions=8)
    run = pancommons.run("thz", raw, out=tmp_path / "r", truth=truth, listeners=(), **options)
    told = {figure["file"].removesuffix(".png"): figure for figure in run.report["figures"]}
    assert set(told) == expected
    for name, figure in told.items():
        assert figure["caption"] and figure["alternative"]
        with Image.open(run.path / "figures" / f"{name}.png") as picture:
            assert picture.width > 800 and np.asarray(picture.convert("L")).std() > 10


def test_nothing_kept_ends_with_a_warning(simulate: Simulate, tmp_path: Path) -> None:
    raw, _ = simulate(missing=0.5, seed=3)
    run = pancommons.run("thz", raw, out=tmp_path / "r", listeners=(), high_cut=0.9, low_cut=0.4, least_modulation=0.99)
    assert any("show no arrival" in text for text in run.warnings)
