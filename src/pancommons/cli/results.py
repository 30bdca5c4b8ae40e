"""Commands on run folders: resume, status, stop, report, compare, reproduce, pack."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pancommons.cli import remote
from pancommons.cli.running import Json, Memory, On, Out, Workers, execute, refuse_there

if TYPE_CHECKING:
    from pancommons.pipelines.comparing import Comparison
    from pancommons.pipelines.following import Status

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")]
Where = Annotated[str, typer.Argument(metavar="DIR-OR-URL", help="A run folder, or the address of a run at a server.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: pan resume scan-tomography-1")(resume)
    app.command(epilog="Example: pan status scan-tomography-1 --follow")(status)
    app.command(epilog="Example: pan stop scan-tomography-1")(stop)
    app.command(epilog="Example: pan report scan-tomography-1 --open")(report)
    app.command(epilog="Example: pan compare mine theirs --tolerance 1e-5")(compare)
    app.command(epilog="Example: pan reproduce published.zip scan=/data/scan.nxs")(reproduce)
    result = typer.Typer(help="Work with finished results.", no_args_is_help=True, rich_markup_mode=None)
    result.callback()(_result)
    result.command(epilog="Example: pan result pack scan-tomography-1 --to published.zip")(pack)
    result.command(epilog="Example: pan result notebook scan-tomography-1 --to again.ipynb")(notebook)
    app.add_typer(result, name="result")


def _result() -> None:
    """Work with finished results."""


def resume(
    place: Where, on: On = None, workers: Workers = None, memory: Memory = None, json_lines: Json = False
) -> None:
    """Go on with a run that was stopped, killed or left partial; finished work is kept."""
    from pancommons.pipelines.api import finished
    from pancommons.pipelines.creation import allow
    from pancommons.pipelines.folder import RunFolder

    if (there := remote.at(place)) is not None:
        refuse_there(on=on, workers=workers, memory=memory)
        remote.resume(there, as_json=json_lines)
        return
    folder = Path(place)
    run = RunFolder.open(folder.absolute())
    if finished(run):
        print(f"{folder}: this run is done; nothing is left to do.")
        return
    if workers or memory:
        allow(run, workers, memory)
    execute(run.path, on, as_json=json_lines)


def status(
    place: Where,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say where a run is, while it runs or later; exit 0."""
    from pancommons.pipelines import following

    if (there := remote.at(place)) is not None:
        remote.status(there, stay=follow, as_json=as_json)
        return
    folder = Path(place)
    while True:
        found = following.status(folder.absolute())
        print(json.dumps(found.as_json()) if as_json else _status_text(found), flush=True)
        if not follow or found.state != "running":
            return
        time.sleep(2)


def _status_text(found: Status) -> str:
    from pancommons.pipelines.progress import duration, found_sentence, rate

    progress = found.progress
    lines = [f"{found.pipeline} in {found.folder}: {found.state}"]
    if found.runner:
        lines[0] += f" ({found.runner})"
    if progress.phase:
        lines.append(f"  {progress.phase}")
    for stage in progress.stages.values():
        words = [f"{stage.finished} of {stage.total} {stage.noun}"]
        if stage.failed:
            words.append(f"{stage.failed} failed")
        if rate(stage):
            words.append(rate(stage))
        if found.state == "running" and stage.left:
            words.append(f"{duration(stage.left)} left")
        lines.append(f"  {stage.title}: {', '.join(words)}")
    lines += [f"  {found_sentence(event)}" for event in progress.found.values()]
    lines += [f"  Warning: {text}" for text in progress.warnings]
    lines += [f"  Failed: {text}" for text in progress.failures]
    if progress.text:
        lines.append(f"  {progress.text}")
    if found.state in {"interrupted", "created"}:
        lines.append(f"  Go on with: pan resume {found.folder}")
    return "\n".join(lines)


def stop(place: Where) -> None:
    """Ask a run to stop after the units in hand; `pan resume` goes on with it later."""
    from pancommons.pipelines import api

    if (there := remote.at(place)) is not None:
        remote.stop(there)
        return
    folder = Path(place)
    api.stop(folder)
    print(f"{folder}: asked to stop after the units in hand; go on later with: pan resume {folder}")


def report(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json.")] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the web browser.")] = False,
) -> None:
    """Print a run's figures of merit, warnings and where its report lies."""
    from pancommons.cli.running import say_result
    from pancommons.pipelines.api import open_run

    run = open_run(folder)
    if as_json:
        print(json.dumps(run.report, indent=1, ensure_ascii=False))
        return
    say_result(run.path)
    for text in run.warnings:
        print(f"Warning: {text}")
    for text in run.report["failed"]:
        print(f"Failed: {text}")
    if show:
        import webbrowser

        webbrowser.open((run.path / "report.html").as_uri())


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run folder or packed result.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Largest difference allowed, as a fraction of an array's largest magnitude."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Compare two results array by array; exit 1 if they differ by more than the tolerance."""
    from pancommons.pipelines import comparing

    found = comparing.compare(a, b, tolerance=tolerance)
    _say_comparison(found, as_json=as_json)


def reproduce(
    source: Annotated[Path, typer.Argument(metavar="DIR-OR-CRATE", help="A run folder or packed result.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[ROLE=PATH]...", help="Inputs that moved since.")
    ] = None,
    out: Out = None,
    on: On = None,
    workers: Workers = None,
    memory: Memory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Execute a published run again and compare; exit 1 if the result differs."""
    from pancommons.base.errors import BadInput
    from pancommons.base.settings import settings
    from pancommons.pipelines.progress import JsonLines, default_listeners
    from pancommons.pipelines.reproducing import reproduce as again

    named: dict[str, Path] = {}
    for word in inputs or []:
        role, equals, path = word.partition("=")
        if not equals:
            raise BadInput(f"{word!r} does not say which input it is", remedy="write ROLE=PATH")
        named[role] = Path(path)
    listeners = (JsonLines(sys.stderr),) if as_json else default_listeners()
    where = on or settings().on
    folder, comparison, notes = again(
        source, named, out=out, on=where, workers=workers, memory=memory, listeners=listeners
    )
    if not as_json:
        for note in notes:
            print(f"Note: {note}")
        print(f"Executed again in {folder.path}")
    _say_comparison(comparison, as_json=as_json)


def pack(
    folder: Folder,
    to: Annotated[Path | None, typer.Option(metavar="FILE.zip", help="The file to make [default: DIR.zip].")] = None,
) -> None:
    """Pack a finished run into one self-contained crate that can be published and reproduced."""
    from pancommons.pipelines.packing import pack as make

    print(make(folder.absolute(), (to or Path(f"{folder}.zip")).absolute()))


def notebook(
    folder: Folder,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE.ipynb", help="The file to make [default: DIR.ipynb].")
    ] = None,
) -> None:
    """Write a notebook that makes the same call, with its parameters, figures of merit and plot."""
    from pancommons.pipelines.notebook import write

    print(write(folder.absolute(), (to or Path(f"{folder}.ipynb")).absolute()))


def _say_comparison(found: Comparison, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        from rich.console import Console
        from rich.table import Column, Table

        table = Table(Column("array", overflow="fold"), "largest difference", "of the largest", "rms", "verdict")
        for row in found.rows:
            table.add_row(row.name, *row.cells(), row.verdict)
        Console().print(table)
        for text in found.differences:
            print(text)
        print("The results are the same." if found.same else "The results differ.")
    if not found.same:
        raise typer.Exit(1)
