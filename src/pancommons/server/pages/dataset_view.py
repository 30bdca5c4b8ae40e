"""Everything that the page of a dataset shows to one visitor, gathered before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import ANONYMOUS, Action, Principal, Resource, Role, allows, roles_on
from pancommons.catalogue.anybody import for_anybody
from pancommons.catalogue.formats.citation import sentence
from pancommons.catalogue.formats.description import Description, Identifier, Site, media_type, parse
from pancommons.catalogue.history import Line, history
from pancommons.catalogue.lineage import Lineage, lineage
from pancommons.catalogue.policy import policy_of
from pancommons.catalogue.read import Found, resource
from pancommons.catalogue.readers import may_ask
from pancommons.catalogue.records import Dataset, File, Member, Parameter
from pancommons.catalogue.search.equivalence import EITHER, NEUTRON, PHOTON
from pancommons.catalogue.surroundings import Surroundings, surroundings
from pancommons.catalogue.tables import technique_closure, techniques
from pancommons.pipelines import registry
from pancommons.runs.sight import seen_by
from pancommons.runs.tables import runs
from pancommons.server.landing import describe_one, served
from pancommons.server.pages.file_tree import Folder, file_tree
from pancommons.store.functions import among

_MOST_FILES = 500
_HDF5 = "application/x-hdf5"
_BEAM = PHOTON | NEUTRON | EITHER


@dataclass(frozen=True)
class Rights:
    """What a visitor may do here.

    Attributes
    ----------
    shorten, extend
        Whether the visitor may let it open earlier, or later.
    ask
        Whether they may know who saw it.
    """

    read: bool
    run: bool
    shorten: bool
    extend: bool
    delete: bool
    ask: bool


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes
    ----------
    access
        open, embargoed or restricted.
    hidden
        Whether nobody but those with a role can find it yet.
    described
        What anybody may know of it; None before its metadata are public.
    beam, parameters
        Energies and wavelengths, and all other parameters.
    files, unlisted, kept_back
        A tree of those listed, how many more may be had, how many belong to other data that may not be read.
    main
        The file to look into.
    analysed
        Whether a pipeline suits its techniques.
    lineage, runs
        What it was made from and what from it, and identifiers of runs that the visitor may see, by the keys of
        datasets in it that they made.
    """

    found: Found
    dataset: Dataset
    access: str
    hidden: bool
    described: Description | None
    citation: str | None
    identifiers: tuple[Identifier, ...]
    around: Surroundings
    people: tuple[Member, ...]
    beam: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    files: Folder
    listed: tuple[File, ...]
    unlisted: int
    kept_back: int
    main: File | None
    analysed: bool
    lineage: Lineage
    runs: Mapping[int | str, str]
    history: tuple[Line, ...]
    rights: Rights
    bounded: bool


def view(connection: Connection, found: Found, site: Site, principal: Principal, at: datetime) -> View:
    """Gather what a visitor may see of a dataset that they may discover."""
    dataset = found.record
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{found.identifier} is no dataset")
    around = surroundings(connection, found, principal, at)
    beside = (*around.documents, *around.samples, *((around.instrument,) if around.instrument else ()))
    described = describe_one(connection, found, site, at, for_anybody((found, *beside), principal, at))
    proposals = [one.record for one in around.documents if getattr(one.record, "type", None) == "proposal"]
    files = served(connection, dataset.files, principal, at)
    opens = found.public_from
    about = None if principal == ANONYMOUS else resource(connection, "dataset", found.id)
    ways = lineage(connection, found.id, principal, at) if around.derived else Lineage()
    return View(
        found=found,
        dataset=dataset,
        access="restricted" if opens is None else "open" if opens <= at else "embargoed",
        hidden=found.findable_from is None or found.findable_from > at,
        described=described,
        citation=sentence(described) if described else None,
        identifiers=_identifiers(found, dataset, site),
        around=around,
        people=dataset.members or tuple(member for one in proposals for member in getattr(one, "members", ())),
        beam=tuple(one for one in dataset.parameters if one.name in _BEAM),
        parameters=tuple(one for one in dataset.parameters if one.name not in _BEAM and one.name != "pipeline"),
        files=file_tree(files[:_MOST_FILES]),
        listed=tuple(files[:_MOST_FILES]),
        unlisted=max(0, len(files) - _MOST_FILES),
        kept_back=len(dataset.files) - len(files),
        main=_main(files),
        analysed=_analysed(connection, dataset.techniques),
        lineage=ways,
        runs=_runs(connection, [one.key for one in ways.nodes if isinstance(one.key, int)], principal, at),
        history=tuple(history(connection, "dataset", found.identifier, about, principal, at)) if about else (),
        rights=_rights(connection, found, about, principal, at),
        bounded=opens != dataset.terms.open_from,
    )


