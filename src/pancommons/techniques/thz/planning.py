"""What an evaluation will take: a first look at the run, its units, and what each costs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.base.machine import format_size
from pancommons.pipelines.declaration import Inspection, Unit
from pancommons.pipelines.job import Job
from pancommons.techniques.thz.measurement import Measurement, Position
from pancommons.techniques.thz.pipeline import ThzParameters
from pancommons.techniques.thz.read import USUAL_SAMPLES, open_measurement, samples_of

PULSES_OF_A_UNIT = 1 << 17
"""A position with more pulses is cut; the plan depends on the run alone, and so does every bit of the result."""
_SECONDS_PER_VALUE = 3e-9
_WORKING_BYTES = 64 << 20
_PREVIEW_PULSES = 20_000


def run_of(job: Job) -> Measurement:
    """Open a job's run; kept in this process while it stays the same."""
    files = [path for paths in job.inputs.values() for path in paths]
    stamps = tuple((str(file), file.stat().st_mtime_ns) for file in files)
    return _open(job.input, job.path("background"), stamps)


@lru_cache(maxsize=4)
def _open(path: Path, background: Path | None, stamps: tuple[Any, ...]) -> Measurement:
    try:
        return open_measurement(path, background)
    except (OSError, RuntimeError, KeyError) as error:
        cause = str(error).strip("'\"")
        raise BadInput(f"is damaged ({cause})", file=path, remedy="copy it again from its source") from None


def inspect(job: Job) -> Inspection:
    """Look at a run and check the parameters against it."""
    run, parameters = run_of(job), parameters_of(job)
    chosen = chosen_positions(parameters, run)
    _check(parameters)
    samples, warnings = _samples(parameters, run)
    pairs = [pair_count(position, samples) for position in chosen]
    warnings = [*run.warnings, *(text for one in chosen for text in one.warnings), *warnings]
    warnings += _partners(chosen, samples)
    if not sum(pairs):
        raise BadInput(
            "no pulse has both a spectrum and a trace", file=run.path, remedy="check that the run was copied whole"
        )
    stages = [position.stage for position in chosen]
    facts = {
        "layout": "folder" if run.path.is_dir() else "file",
        "positions": len(chosen),
        "pulses": sum(pairs),
        "pixels": run.pixels,
        "samples": samples,
        "first_stage_mm": min(stages),
        "last_stage_mm": max(stages),
        "start_time": run.start_time,
        "repetition_rate_hz": run.repetition_rate,
    }
    return Inspection(
        facts={name: value for name, value in facts.items() if value is not None},
        warnings=tuple(dict.fromkeys(warnings)),
        detected={"samples": samples},
    )


def preview(job: Job) -> dict[str, Any]:
    """Restrict an evaluation to the first positions, about twenty thousand pulses of them."""
    run, parameters = run_of(job), parameters_of(job)
    first, last = position_range(parameters, run)
    pulses, stop = 0, first
    while stop < last and pulses < _PREVIEW_PULSES:
        pulses += pair_count(run.positions[stop], int(job.facts["samples"]))
        stop += 1
    return {"positions": f"{first}:{max(stop, first + 1)}", "notebook_compatible": False}


def plan(job: Job) -> dict[str, list[Unit]]:
    """Make a unit of each position, or several of a long one."""
    run, parameters = run_of(job), parameters_of(job)
    samples = int(job.facts["samples"])
    first, last = position_range(parameters, run)
    spans = []
    for index in range(first, last):
        count = pair_count(run.positions[index], samples)
        spans += [
            {"position": index, "first": start, "last": min(start + PULSES_OF_A_UNIT, count)}
            for start in range(0, count, PULSES_OF_A_UNIT)
        ]
    groups = parameters.classes * (2 if parameters.pump == "alternate" else 1)
    units = []
    for index, span in enumerate(spans):
        size = span["last"] - span["first"]
        values = size * (run.pixels + samples)
        kept = 24 * groups * run.pixels + (24 * size if parameters.notebook_compatible else 0)
        units.append(
            Unit(
                index=index,
                span=span,
                size=size,
                memory=_WORKING_BYTES + size * (8 * samples + 120) + 2 * kept,
                seconds=values * _SECONDS_PER_VALUE,
                output=kept + 4096,
            )
        )
    needed = max(unit.memory for unit in units)
    if needed > job.allowance.memory:
        raise BadInput(
            f"one unit of this run needs {format_size(needed)}, {format_size(job.allowance.memory)} are allowed",
            field="--memory",
            remedy="allow more",
        )
    return {"pulses": units}


