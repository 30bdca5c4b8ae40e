"""Showing a run's events while they happen: bars on a terminal, plain lines elsewhere, a table in a notebook."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from html import escape
from typing import IO, TYPE_CHECKING, Any

from pancommons.pipelines.events import Event, Listener
from pancommons.pipelines.following import Progress, StageProgress

if TYPE_CHECKING:
    from rich.progress import TaskID

_PLAIN_EVERY = 10.0
_NOTEBOOK_EVERY = 0.5


def default_listeners() -> tuple[Listener, ...]:
    """Return what shows progress where this process runs: a notebook, a terminal, or neither."""
    if _in_notebook():
        return (Notebook(),)
    return (Bars() if sys.stderr.isatty() else Lines(sys.stderr),)


class Bars:
    """Progress bars, one a stage, with rate and time left, on a terminal."""

    def __init__(self) -> None:
        from rich import progress as rich
        from rich.console import Console

        self._console = Console(stderr=True, markup=False, highlight=False)
        self._bars = rich.Progress(
            rich.SpinnerColumn(),
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[rate]}"),
            rich.TimeRemainingColumn(),
            console=self._console,
        )
        self._progress = Progress()
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._progress.take(event)
        kind = event["event"]
        if kind == "started":
            self._bars.start()
        elif kind == "ended":
            self._bars.stop()
        elif kind == "phase":
            self._console.print(f"{event['title']} ...", style="dim")
        elif kind == "found":
            self._console.print(sentence(event))
        elif kind in {"warning", "trouble", "unit-failed"}:
            self._console.print(sentence(event), style="yellow")
        elif kind == "stage":
            task = self._bars.add_task(event["title"], total=event["total"], completed=event["finished"], rate="")
            self._tasks[event["name"]] = task
        if kind in {"unit", "unit-failed"} and event["stage"] in self._tasks:
            stage = self._progress.stages[event["stage"]]
            self._bars.update(self._tasks[event["stage"]], completed=stage.finished + stage.failed, rate=rate(stage))


class Lines:
    """Plain lines for logs: every event that matters, progress every ten seconds."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._progress = Progress()
        self._said = 0.0

    def __call__(self, event: Event) -> None:
        """Write an event."""
        self._progress.take(event)
        kind = event["event"]
        if kind == "unit":
            stage = self._progress.stages.get(event["stage"])
            now = time.monotonic()
            if stage is None or (now - self._said < _PLAIN_EVERY and stage.finished < stage.total):
                return
            self._said = now
            left = f", {duration(stage.left)} left" if stage.left else ""
            speed = f", {rate(stage)}" if rate(stage) else ""
            self._say(f"{stage.title}: {stage.finished} of {stage.total} {stage.noun}{speed}{left}")
        elif kind == "stage":
            self._said = time.monotonic()
            done = f", {event['finished']} already done" if event["finished"] else ""
            self._say(f"{event['title']}: {event['total']} {event['noun']}{done}")
        elif text := sentence(event):
            self._say(text)

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class JsonLines:
    """Every event as one line of JSON, for machines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write an event."""
        print(json.dumps(event, ensure_ascii=False), file=self._stream, flush=True)


class Notebook:
    """One output in a notebook, brought up to date while the run goes on."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html: Callable[[str], Any] = HTML
        self._progress = Progress()
        self._handle = display(HTML(""), display_id=True)
        self._shown = 0.0

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._progress.take(event)
        now = time.monotonic()
        if event["event"] == "unit" and now - self._shown < _NOTEBOOK_EVERY:
            return
        self._shown = now
        self._handle.update(self._html(self._table()))

    def _table(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(stage.title)}</td>"
            f"<td><progress max='{stage.total}' value='{stage.finished}'></progress></td>"
            f"<td>{stage.finished} of {stage.total} {escape(stage.noun)}</td><td>{escape(rate(stage))}</td>"
            f"<td>{escape(duration(stage.left) + ' left' if stage.left else '')}</td></tr>"
            for stage in self._progress.stages.values()
        )
        notes = "".join(f"<li>{escape(text)}</li>" for text in self._progress.warnings)
        head = escape(self._progress.phase or self._progress.state)
        return f"<p>{head}</p><table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")


def sentence(event: Event) -> str:
    """Return an event in words; empty for those that progress itself shows."""
    kind = event["event"]
    if kind == "phase":
        return f"{event['title']} ..."
    if kind == "found":
        return found_sentence(event)
    if kind in {"warning", "trouble"}:
        return f"Warning: {event['text']}"
    if kind == "unit-failed":
        return f"Failed: {event['error']}"
    return ""


def found_sentence(event: Event) -> str:
    """Say what was found, how, and how surely."""
    value = event["value"]
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    unit = f" {event['unit']}" if event.get("unit") else ""
    confidence = event.get("confidence")
    sure = f", confidence {confidence:.2f}" if confidence is not None else ""
    return f"Found {event['name']} = {shown}{unit} ({event['method']}{sure})"


def rate(stage: StageProgress) -> str:
    """Return a stage's rate in words."""
    if stage.rate is None:
        return ""
    return f"{stage.rate:.3g} {stage.noun}/s" if stage.rate >= 0.1 else f"{60 * stage.rate:.2g} {stage.noun}/min"


def duration(seconds: float | None) -> str:
    """Return seconds in words."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    active = shell.get_ipython()
    return active is not None and "IPKernelApp" in active.config
