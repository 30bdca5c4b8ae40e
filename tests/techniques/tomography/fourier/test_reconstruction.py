"""The Fourier reconstruction against analytic truth."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import (
    BATCH,
    FourierReconstruction,
    filters,
    geometry_bytes,
    lanes,
    reconstruct,
    working_bytes,
)
from pancommons.techniques.tomography.geometry.angles import angular_shares
from pancommons.techniques.tomography.quality.truth import displacement, inside, psnr
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES = 128, 200
HALF_TURN = np.arange(ANGLES) * np.pi / ANGLES
HEAD = phantom.cross_section(phantom.shepp_logan(0), 0, 1, WIDTH)
TRUTH = phantom.image(HEAD, WIDTH)


def sinogram(angles=HALF_TURN, centre=None, ellipses=HEAD, width=WIDTH):
    return phantom.sinogram(ellipses, angles, width, centre=centre)


def stack(count, seed=0):
    """Different slices: the head turned over and weighted."""
    random = np.random.default_rng(seed)
    base = sinogram()
    return np.stack([base[:, :: random.choice((-1, 1))] * random.uniform(0.5, 2) for _ in range(count)])


@pytest.mark.parametrize("length", [2, 6, 20, 30, 64, 96, 250])
@pytest.mark.parametrize("re", [0, 8])
def test_transform_equals_numpy(length, re):
    random = np.random.default_rng(length)
    values = random.normal(size=(length, 8)) + 1j * random.normal(size=(length, 8))
    x, y = lanes.aligned(length * lanes.CELL), lanes.aligned(length * lanes.CELL)
    cells = x.reshape(length, lanes.CELL)
    cells[:, :8], cells[:, 8:] = values.real, values.imag
    plan = lanes.plan(length)
    result, _ = lanes.transform(x, y, plan.passes, plan.twiddles, re)
    cells = result.reshape(length, lanes.CELL)
    expected = np.fft.fft(values, axis=0) if re == 0 else length * np.fft.ifft(values, axis=0)
    # float32 rounding over some eight passes
    np.testing.assert_allclose(cells[:, :8] + 1j * cells[:, 8:], expected, atol=2e-6 * np.abs(expected).max())


def test_good_lengths():
    for least in (2, 3, 100, 1025, 2049, 3001):
        length = lanes.good_length(least)
        assert least <= length < 1.3 * least + 2
        assert length % 2 == 0
        lanes.plan(length)
    with pytest.raises(ValueError, match="prime factor"):
        lanes.plan(14)


def test_phantom_is_reconstructed():
    # Truth and sinogram are averaged over pixels; what is left are the sharp edges' ringing, as in any ramp filter.
    result = reconstruct(sinogram()[None], HALF_TURN)[0]
    assert psnr(result, TRUTH) > 32
    assert np.hypot(*displacement(result, TRUTH)) < 0.02


def test_absolute_scale():
    disc = phantom.disc(0.02, 0.8)
    slices = reconstruct(sinogram(ellipses=disc)[None], HALF_TURN)
    where = inside(WIDTH, 0.7)
    assert slices[0][where].mean() == pytest.approx(0.02, rel=0.005)
    assert abs(slices[0][inside(WIDTH, 0.2)].mean() / slices[0][where].mean() - 1) < 0.005  # no cupping
    for name in filters.FILTERS:  # a window leaves the mean alone
        filtered = reconstruct(sinogram(ellipses=disc)[None], HALF_TURN, filter=name)
        assert filtered[0][inside(WIDTH, 0.5)].mean() == pytest.approx(0.02, rel=0.005), name


@pytest.mark.parametrize(
    "angles",
    [
        np.linspace(0, np.pi, ANGLES),
        np.arange(2 * ANGLES) * np.pi / ANGLES,
        np.linspace(0, 2 * np.pi, 2 * ANGLES + 1),
        np.linspace(np.pi, 0, ANGLES, endpoint=False),
        np.deg2rad(-88.2) + HALF_TURN,
        np.arange(ANGLES * 37 // 18) * np.pi / ANGLES,
        (np.arange(2 * ANGLES) + np.random.default_rng(0).random(2 * ANGLES)) * np.pi / (2 * ANGLES),
        np.random.default_rng(1).permutation(HALF_TURN),
    ],
    ids=["both ends", "full turn", "full turn, both ends", "descending", "from -88.2", "370", "uneven", "shuffled"],
)
def test_any_angles_give_the_same_slice(angles):
    assert angular_shares(angles).sum() == pytest.approx(np.pi)
    result = reconstruct(sinogram(angles)[None], angles)[0]
    reference = reconstruct(sinogram()[None], HALF_TURN)[0]
    where = inside(WIDTH, 0.6)
    assert result[where].mean() == pytest.approx(reference[where].mean(), rel=1e-3)
    assert psnr(result, TRUTH) > 31


def test_shares():
    np.testing.assert_allclose(angular_shares(np.linspace(0, np.pi, 5)), np.pi / 4 * np.array([0.5, 1, 1, 1, 0.5]))
    np.testing.assert_allclose(angular_shares(np.arange(8) * np.pi / 4), np.pi / 8)
    limited = angular_shares(np.deg2rad(np.arange(0, 150.0)))  # what is missing is not made up for
    np.testing.assert_allclose(limited, np.deg2rad(1), rtol=1e-6)


@pytest.mark.parametrize("centre", [(WIDTH - 1) / 2, 60.25, 70.0, 50.5])
def test_off_centre(centre):
    # The sample stays inside of the field.
    ellipses = phantom.disc(1.0, 0.7)
    result = reconstruct(sinogram(centre=centre, ellipses=ellipses)[None], HALF_TURN, centre=centre)[0]
    truth = phantom.image(ellipses, WIDTH)
    assert psnr(result, truth, 0.9) > 30
    assert np.hypot(*displacement(result, truth, 0.9)) < 0.08  # aliasing of the sharp rim by a quarter pixel
    # Nothing of the far side wraps in near the rim.
    rim = inside(WIDTH, 0.98) & ~inside(WIDTH, 0.8)
    assert np.abs(result[rim]).max() < 0.05


def test_orientation():
    # A grain on the right at angle 0 is on the right; one that moves to higher columns at pi / 2 is at the top.
    right, top = phantom.Ellipse(1.0, 0.1, 0.1, 0.5, 0.0), phantom.Ellipse(1.0, 0.1, 0.1, 0.0, 0.5)
    quarter = WIDTH // 4
    for body, (y, x) in ((right, (WIDTH // 2, 3 * quarter)), (top, (quarter, WIDTH // 2))):
        result = reconstruct(sinogram(ellipses=[body])[None], HALF_TURN)[0]
        assert result[y - 4 : y + 4, x - 4 : x + 4].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("width", [65, 90, 101])
def test_other_widths(width):
    ellipses = phantom.disc(1.0, 0.7)
    result = reconstruct(sinogram(ellipses=ellipses, width=width)[None], HALF_TURN)[0]
    assert psnr(result, phantom.image(ellipses, width)) > 26
    assert result[inside(width, 0.5)].mean() == pytest.approx(1, rel=0.005)


def test_pair_partner_hardly_matters_and_others_not_at_all():
    # Two slices share a complex number: 1e-5 is ten times float32's rounding after the transforms.
    sinograms = stack(BATCH)
    geometry = FourierReconstruction(HALF_TURN, WIDTH)
    before = geometry(sinograms)
    changed = sinograms.copy()
    changed[5] = 3 * sinograms[9, ::-1]
    after = geometry(changed)
    others = [z for z in range(BATCH) if z not in (4, 5)]
    np.testing.assert_array_equal(after[others], before[others])
    assert np.abs(after[4] - before[4]).max() <= 1e-5 * before[4].max()


def test_bitwise_the_same_in_any_batch_and_with_any_threads():
    sinograms = stack(BATCH * 2 + 6)
    one = reconstruct(sinograms, HALF_TURN)
    np.testing.assert_array_equal(reconstruct(sinograms, HALF_TURN, threads=3), one)
    np.testing.assert_array_equal(reconstruct(sinograms[10:14], HALF_TURN), one[10:14])
    geometry = FourierReconstruction(HALF_TURN, WIDTH)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(geometry, [sinograms] * 8):
            np.testing.assert_array_equal(result, one)


def test_odd_number_of_slices():
    sinograms = stack(3)
    np.testing.assert_allclose(
        reconstruct(sinograms[2:], HALF_TURN)[0], reconstruct(sinograms, HALF_TURN)[2], atol=1e-5
    )
    assert reconstruct(sinograms[:0], HALF_TURN).shape == (0, WIDTH, WIDTH)


def test_region_and_mask():
    for count in (2, BATCH):
        sinograms = stack(count)
        whole = reconstruct(sinograms, HALF_TURN)
        part = reconstruct(sinograms, HALF_TURN, region=(10, 61, 30, 99))
        np.testing.assert_array_equal(part, whole[:, 10:61, 30:99])
        masked = reconstruct(sinograms, HALF_TURN, mask=0.9)
        where = inside(WIDTH, 0.9)
        np.testing.assert_array_equal(masked[:, where], whole[:, where])
        assert not masked[:, ~where].any()
        cut = reconstruct(sinograms, HALF_TURN, mask=0.9, region=(10, 61, 30, 99))
        np.testing.assert_array_equal(cut, masked[:, 10:61, 30:99])


def test_edge_padding_mends_a_truncated_scan():
    wide = [phantom.Ellipse(1.0, 1.4, 1.2)]  # wider than the field
    truncated = sinogram(ellipses=wide)[None]
    flatness = {}
    for padding in ("zeros", "edge"):
        result = reconstruct(truncated, HALF_TURN, padding=padding)[0]
        flatness[padding] = result[inside(WIDTH, 0.9)].std()
    assert flatness["edge"] < 0.75 * flatness["zeros"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sinograms": np.zeros((3, 4))}, "expected \\[slice, angle, column\\]"),
        ({"angles": HALF_TURN[1:]}, "200 projections, but 199 angles"),
        ({"angles": np.full(ANGLES, np.nan)}, "angle 0 is nan"),
        ({"sinograms": np.zeros((1, 1, 20)), "angles": [0.0]}, "too few"),
        ({"centre": 200.0}, "outside of the 128 columns"),
        ({"filter": "rampe"}, "there is no filter 'rampe'"),
        ({"region": (0, 10, 5, 5)}, "is not a part of a slice"),
        ({"mask": 0.0}, "not positive"),
        ({"threads": 0}, "too few"),
        ({"padding": "mirror"}, "there is no padding"),
    ],
)
def test_wrong_input_is_told(change, words):
    arguments = {"sinograms": stack(2), "angles": HALF_TURN} | change
    with pytest.raises(BadInput, match=words):
        reconstruct(arguments.pop("sinograms"), arguments.pop("angles"), **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("slice_", [3, 19])
def test_values_that_are_not_finite_are_told(value, slice_):
    sinograms = stack(20)
    sinograms[slice_, 17, 5] = value
    with pytest.raises(BadInput, match=f"slice {slice_} is {value} at angle 17, column 5"):
        reconstruct(sinograms, HALF_TURN, mask=0.9, threads=2)
    assert np.isfinite(reconstruct(stack(20), HALF_TURN)).all()


def test_memory_is_as_announced():
    geometry = FourierReconstruction(HALF_TURN, WIDTH)
    geometry(stack(BATCH))
    (work,) = geometry._idle
    held = sum(part.nbytes for part in vars(work).values())
    assert held == geometry.workspace_bytes
    assert working_bytes(WIDTH, ANGLES, BATCH) == held + 4 * BATCH * WIDTH * (ANGLES + WIDTH)
    shared = sum(part.nbytes for part in vars(geometry._samples).values() if isinstance(part, np.ndarray))
    assert geometry_bytes(WIDTH, ANGLES) == pytest.approx(shared + geometry._phases.nbytes, rel=0.01)
    geometry.release()
    assert geometry._idle == []


@pytest.mark.soak
def test_full_size_phantom():
    width, angles = 1024, np.arange(900) * np.pi / 900
    ellipses = phantom.cross_section(phantom.shepp_logan(0), 0, 1, width)
    disc = phantom.disc(0.02, 0.8)
    head = phantom.sinogram(ellipses, angles, width)
    geometry = FourierReconstruction(angles, width)
    slices = geometry(np.stack([head, phantom.sinogram(disc, angles, width)]))
    assert psnr(slices[0], phantom.image(ellipses, width)) >= 40.5
    assert slices[1][inside(width, 0.7)].mean(dtype=np.float64) == pytest.approx(0.02, rel=0.005)
    again = geometry(np.stack([head, head[::-1]]))
    assert np.abs(again[0] - slices[0]).max() <= 1e-5 * slices[0].max()
