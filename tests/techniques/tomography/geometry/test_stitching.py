"""Half acquisition and leaning axes: against the full field, and against phantoms turned about a known line."""

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import FourierReconstruction
from pancommons.techniques.tomography.geometry.axis import find_axis, find_overlap
from pancommons.techniques.tomography.geometry.stitching import aligned, extent, levelled, stitched
from pancommons.techniques.tomography.quality.truth import psnr
from pancommons.techniques.tomography.simulation import phantom

COLUMNS = 160
SHEPP = phantom.shepp_logan(1)


def half_scan(centre, angles=480, noise=0.0):
    theta = np.arange(angles) * 2 * np.pi / angles
    width = extent(COLUMNS, centre, centre)[1]
    ellipses = phantom.cross_section(SHEPP, 0, 1, width)
    sinogram = phantom.sinogram(ellipses, theta, COLUMNS, centre=centre, scale=width)
    sinogram *= np.float32(2 / sinogram.max())
    sinogram += np.float32(noise) * np.random.default_rng(2).standard_normal(sinogram.shape).astype(np.float32)
    return sinogram[None], theta, ellipses, width


@pytest.mark.parametrize("centre", [147.3, 11.7, 132.0])
@pytest.mark.parametrize("angles", [480, 481])
def test_half_acquisition_is_as_good_as_the_full_field(centre, angles):
    sinogram, theta, ellipses, width = half_scan(centre, angles)
    joined, half = stitched(sinogram, theta, centre)
    begin, _ = extent(COLUMNS, centre, centre)
    assert joined.shape == (1, half.size, width)
    whole = phantom.sinogram(ellipses, half, width, scale=width)[None]
    truth = phantom.image(ellipses, width)
    scale = np.float32(2 / phantom.sinogram(ellipses, theta, COLUMNS, centre=centre, scale=width).max())
    ours = FourierReconstruction(half, width, centre=centre + begin)(joined)[0] / scale
    full = FourierReconstruction(half, width)(whole)[0]
    assert psnr(ours, truth) > psnr(full, truth) - 1  # dB, the bar for half acquisition


def test_turning_backwards_and_out_of_order_is_the_same():
    sinogram, theta, _, _ = half_scan(147.3)
    expected, angles = stitched(sinogram, theta, 147.3)
    shuffled = np.random.default_rng(1).permutation(theta.size)
    np.testing.assert_array_equal(stitched(sinogram[:, shuffled], theta[shuffled], 147.3)[0], expected)
    assert (np.diff(angles) > 0).all()
    assert angles[-1] < np.pi


def test_what_cannot_be_joined_is_refused():
    sinogram, theta, _, _ = half_scan(147.3)
    with pytest.raises(BadInput, match="360 degrees"):
        stitched(sinogram[:, :300], theta[:300], 147.3)
    with pytest.raises(BadInput, match="outside"):
        stitched(sinogram, theta, 170)
    with pytest.raises(BadInput, match="expected"):
        stitched(sinogram, theta[:-1], 147.3)


@pytest.mark.parametrize("centre", [147.3, 11.7, 132.4, 92.3])
def test_the_overlap_is_found_with_noise(centre):
    sinogram, theta, _, _ = half_scan(centre, noise=0.02)
    found = find_overlap(sinogram, theta)
    assert found.value == pytest.approx(centre, abs=0.15)  # an eighth of the field, one row, 2 % of noise
    assert found.method == "overlap"
    assert found.confidence > 0.25


def test_an_overlap_that_is_not_there_has_no_confidence():
    noise = np.random.default_rng(1).standard_normal((2, 200, 90)).astype(np.float32)
    assert find_overlap(noise, np.arange(200) * np.pi / 100).confidence < 0.3


def test_alignment_moves_by_parts_of_a_column():
    column = np.arange(64.0)
    wave = np.cos(2 * np.pi * column / 9)[None, None].astype(np.float32)
    moved = aligned(wave, [1.3])
    np.testing.assert_allclose(moved[0, 0, 8:-8], np.cos(2 * np.pi * (column + 1.3) / 9)[8:-8], atol=2e-3)


def test_shifts_of_slices_are_centres_of_their_own():
    theta = np.arange(240) * np.pi / 240
    ellipses = phantom.cross_section(SHEPP, 0, 1, 128)
    offsets = np.array([0.0, 0.0, 1.3, 1.3, -4.6, -4.6, 0.5])
    stack = np.stack([phantom.sinogram(ellipses, theta, 128, centre=63.5 + offset) for offset in offsets])
    ours = FourierReconstruction(theta, 128, mask=0.9)(stack, shifts=offsets)
    for offset, sinogram, slice_ in zip(offsets, stack, ours, strict=True):
        alone = FourierReconstruction(theta, 128, centre=63.5 + offset, mask=0.9)(sinogram[None])[0]
        assert np.abs(slice_ - alone).max() < 0.01 * alone.max()  # both interpolate ideally, over another period
    geometry = FourierReconstruction(theta, 128)
    np.testing.assert_allclose(geometry(stack, shifts=np.zeros(7)), geometry(stack), atol=1e-6 * ours.max())


@pytest.mark.parametrize("degrees", [0.0, 0.05, 0.4, -1.0])
def test_tilt_is_found(degrees):
    pair = phantom.projections(SHEPP, [0.3, 0.3 + np.pi], (160, 160), centre=82.2, tilt=np.deg2rad(degrees))
    pair = pair.reshape(2, 160, 160, 4).mean(3)
    pair *= 2 / pair.max()
    pair += 0.01 * np.random.default_rng(0).standard_normal(pair.shape).astype(np.float32)
    axis = find_axis(pair[:1], pair[1:], near=84)
    assert np.rad2deg(axis.tilt) == pytest.approx(degrees, abs=0.05)  # the bar
    assert axis.centre == pytest.approx(82.2, abs=0.05)
    assert axis.agreement > 0.99


def test_large_projections_are_binned():
    pair = phantom.projections(SHEPP, [0.3, 0.3 + np.pi], (133, 701), centre=360.4, tilt=np.deg2rad(0.5), points=(1, 1))
    axis = find_axis(pair[:1], pair[1:], near=358)
    assert np.rad2deg(axis.tilt) == pytest.approx(0.5, abs=0.02)
    assert axis.centre == pytest.approx(360.4, abs=0.05)


def test_noise_has_no_tilt_to_be_sure_of():
    noise = np.random.default_rng(1).standard_normal((2, 64, 64)).astype(np.float32)
    assert find_axis(noise[:1], noise[1:], near=31.5).agreement < 0.5


def test_levelled_rows_are_of_one_height():
    """A flat plate across a leaning axis lies in one row afterwards."""
    tilt = np.deg2rad(2.0)
    y, x = np.mgrid[:60, :80]
    height = (y - 29.5) * np.cos(tilt) + (x - 39.5) * np.sin(tilt)
    plate = np.exp(-((height / 3) ** 2)).astype(np.float32)[None]
    flat = levelled(plate, tilt)[0]
    np.testing.assert_allclose(flat, np.broadcast_to(flat[:, 40:41], flat.shape), atol=5e-3)
