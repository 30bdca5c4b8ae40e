"""``pan search``: find datasets, here, at a server, or in several catalogues at once."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from pancommons.base.errors import BadInput
from pancommons.cli.remote import DEFAULT
from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.store.engine import Database

Records = list[dict[str, Any]]


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog='Example: pan search "x-ray tomography lung" --where "photon_energy > 20 keV"')(search)


def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD...]", help="Words to rank by.")] = None,
    technique: Annotated[
        str | None, typer.Option(metavar="NAME", help="A technique and all beneath it: PaNET01207, a name.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help='Such as "incident_wavelength < 2 angstrom".')
    ] = None,
    federated: Annotated[bool, typer.Option("--federated", help="Ask all catalogues of the settings.")] = False,
    server: Annotated[str | None, typer.Option(metavar="URL", help="Ask a server, not the database here.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Datasets at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
) -> None:
    """Find datasets by words, technique and quantities, the best first.

    Exit 0 if some are found, 1 if none, 3 if a catalogue of a federation did not answer.
    """
    asked = filter_of(" ".join(words or []), technique, where or [], limit)
    note = ""
    if server is not None:
        found, note = _from_server(server, asked, federated=federated)
    elif federated:
        found, note = _from_all(asked)
    else:
        found = _from_here(asked, technique)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _print(found, ranked="query" in asked, federated=federated)
    if note:
        print(f"Not all of it: {printable(note)}.", file=sys.stderr)
        raise typer.Exit(3)
    if not found:
        print("Nothing was found.", file=sys.stderr)
        raise typer.Exit(1)


def filter_of(words: str, technique: str | None, conditions: list[str], limit: int) -> dict[str, Any]:
    """Write what is asked as a filter of the search API.

    Raises
    ------
    BadInput
        If a condition cannot be read.
    """
    from pancommons.catalogue.ontology.graph import PANET
    from pancommons.catalogue.search.models import DATASET
    from pancommons.cli.where import read_where

    include: list[dict[str, Any]] = []
    fields: list[dict[str, Any]] = []
    for text in conditions:
        for one in read_where(text, DATASET.fields.__contains__):
            if one.name in DATASET.fields:
                fields.append({one.name: one.operand()})
                continue
            parts: list[dict[str, Any]] = [{"name": one.name}, {"value": one.operand()}]
            if one.unit is not None:
                parts.append({"unit": one.unit})
            include.append({"relation": "parameters", "scope": {"where": {"and": parts}}})
    if technique is not None:
        name = technique.strip()
        if name.lower().startswith("panet") and name[5:].isdigit():
            about: dict[str, Any] = {"pid": f"{PANET}PaNET{name[5:]}"}
        else:
            about = {"pid": name} if "://" in name else {"name": {"ilike": name}}
        include.append({"relation": "techniques", "scope": {"where": about}})
    asked: dict[str, Any] = {"limit": limit}
    if words.strip():
        asked["query"] = words.strip()
    else:
        asked["order"] = "creationDate DESC"
    if fields:
        asked["where"] = {"and": fields}
    if include:
        asked["include"] = include
    return asked


def _from_here(asked: dict[str, Any], technique: str | None) -> Records:
    from datetime import UTC, datetime

    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.ontology.stored import stored_ontology
    from pancommons.catalogue.search import asking

    database = _catalogue()
    if database is None:
        raise BadInput("there is no catalogue here yet", remedy="fill it with: pan ingest PATH, or name a --server")
    try:
        with database.read() as connection:
            if technique is not None:
                known = stored_ontology(connection)
                if not (known.get(technique) or known.named(technique) or known.containing(technique)):
                    raise BadInput(
                        f"the catalogue knows no technique {technique!r}",
                        field="--technique",
                        remedy="look for a part of its name: pan ontology find WORD",
                    )
            return asking.search(connection, "Dataset", asked, LOCAL_USER, datetime.now(UTC))
    finally:
        database.close()


def _from_all(asked: dict[str, Any]) -> tuple[Records, str]:
    """Ask all catalogues of the settings, and ours where there is one."""
    import asyncio
    from datetime import UTC, datetime

    from pancommons.base.home import config_file
    from pancommons.base.settings import settings
    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.server.federation import asking
    from pancommons.server.federation.providers import Own
    from pancommons.server.federation.routes import Federation

    told = settings()
    if not told.providers:
        raise BadInput(
            "no other catalogue is configured",
            file=config_file(),
            field="providers",
            remedy="add a table [[providers]]",
        )
    database = _catalogue()

    async def ask() -> asking.Answer:
        federation = Federation(told.providers)
        own = [] if database is None else [Own(told.site.publisher, "here", database, LOCAL_USER, datetime.now(UTC))]
        try:
            return await asking.find([*own, *federation.remotes], "Dataset", asked)
        finally:
            await federation.close()

    try:
        found = asyncio.run(ask())
    finally:
        if database is not None:
            database.close()
    return found.records, found.note()


def _from_server(url: str, asked: dict[str, Any], *, federated: bool) -> tuple[Records, str]:
    from pancommons.client.commons import SEARCH, named
    from pancommons.client.connection import Connection, NoAnswer, Refused
    from pancommons.client.credentials import find

    place = named(None if url == DEFAULT else url)
    base = place if urlsplit(place).path and find(place) is None else place + SEARCH
    kept = find(base.removesuffix(SEARCH))
    connection = Connection(base, kept.token if kept else None)
    path = "/federated/Datasets" if federated else "/Datasets"
    try:
        with connection.stream("GET", path, params={"filter": json.dumps(asked)}) as answer:
            told = json.loads(answer.read())
    except Refused as error:
        raise BadInput(f"{base} says: {printable(error.problem)}", field="--server") from None
    except NoAnswer as error:
        raise BadInput(printable(str(error)).removesuffix("."), field="--server") from None
    except ValueError:
        told = None
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise BadInput(
            f"{base} does not answer as a search API does",
            field="--server",
            remedy="give the address up to where /Datasets follows",
        )
    return told, answer.headers.get("x-partial", "")


def _catalogue() -> Database | None:
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database
    from pancommons.store.migrate import version

    database = open_database()
    if version(database) is None:
        database.close()
        return None
    make_ready(database)
    return database


def _print(found: Records, *, ranked: bool, federated: bool) -> None:
    rows = [
        (
            [f"{one.get('score') or 0:.2f}"] * ranked
            + [str(one.get("creationDate", ""))[:10], str(one.get("pid", "")), str(one.get("title", ""))]
            + [str(one.get("provider", ""))] * federated
        )
        for one in found
    ]
    if not rows:
        return
    heads = ["score"] * ranked + ["date", "PID", "title"] + ["catalogue"] * federated
    table = [heads, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
