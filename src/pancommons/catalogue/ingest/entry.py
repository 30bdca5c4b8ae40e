"""From one entry of a NeXus file to a dataset: what it says, by the rules of a mapping, and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import h5py

from pancommons.catalogue.ingest.linked import LinkedFiles
from pancommons.catalogue.ingest.mapping import Mappings, Paths
from pancommons.catalogue.ingest.moments import Moment, read_moment
from pancommons.catalogue.ingest.naming import hashed, slug
from pancommons.catalogue.ingest.people import members
from pancommons.catalogue.ingest.pictures import picture
from pancommons.catalogue.ingest.roots import Place, Roots
from pancommons.catalogue.ingest.tree import Hit, Tree, text_at, texts_at
from pancommons.catalogue.ingest.values import derived, found_by
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Dataset, Document, File, Instrument, Member, Parameter, Pid, Sample, Terms
from pancommons.nexus.read import attribute
from pancommons.nexus.text import as_text, is_placeholder

_LONGEST_TITLE = 500
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_IGSN = re.compile(r"(?:https?://(?:hdl\.handle\.net|igsn\.org)/|igsn:)\s*(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Harvested:
    """One dataset, with the records it refers to: these are only added where the catalogue has none of their PID."""

    dataset: Dataset
    instrument: Instrument | None = None
    proposal: Document | None = None
    samples: tuple[Sample, ...] = ()


@dataclass
class OpenFile:
    """A file being harvested, and what is noted on the way.

    Attributes
    ----------
    digest
        Gives the sha256 of a file; None to leave it out.
    pictures
        Whether to draw thumbnails.
    """

    file: h5py.File
    path: Path
    place: Place
    tree: Tree
    mappings: Mappings
    roots: Roots
    stat: os.stat_result
    digest: Callable[[Path], str] | None
    pictures: bool
    notes: list[str] = field(default_factory=list)

    @property
    def creator(self) -> str | None:
        """Who the file says wrote it."""
        return as_text(attribute(self.file, "creator"))


class Entry:
    """One entry of a file being harvested."""

    def __init__(self, whole: OpenFile, group: h5py.Group, simulated: bool, *, alone: bool) -> None:
        self.whole, self.tree, self.group, self.alone = whole, whole.tree, group, alone
        self.where = str(group.name)
        self.groups = [group, *(hit.thing for hit in self.tree.find(group, "NXsubentry"))]
        self.simulated = simulated
        self.remarks: dict[str, Any] = {"entry": self.where, "mapping": whole.mappings.digest}
        self.mapping = whole.mappings.default
        self.names = self._instrument_names()
        self.mapping = whole.mappings.choose(whole.path.as_posix(), *self.names, whole.creator)
        if self.mapping is not whole.mappings.default:
            self.names = self._instrument_names()

    def harvest(self, linked: LinkedFiles, taken: set[str]) -> Harvested:
        """Gather all that the entry says; ``taken`` are the PIDs of the file's other entries."""
        rules = self.mapping
        instrument = self._instrument()
        facility = instrument.facility if instrument else self.names[1]
        kind = self._kind()
        experiment, run = self._first(rules.identifier.experiment), self._first(rules.identifier.run)
        proposal = None
        if facility and experiment and kind != "simulated":
            pid = f"{slug(facility)}:{slug(experiment)}"
            proposal = Document(pid=pid, type="proposal", title=experiment)
        terms = Terms(proposal=proposal.pid if proposal else None)
        pid = self._pid(facility, experiment, run, kind, taken)
        samples = self._samples(proposal.pid if proposal else pid, terms)
        probes = self._probes()
        parameters = self._parameters(probes)
        shape, drawing = picture(
            self.tree, self.whole.file, self.whole.path, self.group, self.whole.roots, draw=self.whole.pictures
        )
        if shape is not None:
            parameters.append(parameter("data_shape", " x ".join(map(str, shape))))
        if isinstance(drawing, str):
            self.remarks["thumbnail"] = drawing
        files, size = self._files(linked)
        start = self._moment(rules.start)
        created = start.at if start else datetime.fromtimestamp(self.whole.stat.st_mtime, UTC)
        end = self._moment(rules.end, remember=False)
        dataset = Dataset(
            pid=pid,
            kind=kind,
            title=self._title(),
            creation_date=created,
            summary=self._first(rules.summary),
            end_date=end.at if end and end.at >= created else None,
            size=size,
            instrument=instrument.pid if instrument else None,
            documents=(proposal.pid,) if proposal else (),
            techniques=self._techniques(probes, parameters),
            samples=tuple(one.pid for one in samples),
            parameters=tuple(parameters),
            members=self._members(proposal.pid if proposal else pid),
            files=files,
            thumbnail=None if isinstance(drawing, str) else drawing,
            remarks=self.remarks,
            terms=terms,
        )
        return Harvested(dataset, instrument, proposal, samples)

    def _hits(self, paths: Paths) -> Iterable[Hit]:
        """Give what lies at paths, in the order of the paths; for each in the entry, then in its subentries."""
        for path in paths:
            yield from self._there(path)

    def _there(self, path: str) -> Iterable[Hit]:
        for group in self.groups if not path.startswith("/") else [self.group]:
            yield from self.tree.find(group, path)

    def _first(self, paths: Paths) -> str | None:
        return next((text for hit in self._hits(paths) if (text := self._said(text_at(hit)))), None)

    def _at(self, group: h5py.Group, paths: Paths) -> str | None:
        hits = (hit for path in paths for hit in self.tree.find(group, path))
        return next((text for hit in hits if (text := self._said(text_at(hit)))), None)

    def _said(self, text: str | None) -> str | None:
        """Return a text in one line; None for one that only holds a place."""
        plain = " ".join(text.split()) if text else ""
        held = is_placeholder(plain) or plain.casefold() in {one.casefold() for one in self.mapping.placeholders}
        return None if held else plain

    def _instrument_names(self) -> tuple[str | None, str | None]:
        name = self._first(self.mapping.instrument.name) or self.mapping.site.instrument
        given = self._first(self.mapping.instrument.facility)
        return name, self.mapping.facility_called(given) if given else self.mapping.site.facility

    def _instrument(self) -> Instrument | None:
        name, facility = self.names
        if name and not facility:
            self.remarks["instrument"] = name
            self.whole.notes.append(f"instrument {name} is left out: the file does not say of which facility")
        if not name or not facility:
            return None
        return Instrument(pid=f"{slug(facility)}:{slug(name)}", name=name, facility=facility)

    def _kind(self) -> Literal["raw", "processed", "simulated"]:
        rules = self.mapping.kind
        if self.simulated or there(self.tree, self.group, rules.simulated):
            return "simulated"
        claimed = {text for hit in self._hits(("definition",)) for text in texts_at(hit)}
        if there(self.tree, self.group, rules.processed) or claimed & set(rules.processed_definitions):
            return "processed"
        return "raw"

    def _title(self) -> str:
        title = self._first(self.mapping.title)
        if title is not None:
            where = next(hit.where for hit in self._hits(self.mapping.title) if self._said(text_at(hit)))
            if not where.endswith("/title"):
                self.remarks["title"] = f"derived from {where}"
            return title[:_LONGEST_TITLE]
        self.remarks["title"] = "derived from the file's name"
        return self.whole.path.stem if self.alone else f"{self.whole.path.stem} {self.where.strip('/')}"

    def _moment(self, paths: Paths, *, remember: bool = True) -> Moment | None:
        zone = self.mapping.site.time_zone or "UTC"
        latest = datetime.now(UTC) + timedelta(days=1)
        for hit in self._hits(paths):
            for text in texts_at(hit):
                if (moment := read_moment(text, zone, latest)) is not None:
                    if remember:
                        where = f"{hit.where}@{hit.attribute}" if hit.attribute else hit.where
                        told = {"from": where, "text": moment.text}
                        zone_told = {"time_zone_assumed": moment.assumed_zone} if moment.assumed_zone else {}
                        self.remarks["creation_date"] = told | zone_told
                    return moment
        if remember:
            self.remarks["creation_date"] = {"from": "the file's modification time"}
        return None

    def _pid(self, facility: str | None, experiment: str | None, run: str | None, kind: str, taken: set[str]) -> str:
        """Name the dataset: by its UUID, by facility, experiment and run, or by its file.

        What was processed keeps the identifiers of what it was made from, so only a file of raw data is named by them.
        """
        pid = None
        if kind == "raw":
            uuid = self._first(self.mapping.identifier.uuid)
            if uuid:
                pid = f"uuid:{slug(uuid)}"
            elif facility and experiment and run:
                pid = f"{slug(facility)}:{slug(experiment)}:{slug(run)}"
        if pid is None:
            place, stat = self.whole.place, self.whole.stat
            pid = hashed(stat.st_size, stat.st_mtime_ns, place.root, place.path, self.where)
        return f"{pid}:{slug(self.where)}" if pid in taken else pid

    def _probes(self) -> frozenset[str]:
        """Return what the first text that tells the probe tells, and what any tells of the source."""
        known: frozenset[str] = frozenset()
        more = set()
        for hit in self._hits(self.mapping.probe.paths):
            told = {
                probe
                for text in texts_at(hit)
                for probe, patterns in self.mapping.probe.words.items()
                if any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
            }
            known = known or frozenset(told)
            more |= told & {"xfel"}
        return known | more

    def _parameters(self, probes: frozenset[str]) -> list[Parameter]:
        found: dict[str, Parameter] = {}
        for rule in self.mapping.parameters:
            if rule.name in found or (rule.probe and rule.probe not in probes):
                continue
            if (one := found_by(rule, map(self._there, rule.paths))) is not None:
                if isinstance(one.value, str) and self._said(one.value) is None:
                    continue
                found[rule.name] = one
        return [*found.values(), *derived(found, probes)]

    def _techniques(self, probes: frozenset[str], parameters: list[Parameter]) -> tuple[str, ...]:
        rules = self.mapping.techniques
        holds = {*probes, "any"} | {"rotation" for one in parameters if one.name == "rotation_range"}
        found = list(rules.always)
        for text in dict.fromkeys(text for hit in self._hits(rules.paths) for text in texts_at(hit)):
            meaning = rules.names.get(text, {})
            one = next((identifier for condition, identifier in meaning.items() if condition in holds), None)
            if one:
                found.append(one)
            elif self._said(text) and text not in ("NXentry", "NXroot"):
                self.whole.notes.append(f"{text} stands for no technique")
        return tuple(dict.fromkeys(one if ":" in one else PANET + one for one in found))

    def _samples(self, scope: str, terms: Terms) -> tuple[Sample, ...]:
        rules = self.mapping.sample
        name = self._first(rules.name)
        if name is None:
            return ()
        identifier = self._first(rules.identifier)
        pids = _sample_pids(identifier)
        pid = pids[0].value if pids else f"{scope}:sample:{slug(name)}"
        return (Sample(pid=pid, name=name, description=self._first(rules.description), pids=pids, terms=terms),)

    def _members(self, scope: str) -> tuple[Member, ...]:
        rules = self.mapping.members
        groups = [hit.thing for hit in self._hits(rules.groups) if isinstance(hit.thing, h5py.Group)]
        return members(groups, rules, self._at, scope)

    def _files(self, linked: LinkedFiles) -> tuple[tuple[File, ...], int]:
        whole = self.whole
        own = File(
            root=whole.place.root,
            path=whole.place.path,
            size=whole.stat.st_size,
            mtime=datetime.fromtimestamp(whole.stat.st_mtime, UTC),
            sha256=whole.digest(whole.path) if whole.digest else None,
        )
        files, outside = linked.of(self.where)
        if outside:
            self.remarks["elsewhere"] = outside
        return (own, *files), whole.stat.st_size + sum(one.size or 0 for one in files)


def there(tree: Tree, group: h5py.Group, paths: Paths) -> bool:
    """Say whether anything lies at one of some paths."""
    return any(True for path in paths for _ in tree.find(group, path))


def _sample_pids(identifier: str | None) -> tuple[Pid, ...]:
    if not identifier:
        return ()
    if match := _DOI.fullmatch(identifier):
        return (Pid(scheme="doi", value=match[1]),)
    if match := _IGSN.fullmatch(identifier):
        return (Pid(scheme="igsn", value=match[1]),)
    return ()
