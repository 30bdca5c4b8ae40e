"""``pan ontology``: the experimental techniques that datasets are found by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pancommons.catalogue.ontology.graph import Ontology
    from pancommons.catalogue.records import Technique


def app() -> typer.Typer:
    """Make the group."""
    group = typer.Typer(help="Look up and load experimental techniques.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command(epilog="Example: pan ontology load PaNET.owl")(load)
    group.command(epilog="Example: pan ontology show PaNET01207")(show)
    group.command(epilog='Example: pan ontology find "small angle"')(find)
    return group


def _group() -> None:
    """Look up and load experimental techniques."""


def load(file: Annotated[Path, typer.Argument(metavar="FILE", help="PaNET's OWL file, or a list as JSON.")]) -> None:
    """Put the techniques of a file into the catalogue; names that are there already stay as synonyms."""
    from datetime import UTC, datetime

    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.ontology.stored import load_ontology
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database

    database = open_database()
    try:
        make_ready(database)
        with database.write() as connection:
            count = load_ontology(connection, file, by=LOCAL_USER, at=datetime.now(UTC))
    finally:
        database.close()
    print(f"{count} techniques")


def show(
    technique: Annotated[str, typer.Argument(metavar="ID", help="PaNET01207, a PURL, or a name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print a technique with what lies above and beneath it."""
    from pancommons.base.errors import BadInput

    ontology = _known()
    found = ontology.get(technique) or next(iter(ontology.named(technique)), None)
    if found is None:
        raise BadInput(
            f"there is no technique {technique!r}", remedy="look for a part of its name: pan ontology find WORD"
        )
    told = ontology.as_json(found)
    if as_json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return
    print(f"{_short(found)}\n  {found.pid}")
    if found.definition:
        print(f"  {found.definition}")
    if found.synonyms:
        print(f"  also: {', '.join(found.synonyms)}")
    for label, pids in (("above", told["parents"]), ("beneath", told["children"])):
        for other in (ontology.get(pid) for pid in pids):
            if other is not None:
                print(f"  {label}: {_short(other)}")
    print(f"  {len(told['relatives']) - 1} beneath it in all")


def find(
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Parts of names, synonyms, definitions.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the techniques with all of these words, the best matches first; exit 1 if there is none."""
    ontology = _known()
    found = ontology.containing(" ".join(words))
    if as_json:
        print(json.dumps([ontology.as_json(one) for one in found], indent=1, ensure_ascii=False))
    for one in found if not as_json else ():
        print(_short(one) + (f"  ({', '.join(one.synonyms)})" if one.synonyms else ""))
    if not found:
        raise typer.Exit(1)


def _short(one: Technique) -> str:
    return f"{one.pid.rsplit('/', 1)[-1]}  {one.name}"


def _known() -> Ontology:
    """Return the techniques of the catalogue; those of the package where the catalogue has none."""
    from pancommons.catalogue.ontology.graph import core
    from pancommons.catalogue.ontology.stored import stored_ontology
    from pancommons.store.engine import open_database
    from pancommons.store.migrate import version

    database = open_database()
    try:
        if version(database) is not None:
            with database.read() as connection:
                ontology = stored_ontology(connection)
            if len(ontology):
                return ontology
    finally:
        database.close()
    return core()
