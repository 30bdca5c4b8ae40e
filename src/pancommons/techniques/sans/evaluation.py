"""The analyses of each curve: which are made, what they give, and how that travels to the result and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Outcome, Stored, Unit
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.sans import library, write
from pancommons.techniques.sans.analysis import Curves, Law, Quantity, guinier, porod, porod_range, whole_invariant
from pancommons.techniques.sans.fits import model_fit
from pancommons.techniques.sans.pipeline import SansParameters
from pancommons.techniques.sans.planning import parameters_of, range_of
from pancommons.techniques.sans.steps import results_of

Floats = NDArray[np.float64]
_MISFIT = 5.0
"""Chi square per degree of freedom above which a law that nobody asked for is not shown."""


@dataclass(frozen=True)
class Evaluation:
    """What the analyses of one curve gave, in the order in which they are shown."""

    laws: Mapping[str, Law]
    warnings: tuple[str, ...] = ()

    def merits(self) -> dict[str, float | None]:
        """Return the figures of merit."""
        found: dict[str, float | None] = {}
        for merit, law, name in _MERITS:
            quantity = self.laws[law].quantities.get(name) if law in self.laws else None
            found[merit] = quantity.value if quantity else None
            if merit in _WITH_ERROR:
                found[f"{merit}_error"] = quantity.error if quantity else None
        for merit, law in (("pair_chi_square", "distances"), ("fit_chi_square", "model"), ("fit_chi_square", "fit")):
            if law in self.laws:
                found[merit] = self.laws[law].chi_square
        return found


_MERITS = (
    ("guinier_radius", "guinier", "radius_of_gyration"),
    ("guinier_intensity", "guinier", "intensity"),
    ("pair_radius", "distances", "radius_of_gyration"),
    ("pair_intensity", "distances", "intensity"),
    ("largest_distance", "distances", "largest"),
    ("porod_exponent", "porod", "exponent"),
    ("porod_constant", "porod", "constant"),
    ("surface_to_volume", "porod", "surface_to_volume"),
    ("size", "model", "size"),
)

_WITH_ERROR = ("guinier_radius", "pair_radius", "largest_distance", "size")


def evaluate(curve: Curves, p: SansParameters) -> Evaluation:
    """Make the analyses that were asked for, and of the others those that suit the curve.

    Guinier's law stands where it fits; the distribution of distances where Guinier's law does and Dmax lies within what
    was tried; Porod's law where its exponent is near 4. What was asked for and cannot be had is said.
    """
    laws: dict[str, Law] = {}
    warnings: list[str] = []

    def attempt(wanted: str, name: str, make: Callable[[], Law]) -> None:
        if wanted == "none":
            return
        try:
            law = make()
        except BadInput as error:
            if wanted != "auto":
                warnings.append(f"{name} was not found: {error.problem}.")
            return
        if wanted == "auto" and not _stands(law):
            return
        laws[law.name] = law
        if law.warning:
            warnings.append(law.warning)

    low = laws.get("guinier")
    attempt(p.guinier_range, "Guinier's law", lambda: guinier(_cut(curve, p.guinier_range, "guinier-range")))
    low = laws.get("guinier")
    attempt(str(p.dmax), "The distribution of distances", lambda: _distances(curve, p, low))
    size = low or laws.get("distances")
    attempt(p.porod_range, "Porod's law", lambda: _porod(curve, p, size))
    if "guinier" in laws and "porod" in laws:
        laws["porod"] = _with_surface(curve, laws["guinier"], laws["porod"], p)
    chosen = _cut(curve, p.model_range, "model-range")
    if p.model != "none":
        attempt("asked", f"The model {p.model}", lambda: model_fit(chosen, p.model))
    if p.fit != "none":
        given = library.parse_assignments("" if p.fit_parameters == "auto" else p.fit_parameters)
        attempt("asked", f"The model {p.fit}", lambda: library.library_fit(chosen, p.fit, given))
    return Evaluation(laws, tuple(warnings))


def _cut(curve: Curves, text: str, name: str) -> Curves:
    limits = range_of(text, name)
    return curve if limits is None else curve.between(*limits)


def _stands(law: Law) -> bool:
    """Say whether a law that nobody asked for describes the curve."""
    if law.name == "guinier":
        radius = law.quantities["radius_of_gyration"]
        return law.chi_square < _MISFIT and (radius.error or 0) < 0.1 * radius.value
    if law.name == "distances":
        return law.chi_square < _MISFIT and law.warning is None
    exponent = law.quantities["exponent"]
    return law.name != "porod" or abs(exponent.value - 4) < max(0.3, min(1.0, 2 * (exponent.error or 0)))


def _distances(curve: Curves, p: SansParameters, low: Law | None) -> Law:
    from pancommons.techniques.sans.inversion import distance_distribution

    chosen = _cut(curve, p.model_range, "model-range")
    given = None if isinstance(p.dmax, str) else float(p.dmax)
    if low is None and given is None:
        raise BadInput("Guinier's law, which says where to look, was not found", field="dmax")
    radius = low.value("radius_of_gyration") if low else (given or 0.0) / 3
    found = distance_distribution(chosen, radius, given)
    labels = {
        "largest": (found.largest, "angstrom", "largest distance"),
        "radius_of_gyration": (found.radius, "angstrom", "radius of gyration"),
        "intensity": (found.intensity, "1/cm", "intensity at Q = 0"),
        "background": (found.background, "1/cm", "background"),
    }
    warning = None
    if found.limited:
        warning = f"The largest distance, {found.largest[0]:.3g} Å, is as large or small as was tried; give --dmax."
    elif found.chi_square > _MISFIT:
        warning = f"No distribution of distances fits well (chi square {found.chi_square:.1f} per degree of freedom)."
    return Law(
        "distances", "Distribution of distances",
        "smooth p(r) of largest evidence, averaged over Dmax and the resolution" if given is None
        else "smooth p(r) of largest evidence for the Dmax given, averaged over the resolution",
        {name: Quantity(value, error, unit, label) for name, ((value, error), unit, label) in labels.items()},
        found.points, found.curve, found.chi_square, np.stack([found.r, found.p, found.p_error]), warning,
    )  # fmt: skip


def _porod(curve: Curves, p: SansParameters, size: Law | None) -> Law:
    if p.porod_range != "auto":
        chosen = _cut(curve, p.porod_range, "porod-range")
    elif size is not None:
        chosen = porod_range(curve, size.value("radius_of_gyration"))
    else:
        raise BadInput("the size, which says where to look, was not found", field="porod-range")
    return porod(chosen, None if isinstance(p.contrast, str) else p.contrast)


def _with_surface(curve: Curves, low: Law, high: Law, p: SansParameters) -> Law:
    """Add what Guinier's and Porod's laws give together: the invariant, and the surface over the volume of bodies."""
    whole = whole_invariant(curve, low, high)
    constant = high.quantities["constant"]
    surface = np.pi * constant.value / whole.value
    relative = np.hypot((constant.error or 0) / constant.value, (whole.error or 0) / whole.value)
    more = {
        "invariant": whole,
        "surface_to_volume": Quantity(
            float(surface), float(surface * relative), "1/angstrom", "surface over volume of the bodies, if dilute"
        ),
    }
    if not isinstance(p.contrast, str):
        product = whole.value * 1e-8 / (2 * np.pi**2 * p.contrast**2)
        if product < 0.25:
            fraction = (1 - np.sqrt(1 - 4 * product)) / 2
            slope = product * (whole.error or 0) / whole.value / (1 - 2 * fraction)
            more["volume_fraction"] = Quantity(float(fraction), float(slope), "", "volume fraction")
    return replace(high, quantities={**high.quantities, **more})


def analyse(job: Job, unit: Unit) -> dict[str, Stored]:
    """Analyse the curve of one period.

    Returns
    -------
    facts
        uint8 [byte]: JSON of everything but the arrays.
    NAME, NAME_distances
        float64 [5, point]: Q, I, error, spread and fit; float64 [3, distance]: r, p and its error.
    """
    rows = job.arrays.get(f"curve_{int(unit.span['period']) + 1}_total")
    done = Evaluation({}) if rows is None else evaluate(Curves.of(rows), parameters_of(job))
    return {key: Stored(array) for key, array in packed(done).items()}


def packed(done: Evaluation) -> dict[str, NDArray[np.generic]]:
    """Turn an evaluation into arrays; `unpacked` undoes it."""
    arrays: dict[str, NDArray[np.generic]] = {}
    facts: dict[str, object] = {"warnings": done.warnings, "laws": []}
    entries = []
    for name, law in done.laws.items():
        points = law.points
        arrays[name] = np.stack([points.q, points.intensity, points.error, points.spread, law.curve])
        if law.distances is not None:
            arrays[f"{name}_distances"] = law.distances
        quantities = {key: asdict(quantity) for key, quantity in law.quantities.items()}
        own = {key: getattr(law, key) for key in ("name", "title", "method", "chi_square", "warning")}
        entries.append({**own, "quantities": quantities})
    facts["laws"] = entries
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    return arrays


def unpacked(part: Part) -> Evaluation:
    """Read an evaluation from its part."""
    facts = json.loads(part.read("facts").tobytes())
    laws = {}
    for entry in facts["laws"]:
        quantities = {key: Quantity(**quantity) for key, quantity in entry.pop("quantities").items()}
        *points, fit = part.read(entry["name"])
        distances = part.read(f"{entry['name']}_distances") if entry["name"] == "distances" else None
        laws[entry["name"]] = Law(
            **entry, quantities=quantities, points=Curves(*points), curve=fit, distances=distances
        )
    return Evaluation(laws, tuple(facts["warnings"]))


def conclude(job: Job, parts: list[Part]) -> Outcome:
    """Write ``result.nxs`` and ``curve.xml``."""
    evaluations = {int(part.span["period"]): unpacked(part) for part in parts}
    results = results_of(job, job.parts("banks"))
    write.write_nexus(job, results, {period: done.laws for period, done in evaluations.items()})
    write.write_xml(job, results)
    several = len(evaluations) > 1
    return Outcome(
        warnings=tuple(
            f"Period {period + 1}: {text}" if several else text
            for period, done in evaluations.items()
            for text in done.warnings
        )
    )
