"""What a reduction will take: runs, user file and parameters brought together, checked, and cut into units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Inspection, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.sans.image import is_image
from pancommons.techniques.sans.instrument import Instrument, instrument
from pancommons.techniques.sans.masks import Block
from pancommons.techniques.sans.monitors import Treatment
from pancommons.techniques.sans.monochromatic import monochromatic
from pancommons.techniques.sans.pipeline import SansParameters
from pancommons.techniques.sans.placement import placed
from pancommons.techniques.sans.recipes import banks_of, fit_of, ordered, recipe_of, scale_of
from pancommons.techniques.sans.reduction import Recipe, direct_ratio
from pancommons.techniques.sans.rkh import Curve
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.slices import counted_in, sliced
from pancommons.techniques.sans.sources import calibration, run_of, user_file_of
from pancommons.techniques.sans.transmission import Transmission, fitted, transmission
from pancommons.techniques.sans.user_file import Fit, UserFile

_MEMORY = 120 << 20
_ANALYSIS_MEMORY = 100 << 20
_SECONDS = 0.3


@dataclass(frozen=True)
class Measurement:
    """All that a reduction uses, read and checked.

    Attributes
    ----------
    runs
        By role; without the sample's can and transmissions where they were not given.
    recipe
        Bins, masks and geometry.
    direct
        Direct beams by bank.
    flat_cell
        Relative efficiency of pixels, or None.
    transmissions, fits
        Of ``sample`` and ``can``, where they were measured.
    scale
        From counts over norm to 1/cm.
    banks
        Names of the banks to reduce; two are merged.
    files
        Calibration files found beside the user file.
    warnings
        What images of one wavelength lack.
    """

    runs: dict[str, Run]
    recipe: Recipe
    direct: dict[str, Curve]
    flat_cell: Curve | None
    transmissions: dict[str, Transmission]
    fits: dict[str, Fit]
    scale: float
    banks: tuple[str, ...]
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()

    @property
    def sample(self) -> Run:
        """Return the sample's scattering run."""
        return self.runs["sample"]


def parameters_of(job: Job) -> SansParameters:
    """Return a job's parameters as what they are."""
    assert isinstance(job.parameters, SansParameters)  # noqa: S101 - the registry made them
    return job.parameters


def measurement_of(job: Job) -> Measurement:
    """Bring a job's files and parameters together; kept in this process while the files stay the same."""
    stamps = tuple((role, str(path), path.stat().st_mtime_ns) for role, paths in job.inputs.items() for path in paths)
    made = _last.get(job.parameters.model_dump_json(), stamps)
    if made is None:
        made = _measurement(job)
        _last.keep(job.parameters.model_dump_json(), stamps, made)
    centre = job.found.get("centre")
    if centre is None:
        return made
    return replace(made, recipe=replace(made.recipe, centre=(float(centre.value[0]), float(centre.value[1]))))


class _Last:
    """The measurement made last in this process."""

    def __init__(self) -> None:
        self._kept: tuple[object, Measurement] | None = None

    def get(self, *key: object) -> Measurement | None:
        kept = self._kept
        return kept[1] if kept is not None and kept[0] == key else None

    def keep(self, parameters: str, stamps: object, made: Measurement) -> None:
        self._kept = ((parameters, stamps), made)


_last = _Last()


def _measurement(job: Job) -> Measurement:
    parameters = parameters_of(job)
    if is_image(job.path("sample") or job.input):
        return _images(job, parameters)
    runs = {role: run for role in _RUNS if (run := run_of(job, role)) is not None}
    user = user_file_of(job)
    if user.event_times is not None:
        runs = {role: counted_in(run, np.array(user.event_times)) for role, run in runs.items()}
    if parameters.time_slices != "none":
        runs["sample"] = sliced(runs["sample"], parameters.time_slices)
    sample = runs["sample"]
    geometry = placed(_monitored(_instrument(runs), user), sample, user.corrections)
    banks = banks_of(parameters, user)
    flat_cell, flat_file = calibration(job, "flat_cell", user.flat_cell, "flat cell")
    direct, files = {}, [flat_file]
    for bank in banks:
        role, named = (
            ("direct_beam_hab", _direct_hab(user, geometry)) if bank == "hab" else ("direct_beam", user.direct_rear)
        )
        curve, file = calibration(job, role, named, "direct beam")
        if curve is None:
            raise BadInput(
                f"names no direct beam of the {geometry.banks[bank].title}",
                file=user.path,
                remedy=f"add a line MON/{'HAB' if bank == 'hab' else 'DIRECT'}=FILE, or give {role}=PATH",
            )
        direct[bank], files = curve, [*files, file]
    recipe = recipe_of(parameters, user, geometry, sample)
    for curve in direct.values():
        direct_ratio(curve, recipe.wavelengths)
    fits = {
        "sample": fit_of(parameters.transmission_fit, user.sample_fit),
        "can": fit_of(parameters.can_transmission_fit, user.can_fit),
    }
    own = {path for paths in job.inputs.values() for path in paths}
    return Measurement(
        runs=runs,
        recipe=recipe,
        direct=direct,
        flat_cell=flat_cell,
        transmissions=_transmissions(runs, geometry, user, fits),
        fits=fits,
        scale=scale_of(parameters, user, geometry, sample),
        banks=banks,
        files=tuple(file for file in files if file is not None and file not in own),
    )


