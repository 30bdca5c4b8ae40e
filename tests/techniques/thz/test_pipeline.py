"""The whole pipeline on small runs: against the notebook's result, against truth, against itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import pancommons
from pancommons.base.errors import BadInput
from pancommons.cli import main
from pancommons.pipelines.api import Run
from pancommons.techniques.thz import planning
from pancommons.techniques.thz.archive import save_measurement
from pancommons.techniques.thz.measurement import PS_PER_MM
from pancommons.techniques.thz.read import open_measurement
from tests.techniques.thz.conftest import SHARED, Evaluate, Simulate


def arrays(run: Run | Path, *groups: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the result by their path."""
    found = {}
    with h5py.File((run if isinstance(run, Path) else run.path) / "result.nxs") as file:
        for group in groups or ("trace", "spectrum", "sums"):
            for name, dataset in file[f"entry/{group}"].items():
                if isinstance(dataset, h5py.Dataset) and dataset.dtype.kind in "fiu":
                    found[f"{group}/{name}"] = dataset[()]
    return found


def same(a: Run | Path, b: Run | Path) -> None:
    one, other = arrays(a), arrays(b)
    assert one.keys() == other.keys() and len(one) > 8
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_the_shared_run_gives_the_notebooks_curve(shared_data: Callable[[str], Path], evaluate: Evaluate) -> None:
    source = shared_data(SHARED)
    run = evaluate(source, notebook_compatible=True)
    written = run.path / "notebook" / f"{source.name}_sorted_binned.dat"
    expected = shared_data("thz-telbe/binned.dat")
    np.testing.assert_allclose(np.loadtxt(written), np.loadtxt(expected), rtol=0, atol=1e-8)
    assert written.read_bytes() == expected.read_bytes()
    assert len((run.path / "notebook" / f"{source.name}_sorted.dat").read_text().splitlines()) == 1200


def test_the_shared_run_against_its_truth(shared_data: Callable[[str], Path], evaluate: Evaluate) -> None:
    run = evaluate(shared_data(SHARED))
    found = arrays(run, "trace")
    truth = np.load(shared_data("thz-telbe/truth.npz"))
    order = np.argsort(truth["t"])
    expected = np.interp(found["trace/time"], truth["t"][order], truth["clean"][order])
    there = found["trace/count"] > 2
    pull = (found["trace/signal"] - expected)[there] / found["trace/signal_errors"][there]
    assert abs(pull.mean()) < 0.25 and 0.8 < pull.std() < 1.3


def test_against_the_truth(simulate: Simulate, evaluate: Evaluate) -> None:
    raw, truth = simulate(positions=24, pulses=250, pixels=1024, jitter=0.6)
    run = evaluate(raw, truth=truth)
    assert run.merits["scale"] == pytest.approx(1, abs=0.05)
    assert run.merits["time_error"] == pytest.approx(0, abs=15)
    assert run.merits["chi_squared"] == pytest.approx(1, abs=0.25)
    assert run.merits["peak_frequency"] == pytest.approx(0.7, abs=0.02)
    assert run.merits["jitter"] == pytest.approx(0.6, abs=0.03)
    with h5py.File(truth) as file:
        lost = int((file["entry/pulses/missing"][()] | file["entry/pulses/outlier"][()]).sum())
    left_out = round(24 * 250 * (1 - run.merits["kept"] / 100))
    assert 0 <= left_out - lost <= 3
    moved = evaluate(raw, truth=truth, stage_zero=51.1)
    assert moved.merits["time_error"] == pytest.approx(run.merits["time_error"], abs=3)
    assert arrays(moved)["trace/time"][0] == pytest.approx(arrays(run)["trace/time"][0] - 51.1 * PS_PER_MM, abs=0.021)


def test_without_its_jitter_a_wave_is_washed_out(simulate: Simulate, evaluate: Evaluate) -> None:
    raw, truth = simulate(positions=24, pulses=250, pixels=1024, jitter=0.6)
    flat = arrays(evaluate(raw, truth=truth, jitter=False, bin=0.1), "trace")
    assert flat["trace/count"].max() == pytest.approx(250, abs=5)
    assert np.nanmax(np.abs(flat["trace/signal"])) < 0.1


