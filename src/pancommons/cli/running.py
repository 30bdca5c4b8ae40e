"""``pan run``: a command for each pipeline, its options made from its declaration."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.cli import batch, remote
from pancommons.cli.merits import say_merits
from pancommons.cli.options import given, signature

if TYPE_CHECKING:
    from pancommons.pipelines.creation import Prepared, Request
    from pancommons.pipelines.declaration import Pipeline
    from pancommons.pipelines.events import Listener

WHERE = "Where and how it runs"

Out = Annotated[
    Path | None,
    typer.Option(help="The run folder to make [default: ./STEM-PIPELINE-N].", rich_help_panel=WHERE),
]
Table = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Run every line of a CSV file whose columns are inputs and parameters, into folders in --out "
        "[default: the file's stem].",
        rich_help_panel=WHERE,
    ),
]
On = Annotated[
    str | None,
    typer.Option(help="threads, processes, dask or dask:ADDRESS [default: threads].", rich_help_panel=WHERE),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Units at a time [default: the cores allowed].", rich_help_panel=WHERE),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory to use, such as 4G [default: half of what is free].",
        rich_help_panel=WHERE,
    ),
]
Remote = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Run at a server, on datasets there; default stands for the one last signed in to.",
        rich_help_panel=WHERE,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.", rich_help_panel=WHERE)]


def app(arguments: list[str]) -> typer.Typer:
    """Make the group; only the pipeline named on the command line is loaded, or all for its help."""
    group = typer.Typer(
        help="Run a pipeline on data: pan run PIPELINE [ROLE=]PATH... [--PARAMETER VALUE] [--out DIR]",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        epilog="pan run PIPELINE --help shows a pipeline's inputs, parameters and examples.",
    )
    group.callback()(_group)
    if arguments[:1] != ["run"]:
        return group
    from pancommons.pipelines import registry

    asked = next((word for word in arguments[1:] if not word.startswith("-")), None)
    for name in [asked] if asked else registry.names():
        _add(group, registry.load(name))
    return group


def _group() -> None:
    """Run a pipeline on data: pan run PIPELINE [ROLE=]PATH... [--PARAMETER VALUE] [--out DIR]."""


def _add(group: typer.Typer, pipeline: Pipeline) -> None:
    from pancommons.pipelines.inputs import assign

    def command(
        inputs: Annotated[
            list[str] | None, typer.Argument(metavar="[ROLE=]PATH...", help=_roles(pipeline), show_default=False)
        ] = None,
        out: Out = None,
        table: Table = None,
        preset: Annotated[
            str | None,
            typer.Option(
                help=f"Start from a preset: {', '.join(pipeline.presets) or 'there is none'}.",
                rich_help_panel=WHERE,
            ),
        ] = None,
        params: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Read parameters from TOML or JSON.", rich_help_panel=WHERE),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Check, estimate, write nothing.", rich_help_panel=WHERE)
        ] = False,
        preview: Annotated[
            bool,
            typer.Option("--preview", help="Do one slice or its like, in seconds.", rich_help_panel=WHERE),
        ] = False,
        on: On = None,
        workers: Workers = None,
        memory: Memory = None,
        server: Remote = None,
        json_lines: Json = False,
        **options: Any,
    ) -> None:
        if server is not None:
            refuse_there(table=table, on=on, workers=workers, memory=memory)
            asked = {"parameters": _given(params, options), "preset": preset, "preview": preview}
            remote.start(pipeline, inputs or [], server, out, dry_run=dry_run, as_json=json_lines, **asked)
            return
        from pancommons.base.settings import settings
        from pancommons.pipelines.creation import Request
        from pancommons.pipelines.executors import factory
        from pancommons.pipelines.table import requests as requests_of

        primary, others = assign(pipeline, inputs or [])
        role = pipeline.primary
        common = Request(
            pipeline=pipeline.name,
            inputs=others,
            parameters=given(options),
            preset=preset,
            file=params,
            preview=preview,
            workers=workers,
            memory=memory,
        )
        if not dry_run:
            factory(on or settings().on, 1)
        if table is not None:
            common = replace(common, inputs={**others, **({role.name: primary} if primary else {})})
            runs = requests_of(pipeline, table, common)
            _run_table(runs, out or Path(table.stem), on, dry_run=dry_run, as_json=json_lines)
            return
        several = [primary] if role.many or not primary else [[path] for path in primary]
        requests = [replace(common, inputs={**({role.name: paths} if paths else {}), **others}) for paths in several]
        _run_all(requests, out, on, dry_run=dry_run, as_json=json_lines)

    signature(command, pipeline.parameters)
    group.command(
        pipeline.name,
        help=f"{pipeline.title}. {pipeline.description}",
        epilog="Examples: " + "; ".join(pipeline.examples) if pipeline.examples else None,
        no_args_is_help=True,
    )(command)


def refuse_there(**options: Any) -> None:
    """Refuse options that a server decides on itself."""
    from pancommons.base.errors import BadInput

    for name, value in options.items():
        if value is not None:
            raise BadInput("does not go together with --server", field=f"--{name}", remedy="leave it out")


def _given(file: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a file and those of the command line, which win."""
    from pancommons.pipelines.parameters import read_file

    return {**(read_file(file) if file else {}), **given(options)}


