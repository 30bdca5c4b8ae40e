"""Phase retrieval against thickness that is known, from fringes made by Fresnel's integral."""

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.phase import kernel_width, paganin, propagated, wavelength
from pancommons.techniques.tomography.simulation.phantom import Ellipsoid, projections

OPTICS = {"pixel_size": 1.6e-6, "distance": 0.03, "energy": 21.0, "delta_beta": 250.0}


def ball(absorption=0.1, tall=0.6):
    """Return the line integrals of an ellipsoid, at two points per pixel and averaged over pixels."""
    body = Ellipsoid(1.0, 0.7, 0.7, c=tall)
    fine = projections([body], [0.0], (192, 256), points=(2, 2))
    fine *= np.float32(absorption / fine.max())
    return fine, fine.reshape(1, 192, 2, 256, 2).mean((2, 4))


def test_wavelength():
    assert wavelength(12.398419843320026) == pytest.approx(1e-10)


@pytest.mark.parametrize("distance", [0.01, 0.03, 0.1])
def test_thickness_from_fringes(distance):
    optics = {**OPTICS, "distance": distance}
    fine, thickness = ball()
    intensity = propagated(fine, **optics, supersampling=2)
    assert intensity.max() > 1.1  # brighter than the beam: fringes
    retrieved = -np.log(paganin(intensity, **optics))
    inside = thickness > 0.3 * thickness.max()
    # Within 2 % of the largest thickness but at the very edge of the sample, 0.5 % on the mean and in the middle.
    difference = (retrieved - thickness)[inside]
    assert np.sqrt(np.mean(difference**2)) < 0.005 * thickness.max()
    assert np.quantile(np.abs(difference), 0.995) < 0.02 * thickness.max()
    assert retrieved.sum() == pytest.approx(thickness.sum(), rel=0.005)
    assert retrieved[0, 96, 128] == pytest.approx(thickness[0, 96, 128], rel=0.005)
    raw = (-np.log(intensity) - thickness)[inside]
    assert np.sqrt(np.mean(raw**2)) > 10 * np.sqrt(np.mean(difference**2))


def test_a_wave_is_damped_as_the_formula_has_it():
    """A transmission of 1 + a cos(k x) is damped by 1 + (width k)^2, exactly."""
    columns, cycles = 256, 16
    x = np.arange(columns)
    wave = 1 + 0.1 * np.cos(2 * np.pi * cycles * (x + 0.5) / columns)
    result = paganin(np.tile(wave, (64, 1)), **OPTICS)
    width = kernel_width(OPTICS["pixel_size"], OPTICS["distance"], OPTICS["energy"], OPTICS["delta_beta"])
    expected = 1 + 0.1 * np.cos(2 * np.pi * cycles * (x + 0.5) / columns) / (
        1 + (width * 2 * np.pi * cycles / columns) ** 2
    )
    np.testing.assert_allclose(result[32, 48:-48], expected[48:-48], atol=2e-4)  # away from the edges' continuation


def test_a_frame_without_sample_stays():
    np.testing.assert_allclose(paganin(np.ones((2, 20, 30)), **OPTICS), 1, atol=1e-6)


def test_a_frame_does_not_depend_on_its_neighbours_and_may_be_replaced():
    frames = np.random.default_rng(1).uniform(0.5, 1, (3, 40, 50)).astype(np.float32)
    together = paganin(frames, **OPTICS)
    np.testing.assert_array_equal(paganin(frames[1], **OPTICS), together[1])
    np.testing.assert_array_equal(paganin(frames, **OPTICS, out=frames), together)


def test_edges_continue():
    """A sample that leaves the frame above and below is as thick there as in the middle."""
    fine, thickness = ball(tall=1e6)
    retrieved = -np.log(paganin(propagated(fine, **OPTICS, supersampling=2), **OPTICS))
    np.testing.assert_allclose(retrieved[0, [0, -1], 128], thickness[0, 0, 128], rtol=2e-3)


@pytest.mark.parametrize("name", ["pixel_size", "distance", "energy", "delta_beta"])
def test_what_makes_no_sense_is_refused(name):
    with pytest.raises(BadInput, match="no positive number"):
        paganin(np.ones((4, 4)), **{**OPTICS, name: 0.0})
    with pytest.raises(BadInput, match="expected projections"):
        paganin(np.ones(4), **OPTICS)
    with pytest.raises(BadInput, match="expected float32"):
        paganin(np.ones((4, 4)), **OPTICS, out=np.ones((4, 4)))
