"""Models of the sasmodels library, fitted with bumps: the extra ``sans-models``.

A model written in Python needs nothing else; one written in C is compiled at its first use, by the compiler of the
machine or that of the package ``ziglang``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.base.home import home
from pancommons.techniques.sans.analysis import Curves, Law, Quantity
from pancommons.techniques.sans.fits import misfit

Floats = NDArray[np.float64]
_UNITS = {"Ang": "angstrom", "1e-6/Ang^2": "1e-6/angstrom^2", "1/Ang": "1/angstrom", "degrees": "degree", "None": ""}
_NUMBER = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_ASSIGNMENT = re.compile(rf"(?P<name>\w+)=(?P<first>{_NUMBER})(?::(?P<second>{_NUMBER}))?(?::(?P<third>{_NUMBER}))?")
_SIZES = np.geomspace(0.05, 20.0, 27)
"""What all lengths of a model are multiplied by, in search of a start."""
_STARTS = 3


@dataclass(frozen=True)
class Given:
    """A parameter of a model as it was given: a value, which is kept unless there are limits."""

    value: float | None
    limits: tuple[float, float] | None = None


def parse_assignments(text: str) -> dict[str, Given]:
    """Read ``NAME=VALUE`` (kept), ``NAME=LOW:HIGH`` and ``NAME=START:LOW:HIGH`` (fitted), between commas or blanks.

    Raises
    ------
    BadInput
        If a part reads otherwise, names a parameter twice, or its limits are not in order.
    """
    found: dict[str, Given] = {}
    for part in re.split(r"[,\s]+", text.strip()) if text.strip() else []:
        match = _ASSIGNMENT.fullmatch(part)
        if match is None or match["name"] in found:
            raise BadInput(
                f"{part!r} is no parameter of a fit" if match is None else f"{match['name']} is given twice",
                field="fit-parameters",
                remedy="write NAME=VALUE to keep a value, NAME=LOW:HIGH or NAME=START:LOW:HIGH to fit it",
            )
        numbers = [float(match[name]) for name in ("first", "second", "third") if match[name] is not None]
        limits = (numbers[-2], numbers[-1]) if len(numbers) > 1 else None
        start = numbers[0] if len(numbers) != 2 else None
        if limits and not (limits[0] < limits[1] and (start is None or limits[0] <= start <= limits[1])):
            raise BadInput(f"{part!r} has limits out of order", field="fit-parameters", remedy="the lower first")
        found[match["name"]] = Given(start, limits)
    return found


def model_info(name: str) -> Any:
    """Load what sasmodels knows of a model, which compiles nothing.

    Raises
    ------
    BadInput
        If the extra is not installed, there is no such model, or nothing could compile it.
    """
    if importlib.util.find_spec("sasmodels") is None or importlib.util.find_spec("bumps") is None:
        raise BadInput(
            "fitting models of sasmodels needs the packages sasmodels and bumps", field="fit",
            remedy="install them with: pip install 'pancommons[sans-models]'",
        )  # fmt: skip
    _choose_compiler()
    from sasmodels.core import list_models, load_model_info

    try:
        info = load_model_info(name)
    except Exception:  # sasmodels raises what its parser and importer happen to
        near = [one for one in list_models() if any(word in one for word in re.split(r"[_@*+]", name) if word)]
        known = f"; similar: {', '.join(near[:6])}" if near else ""
        raise BadInput(
            f"sasmodels has no model {name!r}{known}", field="fit", remedy="see: python -m sasmodels.list_pars"
        ) from None
    if _compiled(info) and not _compiler():
        raise BadInput(
            f"sasmodels has the model {name} in C and there is no C compiler", field="fit",
            remedy="install one (pip install ziglang is enough), or choose a model in Python such as poly_gauss_coil",
        )  # fmt: skip
    return info


def _compiled(info: Any) -> bool:
    if info.composition is None:
        return bool(info.compiled)
    return any(_compiled(part) for part in info.composition[1])


def _compiler() -> bool:
    return shutil.which(os.environ.get("CC", "cc").split()[0]) is not None


def _choose_compiler() -> None:
    """Let sasmodels compile for the processor, with ziglang where the machine has no compiler."""
    os.environ.setdefault("SAS_OPENCL", "none")
    os.environ.setdefault("SAS_DLL_PATH", str(home() / "sasmodels"))
    if not _compiler() and importlib.util.find_spec("ziglang") is not None:
        os.environ["CC"] = f"{sys.executable} -m ziglang cc"


def free_parameters(info: Any, given: Mapping[str, Given]) -> dict[str, Given]:
    """Return every parameter that is fitted or was given, with limits for those that are fitted.

    Fitted are those given limits, and of the others all but scattering length densities, orientations, magnetism and
    polydispersities, and the scale of a model that has an intensity of its own.

    Raises
    ------
    BadInput
        If the model has no parameter of a name that was given.
    """
    parameters = {one.name: one for one in info.parameters.call_parameters}
    known = set(parameters) | {
        f"{one.name}_{kind}" for one in parameters.values() if one.polydisperse for kind in ("pd", "pd_n", "pd_nsigma")
    }
    for name in given:
        if name not in known:
            own = [one for one in parameters if not one.startswith("up_") and not re.search(r"_(M0|mtheta|mphi)$", one)]
            raise BadInput(
                f"the model {info.name} has no parameter {name}; it has {', '.join(own)}", field="fit-parameters"
            )
    own_scale = any(
        (one.units == "1/cm" and name != "background") or name.endswith("_scale") for name, one in parameters.items()
    )
    found = dict(given)
    for name, one in parameters.items():
        if name in given or one.type in ("sld", "orientation", "magnetic") or (name == "scale" and own_scale):
            continue
        if name.startswith("up_") or one.choices or one.is_control:
            continue
        found[name] = Given(None, (float(one.limits[0]), float(one.limits[1])))
    return found


def library_fit(curve: Curves, name: str, given: Mapping[str, Given]) -> Law:
    """Fit a model of sasmodels, averaged over the resolution, by the Levenberg-Marquardt method of bumps.

    Lengths for which no start was given start where, all multiplied by one factor, they describe the curve best with
    the scale and background that suit them.

    Parameters
    ----------
    curve
        Float64 [point], 1/Angstrom and 1/cm.
    name
        Such as ``cylinder`` or ``sphere@hardsphere``.
    given
        Parameters with values that are kept, or limits within which they are fitted.

    Raises
    ------
    BadInput
        If the extra, the model or a compiler is missing, or there are fewer points than parameters.
    """
    info = model_info(name)
    chosen = free_parameters(info, given)
    fitted = [one for one, how in chosen.items() if how.limits is not None]
    if curve.q.size <= len(fitted):
        raise BadInput(
            f"{curve.q.size} points are too few for {len(fitted)} parameters of the model {name}", field="model-range"
        )
    from bumps.fitproblem import FitProblem
    from bumps.fitters import fit
    from sasmodels.bumps_model import Experiment, Model
    from sasmodels.core import load_model
    from sasmodels.data import Data1D

    data = Data1D(x=curve.q, y=curve.intensity, dx=curve.spread, dy=curve.error)
    model = Model(load_model(name, dtype="double", platform="dll"))
    experiment = Experiment(data=data, model=model)
    for one, how in chosen.items():
        _set(getattr(model, one), how)
    starts = _starts(experiment, model, info, chosen, curve)
    for one in fitted:
        getattr(model, one).range(*(chosen[one].limits or ()))
    problem = FitProblem(experiment)
    results = []
    for start in starts:
        for one, value in start.items():
            getattr(model, one).value = value
        experiment.update()
        results.append(fit(problem, method="lm", verbose=False))
    result = min(results, key=lambda one: float(one.fun))
    labels = [label.split(".")[-1] for label in problem.labels()]
    problem.setp(result.x)
    units = {one.name: one.units for one in info.parameters.call_parameters}
    quantities = {
        label: Quantity(float(value), float(error), _unit(units.get(label, "")), label)
        for label, value, error in zip(labels, result.x, result.dx, strict=True)
    }
    experiment.update()
    theory = np.asarray(experiment.theory(), np.float64)
    chi = float(np.sum(((curve.intensity - theory) / curve.error) ** 2)) / (curve.q.size - len(labels))
    kept = ", ".join(f"{one} = {how.value:g}" for one, how in chosen.items() if how.limits is None)
    return Law(
        "fit", f"Fit of the model {name}",
        f"{name} of sasmodels, least squares, averaged over the resolution" + (f"; kept: {kept}" if kept else ""),
        quantities, curve, theory, chi, warning=misfit(name, chi),
    )  # fmt: skip


def _set(parameter: Any, how: Given) -> None:
    if how.value is not None:
        parameter.value = how.value
    elif (
        how.limits is not None and np.isfinite(how.limits).all() and not how.limits[0] < parameter.value < how.limits[1]
    ):
        parameter.value = sum(how.limits) / 2


def _starts(
    experiment: Any, model: Any, info: Any, chosen: Mapping[str, Given], curve: Curves
) -> list[dict[str, float]]:
    """Find the best starts for lengths, and for scale and background, in which every model is linear."""
    lengths = [
        one.name for one in info.parameters.call_parameters
        if one.units == "Ang" and (how := chosen.get(one.name)) is not None and how.value is None
    ]  # fmt: skip
    usual = {name: float(getattr(model, name).value) for name in lengths}
    shapes = [{name: value * size for name, value in usual.items()} for size in _SIZES]
    if len(lengths) > 1:
        shapes += [dict.fromkeys(lengths, 40 * size) for size in _SIZES]
    amplitude = next((name for name in ("scale", "i_zero") if _is_free(chosen, name)), None)
    flat = _is_free(chosen, "background")
    tried = []
    for shape in shapes if lengths else [{}]:
        values = {name: float(np.clip(value, *(chosen[name].limits or ()))) for name, value in shape.items()}
        if amplitude:
            values[amplitude] = 1.0
        if flat:
            values["background"] = 0.0
        for name, value in values.items():
            getattr(model, name).value = value
        experiment.update()
        theory = np.asarray(experiment.theory(), np.float64)
        if np.isfinite(theory).all():
            tried.append(_linear(theory - model.background.value, curve, values, model, amplitude, flat))
    tried.sort(key=lambda one: one[0])
    return [values for misfit_, values in tried[:_STARTS] if np.isfinite(misfit_)] or [{}]


def _is_free(chosen: Mapping[str, Given], name: str) -> bool:
    how = chosen.get(name)
    return how is not None and how.limits is not None and how.value is None


def _linear(
    shape: Floats, curve: Curves, values: dict[str, float], model: Any, amplitude: str | None, flat: bool
) -> tuple[float, dict[str, float]]:
    """Return the misfit with the scale and background that suit a shape, and all values."""
    names = ([amplitude] if amplitude else []) + (["background"] if flat else [])
    columns = ([shape] if amplitude else []) + ([np.ones(curve.q.size)] if flat else [])
    rest = curve.intensity - (0 if amplitude else shape) - (0 if flat else float(model.background.value))
    target, solved = rest / curve.error, {}
    if names:
        design = np.stack(columns, axis=1) / curve.error[:, None]
        found, *_ = np.linalg.lstsq(design, target, rcond=None)
        target = target - design @ found
        solved = {name: float(value) for name, value in zip(names, found, strict=True)}
    if amplitude and solved[amplitude] <= 0:
        return np.inf, values
    return float(target @ target), values | solved


def _unit(text: str) -> str:
    return _UNITS.get(str(text), str(text))
