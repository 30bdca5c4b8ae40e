"""The whole pipeline on small runs: against the notebook's result, against truth, against itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.techniques.thz.conftest import SHARED, Evaluate, Simulate


def test_the_shared_run_gives_the_notebooks_curve(shared_data: Callable[[str], Path], evaluate: Evaluate) -> None:
    source = shared_data(SHARED)
    run = evaluate(source, notebook_compatible=True)
    written = run.path / "notebook" / f"{source.name}_sorted_binned.dat"
    expected = shared_data("thz-telbe/binned.dat")
    np.testing.assert_allclose(np.loadtxt(written), np.loadtxt(expected), rtol=0, atol=1e-8)
    assert written.read_bytes() == expected.read_bytes()
    assert len((run.path / "notebook" / f"{source.name}_sorted.dat").read_text().splitlines()) == 1200


def test_against_the_truth(simulate: Simulate, evaluate: Evaluate) -> None:
    raw, truth = simulate(positions=24, pulses=200, pixels=1024, jitter=0.6)
    run = evaluate(raw, truth=truth)
    merits = run.merits
    assert merits["scale"] == pytest.approx(1, abs=0.05)
    assert merits["time_error"] == pytest.approx(0, abs=25)
    assert merits["chi_squared"] == pytest.approx(1, abs=0.3)
    assert merits["peak_frequency"] == pytest.approx(0.7, abs=0.02)
    with h5py.File(run.path / "result.nxs") as file:
        assert file["entry/trace/signal"].shape == file["entry/trace/time"].shape
        assert file["entry"].attrs["default"] == "trace"
