"""What there is to say of a dataset to those who harvest or cite it, free of any format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pancommons.catalogue.records import Dataset, Document, Instrument, Member, Parameter, Technique

Access = Literal["open", "embargoed", "restricted"]
Scheme = Literal["DOI", "Handle", "URL", "ORCID", "ROR", "ARK", "local"]

_DOI = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)$", re.IGNORECASE)
_HANDLE = re.compile(r"^(?:https?://hdl\.handle\.net/|hdl:)(\S+/\S+)$", re.IGNORECASE)
_ORCID = re.compile(r"^(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])$")
_ROR = re.compile(r"^(?:https?://ror\.org/)?(0[a-z0-9]{6}\d{2})$")

_MEDIA = {
    ".nxs": "application/x-hdf5", ".h5": "application/x-hdf5", ".hdf5": "application/x-hdf5",
    ".hdf": "application/x-hdf5", ".cxi": "application/x-hdf5", ".tif": "image/tiff", ".tiff": "image/tiff",
    ".png": "image/png", ".json": "application/json", ".xml": "application/xml", ".txt": "text/plain",
    ".csv": "text/csv", ".zip": "application/zip", ".html": "text/html",
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """Who publishes: the installation's own words.

    Attributes
    ----------
    url
        Where the portal is, without a slash at its end.
    publisher
        The facility or institute that keeps the data.
    ror
        Its identifier, https://ror.org/...; None where there is none.
    email
        Of the administrator.
    """

    url: str
    publisher: str
    ror: str | None = None
    email: str = "nobody@localhost.invalid"

    def landing_page(self, identifier: str) -> str:
        """Return the address of a dataset's page."""
        return f"{self.url}/datasets/{identifier}"


@dataclass(frozen=True)
class Identifier:
    """An identifier in its bare form, such as ``10.5072/x``, and of what scheme it is."""

    scheme: Scheme
    value: str

    @property
    def url(self) -> str | None:
        """Return where it resolves; None for a local one."""
        prefix = {
            "DOI": "https://doi.org/", "Handle": "https://hdl.handle.net/", "ORCID": "https://orcid.org/",
            "ROR": "https://ror.org/", "ARK": "https://n2t.net/", "URL": "",
        }.get(self.scheme)  # fmt: skip
        return None if prefix is None else prefix + self.value


@dataclass(frozen=True)
class Agent:
    """A person or an institute."""

    name: str
    given: str | None = None
    family: str | None = None
    orcid: str | None = None
    affiliation: str | None = None
    affiliation_ror: str | None = None
    role: str | None = None
    person: bool = True


@dataclass(frozen=True)
class Related:
    """Another thing a dataset refers to: the DataCite relation, and what it is, in DataCite's words."""

    relation: Literal["IsDerivedFrom", "IsPartOf", "IsCitedBy", "IsCollectedBy"]
    identifier: Identifier
    kind: Literal["Dataset", "JournalArticle", "Text", "Instrument", "Collection", "Project"] | None = None


@dataclass(frozen=True)
class Subject:
    """A keyword, or a term of an ontology with its address."""

    term: str
    url: str | None = None


@dataclass(frozen=True)
class Download:
    """A file that anybody may have: its name, where it is fetched, and what is known of it."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None
    media_type: str | None = None


@dataclass(frozen=True)
class Description:
    """All that is said of a dataset; every attribute may be shown to anybody."""

    identifier: str
    primary: Identifier
    others: tuple[Identifier, ...]
    landing_page: str
    title: str
    summary: str | None
    kind: Literal["raw", "processed", "simulated"]
    creators: tuple[Agent, ...]
    contributors: tuple[Agent, ...]
    publisher: str
    publisher_ror: str | None
    created: datetime
    ended: datetime | None
    published: datetime
    updated: datetime
    access: Access
    open_from: datetime | None
    license: str | None
    techniques: tuple[Subject, ...]
    keywords: tuple[Subject, ...]
    instrument: str | None
    facility: str | None
    parameters: tuple[Parameter, ...]
    size: int | None
    media_types: tuple[str, ...]
    related: tuple[Related, ...]
    downloads: tuple[Download, ...] = ()

    @property
    def kind_in_words(self) -> str:
        """Return the kind as people say it."""
        return {"raw": "Raw data", "processed": "Processed data", "simulated": "Simulated data"}[self.kind]

    @property
    def access_term(self) -> str:
        """Return the access right as a term of info:eu-repo."""
        return f"info:eu-repo/semantics/{self.access}Access"


@dataclass(frozen=True)
class Surroundings:
    """What a dataset's record refers to by PID, looked up by whoever describes it, and only as far as all may see."""

    instrument: Instrument | None = None
    documents: Mapping[str, Document] | None = None
    techniques: Mapping[str, Technique] | None = None
    file_names: tuple[str, ...] = ()


