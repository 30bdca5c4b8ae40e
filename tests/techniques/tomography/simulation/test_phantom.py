"""The analytic phantoms, against numbers known by hand."""

import numpy as np
import pytest

from pancommons.techniques.tomography.quality.truth import displacement, inside, psnr, shifted
from pancommons.techniques.tomography.simulation import phantom

ANGLES = np.linspace(0, np.pi, 31)


def test_line_integral_of_a_disc():
    width, radius, value = 64, 0.5, 0.25
    line = phantom.sinogram(phantom.disc(value, radius), ANGLES, width, supersampling=16)
    assert np.ptp(line, axis=0).max() < 1e-5  # the same from all sides
    # Mass is kept: value times the disc's area, in pixels (midpoint rule over the edge: 1e-4).
    assert line[0].sum() == pytest.approx(value * np.pi * (radius * width / 2) ** 2, rel=1e-3)
    assert line[0, 31:33].mean() == pytest.approx(2 * value * radius * width / 2, rel=1e-3)
    assert not line[:, :15].any()


def test_turned_ellipse_seen_along_its_axes():
    ellipse = phantom.Ellipse(1.0, 0.6, 0.2, turn=np.pi / 6)
    width = 100
    along, across = phantom.sinogram([ellipse], [np.pi / 6 + np.pi / 2, np.pi / 6], width)
    assert along[49:51].mean() == pytest.approx(2 * 0.6 * width / 2, rel=3e-3)  # two pixels beside the middle
    assert across[49:51].mean() == pytest.approx(2 * 0.2 * width / 2, rel=3e-3)


def test_image_and_sinogram_hold_the_same_mass():
    ellipses = phantom.cross_section(phantom.shepp_logan(1), 0, 1, 128)
    line = phantom.sinogram(ellipses, ANGLES, 128)
    image = phantom.image(ellipses, 128)
    np.testing.assert_allclose(line.sum(1), image.sum(dtype=np.float64), rtol=2e-3)
    # At angle 0 a column of the detector sees a column of the image, at pi / 2 a row, upside down.
    np.testing.assert_allclose(line[0], image.sum(0), atol=1.5)
    np.testing.assert_allclose(line[15], image.sum(1)[::-1], atol=1.5)


def test_centre_moves_the_sinogram():
    ellipses = phantom.disc(1.0, 0.5)
    middle = phantom.sinogram(ellipses, ANGLES, 64)
    np.testing.assert_allclose(phantom.sinogram(ellipses, ANGLES, 64, centre=36.5)[:, 5:], middle[:, :-5], atol=1e-4)


def test_blocks_do_not_show(monkeypatch):
    ellipses = phantom.cross_section(phantom.shepp_logan(2), 0, 1, 64)
    whole = phantom.sinogram(ellipses, ANGLES, 64), phantom.image(ellipses, 64)
    monkeypatch.setattr(phantom, "BLOCK_BYTES", 20_000)
    np.testing.assert_array_equal(phantom.sinogram(ellipses, ANGLES, 64), whole[0])
    np.testing.assert_array_equal(phantom.image(ellipses, 64), whole[1])


def test_ellipsoid_sections():
    ball = phantom.Ellipsoid(1.0, 0.5, 0.5, c=0.5)
    assert ball.at(0.3).a == pytest.approx(0.4)  # 3, 4, 5
    assert ball.at(0.51) is None
    rows, width = 40, 64
    volume = phantom.images([ball], range(rows), (rows, width)).sum(dtype=np.float64)
    assert volume == pytest.approx(4 / 3 * np.pi * 16**3, rel=2e-3)
    sinograms = phantom.sinograms([ball], ANGLES, range(rows), (rows, width))
    np.testing.assert_allclose(sinograms[:20], sinograms[:19:-1], rtol=1e-5)  # up and down alike
    assert not sinograms[0].any()


def test_rows_differ_smoothly():
    bodies = phantom.shepp_logan(0)
    sinograms = phantom.sinograms(bodies, ANGLES[:4], range(120, 126), (256, 256))
    steps = np.sqrt((np.diff(sinograms, axis=0) ** 2).mean((1, 2)))
    assert (steps > 0).all()
    assert (steps < 0.01 * sinograms.max()).all()


def test_quality():
    truth = phantom.image(phantom.cross_section(phantom.shepp_logan(0), 0, 1, 96), 96)
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.01 * np.ptp(truth[inside(96)]), truth.shape).astype(np.float32)
    assert psnr(truth + noise, truth) == pytest.approx(40, abs=0.3)  # a hundredth of the range
    moved = shifted(truth, 0.4, -0.25)
    np.testing.assert_allclose(displacement(moved, truth), (0.4, -0.25), atol=0.02)
    assert psnr(moved, truth) > psnr(moved, truth, register=False) + 10
    assert psnr(truth, truth, register=False) == float("inf")
