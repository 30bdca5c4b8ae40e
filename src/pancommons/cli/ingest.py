"""``pan ingest``: bring the catalogue up to date with files and folders."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pancommons.catalogue.ingest.storing import Outcome


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest", epilog="Example: pan ingest /data/beamline --watch")(ingest)


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders, run folders.")],
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking for new and changed files.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Time between looks with --watch.")] = 10.0,
    digest: Annotated[bool, typer.Option("--digest/--no-digest", help="Read files whole for their sha256.")] = True,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Files to read at a time.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
) -> None:
    """Put the metadata of NeXus and HDF5 files, and of finished runs, into the catalogue; again is no change.

    Exit 0 if all went well, 3 if some files failed, 1 if all did.
    """
    from pancommons.base.errors import BadInput
    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.ingest import ingesting
    from pancommons.catalogue.ingest.opening import open_ingest
    from pancommons.catalogue.ingest.roots import check_below
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database

    database = open_database()
    catalogue, reading = open_ingest(database, LOCAL_USER, digests=digest)
    for path in paths:
        if not path.exists():
            raise BadInput("there is no such file or folder", file=path, remedy="check the name")
        check_below(catalogue.roots, path)
    make_ready(database)
    outcomes: Iterator[Outcome | None] = (
        ingesting.watch(paths, catalogue, reading, workers=workers, seconds=every)
        if watch
        else ingesting.ingest(paths, catalogue, reading, workers=workers)
    )
    counts: Counter[str] = Counter()
    try:
        with _shown() as show:
            for outcome in outcomes:
                if outcome is None:
                    continue
                counts[outcome.status] += 1
                show(counts)
                _tell(outcome, catalogue.roots, as_json=as_json)
    finally:
        database.close()
        _sum_up(counts, as_json=as_json)
    if not counts:
        raise BadInput("no file called as HDF5 files are", file=paths[0], remedy="name it itself if it is one")
    if counts["failed"]:
        raise typer.Exit(1 if counts["failed"] == counts.total() else 3)


def _tell(outcome: Outcome, roots: Any, *, as_json: bool) -> None:
    if as_json:
        told = {
            "path": str(outcome.path),
            "status": outcome.status,
            "datasets": [{"identifier": identifier, "title": title} for identifier, title in outcome.datasets],
            "problem": outcome.problem,
            "notes": outcome.notes,
        }
        print(json.dumps(told), flush=True)
        return
    if outcome.status == "unchanged":
        return
    place = roots.place(outcome.path) or outcome.path
    lines = [f"{outcome.status:<8} {place}" + (f": {outcome.problem}" if outcome.problem else "")]
    lines += [f"         {identifier}  {title}" for identifier, title in outcome.datasets]
    lines += [f"         {note}" for note in outcome.notes]
    print("\n".join(printable(line) for line in lines), flush=True)


def _sum_up(counts: Counter[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"event": "done", **counts}), flush=True)
    elif counts:
        print(", ".join(f"{counts[name]} {name}" for name in sorted(counts)), flush=True)


@contextmanager
def _shown() -> Iterator[Callable[[Counter[str]], None]]:
    """Show how many files are done, and how fast, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} files"), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, rate="")

        def show(counts: Counter[str]) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.0f}/s" if speed else ""
            progress.update(task, completed=counts.total(), rate=rate)

        yield show
