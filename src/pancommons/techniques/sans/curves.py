"""The curves of one period out of the sums of its banks: merged, apart, and by band of wavelength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.sans.merge import Curve, Rescale, curve_of, factor_error, fitted_rescale, joined, less
from pancommons.techniques.sans.planning import measurement_of, overlap_of, parameters_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reduced:
    """What came of a period.

    Attributes
    ----------
    period
        Counted from 0.
    q_edges
        float64 [Q + 1], 1/Angstrom.
    curves
        Of [Q] by name: ``total`` first; ``rear`` and ``hab`` where they were merged; ``band_1`` and so on.
    planes
        Of [Qy, Qx] by name, where a pattern was asked for: ``total``.
    plane_across
        Standard deviation across Q of each plane, float64 [Qy, Qx]; `Curve.spread` is that along Q.
    rescale
        How the banks were joined, or None.
    factor_error
        float64 [Q], what the error of that adds to the relative error of all bins together; None where it was given.
    gap
        Whether a bank is missing because its unit failed.
    """

    period: int
    q_edges: Floats
    curves: Mapping[str, Curve]
    planes: Mapping[str, Curve] = field(default_factory=dict)
    plane_across: Mapping[str, Floats] = field(default_factory=dict)
    rescale: Rescale | None = None
    factor_error: Floats | None = None
    gap: bool = False


def reduced_curves(job: Job, period: int, parts: Sequence[Part], whole_run: Sequence[Part] = ()) -> Reduced | None:
    """Join the parts of a period; None where every unit of it failed.

    What the banks differ by does not change while a run lasts: where the period is a slice of it, the factor is fitted
    to the parts of `whole_run`, all slices together.
    """
    if not parts:
        return None
    made = measurement_of(job)
    scale, edges = made.scale, made.recipe.q_edges
    sums = {role: {str(part.span["bank"]): part.read(role) for part in parts} for role in made.runs if role in _WHOLE}
    names = list(sums["sample"])
    widths = np.diff(edges)
    alone = {name: _subtracted([of[name].sum(axis=1) for of in sums.values()], scale, widths) for name in names}
    rescale = None
    if len(names) == 2:
        added = {
            name: np.sum([part.read("sample") for part in whole_run if part.span["bank"] == name], axis=0)
            for name in names
        }
        together = [added if whole_run else sums["sample"], *(of for role, of in sums.items() if role != "sample")]
        fitted = {name: _subtracted([of[name].sum(axis=1) for of in together], scale, widths) for name in names}
        rescale = _rescale(job, fitted, edges)
    total = {role: _total(of, names, rescale, scale, role) for role, of in sums.items()}
    common = None
    if rescale is not None and rescale.fitted:
        rear, hab = (sums["sample"][name].sum(axis=1) for name in ("rear", "hab"))
        common = factor_error(rear, hab, rescale)
    curves = {"total": _subtracted([whole.sum(axis=1) for whole in total.values()], scale, widths)}
    if len(names) == 2:
        curves |= alone
    bands = int(made.recipe.band.max()) + 1
    if bands > 1:
        for band in range(bands):
            curves[f"band_{band + 1}"] = _subtracted([whole[:, band] for whole in total.values()], scale, widths)
    planes, across = {}, {}
    if made.recipe.qxy_edges is not None:
        flat = {role: {str(part.span["bank"]): part.read(f"{role}_plane") for part in parts} for role in sums}
        whole = {role: _total(of, names, rescale, scale, role) for role, of in flat.items()}
        cell = np.diff(made.recipe.qxy_edges)[0]
        planes["total"] = _subtracted(list(whole.values()), scale, cell)
        with np.errstate(divide="ignore", invalid="ignore"):
            across["total"] = np.sqrt(whole["sample"][4] / whole["sample"][1] + cell**2 / 12)
    return Reduced(period, edges, curves, planes, across, rescale, common, gap=len(parts) < len(made.banks))


_WHOLE = ("sample", "can")


def _subtracted(sums: Sequence[Floats], scale: float, widths: Floats | float) -> Curve:
    sample, *can = (curve_of(one, scale, widths) for one in sums)
    return less(sample, can[0] if can else None)


def _total(of: Mapping[str, Floats], names: Sequence[str], rescale: Rescale | None, scale: float, role: str) -> Floats:
    if rescale is None:
        return of[names[0]]
    return joined(of["rear"], of["hab"], rescale, rescale.shift / scale if role == "sample" else 0.0)


def _rescale(job: Job, alone: Mapping[str, Curve], edges: Floats) -> Rescale:
    """Take the factor and shift that were given, and fit what was not."""
    parameters, user = parameters_of(job), measurement_of(job).recipe.user
    factor = parameters.rescale if parameters.rescale != "auto" else user.rescale
    shift = parameters.shift if parameters.shift != "auto" else user.shift
    fit_factor = parameters.rescale == "auto" and (user.rescale_fit is not None or parameters.overlap != "auto")
    window = overlap_of(job)
    if not fit_factor or window is None:
        return Rescale(1.0 if factor is None else float(factor), 0.0 if shift is None else float(shift))
    if shift is not None and shift != 0:
        raise BadInput(
            "a shift is given and a factor fitted", field="shift", remedy="give --rescale as well, or no shift"
        )
    with_shift = parameters.shift == "auto" and user.shift_fit is not None
    return fitted_rescale(alone["rear"], alone["hab"], edges, window, with_shift=with_shift)