def _direct_hab(user: UserFile, geometry: Instrument) -> str | None:
    return user.direct_hab or (user.direct_rear if geometry.one_direct_beam else None)


def _images(job: Job, parameters: SansParameters) -> Measurement:
    made = monochromatic(job, parameters)
    banks = ("rear",)
    return Measurement(
        runs=made.runs,
        recipe=recipe_of(parameters, made.user, made.instrument, made.runs["sample"]),
        direct=dict.fromkeys(banks, made.direct),
        flat_cell=made.flat_cell,
        transmissions=made.transmissions,
        fits=dict.fromkeys(("sample", "can"), made.fit),
        scale=made.scale,
        banks=banks,
        files=(),
        warnings=made.warnings,
    )


_RUNS = ("sample", "sample_transmission", "can", "can_transmission", "direct")


def _instrument(runs: dict[str, Run]) -> Instrument:
    """Return the sample's instrument, after making sure that all runs are from it and the sample's is no other kind."""
    sample = runs["sample"]
    try:
        found = instrument(sample.instrument, sample.start)
    except BadInput as error:
        raise BadInput(error.problem, file=sample.path, remedy=error.remedy) from None
    for role, run in runs.items():
        if run.instrument.upper() != found.name:
            raise BadInput(
                f"is a run of {run.instrument or 'an unnamed instrument'}, the sample's is one of {found.name}",
                file=run.path,
                field=role,
                remedy="give runs of one instrument",
            )
        scattering = run.spectra.size > found.most_transmission_spectra
        if role in ("sample", "can") and not scattering:
            raise BadInput(
                f"run {run.number} has {run.spectra.size} detector spectra, so it is a transmission run; "
                "a scattering run was expected",
                file=run.path,
                field=role,
                remedy="check which run has which role",
            )
    if ("sample_transmission" in runs or "can_transmission" in runs) and "direct" not in runs:
        raise BadInput(
            "the input 'direct' is missing, against which a transmission is measured",
            file=sample.path,
            remedy="give direct=PATH, the transmission run without sample or can",
        )
    return found


def _monitored(found: Instrument, user: UserFile) -> Instrument:
    """Return the instrument with the monitors that the user file wants; it may not be for another instrument."""
    if user.instrument is not None and user.instrument != found.name:
        raise BadInput(
            f"is for {user.instrument}, the runs are of {found.name}", file=user.path, remedy="give a user file for it"
        )
    for number in (user.incident_monitor, user.transmission_monitor):
        if number is not None and number not in found.monitors:
            raise BadInput(
                f"wants monitor spectrum {number}, whose position on {found.name} is not known", file=user.path,
                remedy=f"known are: {', '.join(map(str, sorted(found.monitors)))}",
            )  # fmt: skip
    return replace(
        found,
        incident_monitor=found.incident_monitor if user.incident_monitor is None else user.incident_monitor,
        transmission_monitor=found.transmission_monitor
        if user.transmission_monitor is None
        else user.transmission_monitor,
    )


def _transmissions(
    runs: dict[str, Run], geometry: Instrument, user: UserFile, fits: dict[str, Fit]
) -> dict[str, Transmission]:
    """Measure the transmissions over the user file's wavelengths, so that the fit does not change with those used."""
    found = {}
    for name in ("sample", "can"):
        role = f"{name}_transmission"
        if role in runs:
            assert user.wavelength is not None  # noqa: S101 - the recipe was made of it
            limits = fits[name].range or (user.wavelength.low, user.wavelength.high)
            edges = replace(user.wavelength, low=limits[0], high=limits[1]).edges()
            found[name] = transmission(runs[role], runs["direct"], geometry, edges, Treatment.of(user, geometry))
            fitted(found[name], fits[name], edges)
    return found


def overlap_of(job: Job) -> tuple[float, float] | None:
    """Return where the banks are fitted to each other, 1/Angstrom; None where nothing says it."""
    parameters, user = parameters_of(job), measurement_of(job).recipe.user
    if parameters.overlap != "auto":
        return ordered(parameters.overlap, "overlap")
    return user.rescale_fit or user.shift_fit


