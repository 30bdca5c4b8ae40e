"""Arrival times against scipy's filter, in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from pancommons.techniques.thz.arrival import arrivals, band_pass, light


def spectra(count: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    at = np.arange(width)
    peak = random.uniform(0.3, 0.7, count)[:, None] * width
    counts = 900 + 2500 * np.exp(-0.5 * ((at - peak) / 25) ** 2) + random.normal(0, 20, (count, width))
    return np.clip(counts, 0, 32767).astype(np.uint16)


@pytest.mark.parametrize(("count", "width"), [(1, 300), (7, 2048), (8, 256), (9, 255), (33, 1031), (16, 1)])
@pytest.mark.parametrize("edges", [(1e-5, 0.04), (0.001, 0.2)])
def test_arrivals_are_those_of_lfilter_in_every_bit(count: int, width: int, edges: tuple[float, float]) -> None:
    counts = spectra(count, width, seed=width)
    background = 850 + 100 * np.cos(np.arange(width) / 200)
    band = band_pass(*edges)
    found = arrivals(counts, background, band)
    filtered = lfilter(band.b, band.a, counts.astype(np.float64) - background, axis=1)
    np.testing.assert_array_equal(found.pixels, filtered.argmax(axis=1))
    np.testing.assert_array_equal(found.modulation, filtered.max(axis=1))
    total = light(counts, background)
    np.testing.assert_allclose(total, (counts - background).sum(axis=1), rtol=1e-9, atol=1e-5)


def test_every_other_coefficient_is_zero() -> None:
    for low, high in ((1e-5, 0.04), (0.001, 0.2), (0.01, 0.3), (1e-4, 0.9)):
        assert (band_pass(low, high).b[1::2] == 0).all()


def test_a_flag_is_no_part_of_the_counts() -> None:
    counts = spectra(20, 600)
    background, band = np.full(600, 900.0), band_pass()
    plain = arrivals(counts, background, band)
    all_flagged = arrivals(counts | np.uint16(0x8000), background, band, flagged=True)
    np.testing.assert_array_equal(plain.pixels, all_flagged.pixels)
    first_only = counts.copy()
    first_only[0, 0] |= 0x8000
    np.testing.assert_array_equal(plain.pixels, arrivals(first_only, background, band, flagged=True).pixels)
    theirs = arrivals(counts | np.uint16(0x8000), background, band, flagged=True, as_notebook=True)
    np.testing.assert_array_equal(plain.pixels, theirs.pixels)


def test_the_delay_is_that_of_a_slow_pulse() -> None:
    at = np.arange(8192)
    band = band_pass()
    slow = np.rint(30000 * np.exp(-0.5 * ((at - 4000) / 40) ** 2)).astype(np.uint16)[None]
    assert arrivals(slow, np.zeros(8192), band).pixels[0] - 4000 == pytest.approx(band.delay, abs=1)
