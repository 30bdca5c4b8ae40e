"""The steps of a reduction as the pipeline calls them: transmissions and centre, each bank, the curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Found, Outcome, Stored, Unit
from pancommons.pipelines.job import Job, Part
from pancommons.techniques.sans.curves import Reduced, reduced_curves
from pancommons.techniques.sans.kernel import sum_in_plane, sum_in_q
from pancommons.techniques.sans.planning import Measurement, measurement_of, parameters_of, periods_of
from pancommons.techniques.sans.reduction import reduce_run, weigh_pixels, weigh_wavelengths
from pancommons.techniques.sans.transmission import fitted

Floats = NDArray[np.float64]
_UNSURE = 0.5


def warm() -> None:
    """Compile every kernel once, on a pixel."""
    one, edges = np.ones(1), np.array([1.0, 2.0])
    given = (
        np.ones((1, 1), np.int32), np.zeros(1, np.int64), np.array([1e3, 2e3]), np.zeros(1, np.bool_),
        one, one, one * 4, one * 15, one, one, edges, one, one, one, one,
    )  # fmt: skip
    sum_in_q(*given, np.zeros(1, np.int64), edges, False, np.zeros((4, 1, 1)))
    sum_in_plane(*given, np.array([-1.0, 0.0, 1.0]), False, np.zeros((5, 2, 2)))


def prepare(job: Job) -> Outcome:
    """Measure and fit the transmissions; find the beam's centre where it is asked for."""
    made = measurement_of(job)
    found: dict[str, Found] = {}
    arrays: dict[str, Floats] = {}
    for name, measured in made.transmissions.items():
        curve, variance = fitted(measured, made.fits[name], measured.edges)
        arrays[f"transmission_{name}"] = np.stack(
            [
                measured.edges[:-1], measured.edges[1:], measured.values, np.sqrt(measured.variance),
                curve, np.sqrt(variance),
            ]
        )  # fmt: skip
        fit = made.fits[name]
        how = f"two monitors against the direct beam; {fit.method} fit" + (
            f" of order {fit.order}" if fit.method == "polynomial" else ""
        )
        found[f"transmission_{name}"] = Found(measured.mean[0], how)
    warnings: list[str] = []
    if parameters_of(job).centre == "find":
        from pancommons.techniques.sans.centre import find_centre

        best = find_centre(made, parameters_of(job).centre_finder)
        found["centre"] = Found(list(best.centre), best.method, best.confidence, "mm")
        arrays["centre_looks"] = best.looks
        if best.confidence < _UNSURE:
            warnings.append(
                f"The beam's centre {best.centre[0]:.2f}, {best.centre[1]:.2f} mm is unsure "
                f"(confidence {best.confidence:.2f}); give --centre X,Y."
            )
    return Outcome(found, arrays, tuple(warnings))


def reduce_bank(job: Job, unit: Unit) -> dict[str, Stored]:
    """Reduce the sample and the can of one period on one bank.

    Returns
    -------
    sample, can
        float64 [4, band, Q]: counts, norm, variance of the norm, norm times variance of Q.
    sample_plane, can_plane
        float64 [5, Qy, Qx], where a pattern is asked for.
    image
        int64 [pixel], counts over all times.
    kept
        bool [pixel], those that no mask leaves out.
    """
    made = measurement_of(job)
    period, name = int(unit.span["period"]), str(unit.span["bank"])
    bank = made.recipe.instrument.banks[name]
    weighted = weigh_pixels(bank, made.recipe, made.flat_cell)
    results: dict[str, NDArray[Any]] = {"kept": weighted.keep}
    for role in ("sample", "can"):
        run = made.runs.get(role)
        if run is None:
            continue
        own = period if role == "sample" else min(made.sample.measured(period), run.periods - 1)
        beam = weigh_wavelengths(run, own, made.recipe, made.direct[name], beam_transmission(made, role))
        results[role] = reduce_run(run, own, bank, made.recipe, weighted, beam)
        if made.recipe.qxy_edges is not None:
            results[f"{role}_plane"] = reduce_run(run, own, bank, made.recipe, weighted, beam, in_plane=True)
    results["image"] = _image(made, period, name)
    return {key: Stored(array) for key, array in results.items()}


