"""Real measurements: 74044 against Mantid's own curve, the polymer standard 54431 against its known size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.techniques.sans.conftest import Reduce


def test_74044_is_mantids_curve(
    runs_74044: dict[str, Path], reduce: Reduce, shared_data: Callable[[str], Path]
) -> None:
    run = reduce(**runs_74044)
    reference = np.loadtxt(shared_data("sans-loq/74044/reference_merged_1d.txt"))
    with h5py.File(run.path / "result.nxs") as file:
        data = file["entry/sasdata01"]
        q, intensity, error, spread = (data[name][()] for name in ("Q", "I", "Idev", "Qdev"))
    np.testing.assert_allclose(q, reference[:, 2], rtol=1e-8)
    deviation = np.abs(intensity / reference[:, 3] - 1)
    assert np.median(deviation) <= 1e-5
    assert deviation.max() <= 1e-4
    np.testing.assert_allclose(error, reference[:, 4], rtol=0.01)
    assert (spread > 0).all()
    merits = {merit["name"]: merit["value"] for merit in run.report["merits"]}
    assert abs(merits["rescale"] / 1.32498 - 1) < 1e-3


def test_54431_from_raw_has_the_radius_of_the_standard(runs_54431: dict[str, Path], reduce: Reduce) -> None:
    run = reduce(**runs_54431, gravity="on", model="debye")
    merits = {merit["name"]: merit["value"] for merit in run.report["merits"]}
    assert abs(merits["size"] - 74) < 2
    assert 0.6 < merits["fit_chi_square"] < 1.2
    assert merits["rescale"] is None


def test_54431_has_the_centre_that_mantids_search_ends_at(runs_54431: dict[str, Path], reduce: Reduce) -> None:
    walked = reduce(**runs_54431, centre="find", centre_finder="walk")
    x, y = walked.found["centre"]
    assert abs(x - 324.89) < 0.1
    assert abs(y - 327.045) < 0.1


def test_54431_has_a_centre_whose_error_is_said(runs_54431: dict[str, Path], reduce: Reduce) -> None:
    """Fitted, the centre lies three standard errors above Mantid's; what it says of itself has to allow for that."""
    merits = {merit["name"]: merit["value"] for merit in reduce(**runs_54431, centre="find").report["merits"]}
    assert abs(merits["centre_x"] - 324.89) < 3 * 0.24
    assert abs(merits["centre_y"] - 327.045) < 4 * 0.24
    assert 0.5 < merits["centre_confidence"] < 0.9
