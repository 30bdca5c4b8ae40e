"""Sums of pulses: against numpy, against the notebook's way, and put together in any division."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pancommons.techniques.thz import notebook
from pancommons.techniques.thz.intensity import sorting
from pancommons.techniques.thz.signal import notebook_signals, reference, signals, without_outliers
from pancommons.techniques.thz.sums import Sums, add_pulses, bin_sums, empty_sums


def pulses(count: int, seed: int = 0) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    return random.integers(0, 300, count).astype(np.int32), random.normal(1, 2, count)


def test_sums_are_those_of_numpy() -> None:
    pixels, signal = pulses(5000)
    pixels[:3] = [-1, 400, 2**30]
    sums = empty_sums(300)
    add_pulses(sums, pixels, signal)
    inside = (pixels >= 0) & (pixels < 300)
    np.testing.assert_array_equal(sums.count, np.bincount(pixels[inside], minlength=300))
    np.testing.assert_array_equal(sums.total, np.bincount(pixels[inside], signal[inside], 300))
    np.testing.assert_allclose(sums.squares, np.bincount(pixels[inside], signal[inside] ** 2, 300), rtol=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=6))
def test_parts_added_in_order_count_as_one_run_does(cuts: list[int]) -> None:
    pixels, signal = pulses(2000)
    whole, added = empty_sums(300), empty_sums(300)
    add_pulses(whole, pixels, signal)
    edges = [0, *sorted(cuts), 2000]
    for start, stop in pairwise(edges):
        part = empty_sums(300)
        add_pulses(part, pixels[start:stop], signal[start:stop])
        added = added + part
    np.testing.assert_array_equal(added.count, whole.count)
    np.testing.assert_allclose(added.total, whole.total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(added.squares, whole.squares, rtol=1e-13)


def test_errors_are_standard_errors() -> None:
    pixels, signal = pulses(6000)
    pixels[pixels == 7] = 8
    pixels[0] = 7
    sums = empty_sums(301)
    add_pulses(sums, pixels, signal)
    for pixel in (8, 20, 111):
        some = signal[pixels == pixel]
        assert sums.mean()[pixel] == pytest.approx(some.mean(), rel=1e-12)
        assert sums.error()[pixel] == pytest.approx(some.std(ddof=1) / np.sqrt(len(some)), rel=1e-9)
    assert sums.error()[7] == pytest.approx(2, rel=0.05)  # a lone pulse has the spread of the others
    assert np.isnan(sums.mean()[300]) and np.isnan(sums.error()[300])


def test_bins_have_their_middle_for_a_time_and_hold_what_lies_within() -> None:
    random = np.random.default_rng(3)
    times = random.uniform(-3, 9, 4000)
    sums = Sums(np.ones((1, 4000), np.int64), times.copy()[None], times[None] ** 2)
    binned = bin_sums(sums, times, 0.25)
    expected, edges = np.histogram(times, binned.edges)
    np.testing.assert_array_equal(binned.sums.count[0], expected)
    np.testing.assert_allclose(binned.centres, (edges[1:] + edges[:-1]) / 2)
    assert np.abs(binned.sums.mean()[0] - binned.centres).max() < 0.125
    assert bin_sums(empty_sums(1, 2, 5), np.zeros((2, 5)), 0.1).sums.count.shape == (1, 0)


@pytest.mark.parametrize("width", [0.02, 0.0115, 0.5])
def test_the_notebooks_bins_are_those_of_digitize_and_masks(width: float) -> None:
    random = np.random.default_rng(5)
    pixels = np.rint(random.normal(31000, 60, 3000)).astype(np.int64)
    signal = random.normal(0, 1, 3000)
    curve = notebook.binned(pixels, signal, 0.0115, width)
    number = np.digitize(pixels.astype(float) * 0.0115, curve[:, 0])
    for index in range(len(curve)):
        some = signal[number == index]
        np.testing.assert_array_equal(curve[index, 1], np.mean(some) if len(some) else np.nan)
    assert np.isnan(curve[0, 1])


def test_signals() -> None:
    traces = np.random.default_rng(0).normal(0.1, 0.01, (40, 96)).astype(np.float32)
    first, second = traces[:, :48].astype(float).sum(axis=1), traces[:, 48:].astype(float).sum(axis=1)
    np.testing.assert_allclose(signals(traces), first - second, atol=1e-12)
    np.testing.assert_allclose(signals(traces, "none"), first, rtol=1e-12)
    np.testing.assert_allclose(reference(traces), second, rtol=1e-12)
    theirs = [np.sum(row[:48]) - np.sum(row[48:]) for row in traces]
    np.testing.assert_array_equal(notebook_signals(traces), np.array(theirs, np.float64))


def test_outliers_are_told_from_the_waveform() -> None:
    random = np.random.default_rng(2)
    pixels = random.integers(0, 500, 3000).astype(np.int32)
    signal = 10 * np.sin(pixels / 40) + random.normal(0, 0.3, 3000)
    wrong = random.choice(3000, 25, replace=False)
    signal[wrong] += random.choice([-8, 8], 25)
    kept = without_outliers(pixels, signal, 6)
    assert not kept[wrong].any()
    assert np.count_nonzero(~kept) <= 27
    assert without_outliers(pixels, signal, 0).all()
    assert not without_outliers(pixels, np.where(pixels == 3, np.nan, signal), 6)[pixels == 3].any()


def test_sorting_by_intensity() -> None:
    random = np.random.default_rng(4)
    intensity = random.normal(10, 1, 20000)
    sorts = sorting(intensity, 0, 100, 4)
    sizes = np.bincount(sorts.classes(np.concatenate([intensity, [-99, 99]])))
    np.testing.assert_allclose(sizes, 5000, atol=2)
    narrow = sorting(intensity, 10, 90)
    assert np.mean(narrow.classes(intensity) >= 0) == pytest.approx(0.8, abs=0.001)
    assert narrow.classes(np.array([np.nan])) == -1
    assert sorts.relative(intensity).mean() == pytest.approx(1)
    assert np.isnan(sorts.relative(np.array([-1.0])))
