"""A published run executed again: same inputs, same request, same plan, and the results compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pancommons.base.digests import sha256
from pancommons.base.errors import BadInput
from pancommons.pipelines import comparing, creation, environment, registry, runner
from pancommons.pipelines.comparing import Comparison
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.events import Listener
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.inputs import describe
from pancommons.pipelines.packing import opened
from pancommons.pipelines.record import InputFile, Record

_NUMERICAL = ("numpy", "scipy", "numba", "pywavelets")
"""Packages another version of which may change the last digits."""


def reproduce(
    source: str | Path,
    inputs: Mapping[str, str | Path] | None = None,
    *,
    out: str | Path | None = None,
    on: str = "threads",
    workers: int | None = None,
    memory: str | None = None,
    listeners: Iterable[Listener] = (),
) -> tuple[RunFolder, Comparison, list[str]]:
    """Execute a published run again in a new folder and compare what comes out.

    With the same versions on the same processor family every bit must agree; else within the pipeline's
    tolerance.

    Parameters
    ----------
    source
        A run folder or a packed result.
    inputs
        Where an input lies now, by role, if not where it was; the folder of all where a role has several.
    out
        The new run folder; as `creation.create` where none is given.
    on
        Where units run.
    workers, memory
        What the run may use, see `creation.Request`.
    listeners
        Called with every event.

    Returns
    -------
    folder
        The new run.
    comparison
        The published result as A, the new one as B.
    notes
        A sentence for all that was not as it was then.

    Raises
    ------
    BadInput
        If an input is not to be found or is not what it was, by its sha256.
    """
    source = Path(source)
    given = {role: Path(path) for role, path in (inputs or {}).items()}
    with opened(source) as published:
        record = published.record()
        if not published.result.exists() or not published.report_facts():
            raise BadInput("this run has no result to compare with", file=source)
        pipeline = registry.load(record.pipeline)
        notes, tolerance = _circumstances(record, published.report_facts(), pipeline)
        found = _Inputs(record, given).find()
        prepared = creation.examine(
            creation.Request(
                pipeline=record.pipeline,
                inputs={role: [Path(file.path) for file in files] for role, files in found.items()},
                parameters=record.parameters,
                workers=workers,
                memory=memory,
                plan=record.plan,
                reproduces=record.id,
            )
        )
        again = prepared.record
        again.given, again.preset, again.preview = record.given, record.preset, record.preview
        again.inputs = found
        _check_linked(record, again)
        folder = creation.create(prepared, Path(out) if out is not None else None)
        runner.execute(folder.path, on=on, listeners=tuple(listeners))
        comparison = comparing.compare(published.path, folder.path, tolerance=tolerance)
        return folder, comparison, notes


class _Inputs:
    """The inputs of a run, looked for where they were and where one says they are."""

    def __init__(self, record: Record, given: Mapping[str, Path]) -> None:
        self._record, self._given = record, given

    def find(self) -> dict[str, list[InputFile]]:
        """Return the inputs by role, each as it is now and with the digest that it must have."""
        for role in self._given:
            if role not in self._record.inputs:
                known = ", ".join(self._record.inputs)
                raise BadInput(f"the run has no input {role!r}", remedy=f"its inputs are: {known}")
        return {
            role: [self._file(role, file, many=len(files) > 1) for file in files]
            for role, files in self._record.inputs.items()
        }

    def _file(self, role: str, recorded: InputFile, *, many: bool) -> InputFile:
        if recorded.sha256 is None:
            raise BadInput("its sha256 was never recorded, so it cannot be known again", file=recorded.path, field=role)
        given = self._given.get(role)
        if given is not None:
            return self._checked(role, given / Path(recorded.path).name if many else given, recorded)
        if not Path(recorded.path).exists():
            hint = f"{role}={'FOLDER' if many else 'PATH'}"
            raise BadInput("this input is no longer there", file=recorded.path, field=role, remedy=f"give it as {hint}")
        return self._checked(role, Path(recorded.path), recorded)

    def _checked(self, role: str, path: Path, recorded: InputFile) -> InputFile:
        now = describe(path)
        now.sha256 = sha256(path)
        if now.sha256 != recorded.sha256:
            raise BadInput(
                f"this is not the input of the run: its sha256 is {now.sha256}, that of the run's is {recorded.sha256}",
                file=path,
                field=role,
                remedy=f"give the right one as {role}=PATH",
            )
        return now


def _check_linked(record: Record, again: Record) -> None:
    """Make sure that the files which the inputs refer to are those of the run as well."""
    recorded = {_place(file, record): file for file in record.files}
    places = {file.path: place for place, file in recorded.items()}
    for file in again.files:
        place = _place(file, again)
        then = recorded.pop(place if place in recorded else places.get(file.path, ""), None)
        if then is None:
            raise BadInput("the inputs refer to this file, those of the run did not", file=file.path)
        file.sha256 = sha256(Path(file.path))
        if file.sha256 != then.sha256:
            raise BadInput(
                f"this is not the file the run's inputs refer to: its sha256 is {file.sha256}, "
                f"that of the run's is {then.sha256}",
                file=file.path,
                remedy="put the right one there",
            )
    if recorded:
        place, file = next(iter(recorded.items()))
        raise BadInput(
            "the run read this file too, and the inputs as they are now do not refer to it",
            file=file.path,
            remedy=f"put it at {place} as seen from the first input",
        )


def _place(file: InputFile, record: Record) -> str:
    """Return where a file lies as seen from the first input, or its path if that leads nowhere."""
    first = Path(next(iter(record.inputs.values()))[0].path)
    try:
        return Path(file.path).relative_to(first.parent).as_posix()
    except ValueError:
        return Path(file.path).as_posix()


def _circumstances(record: Record, told: dict[str, Any], pipeline: Pipeline) -> tuple[list[str], float]:
    """Say what is not as it was, and return the tolerance that follows."""
    then, now = told.get("environment", {}), environment.facts()
    pairs = [
        (f"pipeline {pipeline.name}", record.pipeline_version, pipeline.version),
        ("pancommons", record.software_version, environment.software_version()),
        ("processor family", then.get("processor_family"), now["processor_family"]),
    ]
    packages, here = then.get("packages", {}), now["packages"]
    pairs += [(name, packages[name], here.get(name)) for name in _NUMERICAL if name in packages]
    notes = [
        f"the published result was made with {name} {was or 'not recorded'}, this one with {is_now or 'none'}"
        for name, was, is_now in pairs
        if was != is_now
    ]
    if not notes:
        return [], 0.0
    notes.append(f"differences up to {pipeline.tolerance:g} of an array's largest magnitude count as the same")
    return notes, pipeline.tolerance
