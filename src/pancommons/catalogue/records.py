"""Records as values: what is put into the catalogue and what comes back.

Other records are named by their PID. Sequences are tuples, so that a record can be hashed and shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Relationship = Literal["derived from", "part of", "in collection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pid:
    """A further persistent identifier, such as ``doi``, ``handle``, ``igsn``."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms a record is kept.

    Attributes
    ----------
    proposal
        PID of the proposal whose team it belongs to.
    owner
        The person, as signed in, who made it.
    data_class
        Class in the data policy; the record's own kind when not given.
    open_from, discoverable_from
        Moments that override the policy's; only together with ``fixed``.
    fixed
        Whether the two moments are taken as they are (None for never) instead of the policy's.
    """

    proposal: str | None = None
    owner: str | None = None
    data_class: str | None = None
    open_from: datetime | None = None
    discoverable_from: datetime | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value: a number in a unit, or a text.

    Attributes
    ----------
    si, dimension
        The number in SI base units, and these; see `pancommons.catalogue.quantities.parameter`.
    original
        What the file said, where that was written otherwise.
    derived
        Whether we computed it from another value.
    """

    name: str
    value: float | str | None
    unit: str | None = None
    si: float | None = None
    dimension: str | None = None
    original: str | None = None
    derived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file below a configured data root. The identifier is given by the catalogue and kept while the place is."""

    root: str
    path: str
    role: str = "data"
    size: int | None = None
    sha256: str | None = None
    mtime: datetime | None = None
    missing: bool = False
    identifier: str | None = None

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person; known again by the PID: ORCID, or what the facility calls them."""

    pid: str
    full_name: str
    first_name: str | None = None
    last_name: str | None = None
    orcid: str | None = None
    researcher_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affiliation:
    """An institute; known again by the PID: ROR, or what the facility calls it."""

    pid: str
    name: str | None = None
    address: str | None = None
    city: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a person is in a document or dataset; the name is shown to anybody only if ``public``."""

    person: Person | None = None
    affiliation: Affiliation | None = None
    role: str | None = None
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Where a dataset stands to another, named by its PID, here or elsewhere."""

    kind: Relationship
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small picture."""

    content: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """An experimental technique; the PID is its PURL, parents are PIDs."""

    pid: str
    name: str
    definition: str | None = None
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """An instrument of a facility."""

    pid: str
    name: str
    facility: str
    description: str | None = None
    pids: tuple[Pid, ...] = ()
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was measured."""

    pid: str
    name: str
    description: str | None = None
    pids: tuple[Pid, ...] = ()
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A proposal, a publication or another document. A proposal belongs to itself."""

    pid: str
    type: str
    title: str
    summary: str | None = None
    doi: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    release_date: datetime | None = None
    license: str | None = None
    keywords: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    pids: tuple[Pid, ...] = ()
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset: measured, computed or simulated.

    Attributes
    ----------
    instrument, documents, techniques, samples
        PIDs of records that are there already.
    remarks
        How fields were found where that matters, such as ``{"title": "derived"}``; what JSON can hold.
    """

    pid: str
    kind: Literal["raw", "processed", "simulated"]
    title: str
    creation_date: datetime
    summary: str | None = None
    end_date: datetime | None = None
    size: int | None = None
    license: str | None = None
    instrument: str | None = None
    documents: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    keywords: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    files: tuple[File, ...] = ()
    relations: tuple[Relation, ...] = ()
    pids: tuple[Pid, ...] = ()
    thumbnail: Thumbnail | None = None
    remarks: Mapping[str, Any] | None = None
    terms: Terms = Terms()


Record = Instrument | Sample | Document | Dataset


def kind_of(record: Record) -> str:
    """Return ``dataset``, ``document``, ``instrument`` or ``sample``."""
    return type(record).__name__.lower()
