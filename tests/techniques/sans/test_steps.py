"""Each step of a reduction against a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import kernel, merge, monitors, resolution
from pancommons.techniques.sans.binning import (
    PLANCK_OVER_NEUTRON_MASS,
    Binning,
    centres,
    edges_around,
    overlap,
    rebin_counts,
    rebin_distribution,
)
from pancommons.techniques.sans.detector import Pixels, Sector, masked_times, pixels_of, solid_angles
from pancommons.techniques.sans.instrument import instrument, known
from pancommons.techniques.sans.isis_raw import _undo_differences, looks_like_raw, vax_floats
from pancommons.techniques.sans.rkh import parse_rkh
from pancommons.techniques.sans.transmission import Transmission, fitted
from pancommons.techniques.sans.user_file import Fit

Floats = NDArray[np.float64]
RANDOM = np.random.default_rng(7)


def test_bins_grow_and_the_last_takes_in_a_small_rest() -> None:
    edges = Binning(2.2, 10, 0.035, True).edges()
    np.testing.assert_allclose(edges[1:-1] / edges[:-2], 1.035, rtol=1e-12)
    assert edges[-1] == 10
    assert edges[-1] - edges[-2] > 0.25 * 0.035 * edges[-2]


def test_rebinning_keeps_counts_and_levels() -> None:
    old, new = np.sort(RANDOM.uniform(0, 10, 30)), np.linspace(-1, 11, 14)
    counts = RANDOM.uniform(1, 9, 29)
    assert rebin_counts(old, counts, counts, new)[0].sum() == pytest.approx(counts.sum(), rel=1e-12)
    inside = np.linspace(old[0], old[-1], 8)
    np.testing.assert_allclose(rebin_distribution(old, np.full(29, 3.0), counts, inside)[0], 3.0, rtol=1e-12)


def test_edges_around_points_are_half_way() -> None:
    np.testing.assert_allclose(edges_around(np.array([1.0, 2.0, 4.0])), [0.5, 1.5, 3.0, 5.0])


def test_a_time_that_a_window_touches_is_masked_whole() -> None:
    edges = np.arange(6.0)
    assert masked_times(edges, ((1.5, 2.1), (4.0, 4.2))).tolist() == [False, True, True, False, True]


def test_the_prompt_pulse_becomes_a_line_with_mantids_slope() -> None:
    edges, counts = np.arange(11.0), np.full(10, 10.0)
    counts[4:6], counts[6:] = 1000, 20
    cleaned, _ = monitors.without_prompt(edges, counts, np.sqrt(counts), (4.2, 5.8))
    np.testing.assert_allclose(cleaned[3:7], [10, 10 + 10 / 4, 10 + 20 / 4, 20])


def test_a_flat_background_goes_and_nothing_is_negative() -> None:
    edges = np.geomspace(1, 100, 40)
    signal = np.where(centres(edges) < 30, 500.0, 0.0)
    counts = (signal + 3.0) * np.diff(edges)
    left, error = monitors.without_background(edges, counts, np.sqrt(counts), (50, 90))
    np.testing.assert_allclose(left / np.diff(edges), signal, atol=1e-9)
    assert (error > 0).all()


@pytest.mark.parametrize("fit", [Fit("log"), Fit("polynomial", 3)])
def test_a_transmission_is_fitted_through_its_noise(fit: Fit) -> None:
    edges = Binning(2, 10, 0.03, True).edges()
    truth = 0.8 * np.exp(-0.05 * centres(edges))
    noisy = truth * (1 + 0.01 * np.random.default_rng(5).standard_normal(truth.size))
    curve, variance = fitted(Transmission(edges, noisy, (0.01 * truth) ** 2), fit, edges)
    assert np.max(np.abs(curve / truth - 1)) < 0.015
    assert np.median(np.abs(curve - truth) / np.sqrt(variance)) < 3  # of few parameters: nearly one draw for all of it


def _pixels(count: int = 60) -> Pixels:
    x, y = RANDOM.uniform(-0.3, 0.3, (2, count))
    return Pixels(
        np.arange(count), x, y, np.full(count, 4.15), 11 + np.sqrt(x**2 + y**2 + 4.15**2), (0.005, 0.005, 0.0)
    )


@pytest.mark.parametrize("gravity", [False, True])
def test_the_kernel_is_the_sum_over_pixels_and_wavelengths(gravity: bool) -> None:
    pixels = _pixels()
    times = np.geomspace(3500, 43500, 61)
    counts = RANDOM.poisson(5, (60, 60)).astype(np.int32)
    masked = masked_times(times, ((19700, 21200),))
    waves, q_edges = Binning(2.2, 10, 0.05, True).edges(), np.geomspace(0.005, 0.4, 31)
    beam, band = RANDOM.uniform(1, 2, waves.size - 1), np.arange(waves.size - 1) % 2
    weight, beam_variance, weight_variance = RANDOM.uniform(1, 2, 60), 0.01 * beam, RANDOM.uniform(0, 0.1, 60)
    angles, spread = np.full(60, 1e-6), np.full(waves.size - 1, 1e-4)
    sums = np.zeros((4, 2, 30))
    kernel.sum_in_q(
        counts, np.arange(60), times, masked, pixels.x, pixels.y, pixels.z, pixels.flight, weight, weight_variance,
        waves, beam, beam_variance, angles, spread, band, q_edges, gravity, sums,
    )  # fmt: skip
    expected = np.zeros_like(sums)
    for pixel in range(60):
        edges = waves * pixels.flight[pixel] / PLANCK_OVER_NEUTRON_MASS * 1e6
        shares = overlap(times, edges)
        inside = (counts[pixel] * ~masked) @ shares
        left = 1 - (masked * np.diff(times)) @ shares / np.diff(edges)
        middle, x, y = centres(waves), pixels.x[pixel], pixels.y[pixel]
        length = np.sqrt(x**2 + y**2 + 4.15**2)
        y = y + 9.80665 / 2 * (length * middle / PLANCK_OVER_NEUTRON_MASS) ** 2 * gravity
        q = 4 * np.pi / middle * np.sin(np.arctan2(np.hypot(x, y), 4.15) / 2)
        place = np.searchsorted(q_edges, q, "right") - 1
        for index in np.flatnonzero((place >= 0) & (place < 30)):
            norm = weight[pixel] * beam[index] * left[index]
            variance = weight[pixel] ** 2 * beam_variance[index] + weight_variance[pixel] * beam[index] ** 2
            widening = angles[pixel] * (2 * np.pi / middle[index]) ** 2 + q[index] ** 2 * spread[index]
            expected[:, band[index], place[index]] += [
                inside[index], norm, variance * left[index] ** 2, norm * widening
            ]  # fmt: skip
    np.testing.assert_allclose(sums, expected, rtol=1e-10, atol=1e-9)


def test_the_plane_holds_what_the_rings_hold() -> None:
    pixels = _pixels()
    times, waves = np.geomspace(3500, 43500, 61), Binning(3, 9, 0.05, True).edges()
    counts, ones = RANDOM.poisson(5, (60, 60)).astype(np.int32), np.ones(waves.size - 1)
    given = (
        counts, np.arange(60), times, np.zeros(60, np.bool_), pixels.x, pixels.y, pixels.z, pixels.flight,
        np.ones(60), np.zeros(60), waves, ones, ones, np.full(60, 1e-6), 1e-4 * ones,
    )  # fmt: skip
    rings, plane = np.zeros((4, 1, 1)), np.zeros((5, 80, 80))
    kernel.sum_in_q(*given, np.zeros(waves.size - 1, np.int64), np.array([0.0, 2.0]), True, rings)
    kernel.sum_in_plane(*given, np.linspace(-2, 2, 81), True, plane)
    np.testing.assert_allclose(plane[:4].sum(axis=(1, 2)), rings[:, 0, 0], rtol=1e-12)
    assert (plane[3] >= plane[4]).all()


def test_solid_angles_of_a_plane_add_up() -> None:
    side = np.linspace(-0.995, 0.995, 200)
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    pixels = Pixels(np.arange(x.size), x, y, 1.0, x * 0, (0.01, 0.01, 0.0))
    assert solid_angles(pixels).sum() == pytest.approx(4 * np.pi / 6, rel=1e-9)  # a face of a cube about the sample


def test_sectors_and_their_opposites() -> None:
    x, y = np.array([1.0, 0, -1, 0]), np.array([0.0, 1, 0, -1])
    pixels = Pixels(np.arange(4), x, y, 1.0, x, (0.01, 0.01, 0.0))
    assert Sector(-45, 45, mirror=False).holds(pixels).tolist() == [True, False, False, False]
    assert Sector(-45, 45).holds(pixels).tolist() == [True, False, True, False]


def test_resolution_against_rays_within_five_percent() -> None:
    """Monte-Carlo truth: points drawn in apertures, pixel, bin of wavelength and the moderator's pulse."""
    collimation = resolution.Collimation(0.02, 0.008, 4.2, 50e-6)
    edges = np.array([4.0, 4.14])
    count = 200_000
    for x in (0.06, 0.3):
        pixels = Pixels(np.zeros(1), np.array([x]), np.zeros(1), 4.15, np.array([15.15]), (0.005, 0.005, 0.0))
        wavelength = float(centres(edges)[0])
        nominal = 4 * np.pi / wavelength * np.sin(np.arctan2(x, 4.15) / 2)
        relative = resolution.wavelength_variance(edges, 15.15, collimation.moderator)[0]
        spread = np.sqrt(
            resolution.angle_variance(pixels, collimation)[0] * (2 * np.pi / wavelength) ** 2 + nominal**2 * relative
        )
        turn, radius = RANDOM.uniform(0, 2 * np.pi, (2, count)), np.sqrt(RANDOM.uniform(0, 1, (2, count)))
        source = 0.01 * radius[0] * np.exp(1j * turn[0])
        sample = 0.004 * radius[1] * np.exp(1j * turn[1])
        landed = x + RANDOM.uniform(-0.0025, 0.0025, count) + 1j * RANDOM.uniform(-0.0025, 0.0025, count)
        tilt = (landed - sample) / 4.15 - (sample - source) / 4.2
        late = RANDOM.standard_normal(count) * 50e-6 * PLANCK_OVER_NEUTRON_MASS / 15.15
        true = RANDOM.uniform(*edges, count) + late
        drawn = 4 * np.pi / true * np.sin(np.arctan(np.abs(tilt)) / 2)
        assert spread == pytest.approx(float(np.std(drawn)), rel=0.05)


