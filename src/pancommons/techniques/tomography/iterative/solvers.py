"""Conjugate gradients and Landweber's iteration on the normal equations of a scan.

All minimise the misfit, the sum of squares of measured minus calculated line integrals, over slices that are zero
outside a support. They start from nothing and work with the normal operator alone; the misfit follows from products.
Vectors are float32, sums float64 and in one order, so that a result does not depend on what else runs.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Apply = Callable[[Image, Image], None]

RELAXATION = 1.5
"""Step of Landweber's iteration over the reciprocal of the largest eigenvalue; it converges below 2."""

CYCLE = 8
"""Steps of conjugate gradients between two projections on the slices that are not negative."""


@dataclass(frozen=True)
class Problem:
    """The normal equations of one slice.

    Attributes
    ----------
    apply
        Writes the normal operator's image of its first argument to the second.
    norm
        An upper bound of its largest eigenvalue.
    target
        float32 [y, x], the back-projected measurement, zero outside the support.
    energy
        The sum of squares of the measurement.
    support
        bool [y, x], the pixels that may differ from zero.
    """

    apply: Apply
    norm: float
    target: Image
    energy: float
    support: NDArray[np.bool_]


@njit(nogil=True, cache=True, error_model="numpy")
def dot(a, b):
    """Return the inner product of two images."""
    total = 0.0
    for j in range(a.shape[0]):
        line = 0.0
        for i in range(a.shape[1]):
            line += np.float64(a[j, i]) * np.float64(b[j, i])
        total += line
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def add(a, factor, b, where):
    """Add to `a` what `where` lets through of ``factor * b``, and make it zero elsewhere."""
    for j in range(a.shape[0]):
        for i in range(a.shape[1]):
            a[j, i] = a[j, i] + factor * b[j, i] if where[j, i] else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def rescale_and_add(a, factor, b, where):
    """Set `a` to ``factor * a + b`` where it is let through, else to zero."""
    for j in range(a.shape[0]):
        for i in range(a.shape[1]):
            a[j, i] = factor * a[j, i] + b[j, i] if where[j, i] else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _downhill(x, target, product, step, support, non_negative):
    """Go down the gradient from x, in place; return how far in squares."""
    moved = 0.0
    for j in range(x.shape[0]):
        line = 0.0
        for i in range(x.shape[1]):
            value = np.float32(0)
            if support[j, i]:
                value = x[j, i] + step * (target[j, i] - product[j, i])
                if non_negative and value < 0:
                    value = np.float32(0)
            line += np.float64(value - x[j, i]) ** 2
            x[j, i] = value
        moved += line
    return moved


def misfit(problem: Problem, x: Image, product: Image) -> float:
    """Return the residual of a slice whose product is known: the misfit's root over that of an empty slice."""
    square = problem.energy - 2 * dot(x, problem.target) + dot(x, product)
    return relative(square, problem.energy)


def relative(square: float, energy: float) -> float:
    """Return the root of a misfit over the measurement's."""
    return float(np.sqrt(max(square, 0.0) / energy)) if energy > 0 else 0.0


def cgls(problem: Problem, iterations: int, tolerance: float) -> tuple[Image, list[float]]:
    """Solve by conjugate gradients for least squares (M. R. Hestenes, E. Stiefel, J. Res. NBS 49, 409 (1952)).

    Ends after so many iterations, or where the gradient has fallen to `tolerance` of its first value.

    Returns
    -------
    float32 [y, x], the slice, and the residual after each iteration.
    """
    x, residual = np.zeros_like(problem.target), problem.target.copy()
    steps = _conjugate(problem, x, residual, problem.support, problem.energy, iterations, tolerance)
    return x, [relative(square, problem.energy) for square in steps]


def _conjugate(problem, x, residual, where, square, iterations, tolerance):
    """Improve x by conjugate gradients among the pixels of `where`; yield the misfit after each step."""
    direction, product = residual.copy(), np.empty_like(x)
    gradient = dot(residual, residual)
    least = (tolerance**2) * dot(problem.target, problem.target)
    for _ in range(iterations):
        if gradient <= least:
            return
        problem.apply(direction, product)
        curvature = dot(direction, product)
        if not curvature > 0:
            return
        step = gradient / curvature
        add(x, np.float32(step), direction, where)
        add(residual, np.float32(-step), product, where)
        square -= step * gradient
        before, gradient = gradient, dot(residual, residual)
        yield square
        rescale_and_add(direction, np.float32(gradient / before), residual, where)


def non_negative_cgls(problem: Problem, iterations: int, tolerance: float) -> tuple[Image, list[float]]:
    """Solve by conjugate gradients with projections on the slices that are not negative.

    `CYCLE` steps are taken among the pixels that are positive or want to be; what became negative is set to zero, and
    the next cycle begins there (D. Calvetti, G. Landi, L. Reichel, F. Sgallari, Inverse Problems 20, 1747 (2004)). A
    cycle that did not lower the misfit is replaced by one step down the gradient, which does. An application of the
    normal operator counts as an iteration.

    Returns
    -------
    As for `cgls`; during a cycle the residual is that of the slice before its projection.
    """
    x, product = np.zeros_like(problem.target), np.zeros_like(problem.target)
    square, history, spent = problem.energy, [], 0
    least = (tolerance**2) * dot(problem.target, problem.target)
    while spent < iterations - 1:
        gradient = problem.target - product
        free = problem.support & ((x > 0) | (gradient > 0))
        gradient[~free] = 0
        if dot(gradient, gradient) <= least:
            break
        tried = x.copy()
        steps = min(CYCLE, iterations - spent - 1)
        for along in _conjugate(problem, tried, gradient, free, square, steps, tolerance):
            history.append(relative(along, problem.energy))
            spent += 1
        np.maximum(tried, 0, out=tried)
        there = np.empty_like(product)
        problem.apply(tried, there)
        reached = problem.energy - 2 * dot(tried, problem.target) + dot(tried, there)
        spent += 1
        if reached < square:
            x, product, square = tried, there, reached
        elif spent < iterations:
            _downhill(x, problem.target, product, np.float32(1 / problem.norm), problem.support, True)
            problem.apply(x, product)
            square = problem.energy - 2 * dot(x, problem.target) + dot(x, product)
            history.append(relative(square, problem.energy))
            spent += 1
        history.append(relative(square, problem.energy))
    return x, history


def sirt(
    problem: Problem, iterations: int, tolerance: float, *, non_negative: bool = True
) -> tuple[Image, list[float]]:
    """Solve by Landweber's iteration, the simultaneous reconstruction technique with one weight for all rays.

    (L. Landweber, Am. J. Math. 73, 615 (1951); P. Gilbert, J. Theor. Biol. 36, 105 (1972).) Every pixel is seen once in
    every projection, so the weights of pixels are equal too. It converges slowly, the coarse before the fine, which is
    what makes it robust against noise. Ends after so many iterations, or where a step has fallen to `tolerance` of the
    first.

    Returns
    -------
    As for `cgls`.
    """
    x, product = np.zeros_like(problem.target), np.zeros_like(problem.target)
    step, history, first = np.float32(RELAXATION / problem.norm), [], 0.0
    for index in range(iterations):
        moved = _downhill(x, problem.target, product, step, problem.support, non_negative)
        problem.apply(x, product)
        history.append(misfit(problem, x, product))
        first = first or moved
        if index and moved <= tolerance**2 * first:
            break
    return x, history
