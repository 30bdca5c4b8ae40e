"""The distribution of distances p(r) behind a curve: an indirect transform whose smoothness and extent the data choose.

p(r) is a sum of cubic splines on [0, Dmax] that vanishes at both ends, at Dmax with its slope, as for every body
without parallel faces at that distance (O. Glatter, J. Appl. Cryst. 10, 415, 1977). Of all that fit, a smooth one is
expected: a Gaussian prior on the third derivative, whose strength and whose Dmax are those that make the data most
probable (S. Hansen, J. Appl. Cryst. 33, 1415, 2000). With the prior Gaussian that probability has a closed form, so no
sampling is needed. What is given is the mean over all Dmax, each weighted by its probability, and errors hold what
noise and the choice of Dmax leave open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.analysis import Curves

Floats = NDArray[np.float64]
_SPLINES = 50
_COARSE, _FINE = 24, 25
_UNLIKELY = 8.0
"""A Dmax whose log evidence is this far below the best has no say."""


@dataclass(frozen=True)
class Distances:
    """A distribution of distances: ``I(Q) = 4 pi integral p(r) sin(Qr) / (Qr) dr + background``.

    Attributes
    ----------
    r, p, p_error
        float64 [distance], Angstrom and 1/(cm Angstrom).
    largest, radius, intensity, background
        Dmax and radius of gyration, Angstrom, intensity at Q = 0 and flat background, 1/cm: value, standard error.
    chi_square
        Per degree of freedom; as many are used up as the data determine.
    parameters
        How many numbers about p(r) the data determine.
    limited
        Whether Dmax is only known to be near the largest or smallest that was tried.
    points, curve
        What was fitted, and the fit to it, float64 [point].
    """

    r: Floats
    p: Floats
    p_error: Floats
    largest: tuple[float, float]
    radius: tuple[float, float]
    intensity: tuple[float, float]
    background: tuple[float, float]
    chi_square: float
    parameters: float
    limited: bool
    points: Curves
    curve: Floats


@dataclass(frozen=True)
class _Solution:
    """The most probable p(r) for one Dmax, with the covariance of its splines."""

    largest: float
    evidence: float
    coefficients: Floats
    covariance: Floats
    chi_square: float
    parameters: float
    background: tuple[float, float]
    curve: Floats


def distance_distribution(curve: Curves, radius: float, largest: float | None = None) -> Distances:
    """Transform a curve into distances.

    Parameters
    ----------
    curve
        Float64 [point], 1/Angstrom and 1/cm; its spread is taken into account.
    radius
        About the radius of gyration, Angstrom: Dmax is looked for between 1.5 and 6 times that.
    largest
        Dmax, Angstrom, where it is known.

    Raises
    ------
    BadInput
        If the curve has fewer than ten points, or no distribution of positive weight describes it.
    """
    if curve.q.size < 10:
        raise BadInput(f"{curve.q.size} points are too few for a distribution of distances", field="dmax")
    limited = False
    if largest is None:
        tried = [_solve(curve, at) for at in radius * np.geomspace(1.5, 6.0, _COARSE)]
        best = int(np.argmax([one.evidence for one in tried]))
        likely = [one.largest for one in tried if one.evidence > tried[best].evidence - _UNLIKELY]
        step = (6.0 / 1.5) ** (1 / (_COARSE - 1))
        limited = best in (0, _COARSE - 1)
        solutions = [_solve(curve, at) for at in np.linspace(likely[0] / step, likely[-1] * step, _FINE)]
    else:
        solutions = [_solve(curve, largest)]
    evidence = np.array([one.evidence for one in solutions])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    kept = [(one, weight) for one, weight in zip(solutions, weights, strict=True) if weight > 1e-4]
    return _averaged(curve, kept, limited)


def _knots() -> Floats:
    return np.concatenate([np.zeros(3), np.linspace(0, 1, _SPLINES - 1), np.ones(3)])


def _splines(at: Floats) -> Floats:
    """Return the splines that vanish at 0 and, with their slope, at 1: float64 [place, spline]."""
    return np.asarray(BSpline.design_matrix(np.clip(at, 0, 1), _knots(), 3).toarray()[:, 1:-2])


def _quadrature() -> tuple[Floats, Floats]:
    """Return places on [0, 1] and their weights: four in each interval between knots."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    inner = np.linspace(0, 1, _SPLINES - 1)
    width = inner[1] - inner[0]
    return (inner[:-1, None] + width * (nodes + 1) / 2).ravel(), np.tile(weights * width / 2, _SPLINES - 2)


_PLACES, _WEIGHTS = _quadrature()
_BASIS = _splines(_PLACES)


def _roughness() -> Floats:
    """Return the Cholesky factor of the integral of the squared third derivative, float64 [spline, spline]."""
    third = BSpline(_knots(), np.eye(_SPLINES + 1), 3).derivative(3)(_PLACES)[:, 1:-2]
    return np.asarray(np.linalg.cholesky(third.T @ (_WEIGHTS[:, None] * third)))


