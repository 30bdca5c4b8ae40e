"""Solvers against dense least squares."""

import numpy as np
import pytest
import scipy.optimize

from pancommons.techniques.tomography.iterative import solvers, variation
from pancommons.techniques.tomography.iterative.normal import Buffers, NormalOperator
from pancommons.techniques.tomography.iterative.projector import Projector
from pancommons.techniques.tomography.simulation import phantom
from tests.techniques.tomography.iterative.test_operators import matrix

WIDTH = 32
ANGLES = np.sort(np.random.default_rng(2).uniform(0, np.pi, 40))


@pytest.fixture(scope="module")
def small():
    """The normal equations of a noisy head, and the same as a matrix."""
    return _problem(WIDTH, ANGLES, 0.3)


def _problem(width, angles, noise, shift=0.0):
    head = phantom.cross_section(phantom.shepp_logan(0), 0, 1, width)
    sinogram = phantom.sinogram(head, angles, width)
    sinogram = (sinogram + shift + np.random.default_rng(1).normal(0, noise, sinogram.shape)).astype(np.float32)
    projector, normal, buffers = Projector(angles, width), NormalOperator(angles, width), Buffers(width)
    target = projector.back_project(sinogram)
    target[~normal.support] = 0
    energy = float(np.sum(sinogram.astype(float) ** 2))
    problem = solvers.Problem(lambda a, out: normal(a, out, buffers), normal.norm, target, energy, normal.support)
    measured = np.zeros((angles.size, projector.ring))
    measured[:, :width] = sinogram
    full = matrix(angles, width, projector.centre, projector.ring)[:, normal.support.ravel()]
    return problem, full, measured.ravel()


def misfit(full, measured, image, support):
    return np.linalg.norm(full @ image[support].astype(float) - measured) / np.linalg.norm(measured)


def test_cgls_finds_the_least_squares(small):
    problem, full, measured = small
    # The normal equations have the squares of the model's singular values, and float32 keeps seven digits of them.
    left, strengths, _ = np.linalg.svd(full, full_matrices=False)
    held = strengths > 3e-3 * strengths[0]
    best, within = (
        np.linalg.norm(measured - some @ (some.T @ measured)) / np.linalg.norm(measured)
        for some in (left, left[:, held])
    )
    image, residuals = solvers.cgls(problem, 300, 1e-6)
    found = misfit(full, measured, image, problem.support)
    assert best <= found <= 1.001 * within
    assert residuals[-1] == pytest.approx(found, rel=1e-2)
    assert (np.diff(residuals) < 1e-6).all()
    assert not image[~problem.support].any()


def test_first_iterates_are_those_of_the_dense_method(small):
    problem, full, measured = small
    x, r = np.zeros(full.shape[1]), measured.copy()
    s = full.T @ r
    p = s.copy()
    for _ in range(7):  # after that, float32's conjugate directions are no longer conjugate
        q = full @ p
        step = (s @ s) / (q @ q)
        x, r, before = x + step * p, r - step * q, s @ s
        s = full.T @ r
        p = s + (s @ s) / before * p
    image, residuals = solvers.cgls(problem, 7, 0)
    assert np.abs(image[problem.support] - x).max() < 1e-3 * np.abs(x).max()
    assert residuals[-1] == pytest.approx(np.linalg.norm(r) / np.linalg.norm(measured), rel=1e-3)


def test_non_negative_cgls_approaches_non_negative_least_squares():
    problem, full, measured = _problem(20, ANGLES[::2], 0.5, shift=-0.4)
    exact, norm = scipy.optimize.nnls(full, measured)
    image, residuals = solvers.non_negative_cgls(problem, 400, 0)
    assert image.min() >= 0
    free, _ = solvers.cgls(problem, 400, 1e-6)
    assert free.min() < -0.05  # there is something to do
    found = misfit(full, measured, image, problem.support)
    assert found == pytest.approx(norm / np.linalg.norm(measured), rel=2e-3)
    assert residuals[-1] == pytest.approx(found, rel=1e-2)
    assert np.abs(image[problem.support] - exact).max() < 0.2 * exact.max()


@pytest.mark.parametrize("iterations", range(2, 24, 3))
def test_non_negative_cgls_keeps_to_its_iterations(small, iterations):
    problem, _, _ = small
    calls = []
    counted = solvers.Problem(
        lambda a, out: (calls.append(1), problem.apply(a, out)), problem.norm, problem.target, problem.energy,
        problem.support,
    )  # fmt: skip
    image, residuals = solvers.non_negative_cgls(counted, iterations, 0)
    assert len(residuals) == len(calls) <= iterations
    assert image.any()


def test_sirt_goes_downhill(small):
    problem, full, measured = small
    for non_negative in (True, False):
        image, residuals = solvers.sirt(problem, 100, 0, non_negative=non_negative)
        assert (np.diff(residuals) < 1e-6).all()
        assert residuals[-1] == pytest.approx(misfit(full, measured, image, problem.support), rel=1e-2)
        assert (image.min() >= 0) == non_negative


def test_stopping():
    problem, _, _ = _problem(WIDTH, ANGLES, 0.3)
    for method in (solvers.cgls, solvers.sirt, solvers.non_negative_cgls):
        few, many = (len(method(problem, 500, tolerance)[1]) for tolerance in (0.05, 0.01))
        assert 1 < few < many < 500


def test_denoising_is_optimal():
    # Of a noisy step: the distance to the minimum is bounded by the duality gap.
    random = np.random.default_rng(0)
    noisy = (np.add.outer(np.arange(24) > 11, np.zeros(24)) + random.normal(0, 0.2, (24, 24))).astype(np.float32)
    noisy[:, :5] -= 0.5
    down, across, image = np.zeros_like(noisy), np.zeros_like(noisy), np.zeros_like(noisy)
    everywhere = np.ones(noisy.shape, bool)
    weight = np.float32(0.3)
    variation.denoise(noisy, down, across, weight, everywhere, False, 3000, image)
    value = 0.5 * np.sum((image - noisy) ** 2.0) + weight * variation.total_variation(image)
    bound = 0.5 * np.sum(noisy**2.0) - 0.5 * np.sum(image**2.0)  # the dual's value, where nothing is constrained
    assert np.sqrt(down**2 + across**2).max() < 1 + 1e-6
    assert 0 <= value - bound < 1e-3 * value


def test_total_variation_finds_the_minimum(small):
    problem, full, measured = small
    weight = 0.5 * ANGLES.size
    image, residuals = variation.tv(problem, 2000, 0, weight=weight, non_negative=True)
    assert image.min() >= 0

    def value(candidate):
        misses = full @ candidate[problem.support].astype(float) - measured
        return 0.5 * misses @ misses + weight * variation.total_variation(candidate)

    least = value(image)
    random = np.random.default_rng(0)
    for size in (1e-2, 1e-3):  # no other slice near it is better
        for _ in range(20):
            other = image + size * random.normal(size=image.shape).astype(np.float32) * problem.support
            assert value(np.maximum(other, 0)) > least * (1 - 1e-6)
    assert value(0.999 * image) > least * (1 - 1e-6)
    assert value(1.001 * image) > least * (1 - 1e-6)
    assert residuals[-1] == pytest.approx(misfit(full, measured, image, problem.support), rel=1e-2)
    earlier, _ = variation.tv(problem, 400, 0, weight=weight, non_negative=True)
    assert value(earlier) < 1.001 * least


def test_total_variation_stops(small):
    problem, _, _ = small
    few, many = (len(variation.tv(problem, 500, tolerance, weight=5.0)[1]) for tolerance in (1e-2, 1e-3))
    assert 1 < few < many < 500
