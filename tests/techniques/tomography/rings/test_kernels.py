"""The parts of the methods against slow and plain forms of the same."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
from scipy.ndimage import median_filter

from pancommons.techniques.tomography.rings import (
    all_stripes,
    detection,
    fourier_wavelet,
    medians,
    ranks,
    titarenko,
    transmission,
)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("columns", "rows", "width"), [(40, 70, 21), (64, 64, 5), (9, 3, 31), (30, 130, 1)])
def test_the_running_median_is_that_of_scipy(columns: int, rows: int, width: int) -> None:
    values = np.round(noise(columns, rows), 1)  # with equal values
    found = np.empty_like(values)
    medians.across(values, width, found)
    np.testing.assert_array_equal(found, median_filter(values, (width, 1), mode="reflect"))


def test_columns_are_sorted_stably_and_put_back() -> None:
    columns = np.round(noise(12, 90), 1)
    columns[3, :5] = [0.0, -0.0, 1e-40, -1e30, 1e30]
    values, order = np.empty_like(columns), np.empty(columns.shape, np.uint32)
    ranks.sorted_columns(columns, values, order)
    assert (np.diff(values, axis=1) >= 0).all()
    equal = np.diff(values, axis=1) == 0
    signs = np.signbit(values)
    assert (np.diff(order.astype(int), axis=1)[equal & (signs[:, 1:] == signs[:, :-1])] > 0).all()
    back = np.empty_like(columns)
    ranks.put_back(values, order, back)
    np.testing.assert_array_equal(back, columns)


def test_transmissions_are_exponentials() -> None:
    given = np.random.default_rng(0).uniform(-20, 60, 5000).astype(np.float32)
    found = np.empty_like(given)
    transmission.transmit(given, found)
    np.testing.assert_allclose(found, np.exp(-given.astype(np.float64)), rtol=4e-7)


def test_stripes_are_found_in_noise_and_none_without() -> None:
    figures = 1 + 0.01 * np.random.default_rng(3).uniform(-1, 1, 400)
    assert not detection.stripes(figures, 3).any()
    assert not detection.stripes(np.ones(400), 3).any()
    figures[100], figures[200] = 1.2, 0.8
    assert set(np.flatnonzero(detection.stripes(figures, 3))) == {99, 100, 101, 199, 200, 201}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_stripes_solve_their_equation(order: int) -> None:
    mean, weight = np.random.default_rng(1).normal(size=60), 0.02
    differences = np.diff(np.eye(60), order, axis=0)
    expected = np.linalg.solve(differences.T @ differences + weight * np.eye(60), differences.T @ differences @ mean)
    factors = differences[0, : order + 1].copy()
    np.testing.assert_allclose(titarenko.stripes(np.diff(mean, order), factors, weight), expected, atol=1e-9)


def transformed(sinogram: np.ndarray, wavelet: str, levels: int, sigma: float) -> np.ndarray:
    """The method as published: wavelet transform, damping of each band's Fourier coefficients, and back."""

    def bridged(samples: np.ndarray) -> np.ndarray:
        gap = fourier_wavelet.padded(len(samples), levels) - len(samples)
        share = ((np.arange(gap) + 0.5) / gap)[:, None]
        return np.concatenate([samples, (1 - share) * samples[::-1][:gap] + share * samples[:gap][::-1]])

    rest = bridged(bridged(sinogram.astype(np.float64)).T).T
    bands = []
    for _ in range(levels):
        rest, (horizontal, vertical, diagonal) = pywt.dwt2(rest, wavelet, "periodization")
        spectrum = np.fft.fft(vertical, axis=0)
        frequency = np.fft.fftfreq(len(vertical)) * len(vertical)
        spectrum *= (1 - np.exp(-(frequency**2) / (2 * sigma**2)))[:, None]
        bands.append((horizontal, np.fft.ifft(spectrum, axis=0).real, diagonal))
    for band in reversed(bands):
        rest = pywt.idwt2((rest, band), wavelet, "periodization")
    return rest[: sinogram.shape[0], : sinogram.shape[1]]


@pytest.mark.parametrize(
    ("angles", "columns", "wavelet", "levels", "sigma"),
    [(91, 128, "db5", 3, 2.0), (120, 100, "db9", 4, 1.0), (181, 203, "sym8", 5, 2.3)],
)
def test_few_waves_do_what_the_full_transforms_do(
    angles: int, columns: int, wavelet: str, levels: int, sigma: float
) -> None:
    sinogram = noise(angles, columns)
    sinogram[:, columns // 2] += 3
    expected = transformed(sinogram, wavelet, levels, sigma)
    fourier_wavelet.remove(
        sinogram, fourier_wavelet.filters(angles, columns, wavelet=wavelet, levels=levels, sigma=sigma), guarded=False
    )
    np.testing.assert_allclose(sinogram, expected, atol=1e-4)  # waves of a weight below 1e-4 are left out


def test_only_narrow_runs_of_bad_columns_are_the_detectors() -> None:
    """A wide one is an edge of the sample that wanders over the columns; bridging it would cost the edge."""
    bad = np.isin(np.arange(60), [0, 1, 2, *range(10, 29), 40, *range(54, 60)])
    np.testing.assert_array_equal(np.flatnonzero(all_stripes.narrow(bad, 5)), [0, 1, 2, 40])