_ROUGHNESS = _roughness()


def _kernel(curve: Curves, largest: float) -> Floats:
    """Return the scattering of each spline averaged over the resolution, float64 [point, spline]."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    r = _PLACES * largest
    waves = np.zeros((curve.q.size, r.size))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        waves += weight * np.sinc(np.outer(curve.q + node * curve.spread, r) / np.pi)
    return np.asarray(4 * np.pi * (waves * (_WEIGHTS * largest)) @ _BASIS)


def _solve(curve: Curves, largest: float) -> _Solution:
    """Find the strength of the prior with the largest evidence, and the solution that goes with it."""
    kernel = _kernel(curve, largest)
    flat = 1 / curve.error
    length = float(np.linalg.norm(flat))
    flat = flat / length
    target, design = curve.intensity / curve.error, kernel / curve.error[:, None]
    free_target = target - flat * (flat @ target)
    free_design = design - np.outer(flat, flat @ design)
    whitened = solve_triangular(_ROUGHNESS, free_design.T, lower=True).T
    whitened = np.pad(whitened, ((0, max(0, len(whitened.T) - len(whitened))), (0, 0)))
    left, singular, right = np.linalg.svd(whitened, full_matrices=False)
    parts = left[: curve.q.size].T @ free_target
    beyond = float(free_target @ free_target - parts @ parts)
    squares = singular**2

    def improbability(log_strength: float) -> float:
        strength = np.exp(log_strength)
        misfit = beyond + float(np.sum(parts**2 * strength / (squares + strength)))
        return 0.5 * misfit + 0.5 * float(np.sum(np.log1p(squares / strength)))

    grid = np.log(squares[0]) + np.arange(-50.0, 3.0)
    place = int(np.argmin([improbability(at) for at in grid]))
    ends = (grid[max(place - 1, 0)], grid[min(place + 1, grid.size - 1)])
    found = minimize_scalar(improbability, bounds=ends, method="bounded")
    strength = float(np.exp(found.x))
    back = solve_triangular(_ROUGHNESS, right.T, lower=True, trans="T")
    coefficients = back @ (singular * parts / (squares + strength))
    covariance = (back / (squares + strength)) @ back.T
    chi_square = beyond + float(np.sum((parts * strength / (squares + strength)) ** 2))
    overlap = flat @ design
    background = float(flat @ (target - design @ coefficients)) / length
    error = float(np.sqrt(1 + overlap @ covariance @ overlap)) / length
    return _Solution(
        largest, -float(found.fun), coefficients, covariance, chi_square,
        float(np.sum(squares / (squares + strength))), (background, error), kernel @ coefficients + background,
    )  # fmt: skip


def _averaged(curve: Curves, kept: list[tuple[_Solution, float]], limited: bool) -> Distances:
    r = np.linspace(0, max(one.largest for one, _ in kept), 151)
    weights = np.array([weight for _, weight in kept])
    weights /= weights.sum()
    values, variances, curves = [], [], []
    for one, _ in kept:
        basis = _splines(r / one.largest) * (r < one.largest)[:, None]
        zeroth = 4 * np.pi * one.largest * (_WEIGHTS @ _BASIS)
        second = 4 * np.pi * one.largest**3 * ((_WEIGHTS * _PLACES**2) @ _BASIS)
        whole, moment = float(zeroth @ one.coefficients), float(second @ one.coefficients)
        if whole <= 0 or moment <= 0:
            raise BadInput(
                "no distribution of distances with a positive weight describes the curve", field="dmax",
                remedy="give another --dmax, or a narrower --model-range",
            )  # fmt: skip
        gyration = np.sqrt(moment / whole / 2)
        slope = (second - 2 * gyration**2 * zeroth) / (4 * gyration * whole)
        values.append([one.largest, gyration, whole, one.background[0], *(basis @ one.coefficients)])
        rows = np.concatenate([slope[None], zeroth[None]])
        own = np.einsum("ij,jk,ik->i", rows, one.covariance, rows)
        along = np.einsum("ij,jk,ik->i", basis, one.covariance, basis)
        variances.append([0.0, *own, one.background[1] ** 2, *along])
        curves.append(one.curve)
    table = np.array(values)
    mean = weights @ table
    errors = np.sqrt(np.maximum(weights @ (np.array(variances) + table**2) - mean**2, 0))
    fit = weights @ np.array(curves)
    parameters = float(weights @ [one.parameters for one, _ in kept])
    chi = float(np.sum(((curve.intensity - fit) / curve.error) ** 2))
    largest, radius, intensity, background = (
        (float(value), float(error)) for value, error in zip(mean[:4], errors[:4], strict=True)
    )
    return Distances(
        r, mean[4:], errors[4:], largest, radius, intensity, background,
        chi_square=chi / max(1.0, curve.q.size - 1 - parameters),
        parameters=parameters, limited=limited, points=curve, curve=fit,
    )  # fmt: skip
