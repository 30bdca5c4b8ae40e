"""What a reduction shows of itself: the curve, the overlap of the banks, transmissions, detectors and their masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Figure, Findings
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.sans.analysis import Curves, invariant, score
from pancommons.techniques.sans.detector import pixels_of
from pancommons.techniques.sans.evaluation import unpacked
from pancommons.techniques.sans.law_figures import draw_laws
from pancommons.techniques.sans.planning import measurement_of, overlap_of, periods_of

Floats = NDArray[np.float64]
_BLUE, _RED, _GREEN, _GREY = "#1f5f99", "#b3401f", "#3c7d3f", "#8a8a8a"
_Q = "Q (1/Å)"
_I = "I(Q) (1/cm)"


def report(job: Job) -> Findings:
    """Draw the figures and work out the figures of merit."""
    folder = job.directory / "figures"
    first = min(part.span["period"] for part in job.parts("banks")) + 1
    curve = Curves.of(job.arrays[f"curve_{first}_total"])
    merits = _merits(job, curve)
    figures = [_curve(job, folder, first)]
    done = next((unpacked(part) for part in job.parts("analysis") if part.span["period"] == first - 1), None)
    if done is not None:
        figures += draw_laws(done.laws, curve, folder)
        merits |= done.merits()
    if f"curve_{first}_band_1" in job.arrays:
        figures.append(_bands(job, folder, first))
    if any(name.startswith("transmission_") and array.shape[1] > 1 for name, array in job.arrays.items()):
        figures.append(_transmissions(job, folder))
    figures.append(_detectors(job, folder, first))
    if measurement_of(job).recipe.qxy_edges is not None:
        figures.append(_plane(job, folder, first))
    if "centre_looks" in job.arrays:
        figures.append(_centre(job, folder))
    if len(periods_of(job)) > 1:
        figures.append(_periods(job, folder))
    return Findings(tuple(figures), merits)


def _merits(job: Job, curve: Curves) -> dict[str, float | None]:
    found = job.found
    merits: dict[str, float | None] = {
        "points": float(curve.q.size),
        "q_low": float(curve.q[0]),
        "q_high": float(curve.q[-1]),
        "relative_error": float(np.median(curve.error / np.maximum(np.abs(curve.intensity), 1e-30))),
        "resolution": float(np.median(curve.spread / curve.q)),
        "invariant": invariant(curve)[0],
    }
    for merit, name in (
        ("transmission", "transmission_sample"),
        ("can_transmission", "transmission_can"),
        ("rescale", "rescale"),
        ("rescale_error", "rescale_error"),
        ("overlap_chi_square", "overlap_chi_square"),
    ):
        merits[merit] = float(found[name].value) if name in found else None
    centre = measurement_of(job).recipe.centre
    if centre is not None:
        merits |= {"centre_x": centre[0], "centre_y": centre[1]}
    if "centre" in found:
        merits["centre_confidence"] = found["centre"].confidence
    truth = job.path("truth")
    if truth is not None:
        merits["deviation"] = score(truth, curve, _factor_error(job))
    return merits


def _factor_error(job: Job) -> Floats | float:
    """Return the relative error that the factor between the banks brings to the points of the first period."""
    first = periods_of(job)[0] + 1
    common = job.arrays.get(f"factor_error_{first}")
    if common is None:
        return 0.0
    rows = job.arrays[f"curve_{first}_total"]
    return np.asarray(common[np.isfinite(rows[2]) & np.isfinite(rows[3])])


def _points(
    axis: Any, curve: Curves, label: str, colour: str | tuple[float, float, float], size: float = 3.0, marker: str = "o"
) -> None:
    use = curve.intensity > 0
    axis.errorbar(
        curve.q[use], curve.intensity[use], curve.error[use], fmt=marker, ms=size, lw=0, elinewidth=0.8, color=colour,
        label=label,
    )  # fmt: skip


def _shade(place: int, count: int) -> tuple[float, float, float]:
    """Return one of a row of colours that differ in hue and in lightness."""
    red, green, blue, _ = colormaps["plasma"](0.85 * place / max(1, count - 1))
    return float(red), float(green), float(blue)


def _limit(axis: Any, curve: Curves) -> None:
    """Let the points decide what is shown, not an error bar that reaches down to zero."""
    sure = curve.intensity[curve.intensity > curve.error]
    if sure.size:
        axis.set_ylim(0.5 * sure.min(), 2 * sure.max())


def _curve(job: Job, folder: Path, period: int) -> Figure:
    """I(Q), and how well the banks agree where they overlap."""
    names = [name for name in ("total", "rear", "hab") if f"curve_{period}_{name}" in job.arrays]
    curves = {name: Curves.of(job.arrays[f"curve_{period}_{name}"]) for name in names}
    merged = len(names) == 3
    drawing = Drawing(figsize=(9, 7.4 if merged else 5.4), layout="constrained")
    ratios = (3, 1) if merged else (1,)
    upper, *lower = drawing.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    if merged:
        _points(upper, curves["rear"], "rear detector", _BLUE, 6, "s")
        _points(upper, curves["hab"], "high-angle bank", _RED, 6, "D")
        for line in upper.containers:
            line[0].set_markerfacecolor("none")
    _points(upper, curves["total"], "merged" if merged else "", "black", 3)
    upper.set(xscale="log", yscale="log", xlabel=_Q, ylabel=_I)
    _limit(upper, curves["total"])
    upper.grid(alpha=0.3, which="both", lw=0.4)
    text = "I(Q)"
    if merged:
        upper.legend(frameon=False)
        _overlap(job, lower[0], curves, period)
        text = "I(Q) and the overlap of the banks"
    drawing.savefig(folder / "curve.png", dpi=120)
    total = curves["total"]
    caption = f"{total.q.size} points from {total.q[0]:.4g} to {total.q[-1]:.4g} 1/Å, with standard errors."
    if merged:
        factor = float(job.value("rescale"))
        caption += f" Below: the high-angle bank times {factor:.4f} less the rear one, in units of its error."
    return Figure(
        "curve.png", text, caption,
        f"Scattering on logarithmic axes, from {np.nanmax(total.intensity):.3g} down to "
        f"{np.nanmin(total.intensity):.3g} 1/cm.",
    )  # fmt: skip


def _overlap(job: Job, axis: Any, curves: dict[str, Curves], period: int) -> None:
    """Draw the difference of the banks after scaling over its error."""
    suffix = "" if f"rescale_period_{period}" not in job.found else f"_period_{period}"
    found = job.found.get(f"shift{suffix}")
    factor, shift = float(job.value(f"rescale{suffix}")), float(found.value) if found else 0.0
    shared, rear_at, hab_at = np.intersect1d(curves["rear"].q, curves["hab"].q, return_indices=True)
    rear, hab = curves["rear"], curves["hab"]
    difference = factor * (hab.intensity[hab_at] + shift) - rear.intensity[rear_at]
    error = np.hypot(factor * hab.error[hab_at], rear.error[rear_at])
    window = overlap_of(job)
    inside = np.zeros(shared.size, bool) if window is None else (shared >= window[0]) & (shared <= window[1] * 1.05)
    axis.axhspan(-1, 1, color="#dddddd", alpha=0.6, lw=0)
    axis.axhline(0, color="black", lw=0.8)
    axis.plot(shared[~inside], (difference / error)[~inside], "o", ms=4, mfc="none", color=_GREY, label="not fitted")
    axis.plot(shared[inside], (difference / error)[inside], "o", ms=5, color=_GREEN, label="fitted")
    if window is not None:
        axis.axvspan(*window, color=_GREEN, alpha=0.08, lw=0)
    axis.set(xscale="log", xlabel=_Q, ylabel="(hab − rear) / error")
    if shared.size:
        axis.set_xlim(shared[0] / 1.1, shared[-1] * 1.1)
    axis.xaxis.set_minor_formatter(ScalarFormatter())
    axis.grid(alpha=0.3, which="both", lw=0.4)
    axis.legend(frameon=False, ncols=2, fontsize="small")


def _bands(job: Job, folder: Path, period: int) -> Figure:
    """The curves of bands of wavelength, which agree where nothing is wrong."""
    recipe = measurement_of(job).recipe
    count = int(recipe.band.max()) + 1
    drawing = Drawing(figsize=(9, 5.4), layout="constrained")
    axis = drawing.subplots()
    for band in range(count):
        edges = recipe.wavelengths[np.concatenate([recipe.band == band, [False]])]
        high = recipe.wavelengths[np.flatnonzero(recipe.band == band)[-1] + 1]
        shade = _shade(band, count)
        curve = Curves.of(job.arrays[f"curve_{period}_band_{band + 1}"])
        _points(axis, curve, f"{edges[0]:.2f} to {high:.2f} Å", shade)
    axis.set(xscale="log", yscale="log", xlabel=_Q, ylabel=_I)
    axis.grid(alpha=0.3, which="both", lw=0.4)
    axis.legend(frameon=False, title="wavelength")
    drawing.savefig(folder / "bands.png", dpi=120)
    return Figure(
        "bands.png", "Bands of wavelength",
        "They agree unless a transmission, the direct beam or multiple scattering is wrong.",
        f"{count} curves on logarithmic axes.",
    )  # fmt: skip


def _transmissions(job: Job, folder: Path) -> Figure:
    drawing = Drawing(figsize=(9, 4.4), layout="constrained")
    axis = drawing.subplots()
    texts = []
    for name, colour in (("sample", _BLUE), ("can", _RED)):
        if f"transmission_{name}" not in job.arrays:
            continue
        low, high, values, error, fit, fit_error = job.arrays[f"transmission_{name}"]
        middle = (low + high) / 2
        axis.errorbar(middle, values, error, fmt="o", ms=3.5, lw=0, elinewidth=0.9, color=colour, label=name)
        axis.plot(middle, fit, color=colour, lw=1.4)
        axis.fill_between(middle, fit - fit_error, fit + fit_error, color=colour, alpha=0.25, lw=0)
        texts.append(f"{name} {float(job.value(f'transmission_{name}')):.3f}")
    axis.set(xlabel="wavelength (Å)", ylabel="transmission")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    drawing.savefig(folder / "transmission.png", dpi=110)
    return Figure(
        "transmission.png", "Transmission",
        f"Measured, with errors, and fitted, with the fit's. Mean over wavelengths: {', '.join(texts)}.",
        f"Transmission against wavelength; mean {', '.join(texts)}.",
    )  # fmt: skip


def _detectors(job: Job, folder: Path, period: int) -> Figure:
    """Each bank as the beam sees it, with masked pixels crossed out."""
    made = measurement_of(job)
    parts = {str(part.span["bank"]): part for part in job.parts("banks") if part.span["period"] == period - 1}
    drawing = Drawing(figsize=(5.6 * len(parts) + 0.4, 5.2), layout="constrained")
    texts = []
    for axis, (name, part) in zip(drawing.subplots(1, len(parts), squeeze=False)[0], parts.items(), strict=True):
        texts.append(_detector(job, axis, name, part))
    drawing.savefig(folder / "detectors.png", dpi=120)
    return Figure(
        "detectors.png", "Detectors",
        f"Counts of run {made.sample.number} over all times, seen along the beam; grey pixels are masked, "
        f"the cross is the beam. {' '.join(texts)}",
        f"Images of {len(parts)} detector banks on a logarithmic colour scale with masked pixels in grey.",
    )  # fmt: skip


def _detector(job: Job, axis: Any, name: str, part: Part) -> str:
    made = measurement_of(job)
    bank = made.recipe.instrument.banks[name]
    pixels = pixels_of(bank, made.recipe.instrument, made.recipe.centre, made.recipe.user.sample_offset)
    image, kept = part.read("image").astype(float), part.read("kept")
    x, y = pixels.x * 1e3, pixels.y * 1e3
    top = float(np.percentile(image[kept], 99.9))
    low, top = max(0.7, float(np.percentile(image[kept], 0.5))), max(2.0, top)
    norm = LogNorm(low, top)
    for number, start in enumerate(range(0, image.size, bank.columns * bank.rows)):
        module = slice(start, start + bank.columns * bank.rows)
        shape = (bank.rows, bank.columns)
        counts, good = np.maximum(image[module], 0.5).reshape(shape), kept[module].reshape(shape)
        grid = x[module].reshape(shape), y[module].reshape(shape)
        shown = axis.pcolormesh(*grid, counts, norm=norm, cmap="viridis", shading="nearest", rasterized=True)
        veil = np.ma.masked_where(good, np.ones(shape))
        axis.pcolormesh(*grid, veil, cmap="Greys", vmin=0, vmax=1.6, shading="nearest", rasterized=True, alpha=0.85)
        if number == 0:
            bar = axis.figure.colorbar(shown, ax=axis, label="counts", shrink=0.85)
            if top < 10 * low:
                bar.ax.yaxis.set_major_formatter(ScalarFormatter())
                bar.ax.yaxis.set_minor_formatter(ScalarFormatter())
    axis.plot(0, 0, "+", color=_RED, ms=10)
    axis.set(aspect="equal", xlabel="x (mm)", ylabel="y (mm)", title=bank.title)
    return f"{bank.title.capitalize()}: {int(np.count_nonzero(kept))} of {kept.size} pixels count."


def _plane(job: Job, folder: Path, period: int) -> Figure:
    from pancommons.nexus.read import open_file

    with open_file(job.directory / "result.nxs") as file:
        group = file[f"entry/sasdata{period:02d}_plane"]
        pattern, qx, qy = (group[name][()] for name in ("I", "qx", "qy"))
    drawing = Drawing(figsize=(6.6, 5.4), layout="constrained")
    axis = drawing.subplots()
    positive = pattern[np.isfinite(pattern) & (pattern > 0)]
    low, high = np.percentile(positive, [1, 99.8]) if positive.size else (0.1, 1.0)
    shown = axis.pcolormesh(qx, qy, np.where(pattern < low, low, pattern), norm=LogNorm(low, max(high, low * 1.01)))
    drawing.colorbar(shown, ax=axis, label=_I)
    axis.set(aspect="equal", xlabel="Qx (1/Å)", ylabel="Qy (1/Å)")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    drawing.savefig(folder / "plane.png", dpi=120)
    return Figure(
        "plane.png", "Pattern in Qx and Qy",
        "Intensity in the plane; white cells were not measured, the darkest have no more than the least shown.",
        f"Pattern of {pattern.shape[0]} by {pattern.shape[1]} cells on a logarithmic colour scale.",
    )  # fmt: skip


def _centre(job: Job, folder: Path) -> Figure:
    """How well left and right, above and below agree as the centre is moved."""
    looks = job.arrays["centre_looks"]
    drawing = Drawing(figsize=(9, 3.4), layout="constrained")
    found = job.value("centre")
    for axis, offset, misfit, label, at in zip(
        drawing.subplots(1, 2), looks[::2], looks[1::2], ("x", "y"), found, strict=True
    ):
        axis.plot(offset, misfit, color=_BLUE, lw=1.4)
        axis.axvline(at, color=_RED, ls="--", lw=1.2)
        axis.set(xlabel=f"centre, {label} (mm)", ylabel="misfit of opposite sides")
        axis.grid(alpha=0.3)
    drawing.savefig(folder / "centre.png", dpi=110)
    confidence = job.found["centre"].confidence or 0.0
    return Figure(
        "centre.png", "Evidence for the beam's centre",
        f"Opposite quarters of the detector agree best at {found[0]:.2f}, {found[1]:.2f} mm.",
        f"Two curves with a minimum at {found[0]:.2f} and {found[1]:.2f} mm; confidence {confidence:.2f}.",
    )  # fmt: skip


def _periods(job: Job, folder: Path) -> Figure:
    drawing = Drawing(figsize=(9, 5.4), layout="constrained")
    axis = drawing.subplots()
    numbers = [period + 1 for period in periods_of(job) if f"curve_{period + 1}_total" in job.arrays]
    for place, number in enumerate(numbers):
        shade = _shade(place, len(numbers))
        label = measurement_of(job).sample.label(number - 1)
        _points(axis, Curves.of(job.arrays[f"curve_{number}_total"]), label, shade, 2)
    axis.set(xscale="log", yscale="log", xlabel=_Q, ylabel=_I)
    if len(numbers) <= 12:
        axis.legend(frameon=False)
    drawing.savefig(folder / "periods.png", dpi=120)
    return Figure(
        "periods.png", "Periods", f"I(Q) of {len(numbers)} periods.", "Curves on logarithmic axes, one a period."
    )
