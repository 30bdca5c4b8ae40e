"""What a curve says without a model, and with a simple one: Guinier, Porod, Kratky, invariant, coils, spheres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pancommons.base.errors import BadInput
from pancommons.nexus.read import open_file
from pancommons.pipelines.declaration import Figure
from pancommons.pipelines.job import Job
from pancommons.techniques.sans import models
from pancommons.techniques.sans.planning import model_range_of, parameters_of

Floats = NDArray[np.float64]
_GUINIER_LIMIT = 1.3
"""Q Rg up to which Guinier's law holds."""


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
        use = (self.q >= low) & (self.q <= high)
        return Curves(self.q[use], self.intensity[use], self.error[use], self.spread[use])


@dataclass(frozen=True)
class Fitted:
    """A model fitted to points: values and standard errors by parameter, chi square per degree of freedom."""

    values: Mapping[str, float]
    errors: Mapping[str, float]
    chi_square: float
    curve: Floats
    points: Curves


def guinier_fit(curve: Curves) -> Fitted:
    """Fit a straight line to log I over Q^2, up to Q Rg = 1.3, which is found by repeating.

    Raises
    ------
    BadInput
        If fewer than four points lie below that.
    """
    high = float(curve.q[min(curve.q.size - 1, 7)])
    previous: set[float] = set()
    while True:
        use = curve.between(0, high)
        use = Curves(*(column[use.intensity > 0] for column in (use.q, use.intensity, use.error, use.spread)))
        if use.q.size < 4:
            raise BadInput(
                "fewer than four points lie below Q Rg = 1.3, too few for Guinier's law", field="model",
                remedy="reduce to lower or finer Q, or choose another model",
            )  # fmt: skip
        (slope, offset), covariance = np.polyfit(
            use.q**2, np.log(use.intensity), 1, w=use.intensity / use.error, cov="unscaled"
        )
        radius = float(np.sqrt(max(-3 * slope, 1e-12)))
        limit = float(curve.q[np.searchsorted(curve.q, _GUINIER_LIMIT / radius) - 1])
        if limit == high or limit in previous:
            break
        previous.add(high)
        high = limit
    radius_error = 1.5 * float(np.sqrt(covariance[0, 0])) / radius
    intensity = float(np.exp(offset))
    model = models.guinier(use.q, radius, intensity)
    chi = float(np.sum(((use.intensity - model) / use.error) ** 2)) / max(1, use.q.size - 2)
    return Fitted(
        {"size": radius, "intensity": intensity},
        {"size": radius_error, "intensity": intensity * float(np.sqrt(covariance[1, 1]))},
        chi, model, use,
    )  # fmt: skip


def model_fit(curve: Curves, shape: Callable[[Floats, float, float], Floats], *, smear: bool = True) -> Fitted:
    """Fit size, intensity at Q = 0 and a flat background by least squares, the model averaged over the resolution.

    The size is tried on a grid first, the other two being linear, so that no start has to be given.
    """
    if curve.q.size < 5:
        raise BadInput(f"{curve.q.size} points are too few to fit a model to", field="model-range")

    def averaged(size: float) -> Floats:
        if smear:
            return models.smeared(lambda q: shape(q, size, 1.0), curve.q, curve.spread)
        return shape(curve.q, size, 1.0)

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
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    chi = 2 * float(solved.cost) / max(1, curve.q.size - 3)
    names = ("size", "intensity", "background")
    errors = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    model = solved.x[1] * averaged(solved.x[0]) + solved.x[2]
    return Fitted(dict(zip(names, solved.x.tolist(), strict=True)), errors, chi, model, curve)


def porod(curve: Curves, low: float, high: float) -> tuple[float, float]:
    """Return Porod's constant, 1/cm 1/Angstrom^4, and the background, 1/cm: a line through I Q^4 over Q^4."""
    use = curve.between(low, high)
    slope, offset = np.polyfit(use.q**4, use.intensity * use.q**4, 1, w=1 / (use.error * use.q**4))
    return float(offset), float(slope)