def beam_transmission(made: Measurement, name: str) -> tuple[Floats, Floats] | None:
    """Return the fitted transmission in the bins of wavelength that are used, and its variance."""
    measured = made.transmissions.get(name)
    return None if measured is None else fitted(measured, made.fits[name], made.recipe.wavelengths)


def _image(made: Measurement, period: int, name: str) -> NDArray[np.int64]:
    """Return the sample's counts in each pixel of a bank, over all times; 0 where a pixel has no spectrum."""
    rows = made.sample.places(made.recipe.instrument.banks[name].spectra)
    counts = np.rint(made.sample.read(period).sum(axis=1)).astype(np.int64)[np.maximum(rows, 0)]
    return np.where(rows >= 0, counts, 0)


def join(job: Job, parts: list[Part]) -> Outcome:
    """Merge the banks of each period and take the can away."""
    results = results_of(job, parts)
    return Outcome(_found(results), _arrays(results), _warnings(results))


def results_of(job: Job, parts: list[Part]) -> list[Reduced]:
    """Return the curves of each period of which there is a part."""
    run, results = measurement_of(job).sample, []
    for period in periods_of(job):
        own = [part for part in parts if part.span["period"] == period]
        slices = [part for part in parts if run.measured(int(part.span["period"])) == run.measured(period)]
        reduced = reduced_curves(job, period, own, slices if run.slices else ())
        if reduced is not None:
            results.append(reduced)
    return results


def _found(results: list[Reduced]) -> dict[str, Found]:
    found = {}
    for index, reduced in enumerate(results):
        rescale = reduced.rescale
        if rescale is not None:
            suffix = f"_period_{reduced.period + 1}" if index else ""
            how = f"least squares over {rescale.points} bins of the overlap" if rescale.fitted else "given"
            found[f"rescale{suffix}"] = Found(rescale.factor, how)
            if rescale.fitted:
                found[f"rescale_error{suffix}"] = Found(rescale.factor_error, "one standard deviation")
            if rescale.shift:
                found[f"shift{suffix}"] = Found(rescale.shift, how, None, "1/cm")
            if rescale.chi_square is not None:
                found[f"overlap_chi_square{suffix}"] = Found(rescale.chi_square, "per degree of freedom")
    return found


def _arrays(results: list[Reduced]) -> dict[str, Floats]:
    """Return each curve as float64 [low edge, high edge, I, error, standard deviation of Q; bin] for the report.

    ``factor_error_1`` is float64 [bin], see `merge.factor_error`.
    """
    arrays = {}
    for reduced in results:
        if reduced.factor_error is not None:
            arrays[f"factor_error_{reduced.period + 1}"] = reduced.factor_error
        for name, curve in reduced.curves.items():
            edges = (reduced.q_edges[:-1], reduced.q_edges[1:])
            arrays[f"curve_{reduced.period + 1}_{name}"] = np.stack(
                [*edges, curve.intensity, curve.error, curve.spread]
            )
    return arrays


def _warnings(results: list[Reduced]) -> tuple[str, ...]:
    texts = []
    for reduced in results:
        rescale = reduced.rescale
        if rescale is not None and rescale.chi_square is not None and rescale.chi_square > 3:
            texts.append(
                f"Period {reduced.period + 1}: the banks do not agree in the overlap "
                f"(chi square {rescale.chi_square:.1f} per degree of freedom)."
            )
        if reduced.gap:
            texts.append(f"Period {reduced.period + 1}: a bank failed; the curve is that of the other alone.")
    return tuple(texts)
