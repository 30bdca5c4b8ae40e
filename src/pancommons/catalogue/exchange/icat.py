"""ICAT's dump files, YAML and XML, as python-icat's ``icatdump`` writes them.

Objects come in chunks, each under a key by which others refer to it. Investigations become proposals with their
users as members, datasets, datafiles, samples, instruments and parameters what they are called here. Objects inside
others (keywords, parameters, users of an investigation) and beside them are both understood. Source: python-icat
1.7, documentation of ``icat.dumpfile`` and of ICAT's schema 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.exchange.arriving import Arrival, Grant, Refusal, Report, bring_in, guarded
from pancommons.catalogue.exchange.fields import Fields, each_once, file_of, parameter_of, technique_pid, terms
from pancommons.catalogue.exchange.icat_chunks import objects
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Pid,
    Sample,
    Technique,
    Terms,
)
from pancommons.store.engine import Database

_KEPT = (
    "user", "facility", "instrument", "instrumentScientist", "parameterType", "investigation", "sample", "dataset",
    "technique",
)  # fmt: skip
_OWNED = {
    "investigationParameter": "investigation", "keyword": "investigation", "publication": "investigation",
    "investigationUser": "investigation", "investigationInstrument": "investigation", "sampleParameter": "sample",
    "datasetParameter": "dataset", "datasetInstrument": "dataset", "datasetTechnique": "dataset", "datafile": "dataset",
}  # fmt: skip
_INSIDE = {
    "investigationParameter": "parameters", "keyword": "keywords", "publication": "publications",
    "investigationUser": "investigationUsers", "investigationInstrument": "investigationInstruments",
    "sampleParameter": "parameters", "datasetParameter": "parameters", "datasetInstrument": "datasetInstruments",
    "datasetTechnique": "datasetTechniques", "datafile": "datafiles",
}  # fmt: skip


def import_icat(
    database: Database,
    file: Path,
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Put what a dump tells of into the catalogue; again is no change.

    Raises
    ------
    BadInput
        If the file is neither YAML nor XML of such a dump. Nothing of it is in the catalogue then.
    """
    return bring_in(database, read_icat(file, at), policy=policy, by=by, at=at, show=show)


def read_icat(file: Path, at: datetime) -> Iterator[Arrival | Refusal]:
    """Give what a dump tells of. It is held in memory: what belongs to an object may come long after it."""
    dumped = _Dumped(at)
    for name, key, value in objects(file):
        dumped.take(name, key, value)
    for name, read in (
        ("instrument", dumped.instrument),
        ("technique", dumped.technique),
        ("investigation", dumped.investigation),
        ("sample", dumped.sample),
        ("dataset", dumped.dataset),
        ("instrumentScientist", dumped.scientist),
    ):
        for key, one in dumped.objects[name].items():
            yield from guarded(one.place, partial(read, key, one))


