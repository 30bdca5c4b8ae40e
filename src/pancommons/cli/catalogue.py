"""``pan catalogue``: take over other catalogues, hand this one on, keep it safe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pancommons.cli.editing import edit
from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.catalogue.exchange.arriving import Report
    from pancommons.store.engine import Database


class _In(StrEnum):
    AUTO = "auto"
    PANOSC = "panosc"
    SCICAT = "scicat"
    ICAT = "icat"
    VISA = "visa"


class _Out(StrEnum):
    PANOSC = "panosc"
    SCICAT = "scicat"
    ICAT = "icat"
    VISA = "visa"
    DATACITE = "datacite"


def app() -> typer.Typer:
    """Make the group."""
    group = typer.Typer(help=_group.__doc__, no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command("import", epilog="Example: pan catalogue import datasets.json")(import_)
    group.command("export", epilog="Example: pan catalogue export all.json --format scicat")(export)
    group.command(epilog="Example: pan catalogue dump catalogue.gz")(dump)
    group.command(epilog="Example: pan catalogue restore catalogue.gz")(restore)
    group.command(epilog="Example: pan catalogue info")(info)
    group.command(epilog="Example: pan catalogue edit dataset 10.5072/x title='Lung, dry'")(edit)
    return group


def _group() -> None:
    """Take over other catalogues, hand this one on, keep it safe."""


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file, or the folder of VISA's tables.")],
    form: Annotated[_In, typer.Option("--format", help="How it is written; found out by itself.")] = _In.AUTO,
    facility: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose instruments VISA's are [default: the configured one].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Put what another catalogue wrote into this one; again is no change.

    Exit 0 if all of it was taken, 3 if some was refused, 1 if all was.
    """
    from datetime import UTC, datetime
    from typing import cast

    from pancommons.base.settings import settings
    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.exchange.formats import Format, import_file
    from pancommons.catalogue.policy import read_policy

    told = settings()
    with _database(make=True) as database, _counted() as show:
        report = import_file(
            database,
            file,
            of=None if form is _In.AUTO else cast(Format, form.value),
            facility=facility or told.site.facility,
            policy=read_policy(),
            by=LOCAL_USER,
            at=datetime.now(UTC),
            show=lambda report: show(report.total, 0),
        )
    _tell(report, as_json=as_json)


def _tell(report: Report, *, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in ("added", "changed", "unchanged", "refused")}
    if as_json:
        refusals = [{"place": one.place, "reason": one.reason} for one in report.refusals]
        print(json.dumps({**counts, "refusals": refusals}, ensure_ascii=False))
    else:
        for one in report.refusals:
            print(f"refused {printable(one.reason)}")
        print(", ".join(f"{count} {name}" for name, count in counts.items()))
    if report.refused:
        raise typer.Exit(1 if report.refused == report.total else 3)


def export(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file, or folder of VISA's tables, to write; replaced if there.")
    ],
    form: Annotated[_Out, typer.Option("--format", help="How to write it.")] = _Out.PANOSC,
    public: Annotated[bool, typer.Option("--public", help="Only what anybody may have.")] = False,
) -> None:
    """Write the catalogue as other catalogues read it."""
    from datetime import UTC, datetime

    from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
    from pancommons.catalogue.exchange.datacite_writing import export_datacite
    from pancommons.catalogue.exchange.formats import EXPORTS

    with _database() as database, _counted() as show:
        now, who = datetime.now(UTC), ANONYMOUS if public else LOCAL_USER
        if form is _Out.DATACITE:
            count = export_datacite(database, out, at=now, show=show)
        else:
            count = EXPORTS[form.value](database, out, principal=who, at=now, show=show)
    print(f"{count} records")


def dump(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; one that is there is replaced.")],
) -> None:
    """Write every row of the database to one file, as it is at this moment, while others go on."""
    from pancommons.catalogue.exchange.dump import dump as write

    with _database() as database, _counted() as show:
        made = write(database, file, show)
    print(f"{made.total} rows of {len(made.rows)} tables, revision {made.revision}")


def restore(file: Annotated[Path, typer.Argument(metavar="FILE", help="What pan catalogue dump wrote.")]) -> None:
    """Fill an empty database from a dump, on whichever kind of server: all of it or nothing."""
    from pancommons.catalogue.exchange.dump import restore as read

    with _database(bare=True) as database, _counted() as show:
        made = read(database, file, show)
        database.analyse()
    print(f"{made.total} rows of {len(made.rows)} tables, revision {made.revision}")


def info(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Print where the catalogue is and what is in it."""
    from pancommons.catalogue.exchange.summary import summary

    with _database() as database:
        told = summary(database)
    if as_json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for name, value in told.items():
        print(f"{name:<12} {value}")


@contextmanager
def _database(*, make: bool = False, bare: bool = False) -> Iterator[Database]:
    """Open the database of the settings; made where it is to be filled, else it must be there."""
    import pancommons.catalogue.ledger
    import pancommons.catalogue.parts
    import pancommons.catalogue.tables
    import pancommons.runs.tables  # noqa: F401  all tables, declared
    from pancommons.base.errors import BadInput
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database
    from pancommons.store.migrate import version

    database = open_database()
    try:
        if make:
            make_ready(database)
        elif not bare and version(database) is None:
            raise BadInput("there is no catalogue yet", remedy="make one with: pan ingest or pan catalogue import")
        yield database
    finally:
        database.close()


@contextmanager
def _counted() -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many are done, and of how many where that is known."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)
