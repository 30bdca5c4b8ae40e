"""Iterative reconstruction as a run: the same whatever the workers, resumed, and judged in the report."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

import pancommons
from pancommons.base.errors import BadInput, RunStopped
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.run import methods

PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
FEW = {"columns": 64, "rows": 20, "angles": 24, "flats": 4, "darks": 3, "centre_shift": 2.25, "counts": 60000}


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    model = parameters.build(pipeline.simulator.parameters, FEW)
    return simulate(pipeline, model, tmp_path_factory.mktemp("scan") / "scan.nxs")


def run(scan: Path, out: Path, **given: Any) -> pancommons.Run:
    return pancommons.run("tomography", scan, out=out, listeners=(), centre=33.75, **given)


def volume(done: pancommons.Run) -> np.ndarray:
    with h5py.File(done.path / "result.nxs") as file:
        data: np.ndarray = file["entry/data/data"][()]
    return data


@pytest.mark.parametrize("method", ["cgls", "sirt", "tv"])
def test_few_angles_come_out_better_and_the_same_with_any_workers(
    scan: tuple[Path, Path], tmp_path: Path, method: str
) -> None:
    raw, truth = scan
    fourier = run(raw, tmp_path / "fourier", truth=truth)
    one = run(raw, tmp_path / "one", truth=truth, method=method, workers=1)
    two = run(raw, tmp_path / "two", truth=truth, method=method, workers=2)
    np.testing.assert_array_equal(volume(one), volume(two))
    assert volume(one).min() >= 0
    assert one.merits["psnr"] > fourier.merits["psnr"] + 2
    assert one.merits["scale"] == pytest.approx(1, abs=0.15)  # few angles, and tv takes from what is small
    figures = {figure.name for figure in (one.path / "figures").iterdir()}
    assert {"convergence.png", "resolution.png"} <= figures
    assert "convergence.png" not in {figure.name for figure in (fourier.path / "figures").iterdir()}


def test_total_variation_fills_a_missing_wedge(tmp_path: Path) -> None:
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    wanted = FEW | {"columns": 128, "rows": 6, "angles": 121, "missing": 60}
    raw, truth = simulate(pipeline, parameters.build(pipeline.simulator.parameters, wanted), tmp_path / "scan.nxs")
    psnr = {
        method: pancommons.run(
            "tomography", raw, truth=truth, out=tmp_path / method, method=method, centre=65.75, listeners=()
        ).merits["psnr"]
        for method in ("fourier", "tv")
    }
    assert psnr["tv"] >= psnr["fourier"] + 3


def test_a_part_lost_is_made_again_to_the_bit(scan: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = scan
    whole = run(raw, tmp_path / "whole", method="tv")
    expected = volume(whole)
    stopped = tmp_path / "stopped"
    stop_after = _stopper(stopped)
    with pytest.raises(RunStopped):
        pancommons.run("tomography", raw, out=stopped, centre=33.75, method="tv", listeners=(stop_after,), workers=1)
    np.testing.assert_array_equal(volume(pancommons.resume(stopped, listeners=())), expected)


def _stopper(folder: Path) -> Callable[[Any], None]:
    def listen(event: Any) -> None:
        if "slices" in str(event) and list((folder / "parts" / "slices").glob("*.h5")):
            raise KeyboardInterrupt

    return listen


def test_the_weight_found_is_kept_and_can_be_given(scan: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = scan
    done = run(raw, tmp_path / "auto", method="tv", rows="4:6")
    found = json.loads((done.path / "run.json").read_text())["found"]["tv_weight"]
    assert found["value"] > 0
    given = run(raw, tmp_path / "given", method="tv", rows="4:6", tv_weight=found["value"])
    np.testing.assert_array_equal(volume(given), volume(done))
    assert np.abs(volume(run(raw, tmp_path / "more", method="tv", rows="4:6", tv_weight=0.5)) - volume(done)).max() > 0


def test_region_mask_and_uint16(scan: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = scan
    whole = run(raw, tmp_path / "whole", method="cgls", rows="4:6", mask=0.8)
    part = run(raw, tmp_path / "part", method="cgls", rows="4:6", mask=0.8, region="10:50,20:60")
    np.testing.assert_array_equal(volume(part), volume(whole)[:, 20:60, 10:50])
    assert volume(run(raw, tmp_path / "integers", method="cgls", rows="4:6", type="uint16")).dtype == np.uint16


def test_noise_coarsens_the_resolution(tmp_path: Path) -> None:
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    found = []
    for counts in (60000, 150):
        wanted = FEW | {"angles": 91, "columns": 96, "counts": counts}
        model = parameters.build(pipeline.simulator.parameters, wanted)
        raw, _ = simulate(pipeline, model, tmp_path / f"{counts}.nxs")
        done = pancommons.run("tomography", raw, out=tmp_path / str(counts), listeners=(), rows="5:15")
        found.append(done.merits["resolution"])
    assert 2 <= found[0] < found[1] - 1


def test_iteration_costs_more_in_the_plan() -> None:
    costs = {
        method: methods.cost(TomographyParameters(method=method), 2048, 1500, 16)
        for method in ("fourier", "cgls", "sirt", "tv")
    }
    assert costs["fourier"][1] < costs["cgls"][1] < costs["tv"][1]
    assert methods.cost(TomographyParameters(method="tv", iterations=1000), 2048, 1500, 16)[1] > 5 * costs["tv"][1]


def test_wrong_iterations_are_told(scan: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="iterations"):
        run(scan[0], tmp_path / "wrong", method="cgls", iterations=1)
