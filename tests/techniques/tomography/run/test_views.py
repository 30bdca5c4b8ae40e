"""Whole frames and wide fields through the pipeline: the same bits however it is worked off, and near the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.api import Run
from pancommons.pipelines.simulating import simulate
from tests.techniques.tomography.test_pipeline import PIXEL

Simulate = Callable[..., tuple[Path, Path]]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave figures empty: they have tests of their own."""
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))


@pytest.fixture
def scanned(tmp_path: Path) -> Simulate:
    def make(**given: Any) -> tuple[Path, Path]:
        pipeline = registry.load("tomography")
        assert pipeline.simulator is not None
        base = {"columns": 64, "rows": 20, "angles": 91, "flats": 3, "darks": 3}
        return simulate(pipeline, pipeline.simulator.parameters(**{**base, **given}), tmp_path / "scan.nxs")

    return make


def run(raw: Path, out: str, truth: Path | None = None, **given: Any) -> Run:
    inputs = {} if truth is None else {"truth": truth}
    return pancommons.run("tomography", raw, out=raw.parent / out, listeners=(), **inputs, **given)


def volume(run: Run) -> np.ndarray:
    with h5py.File(run.path / "result.nxs") as file:
        data: np.ndarray = file["entry/data/data"][()]
    return data


EVERYTHING = {"phase": "paganin", "delta_beta": 50.0, "air": "0:4", "zingers": 0.4, "tilt": 0.5}


def test_whole_frames_give_the_same_bits_with_other_workers(scanned: Simulate) -> None:
    raw, _ = scanned(delta_beta=50.0, absorption=0.5, distance=20, zingers=3, flicker=0.05, tilt=0.5)
    one = run(raw, "one", workers=1, **EVERYTHING)
    np.testing.assert_array_equal(volume(run(raw, "two", workers=2, **EVERYTHING)), volume(one))
    found = run(raw, "processes", workers=2, on="processes", **EVERYTHING)
    np.testing.assert_array_equal(volume(found), volume(one))
    assert 0 < one.merits["zingers"] < 0.01


def test_some_rows_are_those_of_all(scanned: Simulate) -> None:
    """Whole frames are corrected whatever rows are wanted, so that these do not depend on it."""
    raw, _ = scanned(delta_beta=50.0, absorption=0.5, distance=20)
    settings = {"phase": "paganin", "delta_beta": 50.0, "centre": 34.75}
    whole = volume(run(raw, "whole", **settings))
    np.testing.assert_array_equal(volume(run(raw, "some", rows="4:12", **settings)), whole[4:12])


def test_phase_air_and_zingers_bring_it_near_the_truth(scanned: Simulate) -> None:
    raw, truth = scanned(flicker=0.1, zingers=10, columns=96)
    plain = run(raw, "plain", truth, centre=50.75)
    mended = run(raw, "mended", truth, centre=50.75, air="auto", zingers=0.4)
    assert mended.merits["psnr"] > plain.merits["psnr"] + 2
    assert mended.merits["zingers"] == pytest.approx(10 / (96 * 20), rel=0.3)


def test_half_acquisition(scanned: Simulate) -> None:
    raw, truth = scanned(turn="360", field_of_view="half", angles=360, columns=96, drift=0, centre_shift=-3.3)
    one = run(raw, "one", truth, workers=1)
    assert volume(one).shape == (20, 174, 174)
    assert one.merits["centre_error"] < 0.15
    np.testing.assert_array_equal(volume(run(raw, "two", workers=2)), volume(one))
    with h5py.File(raw, "r+") as file:
        del file["entry/instrument/detector/field_of_view"]
    assert volume(run(raw, "found")).shape == volume(one).shape  # seen in the projections themselves
    assert volume(run(raw, "full", field_of_view="full", centre=86.7)).shape == (20, 96, 96)
    tried = run(raw, "tried", try_centres="86:88:1")
    assert volume(tried).shape == (3, 177, 177)


def test_a_full_turn_about_the_middle_is_a_full_field(scanned: Simulate) -> None:
    raw, truth = scanned(turn="360", angles=180)
    found = run(raw, "full", truth)
    assert volume(found).shape == (20, 64, 64)
    assert found.merits["centre_error"] < 0.15


def test_half_a_turn_is_no_half_acquisition(scanned: Simulate) -> None:
    raw, _ = scanned()
    with pytest.raises(BadInput, match="360 degrees"):
        run(raw, "r", field_of_view="half")


def test_a_leaning_axis_is_found_and_followed(scanned: Simulate) -> None:
    raw, truth = scanned(columns=96, rows=96, angles=121, tilt=0.8)
    upright = run(raw, "upright", truth, rows="24:30")
    leaning = run(raw, "leaning", truth, rows="24:30", tilt="auto")
    assert leaning.merits["tilt"] == pytest.approx(0.8, abs=0.05)
    assert leaning.merits["centre_error"] < upright.merits["centre_error"]
    assert leaning.merits["centre_error"] < 0.1


def test_what_phase_retrieval_lacks_is_asked_for(scanned: Simulate) -> None:
    raw, _ = scanned()
    with h5py.File(raw, "r+") as file:
        del file["entry/instrument/detector/distance"]
    with pytest.raises(BadInput, match=r"needs the distance.*--distance"):
        run(raw, "r", phase="paganin")
    with pytest.raises(BadInput, match="outside the detector"):
        run(raw, "r", air="0:400")
    with pytest.raises(BadInput, match="too few to find a tilt"):
        run(raw, "r", tilt="auto")
    with pytest.raises(BadInput, match="more than 5"):
        run(raw, "r", tilt=9)


def test_a_sample_at_both_edges_leaves_no_air(scanned: Simulate) -> None:
    raw, _ = scanned()
    with h5py.File(raw, "r+") as file:
        data = file["entry/instrument/detector/data"]
        data[6, :, :8] = data[6, :, :8] // 2
        data[50, :, -8:] = data[50, :, -8:] // 2
    with pytest.raises(BadInput, match="covers both edges"):
        run(raw, "r", air="auto")
