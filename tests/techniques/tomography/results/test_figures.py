"""Figures: each that is promised, not empty, described in words, with units - also where parts are missing."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pancommons
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.pipeline import SimulationParameters
from pancommons.techniques.tomography.results import figures


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    model = parameters.build(
        SimulationParameters, {"columns": 48, "rows": 18, "angles": 45, "flats": 3, "darks": 2, "centre_shift": 1.0}
    )
    return simulate(registry.load("tomography"), model, tmp_path_factory.mktemp("scan") / "scan.nxs")


def contrast(file: Path) -> float:
    return float(np.asarray(Image.open(file).convert("L"), float).std())


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["slices.png", "sinograms.png", "centre.png", "resolution.png", "histogram.png"]),
        ({"centre": 24.5}, ["slices.png", "sinograms.png", "resolution.png", "histogram.png"]),
        (
            {"centre": 24.5, "method": "cgls"},
            ["slices.png", "sinograms.png", "convergence.png", "resolution.png", "histogram.png"],
        ),
        ({"try_centres": "22:26"}, ["sinograms.png", "centres.png"]),
        ({"rows": "3:4", "region": "20:22,10:13"}, ["slices.png", "sinograms.png", "centre.png", "histogram.png"]),
        (
            {"type": "uint16", "limits": "1e5:1e6"},
            ["slices.png", "sinograms.png", "centre.png", "resolution.png", "histogram.png"],
        ),
    ],
    ids=str,
)
def test_figures_of_a_run(scan: tuple[Path, Path], tmp_path: Path, given: dict[str, Any], names: list[str]) -> None:
    run = pancommons.run("tomography", scan[0], truth=scan[1], out=tmp_path / "r", listeners=(), **given)
    assert [figure["file"] for figure in run.report["figures"]] == names
    assert sorted(path.name for path in (run.path / "figures").iterdir()) == sorted(names)
    for figure in run.report["figures"]:
        assert contrast(run.path / "figures" / figure["file"]) > 5
        assert figure["title"] and len(figure["caption"]) > 15 and len(figure["alternative"]) > 15
        assert "nan" not in (figure["caption"] + figure["alternative"]).lower()
        assert figure["alternative"] in unescape((run.path / "report.html").read_text())


class Gaps:
    """A volume of which slices failed."""

    shape = (9, 20, 20)

    def __init__(self, missing: slice) -> None:
        self.values = np.random.default_rng(1).normal(5, 1, self.shape).astype(np.float32)
        self.values[missing] = np.nan

    def __getitem__(self, what: Any) -> np.ndarray:
        return self.values[what]

    def sample(self) -> np.ndarray:
        return self.values


@pytest.mark.parametrize("missing", [slice(4, 5), slice(0, 8), slice(0, 9)])
def test_gaps_have_numbers_that_json_has(missing: slice) -> None:
    volume = Gaps(missing)
    low, high = figures._range(volume[4], volume.sample())
    assert np.isfinite([low, high]).all() and low < high
    noise = figures._contrast_to_noise(volume.sample())
    assert noise is None or np.isfinite(noise)
    assert np.isfinite(figures._sharpness(volume[4]))


def test_contrast_to_noise_follows_the_noise() -> None:
    random = np.random.default_rng(2)
    picture = np.zeros((2, 100, 100), np.float32)
    picture[:, 30:70, 30:70] = 10
    scores = [
        figures._contrast_to_noise(picture + random.normal(0, sigma, picture.shape).astype(np.float32))
        for sigma in (0.5, 1.0)
    ]
    assert scores[0] == pytest.approx(20, rel=0.3) and scores[0] > 1.6 * scores[1]  # type: ignore[operator]
    assert figures._contrast_to_noise(np.zeros((1, 2, 2), np.float32)) is None
    assert figures._contrast_to_noise(np.zeros((1, 9, 9), np.float32)) is None


@pytest.mark.parametrize("rows", ["0:18", "5:6", "9:11"])
def test_scores_are_of_the_rows_whose_truth_is_known(scan: tuple[Path, Path], tmp_path: Path, rows: str) -> None:
    run = pancommons.run("tomography", scan[0], truth=scan[1], out=tmp_path / "r", listeners=(), rows=rows, centre=24.5)
    known = {0, 2, 5, 7, 10, 12, 15, 17} & set(range(*map(int, rows.split(":"))))
    assert (run.merits["psnr"] is not None) == bool(known)
    if known:
        assert run.merits["psnr"] > 20 and run.merits["centre_error"] == 0  # type: ignore[operator]


def test_rows_beside_the_sample_are_not_scored(tmp_path: Path) -> None:
    model = parameters.build(SimulationParameters, {"columns": 32, "rows": 64, "angles": 31, "flats": 2, "darks": 2})
    raw, truth = simulate(registry.load("tomography"), model, tmp_path / "tall.nxs")
    for rows in ("0:64", "0:1"):
        run = pancommons.run("tomography", raw, truth=truth, centre=18.75, rows=rows, out=tmp_path / rows, listeners=())
        assert (run.merits.get("scale") is None) == (rows == "0:1")
