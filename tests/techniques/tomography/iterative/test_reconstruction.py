"""Iterative reconstruction against analytic truth, and against filtered back-projection."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import reconstruct
from pancommons.techniques.tomography.iterative import (
    METHODS,
    IterativeReconstruction,
    automatic_weight,
    reconstruct_iteratively,
)
from pancommons.techniques.tomography.quality.truth import displacement, inside, psnr
from pancommons.techniques.tomography.simulation import phantom

WIDTH = 128
HEAD = phantom.cross_section(phantom.shepp_logan(0), 0, 1, WIDTH)
TRUTH = phantom.image(HEAD, WIDTH)
FEW = np.arange(36) * np.pi / 36
WEDGE = np.deg2rad(np.arange(30, 150))  # sixty degrees are missing
MANY = np.arange(180) * np.pi / 180


def sinogram(angles, *, noise=0.0, centre=None, ellipses=HEAD):
    clean = phantom.sinogram(ellipses, angles, WIDTH, centre=centre)
    return (clean + np.random.default_rng(4).normal(0, noise, clean.shape)).astype(np.float32)


def scores(angles, noise=0.0):
    """PSNR of every method, in dB."""
    measured = sinogram(angles, noise=noise)[None]
    found = {method: reconstruct_iteratively(measured, angles, method=method).slices[0] for method in METHODS}
    return {name: psnr(image, TRUTH) for name, image in found.items()} | {
        "fbp": psnr(reconstruct(measured, angles)[0], TRUTH),
        "hann": psnr(reconstruct(measured, angles, filter="hann")[0], TRUTH),
    }


def test_missing_wedge():
    found = scores(WEDGE)
    assert found["tv"] >= found["fbp"] + 3
    assert found["cgls"] >= found["fbp"] + 1


def test_few_angles():
    found = scores(FEW)
    assert found["cgls"] >= max(found["fbp"], found["hann"]) + 5  # that slices are not negative helps much
    assert found["tv"] >= max(found["fbp"], found["hann"]) + 8
    assert found["sirt"] >= found["fbp"]


def test_noise():
    found = scores(MANY, noise=0.02 * sinogram(MANY).max())
    assert found["tv"] >= max(found["fbp"], found["hann"]) + 4
    assert found["sirt"] >= max(found["fbp"], found["hann"]) + 1.5


def test_many_angles_agree_with_back_projection_in_scale_and_place():
    for method in METHODS:
        image = reconstruct_iteratively(sinogram(MANY)[None], MANY, method=method, iterations=100).slices[0]
        assert np.hypot(*displacement(image, TRUTH)) < 0.03, method
        disc = phantom.disc(0.02, 0.8)
        flat = reconstruct_iteratively(sinogram(MANY, ellipses=disc)[None], MANY, method=method).slices[0]
        assert flat[inside(WIDTH, 0.6)].mean() == pytest.approx(0.02, rel=0.005), method


@pytest.mark.parametrize("centre", [58.25, 71.0])
@pytest.mark.parametrize("angles", [MANY, np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 150))])
def test_axis_beside_the_middle_and_uneven_angles(centre, angles):
    ellipses = [phantom.Ellipse(1.0, 0.5, 0.3, 0.2, 0.1, 0.5), phantom.Ellipse(-0.5, 0.1, 0.1, 0.3, 0.1)]
    truth = phantom.image(ellipses, WIDTH)
    measured = sinogram(angles, centre=centre, ellipses=ellipses)[None]
    image = reconstruct_iteratively(measured, angles, centre=centre).slices[0]
    assert psnr(image, truth, register=False) > 30
    assert np.hypot(*displacement(image, truth)) < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_not_negative(method):
    measured = sinogram(FEW, noise=1.0)[None]
    free = reconstruct_iteratively(measured, FEW, method=method, non_negative=False).slices
    held = reconstruct_iteratively(measured, FEW, method=method).slices
    assert free.min() < 0 <= held.min()
    assert psnr(held[0], TRUTH) > psnr(free[0], TRUTH)


@pytest.mark.parametrize("method", METHODS)
def test_bitwise_the_same_in_any_batch_and_with_any_threads(method):
    base = sinogram(FEW, noise=0.5)
    stack = np.stack([base * factor for factor in (1.0, 0.5, 2.0, -1.0, 0.0)])
    given = {"method": method, "iterations": 20, "tv_weight": 0.05}
    one = reconstruct_iteratively(stack, FEW, **given)
    several = reconstruct_iteratively(stack, FEW, threads=3, **given)
    np.testing.assert_array_equal(one.slices, several.slices)
    np.testing.assert_array_equal(one.residuals, several.residuals)
    np.testing.assert_array_equal(reconstruct_iteratively(stack[2:3], FEW, **given).slices[0], one.slices[2])
    assert not one.slices[4].any()  # of an empty sinogram
    geometry = IterativeReconstruction(FEW, WIDTH, **given)
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(geometry, [stack] * 4):
            np.testing.assert_array_equal(result, one.slices)


def test_region_mask_and_residuals():
    measured = sinogram(FEW)[None]
    whole = reconstruct_iteratively(measured, FEW, iterations=12)
    part = reconstruct_iteratively(measured, FEW, iterations=12, region=(10, 61, 30, 99), mask=0.8)
    expected = np.where(inside(WIDTH, 0.8), whole.slices[0], 0)[10:61, 30:99]
    np.testing.assert_array_equal(part.slices[0], expected)
    assert whole.residuals.shape == (1, 12)
    assert whole.residuals[0, -1] < whole.residuals[0, 0] < 1
    stopped = reconstruct_iteratively(measured, FEW, iterations=500, tolerance=0.02).residuals[0]
    last = np.flatnonzero(np.isfinite(stopped))[-1]
    assert 5 < last < 400
    assert np.isfinite(stopped[: last + 1]).all()


def test_automatic_weight():
    quiet, noisy = (automatic_weight(sinogram(MANY, noise=noise)[None]) for noise in (0.0, 2.0))
    assert 0 < quiet < noisy
    assert automatic_weight(3 * sinogram(MANY)[None]) == pytest.approx(3 * quiet, rel=1e-3)
    assert automatic_weight(np.zeros((1, 10, 20), np.float32)) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sinograms": np.zeros((3, 4))}, "expected \\[slice, angle, column\\]"),
        ({"angles": FEW[1:]}, "36 projections, but 35 angles"),
        ({"centre": 200.0}, "outside of the 128 columns"),
        ({"method": "art"}, "there is no method 'art'"),
        ({"iterations": 1}, "too few"),
        ({"method": "tv", "tv_weight": 0.0}, "not positive"),
        ({"region": (0, 10, 5, 5)}, "is not a part of a slice"),
        ({"mask": 0.0}, "not positive"),
        ({"threads": 0}, "too few"),
    ],
)
def test_wrong_input_is_told(change, words):
    arguments = {"sinograms": sinogram(FEW)[None], "angles": FEW} | change
    with pytest.raises(BadInput, match=words):
        reconstruct_iteratively(arguments.pop("sinograms"), arguments.pop("angles"), **arguments)


def test_values_that_are_not_finite_are_told():
    stack = np.stack([sinogram(FEW)] * 3)
    stack[2, 7, 5] = np.nan
    with pytest.raises(BadInput, match="slice 2 is nan at angle 7, column 5"):
        reconstruct_iteratively(stack, FEW)
    with pytest.raises(BadInput, match="slice 2 is nan at angle 7, column 5"):
        IterativeReconstruction(FEW, WIDTH, iterations=2)(stack)


def test_axis_that_leans():
    stack = np.stack([sinogram(FEW, centre=centre) for centre in (62.0, 64.5)])
    geometry = IterativeReconstruction(FEW, WIDTH, centre=63.0, iterations=15)
    leaning = geometry(stack, shifts=[-1.0, 1.5])
    for index, centre in enumerate((62.0, 64.5)):
        straight = reconstruct_iteratively(stack[index : index + 1], FEW, centre=centre, iterations=15).slices[0]
        assert np.abs(leaning[index] - straight).max() < 0.02 * straight.max()  # phases and float32's conjugacy