def _roles(pipeline: Pipeline) -> str:
    words = []
    for role in pipeline.roles:
        need = "needed" if role.required else "optional"
        words.append(f"{role.name}= {role.description} ({need})")
    return f"Inputs by role; bare paths are {pipeline.primary.name}=, several are a batch. " + "; ".join(words)


def _run_all(requests: list[Request], out: Path | None, on: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Run one request, or several as a batch with a folder each; exit with the worst code."""
    from pancommons.pipelines import creation

    worst = batch.Worst(as_json=as_json)
    alone = len(requests) == 1
    for request, place in zip(requests, batch.places(requests, out), strict=True):
        with nullcontext() if alone else worst.surviving():
            prepared = creation.examine(request)
            if dry_run:
                _say_plan(prepared, place, as_json=as_json)
                continue
            _start(prepared, place, on, as_json=as_json)
        if worst.stopped:
            break
    worst.exit()


def _run_table(requests: Mapping[str, Request], out: Path, on: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Run what a table asks for; runs that are there from an earlier try are kept, or gone on with."""
    from pancommons.pipelines import creation
    from pancommons.pipelines.api import finished

    worst = batch.Worst(as_json=as_json)
    for name, request in requests.items():
        with worst.surviving():
            prepared = creation.examine(request)
            if dry_run:
                _say_plan(prepared, out / name, as_json=as_json)
                continue
            folder = batch.existing(prepared, out / name)
            if folder is None:
                _start(prepared, out / name, on, as_json=as_json)
            elif not finished(folder):
                execute(folder.path, on, as_json=as_json)
            elif not as_json:
                print(f"{out / name}: done before", file=sys.stderr)
        if worst.stopped:
            break
    if not dry_run and not as_json and out.exists():
        batch.say_summary({name: out / name for name in requests}, out)
    worst.exit()


def _start(prepared: Prepared, place: Path | None, on: str | None, *, as_json: bool) -> None:
    """Make the folder of a run and bring the run to its end."""
    from pancommons.pipelines import creation

    if not as_json:
        _say_start(prepared)
    folder = creation.create(prepared, place)
    if as_json:
        print(json.dumps({"event": "created", **_facts(prepared, folder.path)}), flush=True)
    execute(folder.path, on, as_json=as_json)


def execute(path: Path, on: str | None, *, as_json: bool) -> None:
    """Run or resume a folder with progress, Ctrl-C as a stop, and a closing line; exit 3 when partial."""
    from pancommons.base.errors import RunPartial
    from pancommons.base.settings import settings
    from pancommons.pipelines import runner
    from pancommons.pipelines.progress import JsonLines, default_listeners

    listeners: tuple[Listener, ...] = (JsonLines(sys.stdout),) if as_json else default_listeners()
    with _stopping_on_signals(path):
        state = runner.execute(path, on=on or settings().on, listeners=listeners)
    if not as_json:
        say_result(path)
    if state == "partial":
        raise typer.Exit(RunPartial.exit_code)


def say_result(path: Path) -> None:
    """Print figures of merit and where to look."""
    from pancommons.pipelines.folder import RunFolder

    folder = RunFolder(path)
    facts = folder.report_facts()
    say_merits(facts["merits"])
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    if facts["state"] == "partial":
        print(f"Partial: {len(facts['failed'])} units failed; try them again with: pan resume {shown}")
    print(f"Result:  {shown / 'result.nxs'}\nReport:  {shown / 'report.html'}")


def _say_start(prepared: Prepared) -> None:
    for text in prepared.record.warnings:
        print(f"Warning: {text}", file=sys.stderr)
    print(f"{prepared.pipeline.title}: {prepared.estimate}", file=sys.stderr)


def _say_plan(prepared: Prepared, out: Path | None, *, as_json: bool) -> None:
    from pancommons.pipelines.creation import free_name

    place = out or free_name(prepared)
    record, estimate = prepared.record, prepared.estimate
    if as_json:
        print(json.dumps({"event": "planned", **_facts(prepared, place)}))
        return
    print(f"{prepared.pipeline.title}, into {place}: {estimate}")
    for name, value in record.facts.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            print(f"  {name.replace('_', ' ')}: {value}")
    for name, value in record.detected.items():
        print(f"  found in the data: {name.replace('_', ' ')} {value}")
    for stage in prepared.pipeline.stages:
        units = record.plan.get(stage.name, [])
        if units:
            print(f"  {stage.title}: {sum(unit.size for unit in units)} {stage.noun} in {len(units)} units")
    for text in record.warnings:
        print(f"  Warning: {text}")


def _facts(prepared: Prepared, place: Path) -> dict[str, Any]:
    """Return what is known of a run before it starts."""
    record, estimate = prepared.record, prepared.estimate
    return {
        "out": str(place.absolute()),
        "seconds": estimate.seconds,
        "memory": estimate.memory,
        "disk": estimate.disk,
        "parameters": record.parameters,
        "facts": record.facts,
        "detected": record.detected,
        "warnings": record.warnings,
        "units": {stage: len(units) for stage, units in record.plan.items()},
    }


@contextmanager
def _stopping_on_signals(path: Path) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM a request to stop; a second Ctrl-C ends at once, and nothing finished is lost."""

    def stop(number: int, frame: FrameType | None) -> None:
        if (path / "stop").exists():
            if os.isatty(2):
                os.write(2, b"\x1b[?25h")  # show the cursor, which progress bars hide
            os._exit(130)
        (path / "stop").touch()
        print("\nStopping after the units in hand; Ctrl-C again ends at once.", file=sys.stderr)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
