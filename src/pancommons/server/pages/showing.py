"""What pages show of a run: how far it is, what it found, its figures, its log in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.events import Event
from pancommons.pipelines.following import Progress, StageProgress
from pancommons.runs.desk import Desk
from pancommons.runs.reading import Tail
from pancommons.runs.run import Run

_PICTURE = re.compile(r"^[A-Za-z0-9][\w.-]{0,120}\.(png|svg|jpe?g|webp)$")

_REGISTERING = 60.0


@dataclass(frozen=True)
class Line:
    """A line of the log: its number in the run's events, its moment, what kind it is, and what it says."""

    number: int
    at: datetime
    kind: str
    text: str


@dataclass(frozen=True)
class MeritShown:
    """A figure of merit with what its declaration says of it."""

    name: str
    label: str
    value: float | None
    unit: str
    description: str
    uncertainty: float | None = None
    expected: tuple[float | None, float | None] | None = None

    @property
    def unexpected(self) -> bool:
        """Whether it lies outside of the range that is expected."""
        if self.expected is None or self.value is None:
            return False
        low, high = self.expected
        return (low is not None and self.value < low) or (high is not None and self.value > high)


@dataclass(frozen=True)
class RunShown:
    """A run with everything its page shows, read at one moment."""

    run: Run
    at: datetime
    pipeline: Pipeline | None
    progress: Progress
    elapsed: float | None
    left: float | None
    report: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[Mapping[str, str]] = ()
    merits: Sequence[MeritShown] = ()
    warnings: Sequence[str] = ()
    gone: bool = False

    @property
    def settling(self) -> bool:
        """Whether its page has something to wait for: its end, or its result in the catalogue."""
        ended = self.run.ended
        made = self.run.state in ("done", "partial") and not self.run.preview and self.run.dataset is None
        return self.run.active or (made and ended is not None and (self.at - ended).total_seconds() < _REGISTERING)

    @property
    def stages(self) -> list[StageProgress]:
        """Return its stages in order."""
        return list(self.progress.stages.values())

    @property
    def found(self) -> list[Mapping[str, Any]]:
        """Return what the run found by itself, from its report or, while it goes, from its events."""
        told: Iterable[Mapping[str, Any]] = self.report.get("found") or self.progress.found.values()
        return list(told)


def shown_run(desk: Desk, run: Run, at: datetime) -> RunShown:
    """Gather what there is of a run now; what its folder has lost is left out."""
    pipeline = registry.load(run.pipeline) if run.pipeline in registry.names() else None
    gone = run.removed is not None
    progress = Progress()
    if not gone:
        try:
            progress = desk.progress(run)
        except BadInput:
            gone = True
    report = {} if gone else desk.report(run)
    elapsed = None
    if run.started is not None:
        elapsed = max(0.0, ((run.ended or at) - run.started).total_seconds())
    return RunShown(
        run,
        at,
        pipeline,
        progress,
        elapsed,
        _left(run, progress, elapsed),
        report,
        _figures(report),
        _merits(pipeline, report.get("merits", [])),
        list(dict.fromkeys([*report.get("warnings", []), *progress.warnings])),
        gone,
    )


def log(desk: Desk, run: Run, after: int = 0) -> list[Line]:
    """Return the log of a run in sentences, from a line on."""
    stages = {}
    if run.pipeline in registry.names():
        stages = {stage.name: (stage.title, stage.noun) for stage in registry.load(run.pipeline).stages}
    lines = []
    for number, event in Tail(desk.folder(run).path, after).more():
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            at = datetime.fromtimestamp(float(event["time"]), UTC)
            lines.append(Line(number, at, str(event["event"]), _sentence(desk.shown(event), stages)))
    return lines


def _sentence(event: Event, stages: Mapping[str, tuple[str, str]]) -> str:
    """Say what an event tells."""
    title, noun = stages.get(str(event.get("stage", "")), (str(event.get("stage", "")), "units"))
    match event["event"]:
        case "started":
            return f"Started on {event['workers']} {'core' if event['workers'] == 1 else 'cores'}."
        case "phase":
            return f"{event['title']}."
        case "stage":
            told = f"{event['title']}: {event['total']} {event['noun']}"
            return told + (f", {event['finished']} of them there already." if event["finished"] else ".")
        case "unit":
            return f"{title}: {event['size']} {noun} in {float(event['seconds']):.3g} s."
        case "unit-failed":
            return f"{title}: {event['size']} {noun} failed: {event['error']}"
        case "found":
            value = f"{event['value']:.6g}" if isinstance(event["value"], float) else str(event["value"])
            unit = f" {event['unit']}" if event.get("unit") else ""
            sure = f", confidence {event['confidence']:.2f}" if event.get("confidence") is not None else ""
            return f"Found {str(event['name']).replace('_', ' ')}: {value}{unit} ({event['method']}{sure})."
        case "ended":
            return f"Ended: {event['state']}. {event.get('text', '')}".strip()
    return str(event["text"])


def _left(run: Run, progress: Progress, elapsed: float | None) -> float | None:
    """Estimate the seconds a run still takes: the going stage at its rate, else by what was estimated before."""
    if run.state != "running" or elapsed is None:
        return None
    going = [stage.left for stage in progress.stages.values() if stage.finished + stage.failed < stage.total]
    known = [seconds for seconds in going if seconds is not None]
    if known and len(known) == len(going):
        return sum(known)
    rest = run.seconds - elapsed
    return rest if rest > 1 else None


def _figures(report: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """List the figures of a report whose names are plain."""
    return [one for one in report.get("figures", []) if _PICTURE.match(str(one.get("file", "")))]


def _merits(pipeline: Pipeline | None, told: Sequence[Mapping[str, Any]]) -> list[MeritShown]:
    """Join figures of merit with their uncertainties, which are figures of their own in a report."""
    values = {str(one["name"]): one for one in told}
    declared = {merit.name: merit for merit in pipeline.merits} if pipeline else {}
    errors = {merit.uncertainty for merit in declared.values() if merit.uncertainty and merit.name in values}
    shown = []
    for name, one in values.items():
        if name in errors:
            continue
        known = declared.get(name)
        error = values.get(known.uncertainty or "", {}).get("value") if known else None
        expected = known.expected if known else None
        shown.append(MeritShown(name, one["label"], one["value"], one["unit"], one["description"], error, expected))
    return shown
