"""Scattering of simple shapes, 1/cm where the intensity at Q = 0 is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sphere(q: Floats, radius: float, intensity: float = 1.0) -> Floats:
    """Return the scattering of equal spheres: intensity (3 (sin x - x cos x) / x^3)^2 with x = Q R (Rayleigh, 1910)."""
    x = np.maximum(np.abs(q) * radius, 1e-9)
    small = x < 0.02
    amplitude = np.where(small, 1 - x**2 / 10 + x**4 / 280, 3 * (np.sin(x) - x * np.cos(x)) / np.maximum(x, 1e-3) ** 3)
    return np.asarray(intensity * amplitude**2)


def debye(q: Floats, gyration_radius: float, intensity: float = 1.0) -> Floats:
    """Return the scattering of Gaussian coils: 2 intensity (exp(-u) - 1 + u) / u^2 with u = (Q Rg)^2 (Debye, 1947)."""
    u = np.maximum((q * gyration_radius) ** 2, 1e-12)
    shape = np.where(u < 1e-3, 1 - u / 3 + u**2 / 12, 2 * (np.expm1(-u) + u) / np.maximum(u, 1e-4) ** 2)
    return np.asarray(intensity * shape)


def guinier(q: Floats, gyration_radius: float, intensity: float = 1.0) -> Floats:
    """Return Guinier's law: intensity exp(-(Q Rg)^2 / 3) (Guinier, 1939)."""
    return np.asarray(intensity * np.exp(-((q * gyration_radius) ** 2) / 3))


def smeared(model: object, q: Floats, spread: Floats) -> Floats:
    """Return a model averaged over the resolution, a Gaussian of standard deviation `spread` in Q.

    Parameters
    ----------
    model
        A function of an array of Q.
    q, spread
        float64 [point], 1/Angstrom.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    at = np.abs(q[:, None] + spread[:, None] * nodes)
    values: Floats = model(at) @ (weights / weights.sum())  # type: ignore[operator]
    return values
