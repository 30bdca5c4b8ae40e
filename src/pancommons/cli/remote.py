"""Runs at a server: asked for, followed, stopped, listed and fetched with the commands of runs here."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pancommons.cli.login import Server
from pancommons.cli.merits import say_merits
from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.client import Client, Run
    from pancommons.pipelines.declaration import Pipeline

DEFAULT = "default"
"""In place of an address: the server that was last signed in to."""


def add(app: typer.Typer) -> None:
    """Add the command that has no counterpart here."""
    app.command(epilog="Example: pan runs --server https://data.facility.example")(runs)


def connect(server: str | None) -> Client:
    """Return a client of a server that is named on the command line."""
    from pancommons.client import Client

    return Client(None if server == DEFAULT else server)


def at(place: str) -> Run | None:
    """Return the run of which an address was given; None if it is no address."""
    if "://" not in place:
        return None
    from pancommons.base.errors import BadInput
    from pancommons.client import Client, address

    named = address.run(place)
    if named is None:
        raise BadInput("is no address of a run", file=place, remedy="write https://HOST/runs/ID")
    return Client(named[0]).find(named[1])


def start(
    pipeline: Pipeline,
    words: Sequence[str],
    server: str,
    out: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Ask a server for runs, one for each dataset where the pipeline takes one, and follow them."""
    from pancommons.cli import batch

    primary, others = sort(pipeline, words)
    several = [primary] if pipeline.primary.many or not primary else [[one] for one in primary]
    client = connect(server)
    inputs = [{**others, **({pipeline.primary.name: data} if data else {})} for data in several]
    if dry_run:
        for one in inputs:
            _say_estimate(client.estimate(pipeline.name, inputs=one, **asked), as_json=as_json)
        return
    made = [client.run(pipeline.name, inputs=one, **asked) for one in inputs]
    if as_json:
        for run in made:
            print(json.dumps({"event": "created", "url": run.url, **run.facts}), flush=True)
    worst = batch.Worst(as_json=as_json)
    for run in made:
        place = out / run.id if out is not None and len(made) > 1 else out
        with worst.surviving():
            follow(run, place, as_json=as_json)
    worst.exit()


def follow(run: Run, out: Path | None = None, *, as_json: bool) -> None:
    """Show a run until it has ended, and fetch what it made; Ctrl-C leaves it going."""
    from pancommons.base.errors import PanError, RunPartial, RunStopped
    from pancommons.pipelines.progress import JsonLines, default_listeners

    listeners = (JsonLines(sys.stdout),) if as_json else default_listeners()
    if not as_json:
        _say_wait(run)
    try:
        for event in run.follow():
            with suppress(KeyError, TypeError, ValueError):  # a newer server may say what is not known here
                for listener in listeners:
                    listener(event if as_json else _clean(event))
    except KeyboardInterrupt:
        if not as_json:
            for listener in listeners:
                listener({"event": "ended", "state": "running"})  # bars give the terminal back
        _leave(run)
    if run.state == "stopped":
        raise RunStopped(f"Stopped; what is finished is kept. Go on with: pan resume {run.url}")
    if run.state not in ("done", "partial"):
        raise PanError(f"{run.url}: {run.facts.get('why') or f'it is {run.state}'}")
    if not as_json:
        _say_result(run)
    if out is not None:
        print(f"Fetched: {fetch(run, out)}", file=sys.stderr if as_json else sys.stdout)
    if run.state == "partial":
        raise typer.Exit(RunPartial.exit_code)


def fetch(run: Run, out: Path) -> Path:
    """Fetch what a run made, with a bar on a terminal."""
    from rich import progress as rich
    from rich.console import Console

    columns = (rich.TextColumn("Fetching"), rich.BarColumn(), rich.DownloadColumn(), rich.TransferSpeedColumn())
    with rich.Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("")
        return run.download(out, lambda there, whole: bars.update(task, completed=there, total=whole))


def status(run: Run, *, stay: bool, as_json: bool) -> None:
    """Say where a run is; stay with it until it has ended if that is wanted."""
    if stay and run.going:
        follow(run, as_json=as_json)
        return
    print(json.dumps({"url": run.url, **run.facts}) if as_json else _status_text(run))


def stop(run: Run) -> None:
    """Ask a run to stop."""
    run.stop()
    print(f"{run.url}: asked to stop after the units in hand; go on later with: pan resume {run.url}")