def test_folder_and_file_give_the_same_bits(simulate: Simulate, evaluate: Evaluate, tmp_path: Path) -> None:
    folder, _ = simulate(layout="folder")
    save_measurement(open_measurement(folder), tmp_path / "run.nxs", 16)
    same(evaluate(folder), evaluate(tmp_path / "run.nxs"))


@pytest.mark.parametrize("options", [{"on": "dask", "workers": 2}, {"workers": 1}], ids=str)
def test_executor_and_workers_do_not_change_a_bit(
    simulate: Simulate, evaluate: Evaluate, options: dict[str, Any]
) -> None:
    raw, _ = simulate()
    same(evaluate(raw, **options), evaluate(raw, workers=3))


def test_parts_of_positions_add_up_to_one_run(simulate: Simulate, evaluate: Evaluate) -> None:
    """As tasks of an array job would do, each with some positions: their sums put together are those of one run."""
    raw, _ = simulate(positions=5)
    whole = arrays(evaluate(raw, filter_delay=15.0), "sums")
    shares = [arrays(evaluate(raw, filter_delay=15.0, positions=span), "sums") for span in ("0:2", "2:3", "3:")]
    for name in ("count", "total", "squares"):
        joined = np.concatenate([share[f"sums/{name}"] for share in shares], axis=2)
        np.testing.assert_array_equal(joined, whole[f"sums/{name}"])


def test_long_positions_are_cut(simulate: Simulate, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, _ = simulate()
    options = {"outliers": 0, "least_modulation": 0}
    whole = arrays(evaluate(raw, **options))
    monkeypatch.setattr(planning, "PULSES_OF_A_UNIT", 37)
    run = evaluate(raw, **options)
    assert len(json.loads((run.path / "run.json").read_text())["plan"]["pulses"]) == 16
    cut = arrays(run)
    np.testing.assert_array_equal(cut["sums/count"], whole["sums/count"])
    np.testing.assert_array_equal(cut["trace/count"], whole["trace/count"])
    np.testing.assert_allclose(cut["sums/total"], whole["sums/total"], rtol=0, atol=1e-13)
    np.testing.assert_allclose(cut["trace/signal"], whole["trace/signal"], rtol=0, atol=1e-13)


def test_ragged_positions(simulate: Simulate, evaluate: Evaluate, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulate(layout="folder", outliers=0, missing=0)[0], tmp_path / "run"))
    images = sorted(folder.glob("*_SD_*/*.tif"))
    tifffile.imwrite(images[0], tifffile.imread(images[0])[:100])
    traces = sorted(folder.glob("*Experiment*"))
    traces[1].write_bytes(traces[1].read_bytes()[: -4 * 16 * 5 + 8])
    traces[3].unlink()
    run = evaluate(folder)
    assert run.merits["pulses"] == 100 + 115 + 120
    assert any("2 of 3 positions have unequal numbers" in text and "25 without" in text for text in run.warnings)
    assert any("end within a pulse" in text for text in run.warnings)
    assert any("has no file of ADC traces" in text for text in run.warnings)


def test_an_offset_between_camera_and_adc(simulate: Simulate, evaluate: Evaluate, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulate(layout="folder", outliers=0, missing=0)[0], tmp_path / "run"))
    right = arrays(evaluate(folder, outliers=0), "sums")["sums/total"].sum()
    for file in folder.glob("*Experiment*"):
        values = np.fromfile(file, ">f4").reshape(-1, 16)
        np.roll(values, -3, axis=0).tofile(file)
    run = evaluate(folder, outliers=0, offset=3, notebook_compatible=True)
    assert run.merits["pulses"] == 4 * 117  # those at the end have no partner
    whole = np.loadtxt(next((run.path / "notebook").glob("*_sorted.dat")))
    assert len(whole) == 4 * 120 and whole[:, 1].sum() == pytest.approx(right, abs=1e-3)


