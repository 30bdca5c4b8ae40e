"""From a request to a run folder: inputs checked, data inspected, work planned, disk looked at."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pancommons.base import machine
from pancommons.base.errors import BadInput
from pancommons.base.settings import settings
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.declaration import Inspection, Pipeline, Unit, resolve
from pancommons.pipelines.environment import software_version
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.inputs import check, describe
from pancommons.pipelines.job import Allowance, Job
from pancommons.pipelines.record import Record, UnitRecord


@dataclass(frozen=True)
class Request:
    """What somebody wants run: pipeline, inputs by role, parameters as given, and what it may use.

    ``plan`` is that of an earlier run, to be followed unit by unit when it is reproduced.
    """

    pipeline: str
    inputs: Mapping[str, Iterable[Path]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    file: Path | None = None
    preview: bool = False
    workers: int | None = None
    memory: str | None = None
    plan: Mapping[str, list[UnitRecord]] | None = None
    reproduces: str | None = None


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take: seconds, peak bytes of memory, bytes on disk."""

    seconds: float
    memory: int
    disk: int

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        time = f"{minutes} min {seconds} s" if minutes else f"{max(1, seconds)} s"
        return f"about {time}, {machine.format_size(self.memory)} of memory, {machine.format_size(self.disk)} of disk"


@dataclass(frozen=True)
class Prepared:
    """A request that has passed every check, ready to become a folder."""

    pipeline: Pipeline
    record: Record
    estimate: Estimate


_BASE_MEMORY = 300 << 20
_BASE_SECONDS = 5.0
_BASE_DISK = 4 << 20


def examine(request: Request) -> Prepared:
    """Check a request against its data and plan its work; nothing is written.

    Raises
    ------
    BadInput
        In one sentence, for anything about the inputs or parameters that would not work.
    """
    pipeline = registry.load(request.pipeline)
    inputs = check(pipeline, request.inputs)
    given = {**(parameters.read_file(request.file) if request.file else {}), **request.parameters}
    model = parameters.build(pipeline.parameters, given, presets=pipeline.presets, preset=request.preset)
    job = Job(
        inputs={role: tuple(Path(file.path) for file in files) for role, files in inputs.items()},
        parameters=model,
        allowance=_allowance(request),
        technique=pipeline.name,
    )
    inspection: Inspection = resolve(pipeline.inspect)(job)
    job = replace(job, facts=inspection.facts)
    if request.preview:
        if pipeline.preview is None:
            raise BadInput(f"{pipeline.name} has no preview", field="--preview", remedy="leave it out")
        changes = resolve(pipeline.preview)(job)
        model = pipeline.parameters.model_validate({**model.model_dump(), **changes})
        inspection = resolve(pipeline.inspect)(replace(job, parameters=model, facts={}))
        job = replace(job, parameters=model, facts=inspection.facts)
    if request.plan is None:
        units: Mapping[str, list[Unit]] = resolve(pipeline.plan)(job)
        plan = {stage: [UnitRecord.of(unit) for unit in of_stage] for stage, of_stage in units.items()}
    else:
        plan = dict(request.plan)
    record = Record(
        id=str(uuid.uuid4()),
        pipeline=pipeline.name,
        pipeline_version=pipeline.version,
        software_version=software_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        inputs=inputs,
        files=[describe(Path(file)) for file in inspection.files],
        given=given,
        preset=request.preset,
        preview=request.preview,
        parameters=model.model_dump(mode="json"),
        workers=job.allowance.workers,
        memory=job.allowance.memory,
        facts=dict(inspection.facts),
        detected=dict(inspection.detected),
        warnings=list(inspection.warnings),
        plan=plan,
        reproduces=request.reproduces,
    )
    return Prepared(pipeline, record, _estimate(record))


def create(prepared: Prepared, out: Path | None = None) -> RunFolder:
    """Make the run folder, after making sure that the disk holds the result.

    Parameters
    ----------
    prepared
        From `examine`.
    out
        The folder; ``./STEM-PIPELINE-N`` with the first free N where none is given.
    """
    out = (out or free_name(prepared)).absolute()
    place = next(parent for parent in [out, *out.parents] if os.path.exists(parent))  # noqa: PTH110 - never raises
    free = shutil.disk_usage(place).free
    if prepared.estimate.disk > free:
        raise BadInput(
            f"the run needs {machine.format_size(prepared.estimate.disk)} of disk, "
            f"{machine.format_size(free)} are free",
            file=out,
            field="--out",
            remedy="make room, or name a folder on another disk",
        )
    return RunFolder.create(out, prepared.record)


def free_name(prepared: Prepared) -> Path:
    """Return the first name of the form ``STEM-PIPELINE-N`` that is free in the current folder."""
    first = next(iter(prepared.record.inputs.values()))[0]
    stem = re.sub(r"[^\w.-]+", "_", Path(first.path).stem) or "run"
    kind = f"{prepared.pipeline.name}-preview" if prepared.record.preview else prepared.pipeline.name
    number = 1
    while (out := Path(f"{stem}-{kind}-{number}")).exists():
        number += 1
    return out


def allow(folder: RunFolder, workers: int | None, memory: str | None) -> None:
    """Let a run that is resumed use more or less than before; its unit plan stays."""
    record = folder.record()
    record.workers = workers or record.workers
    record.memory = machine.parse_size(memory) if memory else record.memory
    folder.write(record)


def _allowance(request: Request) -> Allowance:
    configured = settings()
    workers = request.workers or configured.workers or machine.cores()
    size = request.memory or configured.memory
    return Allowance(workers, machine.parse_size(size) if size else machine.memory_free() // 2)


def _estimate(record: Record) -> Estimate:
    seconds, peak = _BASE_SECONDS, 0
    for units in record.plan.values():
        if units:
            largest = max(unit.memory for unit in units)
            width = max(1, min(record.workers, len(units), record.memory // max(1, largest)))
            seconds += sum(unit.seconds for unit in units) / width
            peak = max(peak, width * largest)
    disk = _BASE_DISK + sum(unit.output for units in record.plan.values() for unit in units)
    return Estimate(seconds, _BASE_MEMORY + peak, disk)
