"""The promises of a run: killed and resumed, reproduced, on processes and on Dask - always the same arrays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

import pancommons
from pancommons.pipelines.api import Run, resume
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.sans.pipeline import PIPELINE, SimulationParameters
from tests.techniques.sans.conftest import PIXEL

PARAMETERS = {"model": "sphere", "wavelength_bands": 2, "qxy_binning": "0.1:0.01"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate spheres; not to be changed."""
    return simulate(PIPELINE, SimulationParameters(counts=1e6), tmp_path_factory.mktemp("raw") / "spheres.nxs")[0]


@pytest.fixture(scope="module")
def whole(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Reduce them without any disturbance."""
    return pancommons.run("sans", raw, out=tmp_path_factory.mktemp("whole") / "run", listeners=(), **PARAMETERS)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures of this process empty."""
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))


def arrays(run: Path) -> dict[str, np.ndarray]:
    """Return every numeric dataset of a result by its path."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "fiu":
            found[name] = node[()]

    with h5py.File(run / "result.nxs") as file:
        file.visititems(keep)
    return found


def assert_same(run: Path, other: Path) -> None:
    one, two = arrays(run), arrays(other)
    assert one.keys() == two.keys() and len(one) > 60
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


@pytest.mark.parametrize("stage", ["banks", "analysis"])
def test_killed_within_a_unit_and_resumed(raw: Path, whole: Run, tmp_path: Path, stage: str) -> None:
    """The first bank's part is there and the second in work; or both are and the curve is being analysed."""
    out = tmp_path / "killed"
    given = [text for name, value in PARAMETERS.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "pancommons", "run", "sans", str(raw), "--out", str(out), "--workers", "1", *given],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    awaited = "parts/banks/*.h5" if stage == "banks" else "prepared/curve_1_total.npy"
    while not list(out.glob(awaited)):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "report.json").exists()
    assert len(list(out.glob("parts/analysis/*.h5"))) == 0
    resume(out, listeners=())
    assert_same(out, whole.path)


@pytest.mark.parametrize("on", ["processes", "dask"])
def test_elsewhere(raw: Path, whole: Run, tmp_path: Path, on: str) -> None:
    run = pancommons.run("sans", raw, out=tmp_path / on, on=on, workers=2, listeners=(), **PARAMETERS)
    assert_same(run.path, whole.path)


def test_reproduced(whole: Run, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pancommons", "reproduce", str(whole.path), "--out", str(tmp_path / "again")],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "identical" in said.stdout
    assert_same(tmp_path / "again", whole.path)