def test_banks_are_joined_with_factor_and_shift() -> None:
    edges = np.linspace(0.1, 0.3, 21)
    truth = 5 * np.exp(-10 * centres(edges)) + 0.2
    rear = merge.Curve(truth, 0.01 * truth, truth)
    hab = merge.Curve(truth / 1.3 - 0.05, 0.02 * truth, truth)
    found = merge.fitted_rescale(rear, hab, edges, (0.13, 0.25), with_shift=True)
    assert found.factor == pytest.approx(1.3, rel=1e-9)
    assert found.shift == pytest.approx(0.05, rel=1e-9)
    sums = np.stack([truth, np.ones(20), np.zeros(20), np.full(20, 1e-4)])
    low = np.stack([truth / 1.3 - 0.05, np.ones(20), np.zeros(20), np.full(20, 1e-4)])
    joined = merge.curve_of(merge.joined(sums, low, found, found.shift), 1.0)
    np.testing.assert_allclose(joined.intensity, truth, rtol=1e-9)
    np.testing.assert_allclose(joined.spread, 0.01, rtol=1e-12)
    with pytest.raises(BadInput, match="too few"):
        merge.fitted_rescale(rear, hab, edges, (0.5, 0.6))


def test_no_error_is_zero_where_nothing_came() -> None:
    curve = merge.curve_of(np.array([[0.0, 4.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), 3.0)
    np.testing.assert_allclose(curve.error[:2], [1.5, 3.0])
    assert curve.measured.tolist() == [True, True, False]


def test_vax_floats_and_compressed_spectra() -> None:
    words = np.array([0x00004080, 0x0000C080, 0x00004180, 0], np.uint32).view(np.int32)
    assert vax_floats(words).tolist() == [1.0, -1.0, 4.0, 0.0]
    values = [0, 5, 100000, 99990, -7, 0]
    coded = (
        b"\x00\x05\x80"
        + (100000).to_bytes(4, "little")
        + b"\xf6\x80"
        + (-7).to_bytes(4, "little", signed=True)
        + b"\x07"
    )
    out, size = np.zeros((1, 6), np.int32), len(coded)
    content = np.frombuffer(coded, np.uint8)
    assert _undo_differences(content, np.array([0]), np.array([size]), out)
    assert out[0].tolist() == values
    assert not _undo_differences(content, np.array([0]), np.array([size - 1]), out)
    assert not looks_like_raw(b"\x89HDF" + bytes(100))


def test_the_high_angle_bank_changed_its_order_in_2012() -> None:
    assert known() == ["LOQ", "SANS2D"]
    before, after = (instrument("LOQ", date).banks["hab"].spectra for date in ("2012-10-15", "2012-10-16T08:00:00"))
    assert before[[348, 696]].tolist() == [16737, 17087]
    assert after[[348, 696]].tolist() == [17087, 16737]
    loq = instrument("loq", None)
    pixels = pixels_of(loq.banks["rear"], loq, (317.5, 317.5), -8.0)
    assert pixels.z == pytest.approx(15.15 - 10.992)
    assert pixels.spectra[126 * 128] == 16131


def test_an_rkh_file_that_ends_early_is_refused() -> None:
    head = "a\nb\n    3    0    0    0    1    3    0\n 0\n 3 (F12.5,2E16.6)\n"
    assert parse_rkh(head + " 1 2 3\n 2 3 4\n 3 4 5\n", Path("a")).y.tolist() == [2, 3, 4]
    with pytest.raises(BadInput, match="cut short"):
        parse_rkh(head + " 1 2 3\n 2 3 4\n", Path("a"))
