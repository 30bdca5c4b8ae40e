"""``pan nexus``: look after NeXus files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.nexus.validation import Verdict
    from pancommons.nexus.validation.definitions import Definitions

_EXIT = {"valid": 0, "invalid": 1, "not validated": 2}


def app() -> typer.Typer:
    """Make the group."""
    group = typer.Typer(help="Look after NeXus files.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command(epilog="Example: pan nexus validate scan.nxs")(validate)
    return group


def _group() -> None:
    """Look after NeXus files."""


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="NeXus files.")],
    definitions: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The NeXus definitions [default: those of an installed package]."),
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Print remarks beside errors and warnings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print verdicts and all findings as JSON.")] = False,
) -> None:
    """Check files against the NeXus definitions they name; exit 1 if one is invalid, 2 if it cannot be judged."""
    from pancommons.nexus.validation.definitions import find_definitions

    known = find_definitions(definitions)
    verdicts = []
    for file in files:
        verdicts.append(_judge(file, known))
        if not as_json:
            _say(verdicts[-1], notes=notes)
    if as_json:
        print(json.dumps([verdict.as_json() for verdict in verdicts], indent=1))
    raise typer.Exit(max(_EXIT[verdict.judgement] for verdict in verdicts))


def _judge(file: Path, definitions: Definitions | None) -> Verdict:
    """Validate a file; one that cannot be opened does not keep the others from being validated."""
    from pancommons.base.errors import BadInput
    from pancommons.nexus.validation import Verdict, validate

    try:
        return validate(file, definitions)
    except BadInput as error:
        return Verdict(file, "not validated", str(error).removeprefix(f"{file}: ").removesuffix("."))


def _say(verdict: Verdict, *, notes: bool) -> None:
    lines = [str(verdict)]
    if verdict.reason:
        lines.append(f"  {verdict.reason}")
    for entry in verdict.entries:
        names = " and ".join(entry.definitions) or "the base classes"
        lines.append(f"  {entry.path}: {entry.judgement}, against {names} ({verdict.definitions})")
    lines += [f"  {one}" for one in verdict.findings if notes or one.severity != "info"]
    hidden = verdict.counts.get("info", 0)
    if hidden and not notes:
        lines.append(f"  {hidden} more with --notes")
    print("\n".join(printable(line) for line in lines), flush=True)
