"""What a curve says without a model of the shape: the laws of Guinier and Porod, Kratky's plot, the invariant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pancommons.base.errors import BadInput
from pancommons.nexus.read import open_file
from pancommons.techniques.sans import models

Floats = NDArray[np.float64]
_GUINIER_LIMITS = (1.0, 1.3)
"""Q Rg up to which Guinier's law holds: within 1 %, and within 3 % for spheres."""
_ENOUGH = 10
_POROD_BEGIN = 4.0
"""Q Rg from which Porod's law is looked for."""


@dataclass(frozen=True)
class Curves:
    """The points of a curve that were measured: float64 [point], 1/Angstrom and 1/cm."""

    q: Floats
    intensity: Floats
    error: Floats
    spread: Floats

    @classmethod
    def of(cls, rows: Floats) -> Curves:
        """Take the points out of [low edge, high edge, I, error, standard deviation of Q; bin]."""
        low, high, intensity, error, spread = rows
        use = np.isfinite(intensity) & np.isfinite(error)
        return cls((low + high)[use] / 2, intensity[use], error[use], spread[use])

    def between(self, low: float, high: float) -> Curves:
        """Return the points in a range of Q."""
        return self._where((self.q >= low) & (self.q <= high))

    def positive(self) -> Curves:
        """Return the points whose intensity has a logarithm."""
        return self._where(self.intensity > 0)

    def _where(self, use: NDArray[np.bool_]) -> Curves:
        return Curves(self.q[use], self.intensity[use], self.error[use], self.spread[use])


@dataclass(frozen=True)
class Quantity:
    """A number with its standard error, where it has one, its unit and what it is called."""

    value: float
    error: float | None
    unit: str
    label: str

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.2g}"
        return f"{self.label} {self.value:.4g}{error}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class Law:
    """What an analysis of a curve gave.

    Attributes
    ----------
    name, title
        Such as ``guinier``, and what a reader sees.
    method
        What was done, in a few words.
    quantities
        By name.
    points, curve
        What was fitted, and the fit to it, float64 [point].
    chi_square
        Per degree of freedom.
    distances
        Float64 [3, distance] where the analysis is p(r): r, p(r) and its error.
    warning
        A sentence, where the result is not to be trusted as it is.
    """

    name: str
    title: str
    method: str
    quantities: Mapping[str, Quantity]
    points: Curves
    curve: Floats
    chi_square: float
    distances: Floats | None = None
    warning: str | None = None

    def value(self, name: str) -> float:
        """Return the value of a quantity."""
        return self.quantities[name].value


def guinier(curve: Curves) -> Law:
    """Fit Guinier's law, a straight line of log I over Q^2, up to Q Rg = 1, or 1.3 where few points lie below 1.

    The limit is found by repeating. The resolution is taken off: each point is multiplied by the law over the law
    averaged over the resolution.

    Raises
    ------
    BadInput
        If fewer than five points lie below that, or the intensity does not fall.
    """
    curve = curve.positive()
    count, radius, limit = min(curve.q.size, 8), 0.0, 0.0
    previous: set[int] = set()
    while True:
        use = Curves(*(column[:count] for column in (curve.q, curve.intensity, curve.error, curve.spread)))
        if count < 5:
            raise BadInput(
                "fewer than five points lie below Q Rg = 1.3, too few for Guinier's law", field="guinier",
                remedy="reduce to lower or finer Q",
            )  # fmt: skip
        slope, offset, covariance = _line(use, radius)
        if slope >= -2 * np.sqrt(covariance[0, 0]):
            if count == curve.q.size:
                raise BadInput("the intensity does not fall at low Q, as Guinier's law has it", field="guinier")
            count = min(2 * count, curve.q.size)
            continue
        radius = float(np.sqrt(-3 * slope))
        below = [int(np.searchsorted(curve.q, at / radius)) for at in _GUINIER_LIMITS]
        wanted, limit = (
            (below[0], _GUINIER_LIMITS[0]) if below[0] >= _ENOUGH else (min(below[1], _ENOUGH), _GUINIER_LIMITS[1])
        )
        if wanted == count or wanted in previous:
            break
        previous.add(count)
        count = wanted
    for _ in range(3):
        slope, offset, covariance = _line(use, radius)
        radius = float(np.sqrt(max(-3 * slope, 1e-12)))
    intensity = float(np.exp(offset))
    fit = models.smeared(lambda q: models.guinier(q, radius, intensity), use.q, use.spread)
    chi = float(np.sum(((use.intensity - fit) / use.error) ** 2)) / (use.q.size - 2)
    scale = max(1.0, chi) ** 0.5
    return Law(
        "guinier", "Guinier's law", f"log I over Q^2 up to Q Rg = {limit:g}, the resolution taken off",
        {
            "radius_of_gyration": Quantity(
                radius, 1.5 * scale * float(np.sqrt(covariance[0, 0])) / radius, "angstrom", "radius of gyration"
            ),
            "intensity": Quantity(
                intensity, scale * intensity * float(np.sqrt(covariance[1, 1])), "1/cm", "intensity at Q = 0"
            ),
        },
        use, fit, chi,
    )  # fmt: skip


