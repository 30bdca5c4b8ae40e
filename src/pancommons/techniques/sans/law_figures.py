"""Figures of what the analyses of a curve gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from pancommons.pipelines.declaration import Figure
from pancommons.techniques.sans.analysis import Curves, Law, kratky

_BLUE, _RED, _GREY = "#1f5f99", "#b3401f", "#8a8a8a"
_Q = "Q (1/Å)"
_I = "I(Q) (1/cm)"


def draw_laws(laws: Mapping[str, Law], curve: Curves, folder: Path) -> list[Figure]:
    """Draw each law that was found into a folder; `curve` is the whole curve."""
    figures = []
    if "guinier" in laws:
        figures.append(_guinier(laws["guinier"], curve, folder))
    if "distances" in laws:
        figures.append(_distances(laws["distances"], curve, folder))
    if "porod" in laws:
        figures.append(_porod(laws["porod"], laws.get("guinier"), curve, folder))
    figures += [_model(laws[name], curve, folder) for name in ("model", "fit") if name in laws]
    return figures


def _said(law: Law, *names: str) -> str:
    texts = [_text(str(law.quantities[name])) for name in names or law.quantities if name in law.quantities]
    return f"{'; '.join(texts)}; chi square {law.chi_square:.2f} per degree of freedom"


def _text(quantity: str) -> str:
    return quantity.replace("angstrom", "Å").replace("^4", "⁴").replace("^3", "³").replace("^2", "²")


def _measured(axis: Any, q: Any, values: Any, errors: Any, **more: Any) -> None:
    axis.errorbar(q, values, errors, fmt="o", ms=3, lw=0, elinewidth=0.8, color=_GREY, **{"label": "measured", **more})


def _residuals(axis: Any, x: Any, law: Law) -> None:
    axis.axhspan(-1, 1, color="#dddddd", alpha=0.6, lw=0)
    axis.axhline(0, color="black", lw=0.8)
    axis.plot(x, (law.points.intensity - law.curve) / law.points.error, "o", ms=3, color=_BLUE)
    axis.set_ylabel("residual / error")
    axis.grid(alpha=0.3, lw=0.4)


def _guinier(law: Law, curve: Curves, folder: Path) -> Figure:
    drawing = Drawing(figsize=(9, 5.6), layout="constrained")
    upper, lower = drawing.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    seen = curve.between(0, 1.5 * law.points.q[-1]).positive()
    _measured(upper, seen.q**2, seen.intensity, seen.error)
    upper.plot(law.points.q**2, law.curve, color=_RED, lw=1.6, label="Guinier's law")
    upper.set(yscale="log", ylabel=_I)
    if seen.intensity.max() < 8 * seen.intensity.min():
        upper.yaxis.set_major_formatter(NullFormatter())
        upper.yaxis.set_minor_formatter(ScalarFormatter())
        upper.yaxis.set_major_locator(NullLocator())
    upper.grid(alpha=0.3, which="both", lw=0.4)
    upper.legend(frameon=False)
    _residuals(lower, law.points.q**2, law)
    lower.set_xlabel("Q² (1/Å²)")
    drawing.savefig(folder / "guinier.png", dpi=110)
    said = _said(law)
    return Figure(
        "guinier.png", "Guinier's law", f"{said}. {law.method}.", f"A straight line of log I over Q²; {said}."
    )


def _distances(law: Law, curve: Curves, folder: Path) -> Figure:
    drawing = Drawing(figsize=(9, 7.4), layout="constrained")
    top, middle, lower = drawing.subplots(3, 1, height_ratios=(3, 3, 1))
    assert law.distances is not None  # noqa: S101 - it is the distribution
    r, p, error = law.distances
    top.axhline(0, color="black", lw=0.8)
    top.fill_between(r, p - error, p + error, color=_RED, alpha=0.25, lw=0)
    top.plot(r, p, color=_RED, lw=1.6)
    largest = law.quantities["largest"]
    top.axvline(largest.value, color=_BLUE, ls="--", lw=1.2, label=_text(str(largest)))
    top.set(xlabel="r (Å)", ylabel="p(r) (1/(cm Å))", xlim=(0, 1.05 * r[-1]))
    top.grid(alpha=0.3, lw=0.4)
    top.legend(frameon=False)
    lower.set(xscale="log", xlabel=_Q)
    _residuals(lower, law.points.q, law)
    middle.sharex(lower)
    _curve(middle, law, curve, "from p(r)")
    middle.tick_params(labelbottom=False)
    drawing.savefig(folder / "distances.png", dpi=110)
    said = _said(law)
    return Figure(
        "distances.png", "Distribution of distances", f"{said}. {law.method}.",
        f"p(r) with its error, a hill that ends at {largest.value:.3g} Å; {said}.",
    )  # fmt: skip


def _curve(axis: Any, law: Law, curve: Curves, label: str) -> None:
    seen = curve.positive()
    _measured(axis, seen.q, seen.intensity, seen.error)
    axis.plot(law.points.q, law.curve, color=_RED, lw=1.6, label=label)
    sure = curve.intensity[curve.intensity > curve.error]
    if sure.size:
        axis.set_ylim(0.5 * sure.min(), 2 * sure.max())
    axis.set(xscale="log", yscale="log", ylabel=_I)
    axis.grid(alpha=0.3, which="both", lw=0.4)
    axis.legend(frameon=False)


def _porod(law: Law, low: Law | None, curve: Curves, folder: Path) -> Figure:
    """Porod's plot, in which the law is a level, and Kratky's, in which compact bodies have a peak."""
    background, constant = law.value("background"), law.value("constant")
    drawing = Drawing(figsize=(9, 4.4), layout="constrained")
    left, right = drawing.subplots(1, 2)
    points = law.points
    sure = points.error * points.q**4 < constant
    _measured(
        left, points.q[sure], (points.intensity - background)[sure] * points.q[sure] ** 4,
        (points.error * points.q**4)[sure],
    )  # fmt: skip
    left.axhline(constant, color=_RED, lw=1.6, label="Porod's law")
    top = max(1.5 * constant, float(np.max(((points.intensity - background) * points.q**4)[sure], initial=0)))
    left.set(xlabel=_Q, ylabel="Q⁴ (I − background) (1/(cm Å⁴))", ylim=(-0.4 * constant, 1.35 * top))
    left.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
    left.legend(frameon=False, loc="upper right", ncols=2)
    size = low.value("radius_of_gyration") if low is not None else 4 / points.q[0]
    seen = curve.between(0, 10 / size)
    values, errors = kratky(seen, background)
    _measured(right, seen.q, values, errors)
    right.set(xlabel=_Q, ylabel="Q² (I − background) (1/(cm Å²))", ylim=(min(0.0, 1.1 * values.min()), None))
    for axis, title in ((left, "Porod"), (right, "Kratky")):
        axis.set_title(title, fontsize=11)
        axis.axhline(0, color="black", lw=0.6)
        axis.grid(alpha=0.3, lw=0.4)
    drawing.savefig(folder / "porod.png", dpi=110)
    said = _said(law)
    return Figure(
        "porod.png", "Porod's and Kratky's plots", f"{said}. {law.method}.",
        f"Left Q⁴ I about a level, right Q² I; {said}.",
    )  # fmt: skip


def _model(law: Law, curve: Curves, folder: Path) -> Figure:
    drawing = Drawing(figsize=(9, 6.6), layout="constrained")
    upper, lower = drawing.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    _curve(upper, law, curve, law.title.removeprefix("Fit of the model "))
    _residuals(lower, law.points.q, law)
    lower.set(xscale="log", xlabel=_Q)
    drawing.savefig(folder / f"{law.name}.png", dpi=110)
    said = _said(law)
    return Figure(f"{law.name}.png", law.title, f"{said}. {law.method}.", f"Curve and fit; {said}.")