def resume(run: Run, *, as_json: bool) -> None:
    """Let a run go on, and follow it."""
    if run.state == "done":
        print(f"{run.url}: this run is done; nothing is left to do.")
        return
    if not run.going:
        run.resume()
    follow(run, as_json=as_json)


def runs(
    server: Server = None,
    limit: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="Runs at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List your runs at a server, the newest first."""
    found = connect(server).runs(limit=limit)
    if as_json:
        print(json.dumps([{"url": run.url, **run.facts} for run in found], indent=1, ensure_ascii=False))
        return
    if not found:
        print("You have no runs there.", file=sys.stderr)
        return
    rows = [("state", "created", "title", "run"), *(_row(run) for run in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def sort(pipeline: Pipeline, words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Sort datasets into those of the first role and those of named ones."""
    primary: list[str] = []
    others: dict[str, list[str]] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if equals and pipeline.role(name) and name != pipeline.primary.name:
            others.setdefault(name, []).append(rest)
        else:
            primary.append(rest if equals and name == pipeline.primary.name else word)
    return primary, others


def _clean(told: Any) -> Any:
    """Return what may be written to a terminal: no server and no file has a say over it."""
    if isinstance(told, str):
        return printable(told)
    if isinstance(told, dict):
        return {name: _clean(one) for name, one in told.items()}
    return told


def _leave(run: Run) -> NoReturn:
    follow_it, stop_it = f"pan status --follow {run.url}", f"pan stop {run.url}"
    print(f"\nThe run goes on at the server.\n  Follow it: {follow_it}\n  Stop it:   {stop_it}", file=sys.stderr)
    raise typer.Exit(130)


def _say_wait(run: Run) -> None:
    print(f"{printable(str(run.facts['title']))}: {run.url}", file=sys.stderr)
    place = run.facts.get("place")
    if run.state == "waiting" and place:
        print(f"It waits for its turn, at place {place} of the queue.", file=sys.stderr)


def _say_result(run: Run) -> None:
    report = run.report
    say_merits(report.get("merits", ()))
    if run.state == "partial":
        print(f"Partial: some units failed; try them again with: pan resume {run.url}")
    print(f"Result:  {run.url}")
    dataset = run.facts.get("dataset")
    if dataset:
        print(f"Dataset: {run.url.removesuffix(f'/runs/{run.id}')}/datasets/{dataset}")


def _say_estimate(told: Mapping[str, Any], *, as_json: bool) -> None:
    from pancommons.pipelines.creation import Estimate

    if as_json:
        print(json.dumps({"event": "planned", **told}))
        return
    print(f"{told['pipeline']}: {Estimate(**told['estimate'])}")
    for name, value in told["facts"].items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            print(f"  {printable(name.replace('_', ' '))}: {printable(str(value))}")
    for name, value in told["detected"].items():
        print(f"  found in the data: {printable(name.replace('_', ' '))} {printable(str(value))}")
    for text in told["warnings"]:
        print(f"  Warning: {printable(str(text))}")


def _status_text(run: Run) -> str:
    from pancommons.pipelines.progress import duration

    facts = run.facts
    lines = [f"{facts['title']}, {facts['pipeline']} at {run.url}: {run.state}"]
    if facts.get("place"):
        lines.append(f"at place {facts['place']} of the queue")
    if facts.get("phase"):
        lines.append(str(facts["phase"]))
    for stage in facts.get("stages", ()):
        words = [f"{stage['finished']} of {stage['total']} {stage['noun']}"]
        if stage.get("failed"):
            words.append(f"{stage['failed']} failed")
        if run.state == "running" and stage.get("left"):
            words.append(f"{duration(stage['left'])} left")
        lines.append(f"{stage['title']}: {', '.join(words)}")
    lines += [f"Warning: {text}" for text in facts.get("warnings", ())]
    lines += [f"Failed: {text}" for text in facts.get("failures", ())]
    if facts.get("why"):
        lines.append(str(facts["why"]))
    return "\n  ".join(printable(line) for line in lines)


def _row(run: Run) -> tuple[str, str, str, str]:
    facts = run.facts
    return run.state, str(facts["created"])[:16].replace("T", " "), printable(str(facts["title"])), run.url