def _line(use: Curves, radius: float) -> tuple[float, float, Floats]:
    """Fit log I over Q^2; a radius takes the resolution off."""
    law = models.guinier(use.q, radius)
    averaged = models.smeared(lambda q: models.guinier(q, radius), use.q, use.spread)
    y = np.log(use.intensity * law / averaged)
    (slope, offset), covariance = np.polyfit(use.q**2, y, 1, w=use.intensity / use.error, cov="unscaled")
    return float(slope), float(offset), np.asarray(covariance)


def porod_range(curve: Curves, radius: float) -> Curves:
    """Return the points beyond Q Rg = 4, where the surface scatters."""
    return curve.between(_POROD_BEGIN / radius, np.inf)


def porod(curve: Curves, contrast: float | None = None) -> Law:
    """Fit Porod's law K / Q^4 and a flat background, and beside it a power law with a free exponent.

    Bodies of one size oscillate about the law. What they deviate by, a fraction of the law that is found with it, joins
    the errors, so that the law goes through their middle.

    Parameters
    ----------
    curve
        The points at high Q alone.
    contrast
        Difference of the scattering length densities, 1/Angstrom^2, for the surface in a volume of sample.

    Raises
    ------
    BadInput
        If there are fewer than eight points, or nothing above the background falls with Q.
    """
    if curve.q.size < 8:
        raise BadInput(f"{curve.q.size} points are too few for Porod's law", field="porod")
    line = _porod_line(curve)
    constant, constant_error = line.constant
    background, background_error = line.background

    exponent, exponent_error = min(
        (_free_exponent(curve, error, constant, background) for error in (curve.error, line.error)),
        key=lambda found: found[1],
    )
    quantities = {
        "exponent": Quantity(exponent, exponent_error, "", "exponent"),
        "constant": Quantity(constant, constant_error, "1/(cm angstrom^4)", "Porod's constant"),
        "background": Quantity(background, background_error, "1/cm", "background"),
        "scatter": Quantity(line.scatter, None, "", "deviation about the law, relative"),
    }
    if contrast is not None:
        surface = 1 / (2 * np.pi * contrast**2)
        quantities["specific_surface"] = Quantity(
            constant * surface, constant_error * surface, "1/cm", "surface in a volume of sample"
        )
    fit = constant / curve.q**4 + background
    chi = float(np.sum(((curve.intensity - fit) / curve.error) ** 2)) / (curve.q.size - 2)
    return Law("porod", "Porod's law", "K / Q^4 + background by least squares", quantities, curve, fit, chi)


def _free_exponent(curve: Curves, error: Floats, constant: float, background: float) -> tuple[float, float]:
    """Fit a power law and a flat background from Porod's law on; its exponent, with an error that grows with misfit."""

    def residuals(p: Floats) -> Floats:
        law = p[1] * (curve.q / curve.q[0]) ** -p[0] + p[2]
        return np.asarray((law - curve.intensity) / error)

    start = [4.0, constant / curve.q[0] ** 4, background]
    solved = least_squares(residuals, start, x_scale=[1.0, start[1], max(abs(background), 1e-3)])
    jacobian = np.asarray(solved.jac, np.float64)
    chi = max(1.0, 2 * float(solved.cost) / (curve.q.size - 3))
    return float(solved.x[0]), float(np.sqrt(chi * np.linalg.pinv(jacobian.T @ jacobian)[0, 0]))


@dataclass(frozen=True)
class _PorodLine:
    constant: tuple[float, float]
    background: tuple[float, float]
    scatter: float
    error: Floats


