"""Corrections of whole frames against the formula and against planted faults."""

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.correction.attenuation import flat_field
from pancommons.techniques.tomography.correction.frames import air_level, transmission, without_zingers

SHAPE = (5, 12, 18)


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_transmission_is_the_formula(random):
    flat = random.uniform(900, 1100, SHAPE[1:]).astype(np.float32)
    dark = random.uniform(90, 110, SHAPE[1:]).astype(np.float32)
    counts = random.integers(120, 900, SHAPE).astype(np.uint16)
    result, repairs = transmission(counts, flat_field([flat], dark))
    np.testing.assert_allclose(result, (counts - dark.astype(float)) / (flat.astype(float) - dark), atol=1e-6)
    assert (repairs.values, repairs.not_finite) == (counts.size, 0)
    later = flat_field([flat, 2 * flat], None, [-0.5, 4.5])
    two, _ = transmission(np.full(SHAPE, 700, np.uint16)[:1], later, first=2)
    np.testing.assert_allclose(two[0], 700 / (1.5 * flat), rtol=1e-6)


def test_dead_pixels_and_missing_counts_take_their_neighbours():
    flat = np.full(SHAPE[1:], 1000, np.float32)
    flat[4, 7] = 0
    counts = np.full(SHAPE, 500, np.float32)
    counts[1, 2, 3] = np.nan
    result, repairs = transmission(counts, flat_field([flat]))
    np.testing.assert_array_equal(result, 0.5)
    assert (repairs.not_finite, repairs.dead_pixels) == (1, 1)
    flat[:] = 1000
    flat[4] = 0  # a whole row: nothing to take
    result, _ = transmission(counts, flat_field([flat]))
    assert np.all(result[:, 4] == 1)


def test_zingers_are_found_and_nothing_else(random):
    rows, columns = np.mgrid[:40, :50]
    smooth = (0.5 + 0.3 * np.sin(rows / 6) * np.cos(columns / 7)).astype(np.float32)
    frames = np.stack([smooth, smooth]) + random.normal(0, 0.01, (2, 40, 50)).astype(np.float32)
    clean = frames.copy()
    hit = [(0, 0, 0), (0, 39, 49), (0, 20, 20), (0, 20, 21), (1, 7, 30)]
    for place in hit:
        frames[place] += 0.5
    assert without_zingers(frames, 0.3) == len(hit)
    changed = frames != clean
    assert sorted(zip(*np.nonzero(changed), strict=True)) == sorted(hit)
    assert np.abs(frames - clean).max() < 0.15  # the local slope over the 5 x 5 pixels, and noise
    assert without_zingers(frames, 0.3) == 0


def test_an_edge_is_no_zinger():
    frame = np.ones((1, 30, 30), np.float32)
    frame[:, :, 11:] = 0.1
    frame[:, :, 8:11] = 0.3
    before = frame.copy()
    assert without_zingers(frame, 0.3) == 0
    np.testing.assert_array_equal(frame, before)


def test_replacement_is_the_median_of_the_others():
    frame = np.arange(25, dtype=np.float32).reshape(1, 5, 5) / 100
    frame[0, 2, 2] = 9
    assert without_zingers(frame, 0.5) == 1
    others = np.delete(np.arange(25) / 100, 12)
    assert frame[0, 2, 2] == pytest.approx(np.median(others))


def test_dose_in_air(random):
    dose = random.uniform(0.8, 1.2, SHAPE[0]).astype(np.float32)
    frames = np.full(SHAPE, 0.3, np.float32)
    frames[:, :, 15:] = 1
    frames *= dose[:, None, None]
    np.testing.assert_allclose(air_level(frames, (15, 18, 2, 9)), dose, rtol=1e-6)
    frames[2] = 0
    with pytest.raises(BadInput, match="no light"):
        air_level(frames, (15, 18, 0, 12))