def kratky(curve: Curves) -> tuple[Floats, Floats]:
    """Return Q^2 I and its error, 1/cm 1/Angstrom^2, float64 [point]: level for coils, a peak for compact shapes."""
    return curve.q**2 * curve.intensity, curve.q**2 * curve.error


def invariant(curve: Curves, background: float = 0.0) -> tuple[float, float]:
    """Return the integral of Q^2 I over the measured range, 1/cm 1/Angstrom^3, and its error (trapezoidal rule)."""
    if curve.q.size < 2:
        return 0.0, 0.0
    widths = np.gradient(curve.q)
    widths[[0, -1]] /= 2
    weights = widths * curve.q**2
    return float(weights @ (curve.intensity - background)), float(np.sqrt(weights**2 @ curve.error**2))


def score(truth: Path, curve: Curves) -> float | None:
    """Return the median of |I - truth| / error, the truth smeared by the resolution; None for another kind of truth."""
    with open_file(truth) as file:
        if "entry/truth/I" not in file:
            return None
        q, intensity = file["entry/truth/Q"][()], file["entry/truth/I"][()]
    known = models.smeared(lambda at: np.interp(at, q, intensity), curve.q, curve.spread)
    return float(np.median(np.abs(curve.intensity - known) / curve.error))


@dataclass(frozen=True)
class Analysis:
    """A model fitted to the run's curve, with how it is shown."""

    model: str
    fitted: Fitted
    whole: Curves

    @property
    def merits(self) -> dict[str, float | None]:
        """Return the figures of merit of the fit."""
        fit = self.fitted
        return {"size": fit.values["size"], "size_error": fit.errors["size"], "fit_chi_square": fit.chi_square}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say where the model does not describe the curve."""
        if self.fitted.chi_square <= 3:
            return ()
        chi = self.fitted.chi_square
        return (f"The model {self.model} does not fit (chi square {chi:.1f} per degree of freedom).",)

    def draw(self, folder: Path) -> Figure:
        """Draw the curve, the fit and its residuals."""
        fit, points = self.fitted, self.fitted.points
        drawing = Drawing(figsize=(9, 6.6), layout="constrained")
        upper, lower = drawing.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        use = self.whole.intensity > 0
        upper.errorbar(
            self.whole.q[use], self.whole.intensity[use], self.whole.error[use], fmt="o", ms=3, lw=0, elinewidth=0.8,
            color="#8a8a8a", label="measured",
        )  # fmt: skip
        upper.plot(points.q, fit.curve, color="#b3401f", lw=1.6, label=self.model)
        upper.set(xscale="log", yscale="log", ylabel="I(Q) (1/cm)")
        upper.legend(frameon=False)
        lower.axhspan(-1, 1, color="#dddddd", alpha=0.6, lw=0)
        lower.axhline(0, color="black", lw=0.8)
        lower.plot(points.q, (points.intensity - fit.curve) / points.error, "o", ms=3, color="#1f5f99")
        lower.set(xlabel="Q (1/Å)", ylabel="residual / error")
        for axis in (upper, lower):
            axis.grid(alpha=0.3, which="both", lw=0.4)
        drawing.savefig(folder / "model.png", dpi=120)
        size, error = fit.values["size"], fit.errors["size"]
        what = "radius" if self.model == "sphere" else "radius of gyration"
        said = f"{what} {size:.4g} ± {error:.2g} Å, chi square {fit.chi_square:.2f} per degree of freedom"
        return Figure("model.png", f"Fit of the model {self.model}", f"{said}.", f"Curve and fit; {said}.")


def analysed(job: Job, curve: Curves) -> Analysis | None:
    """Fit the model asked for, or None."""
    model = parameters_of(job).model
    if model == "none":
        return None
    limits = model_range_of(job)
    chosen = curve if limits is None else curve.between(*limits)
    if model == "guinier":
        return Analysis(model, guinier_fit(chosen), curve)
    return Analysis(model, model_fit(chosen, models.sphere if model == "sphere" else models.debye), curve)