def _porod_line(curve: Curves) -> _PorodLine:
    """Fit K / Q^4 + background, with that relative scatter about K / Q^4 which makes chi square 1."""

    def solved(error: Floats) -> tuple[Floats, Floats, float]:
        design = np.stack([curve.q**-4.0, np.ones(curve.q.size)], axis=1) / error[:, None]
        size = np.linalg.norm(design, axis=0)
        found, *_ = np.linalg.lstsq(design / size, curve.intensity / error, rcond=None)
        covariance = np.linalg.inv((design / size).T @ (design / size)) / np.outer(size, size)
        chi = float(np.sum((design @ (found / size) - curve.intensity / error) ** 2)) / (curve.q.size - 2)
        return found / size, np.sqrt(np.diag(covariance)), chi

    def scattered(scatter: float) -> tuple[Floats, Floats]:
        """Repeat until the constant stays, for the error depends on it."""
        found, error = solved(curve.error)[0], curve.error
        for _ in range(20):
            error = np.hypot(curve.error, scatter * abs(found[0]) / curve.q**4)
            found = solved(error)[0]
        return found, error

    found, errors, chi = solved(curve.error)
    scatter, error = 0.0, curve.error
    if chi > 1:
        low, high = 1e-4, 10.0
        for _ in range(30):
            scatter = float(np.sqrt(low * high))
            _, error = scattered(scatter)
            low, high = (scatter, high) if solved(error)[2] > 1 else (low, scatter)
        found, errors, _ = solved(error)
    if found[0] <= 0:
        raise BadInput("nothing above a flat background falls with Q", field="porod")
    constant, background = ((float(value), float(uncertain)) for value, uncertain in zip(found, errors, strict=True))
    return _PorodLine(constant, background, scatter, error)


def kratky(curve: Curves, background: float = 0.0) -> tuple[Floats, Floats]:
    """Return Q^2 I and its error, 1/cm 1/Angstrom^2, float64 [point]: level for coils, a peak for compact shapes."""
    return curve.q**2 * (curve.intensity - background), curve.q**2 * curve.error


def invariant(curve: Curves, background: float = 0.0) -> tuple[float, float]:
    """Return the integral of Q^2 I over the measured range, 1/cm 1/Angstrom^3, and its error (trapezoidal rule)."""
    if curve.q.size < 2:
        return 0.0, 0.0
    widths = np.gradient(curve.q)
    widths[[0, -1]] /= 2
    weights = widths * curve.q**2
    return float(weights @ (curve.intensity - background)), float(np.sqrt(weights**2 @ curve.error**2))


def whole_invariant(curve: Curves, low: Law, high: Law) -> Quantity:
    """Return the integral of Q^2 I from 0 to infinity: Guinier's law below what was measured, Porod's above.

    Above the beginning of Porod's law the law stands for the points, of which it is the mean.
    """
    constant, background = high.quantities["constant"], high.quantities["background"]
    first = high.points.q[0]
    measured, error = invariant(curve.between(0, first), background.value)
    q = np.linspace(0, curve.q[0], 200)
    below = float(np.trapezoid(q**2 * models.guinier(q, low.value("radius_of_gyration"), low.value("intensity")), q))
    inside = curve.between(0, first).q
    sides = (constant.error or 0.0) / first, (background.error or 0.0) * inside[-1] ** 3 / 3
    return Quantity(
        below + measured + constant.value / inside[-1], float(np.hypot(error, np.hypot(*sides))),
        "1/(cm angstrom^3)", "invariant",
    )  # fmt: skip


def score(truth: Path, curve: Curves, common: Floats | float = 0.0) -> float | None:
    """Return the median of |I - truth| / error, the truth smeared by the resolution; None for another kind of truth.

    Parameters
    ----------
    truth
        The file that a simulation wrote.
    curve
        To compare with it.
    common
        float64 [point], relative error that points share, which theirs do not hold: that of the factor between banks.
    """
    with open_file(truth) as file:
        if "entry/truth/I" not in file:
            return None
        q, intensity = file["entry/truth/Q"][()], file["entry/truth/I"][()]
    known = models.smeared(lambda at: np.interp(at, q, intensity), curve.q, curve.spread)
    return float(np.median(np.abs(curve.intensity - known) / np.hypot(curve.error, common * known)))
