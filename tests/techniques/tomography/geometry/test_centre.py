"""The rotation axis, on phantoms whose axis is known and on real scans."""

from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import tifffile

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.correction.attenuation import attenuation, averaged, flat_field
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES = 256, 240
HALF_TURN = np.linspace(0, np.pi, ANGLES)
FULL_TURN = np.arange(2 * ANGLES) * np.pi / ANGLES
MIDDLE = (WIDTH - 1) / 2


def scan(angles, centre, *, width=WIDTH, counts=1000, stripes=0.02, seed=3):
    """One sinogram with Poisson noise and stripes; the sample absorbs up to exp(-2)."""
    ellipses = phantom.cross_section(phantom.shepp_logan(seed), 0, 1, width)
    clean = phantom.sinogram(ellipses, angles, width, centre=centre)
    random = np.random.default_rng(seed)
    measured = random.poisson(counts * np.exp(-clean * 2 / clean.max())) / counts
    return (-np.log(np.maximum(measured, 0.5 / counts)) + random.normal(0, stripes, width)).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 18.75, -14.5, 29.0])
@pytest.mark.parametrize("angles", [HALF_TURN, FULL_TURN], ids=["half turn", "full turn"])
def test_noise_and_stripes(angles, offset):
    found = find_centre(scan(angles, MIDDLE + offset), angles)
    assert found.value == pytest.approx(MIDDLE + offset, abs=0.25)
    assert found.confidence > 0.5
    assert found.method == ("registration" if angles is FULL_TURN else "consistency")


@pytest.mark.parametrize(
    "angles",
    [
        np.linspace(np.pi, 0, ANGLES),
        np.deg2rad(-88.2) + np.arange(ANGLES) * np.pi / ANGLES,
        np.random.default_rng(0).permutation(HALF_TURN),
        np.linspace(0, 2 * np.pi, 2 * ANGLES + 1),
        np.arange(2 * ANGLES - 1) * 2 * np.pi / (2 * ANGLES - 1),
    ],
    ids=["descending", "from -88.2, no end", "shuffled", "full turn, both ends", "odd number"],
)
def test_angles(angles):
    found = find_centre(scan(angles, 135.25), angles)
    assert found.value == pytest.approx(135.25, abs=0.25)
    assert found.confidence > 0.5


@pytest.mark.parametrize(("degrees", "most"), [(150, 0.25), (120, 0.25), (90, 1.0)])
@pytest.mark.parametrize("offset", [-7.25, 0.0, 6.5])
def test_less_than_a_half_turn(degrees, most, offset):
    # The narrower the range, the more a sine is like a constant: noise then moves the axis instead of the sample.
    angles = np.deg2rad(np.linspace(-20, degrees - 20, 2 * degrees))
    found = find_centre(scan(angles, MIDDLE + offset, stripes=0), angles)
    assert found.method == "centroid" and found.confidence > 0.4
    assert found.value == pytest.approx(MIDDLE + offset, abs=most)


def test_less_than_a_half_turn_of_what_is_wider_than_the_field():
    angles = np.deg2rad(np.linspace(0, 120, 240))
    cut = scan(angles, 190.0, width=400)[:, 100:240]
    assert find_centre(cut, angles).confidence < 0.3


def test_several_rows_and_empty_ones():
    air = np.random.default_rng(0).normal(0, 0.02, (4, ANGLES, WIDTH)).astype(np.float32)
    stack = np.concatenate((air, [scan(HALF_TURN, 120.5, seed=4), scan(HALF_TURN, 120.5, seed=5)]))
    found = find_centre(stack, HALF_TURN)
    assert found.value == pytest.approx(120.5, abs=0.25)
    assert {4, 5} <= set(found.rows)


def test_low_confidence_where_there_is_nothing_to_find():
    random = np.random.default_rng(0)
    for angles in (HALF_TURN, FULL_TURN):
        for nothing in (random.normal(size=(angles.size, WIDTH)), np.zeros((angles.size, WIDTH))):
            assert find_centre(nothing, angles).confidence < 0.3
    # The axis lies outside of the search range, or just at its edge.
    sinogram = scan(HALF_TURN, 135.0)
    assert find_centre(sinogram, HALF_TURN, start=100, stop=120).confidence < 0.3
    assert find_centre(sinogram, HALF_TURN, start=100, stop=134).confidence < 0.3
    assert find_centre(sinogram, HALF_TURN, start=128, stop=142).value == pytest.approx(135.0, abs=0.25)


def test_half_acquisition():
    # The field holds two thirds of the sample; the axis is near its edge.
    found = find_centre(scan(FULL_TURN, 200.0), FULL_TURN)
    assert found.value == pytest.approx(200.0, abs=0.5)


def test_evidence_and_determinism():
    sinogram = scan(HALF_TURN, 130.0)
    found = find_centre(sinogram, HALF_TURN)
    assert [look.method for look in found.looks] == ["consistency", "sharpness"]
    for look in found.looks:
        assert look.candidates.shape == look.metric.shape
        assert (np.diff(look.candidates) > 0).all()
        assert 0 <= look.clarity <= 1
    with ThreadPoolExecutor(3) as pool:
        for again in pool.map(lambda _: find_centre(sinogram, HALF_TURN), range(3)):
            assert (again.value, again.confidence) == (found.value, found.confidence)
            for look, same in zip(found.looks, again.looks, strict=True):
                np.testing.assert_array_equal(look.metric, same.metric)


def test_wrong_input_is_told():
    sinogram = scan(HALF_TURN, 127.5)
    with pytest.raises(BadInput, match="240 projections, but 239 angles"):
        find_centre(sinogram, HALF_TURN[1:])
    with pytest.raises(BadInput, match="is empty"):
        find_centre(sinogram, HALF_TURN, start=120, stop=110)
    with pytest.raises(BadInput, match="not the shape"):
        find_centre(sinogram[0], HALF_TURN)
    with pytest.raises(BadInput, match="not finite"):
        find_centre(np.full_like(sinogram, np.nan), HALF_TURN)


@pytest.mark.real
def test_tooth(shared_data):
    with h5py.File(shared_data("tomography/tooth.h5")) as file:
        exchange = file["exchange"]
        field = flat_field([averaged(exchange["data_white"][()])], averaged(exchange["data_dark"][()]))
        sinograms, _ = attenuation(exchange["data"][()], field)
        angles = np.deg2rad(exchange["theta"][()])
    for rows in (slice(None), slice(0, 1), slice(1, 2)):
        found = find_centre(sinograms[rows], angles)
        assert found.value == pytest.approx(296.0, abs=0.5)
        assert found.confidence > 0.5


@pytest.mark.real
def test_neutron_full_turn(shared_data):
    transmission = tifffile.imread(shared_data("tomography/sinogram_360_neutron.tif")).astype(np.float32)
    sinogram = -np.log(np.maximum(transmission / transmission.max(), 1e-3))
    angles = np.linspace(0, 2 * np.pi, len(sinogram))
    found = find_centre(sinogram, angles)
    values = [look.value for look in found.looks if look.method != "sharpness"]
    assert np.ptp(values) < 1  # two independent looks agree
    assert found.confidence > 0.5


@pytest.mark.soak
@pytest.mark.parametrize("centre", [511.5, 530.25, 497.0])
@pytest.mark.parametrize("turns", [1, 2])
def test_full_size(centre, turns):
    angles = np.arange(901 * turns) * np.pi / 900
    found = find_centre(scan(angles, centre, width=1024), angles)
    assert found.value == pytest.approx(centre, abs=0.25)
