"""Runs in event mode: counted in bins, cut by the clock, damaged."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pancommons.base.errors import BadInput
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.sans import events
from pancommons.techniques.sans.pipeline import PIPELINE, SimulationParameters
from pancommons.techniques.sans.read import open_run
from pancommons.techniques.sans.slices import counted_in, sliced, windows
from tests.techniques.sans.conftest import Reduce

COUNTS = 3e5


@pytest.fixture(scope="module")
def histogram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parameters = SimulationParameters(sample="flat", counts=COUNTS)
    return simulate(PIPELINE, parameters, tmp_path_factory.mktemp("histogram") / "run.nxs")[0]


@pytest.fixture(scope="module")
def evented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parameters = SimulationParameters(sample="flat", counts=COUNTS, mode="events")
    return simulate(PIPELINE, parameters, tmp_path_factory.mktemp("events") / "run.nxs")[0]


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parameters = SimulationParameters(
        sample="flat", intensity=20.0, background=0.0, counts=COUNTS, mode="events", growth=1.0, duration=400.0
    )
    return simulate(PIPELINE, parameters, tmp_path_factory.mktemp("growing") / "run.nxs")[0]


def intensities(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(folder / "result.nxs") as file:
        return file[f"entry/{name}/I"][()], file[f"entry/{name}/Idev"][()]


def test_events_are_the_histogram_they_were_drawn_from(
    histogram: Path, evented: Path, reduce: Reduce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_BLOCK", 10_000)
    np.testing.assert_array_equal(open_run(evented).read(0), open_run(histogram).read(0))
    curves = [intensities(reduce(sample=path, bank="rear").path, "sasdata01") for path in (histogram, evented)]
    np.testing.assert_array_equal(*curves)


def test_slices_add_up_to_the_whole(evented: Path) -> None:
    whole = open_run(evented)
    cut = sliced(whole, "0:600:75")
    assert cut.periods == 8
    np.testing.assert_array_equal(sum(cut.read(number).astype(int) for number in range(8)), whole.read(0))
    for number, counts in cut.monitors.items():
        np.testing.assert_allclose(counts.sum(axis=0), whole.monitors[number][0], rtol=1e-12)
    assert cut.label(1) == "75 to 150 s"


def test_a_steady_sample_is_the_same_in_every_slice(evented: Path, reduce: Reduce) -> None:
    run = reduce(sample=evented, bank="rear", time_slices="3")
    (first, error), (second, other), _ = (intensities(run.path, f"sasdata0{number}") for number in (1, 2, 3))
    pull = (first - second) / np.hypot(error, other)
    assert 0.6 < np.mean(pull**2) < 1.5


def test_all_slices_have_the_factor_of_the_whole_run(evented: Path, reduce: Reduce) -> None:
    whole, cut = reduce(sample=evented), reduce(sample=evented, time_slices="2")
    assert cut.found["rescale_period_2"] == cut.found["rescale"] == pytest.approx(whole.found["rescale"], rel=1e-3)
    assert "0 to 300 s" in (cut.path / "curve.xml").read_text()


def test_a_growing_sample_grows_as_it_was_made_to(growing: Path, reduce: Reduce) -> None:
    """Evenly from half to one and a half: the means of four quarters are 5/8, 7/8, 9/8 and 11/8 of the mean."""
    run = reduce(sample=growing, bank="rear", time_slices="0:400:100", rescale=1.0)
    curves = [intensities(run.path, f"sasdata0{number}") for number in range(1, 5)]
    weights = 1 / np.mean([error for _, error in curves], axis=0) ** 2
    means = [np.average(intensity, weights=weights) for intensity, _ in curves]
    np.testing.assert_allclose(np.array(means) / np.mean(means), [5 / 8, 7 / 8, 9 / 8, 11 / 8], atol=0.03)


def with_periods(raw: Path, copy: Path, later: np.ndarray) -> Path:
    """Copy a run whose frames are of period 2 where `later` says so, its monitors counted apart."""
    shutil.copy(raw, copy)
    with h5py.File(copy, "r+") as file:
        entry = file["raw_data_1"]
        charge = entry["framelog/proton_charge/value"][()]
        entry["periods/number"] = [2]
        entry["framelog/period_log/value"] = (1 + later).astype(np.int32)
        shares = np.array([charge[~later].sum(), charge[later].sum()]) / charge.sum()
        for name in ("monitor_1", "monitor_2"):
            whole = entry[f"{name}/data"][()]
            del entry[f"{name}/data"]
            entry[f"{name}/data"] = np.rint(whole * shares[:, None, None]).astype(np.int32)
    return copy


def test_periods_of_events_are_reduced_apart(growing: Path, tmp_path: Path, reduce: Reduce) -> None:
    """Of an even growth from half to one and a half the first half is 3/4 of the mean, the second 5/4."""
    with h5py.File(growing) as file:
        starts = file["raw_data_1/detector_1_events/event_time_zero"][()]
    raw = with_periods(growing, tmp_path / "halves.nxs", starts >= starts.mean())
    run = open_run(raw)
    assert run.periods == 2
    np.testing.assert_array_equal(run.read(0) + run.read(1), open_run(growing).read(0))
    reduced = reduce(sample=raw, bank="rear", rescale=1.0)
    (first, error), (second, other) = (intensities(reduced.path, f"sasdata0{number}") for number in (1, 2))
    weights = 1 / (error**2 + other**2)
    means = np.array([np.average(one, weights=weights) for one in (first, second)])
    np.testing.assert_allclose(means / means.mean(), [3 / 4, 5 / 4], atol=0.02)


def test_periods_that_take_turns_are_cut_by_the_same_clock(evented: Path, tmp_path: Path, reduce: Reduce) -> None:
    with h5py.File(evented) as file:
        frames = file["raw_data_1/detector_1_events/event_index"].size
    raw = with_periods(evented, tmp_path / "turns.nxs", np.arange(frames) % 2 == 1)
    cut = sliced(open_run(raw), "2")
    assert (cut.periods, cut.measured_periods) == (4, 2)
    assert [cut.label(number) for number in (0, 3)] == ["period 1, 0 to 300 s", "period 2, 300 to 600 s"]
    np.testing.assert_array_equal(sum(cut.read(number) for number in range(4)), open_run(evented).read(0))
    run = reduce(sample=raw, bank="rear", time_slices="2", period=2)
    (first, error), (second, other) = (intensities(run.path, f"sasdata0{number}") for number in (3, 4))
    assert 0.6 < np.mean(((first - second) / np.hypot(error, other)) ** 2) < 1.5


def test_other_bins_of_time_hold_the_same_events(evented: Path) -> None:
    run = open_run(evented)
    coarse = counted_in(run, run.edges[::2])
    np.testing.assert_array_equal(coarse.read(0), run.read(0)[:, ::2] + run.read(0)[:, 1::2])


@given(some.floats(0, 50), some.floats(1, 50), some.floats(0.5, 60))
def test_slices_follow_each_other(start: float, length: float, width: float) -> None:
    cuts = windows(f"{start:.6f}:{start + length:.6f}:{width:.6f}", 1000.0)
    assert cuts[0][0] == pytest.approx(start, abs=1e-6)
    assert cuts[-1][1] == pytest.approx(start + length, abs=1e-5)
    assert all(one[1] == two[0] for one, two in pairwise(cuts))


@pytest.mark.parametrize(
    ("slices", "says"),
    [("5:5:1", "makes no slices"), ("0:10:0", "makes no slices"), ("0:9000:1000", "the run took 600.0 s")],
)
def test_slices_that_make_no_sense(evented: Path, reduce: Reduce, slices: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        reduce(sample=evented, time_slices=slices)


def test_a_histogram_has_no_slices(histogram: Path, reduce: Reduce) -> None:
    with pytest.raises(BadInput, match="holds histograms"):
        reduce(sample=histogram, time_slices="4")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("event_id", "lacks event_id of its events"),
        ("event_index", "lacks event_index of its events"),
        ("stub", "whose events are not in it"),
        ("lengths", "do not fit together"),
    ],
)
def test_damaged_events_are_refused(evented: Path, tmp_path: Path, field: str, says: str) -> None:
    raw = tmp_path / "damaged.nxs"
    shutil.copy(evented, raw)
    with h5py.File(raw, "r+") as file:
        group = file["raw_data_1/detector_1_events"]
        if field in group:
            del group[field]
        else:
            for name in ("event_id", "event_time_offset") if field == "stub" else ("event_id",):
                part = group[name][:1000]
                del group[name]
                group[name] = part
    with pytest.raises(BadInput, match=says):
        open_run(raw)