def test_pump_on_every_other_pulse(simulate: Simulate, evaluate: Evaluate) -> None:
    raw, truth = simulate(positions=16, pulses=400, jitter=0.3, alternate=True)
    run = evaluate(raw, truth=truth, pump="alternate", bin=0.04)
    assert run.merits["scale"] == pytest.approx(1, abs=0.08)
    with h5py.File(run.path / "result.nxs") as file:
        on, off = file["entry/pumped/signal"][()], file["entry/unpumped/signal"][()]
        np.testing.assert_array_equal(file["entry/trace/signal"][()], on - off)
        errors = np.hypot(file["entry/pumped/signal_errors"][()], file["entry/unpumped/signal_errors"][()])
        np.testing.assert_array_equal(file["entry/trace/signal_errors"][()], errors)
    assert np.nanstd(on) > 3 * np.nanstd(off)
    turned = evaluate(raw, pump="alternate", pumped="odd", bin=0.04)
    np.testing.assert_array_equal(arrays(turned)["trace/signal"], -arrays(run)["trace/signal"])
    assert evaluate(raw, pump="none").merits["pulses"] == 6400


def test_intensity_explains_the_spread(simulate: Simulate, evaluate: Evaluate) -> None:
    wanted = {"positions": 16, "pulses": 400, "jitter": 0.3, "spread": 0.25, "noise": 0.005, "amplitude": 1.0}
    raw, truth = simulate(**wanted)
    plain = evaluate(raw, truth=truth)
    sorted_run = evaluate(raw, truth=truth, intensity="modulation", normalise=True, intensity_keep="5:95")
    assert sorted_run.merits["error"] < 0.4 * plain.merits["error"]
    assert sorted_run.merits["scale"] == pytest.approx(1, abs=0.03)
    assert 85 < sorted_run.merits["kept"] < 92
    classes = evaluate(raw, intensity="modulation", classes=3)
    with h5py.File(classes.path / "result.nxs") as file:
        each = file["entry/classes/signal"][()]
        assert file["entry/classes/intensity_edges"].shape == (4,)
    strength = [np.nanstd(one) for one in each]
    assert strength[2] > 1.3 * strength[0] and strength[0] < strength[1] < strength[2]
    for intensity in ("spectrum", "reference"):
        assert evaluate(raw, intensity=intensity, normalise=True).merits["kept"] > 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"positions": "3:9"}, "outside the run's positions 0:4"),
        ({"samples": 32}, "traces have 16 samples"),
        ({"low_cut": 0.2}, "not below the upper edge"),
        ({"normalise": True}, "choose modulation, spectrum or reference"),
        ({"intensity_keep": "60:40", "intensity": "spectrum"}, "the lower first"),
        ({"time_range": "5:1"}, "the lower first"),
        ({"memory": "20M"}, "one unit of this run needs"),
        ({"bin": 0}, "bin"),
    ],
    ids=str,
)
def test_refusals_come_before_the_run(simulate: Simulate, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    raw, _ = simulate()
    with pytest.raises(BadInput, match=said):
        pancommons.run("thz", raw, out=tmp_path / "refused", listeners=(), **options)
    assert not (tmp_path / "refused").exists()


def pan(*arguments: str) -> int:
    """Call the command in this process, which has imported everything already."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 0


def test_killed_resumed_and_reproduced(
    simulate: Simulate, evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, _ = simulate(positions=40, pulses=400)
    whole = evaluate(raw)
    out = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "pancommons", "run", "thz", str(raw), "--out", str(out), "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not list(out.glob("parts/pulses/*.h5")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "report.json").exists()
    assert pan("resume", str(out)) == 0
    same(out, whole)
    assert pan("reproduce", str(out), "--out", str(tmp_path / "again")) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.parametrize("on", ["processes", "dask"])
def test_the_same_elsewhere(simulate: Simulate, evaluate: Evaluate, on: str) -> None:
    raw, _ = simulate(positions=40, pulses=400)
    moved = evaluate(raw, on=on, workers=2)
    assert len(list(moved.path.glob("parts/pulses/*.h5"))) > 1
    same(moved, evaluate(raw))
