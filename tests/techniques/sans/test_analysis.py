"""Analyses of curves of known shapes, with noise and resolution, against what they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import models
from pancommons.techniques.sans.analysis import Curves, guinier, invariant, kratky, porod, whole_invariant
from pancommons.techniques.sans.evaluation import evaluate
from pancommons.techniques.sans.fits import model_fit
from pancommons.techniques.sans.inversion import distance_distribution
from pancommons.techniques.sans.pipeline import SansParameters

Floats = NDArray[np.float64]
Q = np.geomspace(0.006, 0.4, 120)
SPHERE_RADIUS = np.sqrt(0.6)
"""Radius of gyration of a sphere over its radius."""


def noisy(shape: Floats, q: Floats = Q, relative: float = 0.01, seed: int = 7, spread: float = 0.03) -> Curves:
    random = np.random.default_rng(seed)
    return Curves(q, shape * (1 + relative * random.standard_normal(q.size)), relative * shape, spread * q)


def spheres(radius: float, background: float = 0.05, seed: int = 7, relative: float = 0.01) -> Curves:
    shape = models.smeared(lambda at: models.sphere(at, radius, 60.0) + background, Q, 0.03 * Q)
    return noisy(shape, relative=relative, seed=seed)


@pytest.mark.parametrize("radius", [30.0, 60.0, 110.0])
def test_guinier_of_spheres_within_two_percent(radius: float) -> None:
    law = guinier(spheres(radius, relative=0.002))
    found = law.quantities["radius_of_gyration"]
    assert found.value == pytest.approx(radius * SPHERE_RADIUS, rel=0.02)
    assert law.points.q[-1] * found.value < 1.35
    assert found.error is not None and 0 < found.error < 0.05 * radius
    assert law.value("intensity") == pytest.approx(60, rel=0.02)


def test_the_resolution_is_taken_off_guiniers_law() -> None:
    spread = np.full(Q.size, 0.003)
    shape = models.smeared(lambda at: models.guinier(at, 80.0, 10.0), Q, spread)
    law = guinier(Curves(Q, shape, 0.01 * shape, spread))
    assert law.value("radius_of_gyration") == pytest.approx(80, rel=1e-4)
    assert law.value("intensity") == pytest.approx(10, rel=1e-4)


def test_guinier_is_refused_where_it_cannot_hold() -> None:
    with pytest.raises(BadInput, match="fewer than five points"):
        guinier(spheres(400.0))
    with pytest.raises(BadInput, match="does not fall"):
        guinier(noisy(1 + Q, relative=1e-4))


@pytest.mark.parametrize("radius", [30.0, 60.0, 110.0])
@pytest.mark.parametrize("relative", [0.005, 0.02])
def test_distances_of_spheres_within_two_percent(radius: float, relative: float) -> None:
    """Dmax within 2 % or three of its errors (it is what noise hides first), Rg within 0.5 %."""
    found = distance_distribution(spheres(radius, relative=relative), radius)
    largest, error = found.largest
    assert abs(largest - 2 * radius) < max(0.02 * 2 * radius, 3 * error)
    assert error < 0.04 * largest
    assert found.radius[0] == pytest.approx(radius * SPHERE_RADIUS, rel=0.005)
    assert found.intensity[0] == pytest.approx(60, rel=0.01)
    assert found.background[0] == pytest.approx(0.05, abs=max(0.002, 4 * found.background[1]))
    assert 0.7 < found.chi_square < 1.4
    assert not found.limited
    x = np.minimum(found.r / (2 * radius), 1)
    truth = 60 * 12 * x**2 * (2 - 3 * x + x**3) / (4 * np.pi * 2 * radius)
    assert np.abs(found.p - truth).max() < 0.03 * truth.max()
    inside = (x > 0.05) & (x < 0.9)
    pull = (found.p - truth)[inside] / found.p_error[inside]
    assert 0.2 < np.sqrt(np.mean(pull**2)) < 2.5


def test_a_given_dmax_is_kept() -> None:
    found = distance_distribution(spheres(45.0), 35.0, 100.0)
    assert found.largest == (100.0, 0.0)
    assert found.radius[0] == pytest.approx(45 * SPHERE_RADIUS, rel=0.005)


def test_a_long_rod_has_its_dmax_only_as_a_limit() -> None:
    with pytest.raises(BadInput, match="too few"):
        distance_distribution(spheres(45.0).between(0, 0.007), 35.0)
    rod = noisy(0.5 / Q + 0.01, spread=0.01)
    assert distance_distribution(rod, 60.0).limited


def test_porod_of_a_smooth_surface() -> None:
    q = np.geomspace(0.05, 0.5, 200)
    law = porod(noisy(2e-6 / q**4 + 0.1, q), contrast=6e-6)
    assert law.value("constant") == pytest.approx(2e-6, rel=0.05)
    assert law.value("background") == pytest.approx(0.1, rel=0.02)
    assert law.value("exponent") == pytest.approx(4, abs=0.15)
    assert law.value("specific_surface") == pytest.approx(law.value("constant") / (2 * np.pi * 36e-12), rel=1e-9)


def test_the_exponent_of_a_coil_is_two() -> None:
    q = np.geomspace(0.05, 0.5, 200)
    assert porod(noisy(models.debye(q, 300.0, 80.0), q, 0.005)).value("exponent") == pytest.approx(2, abs=0.1)


def test_surface_invariant_and_volume_fraction_of_spheres() -> None:
    """The law goes through the middle of the oscillations: 3 / R within 15 %, the invariant within 3 %."""
    contrast, volume = 6e-6, 4 / 3 * np.pi * 45**3
    done = evaluate(spheres(45.0), SansParameters(contrast=contrast))
    law = done.laws["porod"]
    assert law.value("surface_to_volume") == pytest.approx(3 / 45, rel=0.15)
    assert law.value("invariant") == pytest.approx(2 * np.pi**2 * 60 / volume, rel=0.03)
    fraction = law.value("volume_fraction")
    assert fraction * (1 - fraction) == pytest.approx(60e-8 / (volume * contrast**2), rel=0.03)
    again = whole_invariant(spheres(45.0), done.laws["guinier"], law)
    assert again.value == law.value("invariant")


def test_invariant_and_kratky() -> None:
    q = np.geomspace(0.01, 0.5, 400)
    flat = Curves(q, np.full(q.size, 3.0), np.full(q.size, 0.1), q)
    assert invariant(flat)[0] == pytest.approx(q[-1] ** 3 - q[0] ** 3, rel=0.001)
    values, _ = kratky(noisy(models.debye(q, 400.0), q, 1e-6))
    assert values[-1] == pytest.approx(2 / 400**2, rel=0.01)


def test_models_of_known_shapes() -> None:
    ball = model_fit(spheres(45.0), "sphere")
    assert ball.value("size") == pytest.approx(45, rel=0.002)
    assert 0.6 < ball.chi_square < 1.5
    assert ball.warning is None
    coil = model_fit(noisy(models.debye(Q, 74.0, 80.0) + 0.1), "debye", smear=False)
    assert coil.value("size") == pytest.approx(74, rel=0.02)
    wrong = model_fit(spheres(45.0), "debye")
    assert wrong.warning is not None and "does not fit" in wrong.warning


def test_what_suits_is_done_and_what_was_asked_for_is_said() -> None:
    auto = SansParameters()
    assert set(evaluate(spheres(45.0), auto).laws) == {"guinier", "distances", "porod"}
    flat = evaluate(noisy(np.ones(Q.size)), auto)
    assert (dict(flat.laws), flat.warnings) == ({}, ())
    coil = evaluate(noisy(models.debye(Q, 74.0, 80.0) + 0.05), auto)
    assert "guinier" in coil.laws and "porod" not in coil.laws
    none = SansParameters(guinier_range="none", dmax="none", porod_range="none")
    assert not evaluate(spheres(45.0), none).laws
    asked = evaluate(spheres(400.0), SansParameters(guinier_range="0.006:0.0062", porod_range="0.3:0.31"))
    assert len(asked.warnings) == 2 and all("was not found" in text for text in asked.warnings)