def periods_of(job: Job) -> list[int]:
    """List the periods to reduce, counted from 0."""
    wanted, sample = parameters_of(job).period, measurement_of(job).sample
    if wanted == "all":
        return list(range(sample.periods))
    if wanted > sample.measured_periods:
        raise BadInput(
            f"run {sample.number} has {sample.measured_periods} periods", file=sample.path, field="period",
            remedy="count them from 1",
        )  # fmt: skip
    return [period for period in range(sample.periods) if sample.measured(period) == wanted - 1]


def range_of(text: str, name: str) -> tuple[float, float] | None:
    """Return the Q that a parameter names, 1/Angstrom, or None for what suits it."""
    return None if text in ("auto", "none") else ordered(text, name)


def _check_analysis(parameters: SansParameters) -> None:
    for name in ("guinier_range", "porod_range", "model_range"):
        range_of(getattr(parameters, name), name.replace("_", "-"))
    if parameters.fit != "none":
        from pancommons.techniques.sans.library import free_parameters, model_info, parse_assignments

        given = parse_assignments("" if parameters.fit_parameters == "auto" else parameters.fit_parameters)
        free_parameters(model_info(parameters.fit), given)


def inspect(job: Job) -> Inspection:
    """Look at the runs, the user file and the parameters, and refuse what would not work."""
    made = measurement_of(job)
    periods_of(job)
    overlap_of(job)
    _check_analysis(parameters_of(job))
    user, sample = made.recipe.user, made.sample
    facts = {
        "instrument": made.recipe.instrument.name,
        "run": sample.number,
        "title": sample.title,
        "start": sample.start,
        "periods": sample.measured_periods,
        "time_slices": sample.periods // sample.measured_periods if sample.slices else None,
        "wavelengths": made.recipe.wavelengths.size - 1,
        "q_bins": made.recipe.q_edges.size - 1,
        "banks": list(made.banks),
        "thickness_mm": round(sample.shape.thickness, 6),
        "area_mm2": round(sample.shape.area, 6),
        "user_file": user.path.name,
        "centre_mm": list(user.centre) if user.centre else None,
    }
    return Inspection(
        facts={name: value for name, value in facts.items() if value is not None},
        warnings=_warnings(made),
        files=tuple(str(file.absolute()) for file in made.files),
    )


def _warnings(made: Measurement) -> tuple[str, ...]:
    if made.recipe.instrument.monochromatic:
        return made.warnings
    user, texts = made.recipe.user, []
    if user.ignored:
        shown = "; ".join(user.ignored[:4]) + ("; ..." if len(user.ignored) > 4 else "")
        texts.append(f"{len(user.ignored)} lines of {user.path.name} are not understood or not used: {shown}")
    rowless = {bank.title for bank in made.recipe.instrument.banks.values() if bank.columns * bank.rows != bank.x.size}
    masked = {made.recipe.instrument.banks[mask.bank].title for mask in user.masks if isinstance(mask, Block)}
    texts += [
        f"Rows and columns of the {title} cannot be masked: it has several modules." for title in rowless & masked
    ]
    if "sample" not in made.transmissions:
        texts.append("No transmission of the sample was given; it is taken to be 1.")
    if "can" in made.runs and "can" not in made.transmissions:
        texts.append("No transmission of the can was given; it is taken to be 1.")
    if "can" not in made.runs:
        texts.append("No can was given; nothing is subtracted.")
    if made.flat_cell is None:
        texts.append("No flat cell was given; all pixels are taken to be equally efficient.")
    if user.centre is None:
        texts.append("The user file does not say the beam's centre; the instrument's axis is taken.")
    can = made.runs.get("can")
    if can is not None and 1 < can.periods != made.sample.measured_periods:
        texts.append("The can has another number of periods than the sample; its last stands in where one is missing.")
    return tuple(texts)


def plan(job: Job) -> dict[str, list[Unit]]:
    """Make a unit of each period and bank to reduce, and of each period to analyse."""
    made = measurement_of(job)
    spans = [{"period": period, "bank": bank} for period in periods_of(job) for bank in made.banks]
    cells = 0 if made.recipe.qxy_edges is None else made.recipe.qxy_edges.size**2
    output = 8 * (2 * 5 * cells + 10 * made.recipe.q_edges.size + 2 * made.sample.spectra.size)
    return {
        "banks": [Unit(index, span, 1, _MEMORY, _SECONDS, output) for index, span in enumerate(spans)],
        "analysis": [
            Unit(index, {"period": period}, 1, _ANALYSIS_MEMORY, 0.5, 1 << 16)
            for index, period in enumerate(periods_of(job))
        ],
    }
