"""Spheres and Gaussian coils fitted to a curve, the model averaged over the resolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import models
from pancommons.techniques.sans.analysis import Curves, Law, Quantity

Floats = NDArray[np.float64]
_SHAPES = {"sphere": (models.sphere, "radius"), "debye": (models.debye, "radius of gyration")}


def model_fit(curve: Curves, model: str, *, smear: bool = True) -> Law:
    """Fit size, intensity at Q = 0 and a flat background of ``sphere`` or ``debye`` by least squares.

    The size is tried on a grid first, the other two being linear, so that no start has to be given.

    Raises
    ------
    BadInput
        If there are fewer than five points.
    """
    shape, label = _SHAPES[model]
    if curve.q.size < 5:
        raise BadInput(f"{curve.q.size} points are too few to fit a model to", field="model-range")
    averaged = _averaged(curve, shape, smear)

    def linear(size: float) -> tuple[Floats, float]:
        design = np.stack([averaged(size), np.ones(curve.q.size)], axis=1) / curve.error[:, None]
        found, *_ = np.linalg.lstsq(design, curve.intensity / curve.error, rcond=None)
        return np.asarray(found, np.float64), float(np.sum((design @ found - curve.intensity / curve.error) ** 2))

    sizes = np.geomspace(0.5 / curve.q[-1], 6 / curve.q[0], 80)
    start = float(sizes[int(np.argmin([linear(size)[1] for size in sizes]))])
    (intensity, background), _ = linear(start)

    def residuals(p: Floats) -> Floats:
        return np.asarray((p[1] * averaged(p[0]) + p[2] - curve.intensity) / curve.error)

    scales = [start, max(abs(intensity), 1e-9), max(abs(background), 1e-3)]
    solved = least_squares(residuals, [start, intensity, background], x_scale=scales)
    jacobian = np.asarray(solved.jac, np.float64)
    errors = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)))
    size, intensity, background = (float(value) for value in solved.x)
    quantities = {
        "size": Quantity(size, float(errors[0]), "angstrom", label),
        "intensity": Quantity(intensity, float(errors[1]), "1/cm", "intensity at Q = 0"),
        "background": Quantity(background, float(errors[2]), "1/cm", "background"),
    }
    chi = 2 * float(solved.cost) / max(1, curve.q.size - 3)
    return Law(
        "model", f"Fit of the model {model}", f"least squares of {model}, averaged over the resolution",
        quantities, curve, intensity * averaged(size) + background, chi, warning=misfit(model, chi),
    )  # fmt: skip


def _averaged(curve: Curves, shape: Callable[[Floats, float, float], Floats], smear: bool) -> Callable[[float], Floats]:
    def averaged(size: float) -> Floats:
        if smear:
            return models.smeared(lambda q: shape(q, size, 1.0), curve.q, curve.spread)
        return shape(curve.q, size, 1.0)

    return averaged


def misfit(model: str, chi_square: float) -> str | None:
    """Say that a model does not describe the curve, if it does not."""
    if chi_square <= 3:
        return None
    return f"The model {model} does not fit (chi square {chi_square:.1f} per degree of freedom)."