def parameters_of(job: Job) -> ThzParameters:
    """Return a job's parameters as what they are."""
    assert isinstance(job.parameters, ThzParameters)  # noqa: S101 - the registry made them
    return job.parameters


def samples_in(job: Job) -> int:
    """Return the ADC samples of one pulse."""
    return int(job.facts["samples"])


def pair_count(position: Position, samples: int) -> int:
    """Return how many pulses of a position have both a spectrum and a trace."""
    return min(position.spectra_count, position.trace_values // samples)


def position_range(parameters: ThzParameters, run: Measurement) -> tuple[int, int]:
    """Return the first position and the one after the last."""
    start, _, stop = parameters.positions.partition(":")
    first, last = int(start or 0), int(stop or len(run.positions))
    if not 0 <= first < last <= len(run.positions):
        raise BadInput(
            f"{parameters.positions!r} lies outside the run's positions 0:{len(run.positions)}",
            file=run.path,
            field="positions",
        )
    return first, last


def chosen_positions(parameters: ThzParameters, run: Measurement) -> tuple[Position, ...]:
    """Return the positions to evaluate."""
    first, last = position_range(parameters, run)
    return run.positions[first:last]


def limits_of(text: str, field: str) -> tuple[float, float]:
    """Return the two numbers of LOW:HIGH."""
    low, high = (float(value) for value in text.split(":"))
    if low >= high:
        raise BadInput(f"{text!r} is no range", field=field, remedy="write LOW:HIGH, the lower first")
    return low, high


def _check(parameters: ThzParameters) -> None:
    if parameters.low_cut >= parameters.high_cut:
        raise BadInput(f"{parameters.low_cut:g} is not below the upper edge {parameters.high_cut:g}", field="low_cut")
    low, high = limits_of(parameters.intensity_keep, "intensity_keep")
    if low < 0 or high > 100:
        raise BadInput(f"{parameters.intensity_keep!r} lies outside 0:100 percent", field="intensity_keep")
    if parameters.time_range != "auto":
        limits_of(parameters.time_range, "time_range")
    wanted = parameters.normalise or parameters.classes > 1 or (low, high) != (0, 100)
    if wanted and parameters.intensity == "none":
        raise BadInput(
            "sorting or normalising by intensity needs to know what tells it",
            field="intensity",
            remedy="choose modulation, spectrum or reference",
        )


def _samples(parameters: ThzParameters, run: Measurement) -> tuple[int, list[str]]:
    found = samples_of(run)
    samples = parameters.samples if isinstance(parameters.samples, int) else found
    warnings = []
    if samples is None:
        samples = USUAL_SAMPLES
        warnings.append(
            f"The ADC samples of one pulse do not follow from the files' sizes; {samples} are assumed. Give --samples."
        )
    elif run.samples is not None and samples != run.samples:
        raise BadInput(f"{samples} does not fit: traces have {run.samples} samples", file=run.path, field="samples")
    if samples % 2 or samples < 2:
        raise BadInput(f"{samples} is odd, a trace has two halves of equal length", file=run.path, field="samples")
    return samples, warnings


def _partners(positions: tuple[Position, ...], samples: int) -> list[str]:
    """Say how many pulses have no partner, and which files end within a trace."""
    lone = [abs(one.spectra_count - one.trace_values // samples) for one in positions]
    warnings = []
    if several := [index for index, number in enumerate(lone) if number]:
        worst = max(several, key=lambda index: lone[index])
        warnings.append(
            f"{len(several)} of {len(positions)} positions have unequal numbers of spectra and traces; {sum(lone)} "
            f"without a partner are left out, most at {positions[worst].label} ({positions[worst].spectra_count} "
            f"spectra, {positions[worst].trace_values // samples} traces)."
        )
    warnings += [
        f"The traces of {one.label} end within a pulse; the file may be cut short."
        for one in positions
        if one.trace_values % samples
    ]
    return warnings