def parse(text: str) -> Identifier:
    """Tell what an identifier is by its form."""
    text = text.strip()
    for scheme, pattern in (("DOI", _DOI), ("Handle", _HANDLE), ("ORCID", _ORCID)):
        if match := pattern.match(text):
            return Identifier(scheme, match[1])  # type: ignore[arg-type]
    if text.startswith(("http://", "https://")):
        ror = _ROR.match(text)
        return Identifier("ROR", ror[1]) if ror else Identifier("URL", text)
    if text.lower().startswith("ark:"):
        return Identifier("ARK", text)
    return Identifier("local", text)


def describe(
    dataset: Dataset,
    identifier: str,
    site: Site,
    around: Surroundings,
    *,
    open_from: datetime | None,
    published: datetime,
    updated: datetime,
    at: datetime,
) -> Description:
    """Gather what may be said of a dataset.

    Parameters
    ----------
    dataset
        As an anonymous reader of the catalogue gets it.
    identifier
        Our own identifier of it.
    site
        Who publishes.
    around
        The records it refers to.
    open_from
        When its data open; None for never.
    published
        When its metadata became public.
    updated
        Of its last change.
    at
        Now.
    """
    documents = around.documents or {}
    known = around.techniques or {}
    own = parse(dataset.pid)
    further = tuple(dict.fromkeys(parse(pid.value) for pid in dataset.pids))
    doi = next((one for one in (own, *further) if one.scheme == "DOI"), None)
    page = site.landing_page(identifier)
    members = dataset.members or tuple(
        member for pid in dataset.documents if pid in documents and documents[pid].type == "proposal"
        for member in documents[pid].members
    )  # fmt: skip
    people = [agent for member in members if member.public and (agent := _agent(member))]
    primary = doi or (own if own.scheme in {"Handle", "ARK"} else Identifier("URL", page))
    return Description(
        identifier=identifier,
        primary=primary,
        others=tuple(one for one in (own, *further, Identifier("local", identifier)) if one != primary),
        landing_page=page,
        title=dataset.title,
        summary=dataset.summary or _summary(dataset, documents),
        kind=dataset.kind,
        creators=tuple(people)
        or (Agent(around.instrument.facility if around.instrument else site.publisher, person=False),),
        contributors=_contributors(around, site),
        publisher=site.publisher,
        publisher_ror=site.ror,
        created=dataset.creation_date,
        ended=dataset.end_date,
        published=published,
        updated=updated,
        access="restricted" if open_from is None else "open" if open_from <= at else "embargoed",
        open_from=open_from,
        license=dataset.license,
        techniques=tuple(Subject(known[pid].name if pid in known else pid, pid) for pid in dataset.techniques),
        keywords=tuple(Subject(word) for word in dataset.keywords),
        instrument=around.instrument.name if around.instrument else None,
        facility=around.instrument.facility if around.instrument else None,
        parameters=dataset.parameters,
        size=dataset.size,
        media_types=_media_types(around.file_names),
        related=tuple(dict.fromkeys(_related(dataset, documents, around.instrument))),
    )


def _agent(member: Member) -> Agent | None:
    if member.person is None:
        return None
    person, institute = member.person, member.affiliation
    ror = _ROR.match(institute.pid) if institute else None
    orcid = _ORCID.match(person.orcid or "")
    return Agent(
        person.full_name, person.first_name, person.last_name, orcid[1] if orcid else None,
        institute.name if institute else None, f"https://ror.org/{ror[1]}" if ror else None, member.role,
    )  # fmt: skip


def _contributors(around: Surroundings, site: Site) -> tuple[Agent, ...]:
    facility = around.instrument.facility if around.instrument else site.publisher
    return (Agent(facility, role="HostingInstitution", person=False),)


def _summary(dataset: Dataset, documents: Mapping[str, Document]) -> str | None:
    """Fall back on the summary of the dataset's proposal, then of any document."""
    told = [documents[pid] for pid in dataset.documents if pid in documents and documents[pid].summary]
    told.sort(key=lambda document: document.type != "proposal")
    return told[0].summary if told else None


def _related(dataset: Dataset, documents: Mapping[str, Document], instrument: Instrument | None) -> Iterable[Related]:
    for relation in dataset.relations:
        kind = "Collection" if relation.kind == "in collection" else "Dataset"
        word = "IsDerivedFrom" if relation.kind == "derived from" else "IsPartOf"
        yield Related(word, parse(relation.target), kind)  # type: ignore[arg-type]
    for pid in dataset.documents:
        document = documents.get(pid)
        if document is None:
            continue
        target = parse(document.doi or document.pid)
        if document.type == "publication":
            yield Related("IsCitedBy", target, "JournalArticle")
        elif document.type == "proposal":
            yield Related("IsPartOf", target, "Project")
    if instrument is not None:
        yield Related("IsCollectedBy", parse(instrument.pid), "Instrument")


def media_type(name: str) -> str | None:
    """Return the media type of a file by the end of its name, where it is one of ours."""
    return _MEDIA.get("." + name.rsplit(".", 1)[-1].lower()) if "." in name else None


def _media_types(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({kind for name in names if (kind := media_type(name))}))
