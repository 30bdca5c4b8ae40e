"""From identifiers to files: what somebody may run on, and what of other files that reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal, Resource, allows
from pancommons.catalogue.ingest.crates import CRATE
from pancommons.catalogue.ingest.harvest import is_candidate
from pancommons.catalogue.ingest.roots import Place, Roots
from pancommons.catalogue.parts import files
from pancommons.catalogue.read import find, resource, unreadable
from pancommons.catalogue.tables import datasets
from pancommons.pipelines.declaration import Pipeline, Role
from pancommons.store.functions import among

_MOST_FILES = 10_000


@dataclass(frozen=True)
class InputFile:
    """A file of the catalogue that somebody may run on."""

    dataset_id: int
    dataset: str
    title: str
    file: str
    name: str
    path: Path
    proposal: int | None


Resolved = Mapping[str, Sequence[InputFile]]


def resolve(
    connection: Connection,
    roots: Roots,
    pipeline: Pipeline,
    inputs: Mapping[str, Sequence[str]],
    principal: Principal,
    at: datetime,
) -> dict[str, list[InputFile]]:
    """Find the files that identifiers stand for.

    Raises
    ------
    BadInput
        If one stands for nothing that this principal may run on, or its file is not there.
    """
    found: dict[str, list[InputFile]] = {}
    for name, texts in inputs.items():
        role = pipeline.role(name)
        if role is None:
            known = ", ".join(one.name for one in pipeline.roles)
            raise BadInput(f"{pipeline.name} has no input {name!r}", remedy=f"its inputs are: {known}")
        found[name] = [one for text in texts for one in _files(connection, roots, role, text, principal, at)]
    return {name: several for name, several in found.items() if several}


def _files(
    connection: Connection, roots: Roots, role: Role, text: str, principal: Principal, at: datetime
) -> list[InputFile]:
    row = None if "\0" in text else connection.execute(sa.select(files).where(files.c.identifier == text)).first()
    dataset = None if "\0" in text else find(connection, "dataset", text) if row is None else row.dataset_id
    if dataset is None or not allows(principal, Action.RUN, resource(connection, "dataset", dataset), at):
        raise BadInput(
            f"there is no dataset or file {text!r} that you may run on", field=role.name, remedy="search for one"
        )
    about = connection.execute(sa.select(datasets).where(datasets.c.id == dataset)).one()
    rows = [row] if row is not None else _data(connection, dataset, role, text)
    made = []
    for one in rows:
        path = roots.path(Place(one.root, one.path))
        if path is None or not path.exists():
            raise BadInput(
                f"the file {one.name} of {about.title!r} is not on disk", field=role.name, remedy="ask the facility"
            )
        made.append(
            InputFile(dataset, about.identifier, about.title, one.identifier, one.name, path, about.proposal_id)
        )
    return made


def _data(connection: Connection, dataset: int, role: Role, text: str) -> list[sa.Row[tuple[object, ...]]]:
    """Choose the files of a dataset that fill a role."""
    query = (
        sa.select(files)
        .where(files.c.dataset_id == dataset, files.c.role == "data", sa.not_(files.c.missing))
        .order_by(files.c.root, files.c.path)
        .limit(_MOST_FILES)
    )
    rows = list(connection.execute(query))
    candidates = [row for row in rows if is_candidate(Path(row.name))] or rows
    if any(row.name == CRATE for row in rows):
        candidates = [row for row in rows if row.name == "result.nxs"]
    if not candidates:
        raise BadInput(f"the dataset {text!r} has no file here", field=role.name, remedy="choose another")
    if len(candidates) > 1 and not role.many:
        raise BadInput(
            f"the dataset {text!r} has {len(candidates)} files, {role.name} takes one",
            field=role.name,
            remedy="name a file by its identifier",
        )
    return candidates


def check_touched(
    connection: Connection, roots: Roots, touched: Iterable[str], principal: Principal, at: datetime
) -> list[tuple[int, str, str]]:
    """Make sure that all files that inputs read from may be read by whoever asks.

    Returns
    -------
    list
        Of those that the catalogue knows: id of the dataset, identifier and name of the file.

    Raises
    ------
    BadInput
        If one lies outside of all roots or is kept from this principal.
    """
    places: dict[tuple[str, str], str] = {}
    for text in touched:
        place = roots.place(Path(text))
        if place is None:
            raise BadInput(
                f"the input reads from {Path(text).name}, which lies outside of the data folders of this server",
                remedy="choose another input",
            )
        places[place.root, place.path] = Path(text).name
    for hidden in sorted(unreadable(connection, places, principal, at)):
        raise BadInput(
            f"the input reads from {places[hidden]}, which you may not read", remedy="ask the team of those data"
        )
    found = []
    for root in sorted({root for root, _ in places}):
        here = [path for name, path in places if name == root]
        query = (
            sa.select(files.c.dataset_id, files.c.identifier, files.c.name)
            .join(datasets, datasets.c.id == files.c.dataset_id)
            .where(files.c.root == root, among(files.c.path, here), files.c.role == "data")
            .where(datasets.c.deleted_at.is_(None))
        )
        found += [(row.dataset_id, row.identifier, row.name) for row in connection.execute(query)]
    return found


def of_their_team(principal: Principal, resolved: Resolved, at: datetime) -> bool:
    """Say whether all inputs are of one proposal, in whose team they may run: what is made is then the team's too."""
    proposals = {one.proposal for several in resolved.values() for one in several}
    if len(proposals) != 1 or None in proposals:
        return False
    return allows(principal, Action.RUN, Resource(proposal=proposals.pop()), at)
