"""Reconstruction with little total variation: piecewise smooth slices from few angles, a missing wedge, or noise.

Minimised is half the misfit plus a weight times the isotropic total variation, the sum over the pixels of the length of
the gradient (L. I. Rudin, S. Osher, E. Fatemi, Physica D 60, 259 (1992)), by FISTA (A. Beck, M. Teboulle, IEEE Trans.
Image Process. 18, 2419 (2009), doi:10.1109/TIP.2009.2028250): a step down the gradient of the misfit, denoising, and
momentum, which is dropped wherever it leads uphill (B. O'Donoghue, E. Candes, Found. Comput. Math. 15, 715 (2015)). The
denoising goes on from the dual variables of the step before.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.iterative.solvers import Image, Problem, dot, misfit

INNER = 10
"""Steps of the denoising in each iteration."""


@njit(nogil=True, cache=True, error_model="numpy")
def _primal_row(j, v, down, across, weight, support, non_negative, out):
    """Write row j of the slice that belongs to the dual variables."""
    for i in range(v.shape[1]):
        total = down[j, i] + across[j, i]
        if j > 0:
            total -= down[j - 1, i]
        if i > 0:
            total -= across[j, i - 1]
        value = v[j, i] + weight * total
        out[i] = np.float32(0) if not support[j, i] or (non_negative and value < 0) else value


@njit(nogil=True, cache=True, error_model="numpy")
def denoise(v, down, across, weight, support, non_negative, steps, out):
    """Write the slice nearest to v with little total variation to `out`.

    Parameters
    ----------
    v
        float32 [y, x].
    down, across
        float32 [y, x], the dual variables, from which to begin; changed. The last row of `down` and the last column of
        `across` are zero.
    weight
        Of the total variation against half the squared distance.
    support
        bool [y, x].
    non_negative
        Whether the slice must not be negative.
    steps
        How many.
    """
    height, width = v.shape
    factor = np.float32(1 / (8 * weight))
    here, below = np.empty(width, np.float32), np.empty(width, np.float32)
    for _ in range(steps):
        _primal_row(0, v, down, across, weight, support, non_negative, here)
        for j in range(height):
            last = j == height - 1
            if not last:
                _primal_row(j + 1, v, down, across, weight, support, non_negative, below)
            for i in range(width):
                p = down[j, i] + (factor * (below[i] - here[i]) if not last else np.float32(0))
                q = across[j, i] + (factor * (here[i + 1] - here[i]) if i + 1 < width else np.float32(0))
                length = max(np.float32(1), np.sqrt(p * p + q * q))
                down[j, i], across[j, i] = p / length, q / length
            here, below = below, here
    for j in range(height):
        _primal_row(j, v, down, across, weight, support, non_negative, out[j])


@njit(nogil=True, cache=True, error_model="numpy")
def _step(y, target, product, step, out):
    """Write ``y + step (target - product)`` to `out`."""
    for j in range(y.shape[0]):
        for i in range(y.shape[1]):
            out[j, i] = y[j, i] + step * (target[j, i] - product[j, i])


@njit(nogil=True, cache=True, error_model="numpy")
def _extrapolate(new, old, factor, out):
    """Write ``new + factor (new - old)`` to `out`."""
    for j in range(new.shape[0]):
        for i in range(new.shape[1]):
            out[j, i] = new[j, i] + factor * (new[j, i] - old[j, i])


@njit(nogil=True, cache=True, error_model="numpy")
def _turn(y, new, old):
    """Return the product of two differences, y - new and new - old, and the last one's square."""
    product, square = 0.0, 0.0
    for j in range(y.shape[0]):
        p, s = 0.0, 0.0
        for i in range(y.shape[1]):
            d = np.float64(new[j, i]) - np.float64(old[j, i])
            p += (np.float64(y[j, i]) - np.float64(new[j, i])) * d
            s += d * d
        product += p
        square += s
    return product, square


def total_variation(image: NDArray[np.float32]) -> float:
    """Return the isotropic total variation of an image, differences over its edge left out."""
    down, across = np.zeros(image.shape), np.zeros(image.shape)
    down[:-1], across[:, :-1] = np.diff(image, axis=0), np.diff(image, axis=1)
    return float(np.sqrt(down**2 + across**2).sum())


def tv(
    problem: Problem, iterations: int, tolerance: float, *, weight: float, non_negative: bool = True
) -> tuple[Image, list[float]]:
    """Solve with little total variation.

    Parameters
    ----------
    problem
        The normal equations.
    iterations, tolerance
        It ends after so many iterations, or where a step has fallen to `tolerance` of the slice.
    weight
        Of the total variation against half the misfit.
    non_negative
        Whether the slice must not be negative.

    Returns
    -------
    float32 [y, x], the slice, and the residual after each iteration.
    """
    target = problem.target
    x, y, old, v = (np.zeros_like(target) for _ in range(4))
    down, across = np.zeros_like(target), np.zeros_like(target)
    of_x, of_y, of_old = (np.zeros_like(target) for _ in range(3))
    step = np.float32(1 / problem.norm)
    momentum, history = 1.0, []
    for _ in range(iterations):
        _step(y, target, of_y, step, v)
        x, old, of_x, of_old = old, x, of_old, of_x
        denoise(v, down, across, np.float32(weight / problem.norm), problem.support, non_negative, INNER, x)
        problem.apply(x, of_x)
        history.append(misfit(problem, x, of_x))
        uphill, moved = _turn(y, x, old)
        if moved <= tolerance**2 * dot(x, x):
            break
        following = 1.0 if uphill > 0 else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        factor = np.float32(0.0 if uphill > 0 else (momentum - 1) / following)
        momentum = following
        _extrapolate(x, old, factor, y)
        _extrapolate(of_x, of_old, factor, of_y)
    return x, history