def is_hdf5(file: File) -> bool:
    """Say whether the viewer opens a file, by its name."""
    return media_type(file.name) == _HDF5


def _main(files: Iterable[File]) -> File | None:
    """Choose the file to look into: the first one that lies highest."""
    known = [one for one in files if one.role == "data" and not one.missing and is_hdf5(one)]
    return min(known, key=lambda one: one.path.count("/"), default=None)


def _analysed(connection: Connection, held: Iterable[str]) -> bool:
    """Say whether a pipeline is made for one of some techniques, or for a kind of it, or for what it is a kind of."""
    made_for, own = _made_for(), set(held)
    if not own or made_for & own:
        return bool(made_for)
    above, below, closure = techniques.alias("above"), techniques.alias("below"), technique_closure.c
    related = (
        sa.select(sa.literal(1))
        .select_from(
            technique_closure.join(above, above.c.id == closure.ancestor_id).join(
                below, below.c.id == closure.descendant_id
            )
        )
        .where(
            sa.or_(
                sa.and_(above.c.pid.in_(made_for), below.c.pid.in_(own)),
                sa.and_(above.c.pid.in_(own), below.c.pid.in_(made_for)),
            )
        )
    )
    return connection.execute(related.limit(1)).first() is not None


@cache
def _made_for() -> frozenset[str]:
    """Return the techniques of the installed pipelines, which stay while a server runs."""
    return frozenset(registry.load(name).technique.iri for name in registry.names())


def _runs(connection: Connection, keys: list[int], principal: Principal, at: datetime) -> dict[int | str, str]:
    if principal == ANONYMOUS or not keys:
        return {}
    query = sa.select(runs.c.dataset_id, runs.c.identifier).where(
        among(runs.c.dataset_id, keys), runs.c.removed.is_(None), seen_by(principal, at)
    )
    return {row.dataset_id: row.identifier for row in connection.execute(query)}


def _identifiers(found: Found, dataset: Dataset, site: Site) -> tuple[Identifier, ...]:
    told = [parse(dataset.pid), *(parse(pid.value) for pid in dataset.pids), Identifier("local", found.identifier)]
    told.sort(key=lambda one: one.scheme not in ("DOI", "Handle", "ARK"))
    return (*dict.fromkeys(told), Identifier("URL", site.landing_page(found.identifier)))


def _rights(connection: Connection, found: Found, about: Resource | None, principal: Principal, at: datetime) -> Rights:
    if about is None:
        opens = found.public_from
        return Rights(
            read=opens is not None and opens <= at, run=False, shorten=False, extend=False, delete=False, ask=False
        )
    changes = policy_of(connection, found.policy).changes
    roles: frozenset[Role] = roles_on(principal, about)
    publish = allows(principal, Action.PUBLISH, about, at)
    never_open = about.open_from is None or about.open_from > at
    own = principal.person is not None and about.owner == principal.person
    return Rights(
        read=allows(principal, Action.READ, about, at),
        run=allows(principal, Action.RUN, about, at),
        shorten=publish and bool(roles & set(changes.shorten)),
        extend=publish and bool(roles & set(changes.extend)),
        delete=allows(principal, Action.ADMINISTER, about, at)
        or (own and never_open and allows(principal, Action.EDIT, about, at)),
        ask=may_ask(principal, about, at),
    )