@dataclass
class _Dumped:
    """A dump by kinds of objects and their keys."""

    at: datetime
    objects: dict[str, dict[str, Fields]] = field(default_factory=lambda: defaultdict(dict))
    owned: dict[tuple[str, str], list[Fields]] = field(default_factory=lambda: defaultdict(list))

    def take(self, name: str, key: str, value: dict[str, Any]) -> None:
        """Keep an object, under what it belongs to if it does."""
        one = Fields(value, f"{name} {key}")
        owner = _OWNED.get(name)
        if owner is not None and isinstance(value.get(owner), str):
            self.owned[name, value[owner]].append(one)
        elif name in _KEPT:
            self.objects[name][key] = one

    def instrument(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Make an instrument."""
        facility = self._of("facility", one)
        yield Arrival(
            Instrument(
                pid=one.name("pid") or key,
                name=one.needed("name"),
                facility=facility.needed("name"),
                description=one.text("description", "fullName"),
            ),
            one.place,
        )
        for scientist in one.many("instrumentScientists"):
            yield from self.scientist(key, Fields({**scientist.values, "instrument": key}, scientist.place))

    def technique(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Make a technique."""
        yield Arrival(Technique(pid=self._technique_pid(key, one), name=one.needed("name")), one.place)

    def investigation(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Make a proposal of an investigation, its team, and documents of its publications."""
        pid = self._investigation_pid(key)
        yield Arrival(
            Document(
                pid=pid,
                type="proposal",
                title=one.needed("title"),
                summary=one.text("summary"),
                doi=one.name("doi"),
                start_date=one.moment("startDate"),
                end_date=one.moment("endDate"),
                release_date=one.moment("releaseDate"),
                keywords=tuple(dict.fromkeys(word.needed("name") for word in self._parts("keyword", key, one))),
                members=tuple(self._members(key, one)),
                parameters=tuple(self._parameters("investigationParameter", key, one)),
                pids=(Pid(scheme="investigation", value=f"{one.needed('name')} {one.name('visitId') or ''}".strip()),),
                terms=self._investigation_terms(one),
            ),
            one.place,
        )
        for user in self._parts("investigationUser", key, one):
            role = _role(user.name("role"))
            yield Arrival(Grant(person=self._of("user", user).needed("name"), role=role, proposal=pid), user.place)

    def sample(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Make a sample."""
        investigation = one.values.get("investigation")
        under = Terms()
        if isinstance(investigation, str) and investigation in self.objects["investigation"]:
            told = self._investigation_terms(self.objects["investigation"][investigation])
            under = Terms(
                proposal=self._investigation_pid(investigation), open_from=told.open_from,
                discoverable_from=told.discoverable_from, fixed=told.fixed,
            )  # fmt: skip
        yield Arrival(Sample(pid=one.name("pid") or key, name=one.needed("name"), terms=under), one.place)

    def dataset(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Make a dataset with its files."""
        which = str(one.values.get("investigation"))
        investigation = self._of("investigation", one)
        told = self._investigation_terms(investigation)
        since = one.moment("startDate", "createTime", "endDate") or investigation.moment("startDate")
        if since is None:
            raise BadInput("neither it nor its investigation has a startDate", field=one.place, remedy="give it one")
        sample = one.values.get("sample")
        known = self.objects["sample"].get(sample) if isinstance(sample, str) else None
        yield Arrival(
            Dataset(
                pid=one.name("doi") or key,
                kind="processed" if "process" in str(one.values.get("type")).lower() else "raw",
                title=one.needed("name"),
                summary=one.text("description"),
                creation_date=since,
                end_date=one.moment("endDate"),
                size=one.count("fileSize"),
                instrument=self._instrument_of(key, one, which),
                documents=(self._investigation_pid(which),),
                samples=(known.name("pid") or str(sample),) if known else (),
                techniques=tuple(dict.fromkeys(self._techniques(key, one))),
                parameters=tuple(self._parameters("datasetParameter", key, one)),
                files=each_once(self._files(key, one)),
                terms=Terms(
                    proposal=self._investigation_pid(which), open_from=told.open_from,
                    discoverable_from=told.discoverable_from, fixed=told.fixed,
                ),
            ),
            one.place,
        )  # fmt: skip

    def scientist(self, key: str, one: Fields) -> Iterator[Arrival]:
        """Give a user the role of a scientist at an instrument."""
        where = str(one.values.get("instrument"))
        pid = self._of("instrument", one).name("pid") or where
        user = self._of("user", one).needed("name")
        yield Arrival(Grant(person=user, role=Role.INSTRUMENT_SCIENTIST, instrument=pid), one.place)

    def _investigation_pid(self, key: str) -> str:
        one = self.objects["investigation"].get(key)
        return (one.name("doi") if one else None) or key

    def _investigation_terms(self, one: Fields) -> Terms:
        """Say when an investigation opens: at its release date; without one it stays its team's."""
        release = one.moment("releaseDate")
        return terms(release is not None and release <= self.at, release, self.at, opens=release)

    def _members(self, key: str, one: Fields) -> Iterator[Member]:
        public = (release := one.moment("releaseDate")) is not None and release <= self.at
        for user in self._parts("investigationUser", key, one):
            who = self._of("user", user)
            name, orcid = who.needed("name"), who.name("orcidId")
            institute = who.name("affiliation")
            yield Member(
                person=Person(
                    pid=orcid or name, full_name=who.name("fullName") or name, first_name=who.name("givenName"),
                    last_name=who.name("familyName"), orcid=orcid,
                ),
                affiliation=Affiliation(pid=institute, name=institute) if institute else None,
                role=user.name("role"),
                public=public,
            )  # fmt: skip

    def _parameters(self, name: str, key: str, one: Fields) -> Iterator[Parameter]:
        for given in self._parts(name, key, one):
            told = self._of("parameterType", given, "type")
            unit, value = told.name("units"), given.values.get("stringValue")
            if not isinstance(value, str):
                number = given.number("numericValue")
                value = given.text("dateTimeValue") if number is None else number
            yield parameter_of(given, told.needed("name"), value, None if unit == "N/A" else unit)

    def _files(self, key: str, one: Fields) -> Iterator[File]:
        for given in self._parts("datafile", key, one):
            digest = given.name("checksum")
            sha = digest if digest and len(digest) == 64 else None
            yield file_of(
                given,
                given.text("location", "name") or "",
                size=given.count("fileSize"),
                mtime=given.moment("datafileModTime"),
                sha256=sha,
            )

    def _techniques(self, key: str, one: Fields) -> Iterator[str]:
        for given in self._parts("datasetTechnique", key, one):
            yield self._technique_pid(str(given.values.get("technique")), self._of("technique", given))

    def _technique_pid(self, key: str, one: Fields) -> str:
        return technique_pid(one.name("pid")) or key

    def _instrument_of(self, key: str, one: Fields, investigation: str) -> str | None:
        """Return the one instrument of a dataset, else that of its investigation."""
        whole = self.objects["investigation"].get(investigation, Fields({}, ""))
        for name, which, owner in (
            ("datasetInstrument", key, one),
            ("investigationInstrument", investigation, whole),
        ):
            found = [str(given.values.get("instrument")) for given in self._parts(name, which, owner)]
            if len(found) == 1:
                known = self.objects["instrument"].get(found[0])
                return (known.name("pid") if known else None) or found[0]
        return None

    def _parts(self, name: str, key: str, one: Fields) -> Iterator[Fields]:
        """Give what belongs to an object: what stands inside it, and what refers to it."""
        yield from one.many(_INSIDE[name])
        yield from self.owned.get((name, key), ())

    def _of(self, name: str, one: Fields, attribute: str | None = None) -> Fields:
        """Return the object that one refers to."""
        key = one.values.get(attribute or name)
        found = self.objects[name].get(key) if isinstance(key, str) else None
        if found is None:
            raise BadInput(f"leads to no {name} of this dump: {key!a}", field=f"{one.place}.{attribute or name}")
        return found


def _role(called: str | None) -> Role:
    """Return the role that a word of ICAT's sites stands for; any other of the team is a member."""
    if (called or "").lower().replace("_", " ") in ("principal investigator", "pi", "investigator", "main proposer"):
        return Role.PRINCIPAL_INVESTIGATOR
    return Role.MEMBER
