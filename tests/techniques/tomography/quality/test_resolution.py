"""Fourier ring and shell correlation against halves whose resolution is known."""

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import reconstruct
from pancommons.techniques.tomography.quality.resolution import fourier_correlation, half_bit, odd_and_even
from pancommons.techniques.tomography.simulation import phantom


def spectrum_radius(shape):
    axes = [np.fft.fftfreq(size) for size in shape]
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))


def halves(shape, signal_to_noise, seed=0):
    """White noise in common, weighted in Fourier space, and white noise of variance 1 of each half's own."""
    random = np.random.default_rng(seed)
    weight = np.sqrt(signal_to_noise(spectrum_radius(shape)))
    common = np.fft.ifftn(np.fft.fftn(random.normal(size=shape)) * weight).real
    return common + random.normal(size=shape), common + random.normal(size=shape)


@pytest.mark.parametrize("cutoff", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("shape", [(256, 256), (63, 64, 64)])
def test_sharp_cutoff_is_found(cutoff, shape):
    found = fourier_correlation(*halves(shape, lambda k: np.where(k < cutoff, 10.0, 0.0)))
    # To three rings of the spectrum, over which the window smears
    assert 1 / found.pixels == pytest.approx(cutoff, abs=3 / min(shape))
    inner = found.frequency < cutoff - 0.03
    np.testing.assert_allclose(found.correlation[inner][3:], 10 / 11, atol=0.1)


def test_blur_of_known_width():
    # A Gaussian blur and white noise: the correlation is known, s / (s + 1), and so is where it crosses 0.143.
    width, strength = 1.5, 50.0
    first, second = halves((512, 512), lambda k: strength * np.exp(-((2 * np.pi * k * width) ** 2)), seed=3)
    found = fourier_correlation(first, second, threshold="0.143")
    expected = np.sqrt(np.log(strength * (1 - 0.143) / 0.143)) / (2 * np.pi * width)
    assert 1 / found.pixels == pytest.approx(expected, rel=0.04)
    signal = strength * np.exp(-((2 * np.pi * found.frequency * width) ** 2))
    assert np.abs(found.correlation - signal / (signal + 1))[5:].max() < 0.12
    assert found.in_um(0.65) == pytest.approx(0.65 * found.pixels)


def test_half_bit_curve():
    # van Heel and Schatz 2005: towards 0.172 for many samples, 1 for one
    assert half_bit(np.array([1e12]))[0] == pytest.approx(0.1716, abs=1e-4)
    assert half_bit(np.array([1.0]))[0] == pytest.approx(1.0, abs=1e-3)


def test_a_stack_is_averaged():
    pairs = [halves((96, 96), lambda k: np.where(k < 0.2, 3.0, 0.0), seed) for seed in range(8)]
    first, second = (np.stack(part) for part in zip(*pairs, strict=True))
    found = fourier_correlation(first, second, stack=True)
    assert 1 / found.pixels == pytest.approx(0.2, abs=3 / 96)
    assert (found.threshold < fourier_correlation(first[0], second[0]).threshold).all()
    assert np.std(found.correlation[:15]) < np.std(fourier_correlation(first[0], second[0]).correlation[:15])


def test_equal_and_unrelated_halves():
    random = np.random.default_rng(1)
    one, two = random.normal(size=(2, 128, 128))
    assert fourier_correlation(one, one).pixels == pytest.approx(2)
    assert fourier_correlation(one, two).pixels is None or fourier_correlation(one, two).pixels > 40
    assert fourier_correlation(np.zeros((16, 16)), np.zeros((16, 16))).pixels is None


def test_odd_and_even_projections_show_the_noise():
    width, angles = 192, np.arange(300) * np.pi / 300
    head = phantom.cross_section(phantom.shepp_logan(0), 0, 1, width)
    clean = phantom.sinogram(head, angles, width)
    random = np.random.default_rng(0)
    found = []
    for noise in (0.05, 0.5, 3.0):
        noisy = (clean + random.normal(0, noise, clean.shape)).astype(np.float32)[None]
        pair = [reconstruct(noisy[:, start::2], angles[start::2])[0] for start in (0, 1)]
        found.append(fourier_correlation(*pair).pixels)
        shuffled = random.permutation(angles.size)
        again = odd_and_even(reconstruct, noisy[:, shuffled], angles[shuffled])
        assert again.pixels == pytest.approx(found[-1], rel=1e-3)
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (np.zeros((16, 16)), np.zeros((16, 17)), "shapes"),
        (np.zeros((4, 16)), np.zeros((4, 16)), "at least 8"),
        (np.zeros(16), np.zeros(16), "expected"),
        (np.full((16, 16), np.nan), np.zeros((16, 16)), "not finite"),
    ],
)
def test_wrong_input_is_told(first, second, words):
    with pytest.raises(BadInput, match=words):
        fourier_correlation(first, second)
