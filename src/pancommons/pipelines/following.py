"""Where a run is, read from its folder alone - from the runner's process or any other, while it runs or later."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pancommons.pipelines import events, registry
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.lock import holder, is_running


@dataclass
class StageProgress:
    """How far a stage is; sizes are in its nouns, such as rows.

    ``rate`` is nouns per second since this attempt began, ``left`` the seconds it still takes, or None
    while that is not known.
    """

    name: str
    title: str
    noun: str
    total: int
    finished: int = 0
    failed: int = 0
    began: float | None = None
    already: int = 0
    latest: float | None = None

    @property
    def rate(self) -> float | None:
        """Return nouns per second."""
        done = self.finished - self.already
        if self.began is None or self.latest is None or done <= 0 or self.latest <= self.began:
            return None
        return done / (self.latest - self.began)

    @property
    def left(self) -> float | None:
        """Return the seconds this stage still takes at its rate."""
        rate = self.rate
        return (self.total - self.finished - self.failed) / rate if rate else None


@dataclass
class Progress:
    """What the events of a run add up to; feed it with `take`, one event at a time.

    ``state`` is ``created``, ``running``, ``done``, ``partial``, ``stopped`` or ``failed``.
    """

    state: str = "created"
    phase: str = ""
    stages: dict[str, StageProgress] = field(default_factory=dict)
    found: dict[str, events.Event] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    text: str = ""
    began: float | None = None
    ended: float | None = None

    def take(self, event: events.Event) -> None:
        """Add one event."""
        when = float(event.get("time", 0.0))
        kind = event.get("event")
        if kind == "started":
            self.state, self.text, self.ended, self.warnings, self.failures = "running", "", None, [], []
            self.began = when
        elif kind == "phase":
            self.phase = str(event.get("title", ""))
        elif kind == "stage":
            self.phase = str(event.get("title", ""))
            finished = int(event["finished"])
            self.stages[event["name"]] = StageProgress(
                event["name"], event["title"], event["noun"], int(event["total"]), finished, 0, when, finished
            )
        elif kind == "unit" and event["stage"] in self.stages:
            self.stages[event["stage"]].finished += int(event["size"])
            self.stages[event["stage"]].latest = when
        elif kind == "unit-failed" and event["stage"] in self.stages:
            self.stages[event["stage"]].failed += int(event["size"])
            self.failures.append(str(event.get("error", "")))
        elif kind == "found":
            self.found[event["name"]] = event
        elif kind in {"warning", "trouble"}:
            self.warnings.append(str(event["text"]))
        elif kind == "ended":
            self.state, self.text, self.phase, self.ended = event["state"], event.get("text", ""), "", when


@dataclass(frozen=True)
class Status:
    """A run's progress, and who runs it."""

    folder: Path
    pipeline: str
    progress: Progress
    runner: str | None

    @property
    def state(self) -> str:
        """Return the state; ``interrupted`` if it should run but its runner is gone."""
        if self.progress.state == "running" and self.runner is None:
            return "interrupted"
        return self.progress.state

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        progress = self.progress
        return {
            "folder": str(self.folder),
            "pipeline": self.pipeline,
            "state": self.state,
            "phase": progress.phase,
            "runner": self.runner,
            "stages": [{**asdict(stage), "rate": stage.rate, "left": stage.left} for stage in progress.stages.values()],
            "found": {name: event.get("value") for name, event in progress.found.items()},
            "warnings": progress.warnings,
            "failures": progress.failures,
            "text": progress.text,
            "seconds": (progress.ended or time.time()) - progress.began if progress.began else None,
        }


def status(path: str | Path) -> Status:
    """Read where a run is.

    Raises
    ------
    BadInput
        If the folder holds no run.
    """
    path = Path(path).absolute()
    folder = RunFolder.open(path)
    record = folder.record()
    progress = Progress(warnings=list(record.warnings))
    for event in events.read(folder.events):
        progress.take(event)
    if record.pipeline in registry.names():
        for stage in registry.load(record.pipeline).stages:
            units = record.plan.get(stage.name, [])
            if stage.name not in progress.stages and units:
                total = sum(unit.size for unit in units)
                progress.stages[stage.name] = StageProgress(stage.name, stage.title, stage.noun, total)
    runner = str(holder(path)) if is_running(path) else None
    return Status(path, record.pipeline, progress, runner)
