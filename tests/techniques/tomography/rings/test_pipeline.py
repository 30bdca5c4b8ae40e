"""Rings removed by a run: the same bits however it is executed, and what it is for."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.simulating import simulate
from tests.techniques.tomography.test_pipeline import PIXEL


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    wanted = {"columns": 128, "rows": 20, "angles": 121, "flats": 4, "darks": 3, "stripes": 0.05}
    model = parameters.build(pipeline.simulator.parameters, wanted)
    return simulate(pipeline, model, tmp_path_factory.mktemp("scan") / "scan.nxs")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures of a run empty: they have tests of their own."""
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))


def volume(run: pancommons.Run) -> np.ndarray:
    with h5py.File(run.path / "result.nxs") as file:
        data: np.ndarray = file["entry/data/data"][()]
    return data


@pytest.mark.parametrize("method", ["fourier-wavelet", "all"])
def test_more_workers_or_other_rows_change_no_bit(method: str, scan: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = scan
    named = {"rings": method, "centre": 66.75, "listeners": ()}
    one = pancommons.run("tomography", raw, out=tmp_path / "one", workers=1, **named)
    two = pancommons.run("tomography", raw, out=tmp_path / "two", workers=2, **named)
    part = pancommons.run("tomography", raw, out=tmp_path / "part", rows="14:18", **named)
    np.testing.assert_array_equal(volume(two), volume(one))
    np.testing.assert_array_equal(volume(part), volume(one)[14:18])


def test_rings_removed_bring_the_slices_nearer_to_the_truth(scan: tuple[Path, Path], tmp_path: Path) -> None:
    raw, truth = scan
    psnr = {
        method: pancommons.run(
            "tomography", raw, truth=truth, out=tmp_path / method, rings=method, centre=66.75, listeners=()
        ).merits["psnr"]
        for method in ("none", "fourier-wavelet")
    }
    assert psnr["fourier-wavelet"] > psnr["none"] + 1


def test_too_few_projections_are_refused_before_the_run(tmp_path: Path) -> None:
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    model = parameters.build(pipeline.simulator.parameters, {"columns": 32, "rows": 2, "angles": 7})
    raw, _ = simulate(pipeline, model, tmp_path / "scan.nxs")
    with pytest.raises(BadInput, match=r"rings.*7 projections are too few"):
        pancommons.run("tomography", raw, out=tmp_path / "run", rings="all", listeners=())
    assert not (tmp_path / "run").exists()
