"""Simulated scans: laid out as detectors write them, with counts that physics and the truth explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.pipeline import SimulationParameters
from pancommons.techniques.tomography.reading.opening import open_scan
from pancommons.techniques.tomography.simulation import phantom
from pancommons.techniques.tomography.simulation import simulate as module
from pancommons.techniques.tomography.simulation.phantom import Ellipsoid

DATA = "entry/instrument/detector/data"
SMALL = {"columns": 40, "rows": 5, "angles": 37, "flats": 3, "darks": 2, "centre_shift": 2.0}


def made(folder: Path, name: str = "scan.nxs", **changes: Any) -> tuple[Path, Path]:
    model = parameters.build(SimulationParameters, {**SMALL, **changes})
    return simulate(registry.load("tomography"), model, folder / name)


def frames(file: Path) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(file) as opened:
        return opened[DATA][()], opened["entry/instrument/detector/image_key"][()]


def test_layout(tmp_path: Path) -> None:
    raw, truth = made(tmp_path)
    with h5py.File(raw) as file:
        data = file[DATA]
        assert data.dtype == np.uint16 and data.chunks == (1, 5, 40)
        assert data.id.get_create_plist().get_filter(0)[0] == 32008  # bitshuffle
        assert file["entry/data/data"] == data
        assert file[file.attrs["default"]]["definition"][()] == b"NXtomo"
    _, keys = frames(raw)
    assert keys.tolist() == [2] * 2 + [1] * 3 + [0] * 37 + [1] * 3
    scan = open_scan(raw)
    assert (scan.count, scan.rows, scan.columns, scan.warnings) == (37, 5, 40, scan.warnings)
    assert scan.pixel_size == pytest.approx(1.625e-6) and scan.energy == 25
    assert [flats.position for flats in scan.flats] == [0, 37]
    with h5py.File(truth) as file:
        assert file["entry/phantom/centre"][()] == 19.5 + 2
        assert file["entry/truth/slices"].shape == (5, 40, 40)
        assert DATA not in file


@pytest.mark.parametrize(("turn", "degrees"), [("180", 180), ("360", 360)])
def test_angles_span_the_turn(tmp_path: Path, turn: str, degrees: float) -> None:
    scan = open_scan(made(tmp_path, turn=turn)[0])
    assert np.rad2deg(scan.span) == pytest.approx(degrees, rel=0.04)
    assert (np.diff(scan.angles) > 0).all()


def test_without_noise_the_counts_are_beer_and_lambert(tmp_path: Path) -> None:
    raw, truth = made(tmp_path, noise=False, drift=0.0, counts=50000)
    counts, keys = frames(raw)
    with h5py.File(truth) as file:
        names = ("value", "x", "y", "z", "a", "b", "c")
        stored = {name: file[f"entry/phantom/{name}"][()] for name in file["entry/phantom"] if name != "centre"}
        centre = float(file["entry/phantom/centre"][()])
    assert set(names[:1]) <= set(stored)
    bodies = [
        Ellipsoid(**dict(zip(stored, map(float, values), strict=True))) for values in zip(*stored.values(), strict=True)
    ]
    integrals = phantom.sinograms(bodies, open_scan(raw).angles, range(5), (5, 40), centre=centre)
    flat, dark = counts[keys == 1].mean(0), counts[keys == 2].mean(0)
    measured = -np.log((counts[keys == 0] - dark) / (flat - dark))
    np.testing.assert_allclose(measured.transpose(1, 0, 2), integrals, atol=2e-3)
    assert integrals.max() == pytest.approx(2.0, rel=0.1)


def test_noise_is_that_of_photons(tmp_path: Path) -> None:
    raw, _ = made(tmp_path, flats=60, drift=0.0)
    counts, keys = frames(raw)
    flats = counts[keys == 1].astype(float) - module.DARK_COUNTS
    ratio = flats.var(axis=0, ddof=1).mean() / flats.mean()
    assert ratio == pytest.approx(1, abs=0.05)
    darks = counts[keys == 2].astype(float)
    assert darks.mean() == pytest.approx(module.DARK_COUNTS, abs=1)


def test_drift_and_stripes(tmp_path: Path) -> None:
    counts, keys = frames(made(tmp_path, noise=False, drift=0.3)[0])
    flats = counts[keys == 1].astype(float) - module.DARK_COUNTS
    assert flats[3:].mean() / flats[:3].mean() == pytest.approx(1.3, rel=0.01)
    plain, _ = frames(made(tmp_path, "plain.nxs", noise=False)[0])
    striped, _ = frames(made(tmp_path, "striped.nxs", noise=False, stripes=0.1)[0])
    gain = (striped[keys == 0] - 100.0) / (plain[keys == 0] - 100.0)
    assert gain.std(axis=0).max() < 0.03 < gain.mean(axis=0).std()


def test_truth_is_the_phantom_in_per_cm(tmp_path: Path) -> None:
    _, truth = made(tmp_path, phantom="disc", columns=64, pixel_size=10.0, absorption=1.5)
    with h5py.File(truth) as file:
        slices, rows = file["entry/truth/slices"], file["entry/truth/row"][()]
        assert slices.attrs["units"] == "1/cm" and rows.tolist() == [0, 1, 2, 3, 4]
        middle = slices[2]
    inside = middle[26:38, 26:38]
    diameter_cm = 0.8 * 64 * 10e-4
    np.testing.assert_allclose(inside, 1.5 / diameter_cm, rtol=0.02)


def test_uncompressed_is_contiguous_and_the_same(tmp_path: Path) -> None:
    packed, plain = made(tmp_path)[0], made(tmp_path, "plain.nxs", compression="none")[0]
    with h5py.File(plain) as file:
        assert file[DATA].chunks is None
    np.testing.assert_array_equal(frames(packed)[0], frames(plain)[0])


def test_blocks_do_not_change_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = frames(made(tmp_path, noise=False)[0])
    monkeypatch.setattr(module, "_BLOCK_BYTES", 16 * 5 * 40 * 4)
    pieces, _ = frames(made(tmp_path, "pieces.nxs", noise=False)[0])
    np.testing.assert_array_equal(whole, pieces)


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[float] = []
    model = parameters.build(SimulationParameters, SMALL)
    simulate(registry.load("tomography"), model, tmp_path / "scan.nxs", told.append)
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize("existing", ["scan.nxs", "scan-truth.nxs"])
def test_nothing_is_overwritten_and_nothing_left(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(BadInput, match=rf"{existing}: this file exists"):
        made(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(
            registry.load("tomography"), parameters.build(SimulationParameters, SMALL), tmp_path / "scan.nxs", stop
        )
    assert list(tmp_path.iterdir()) == []
