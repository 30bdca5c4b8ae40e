"""From the folder of a run to a derived dataset, by what its crate says and nothing else.

The crate is ``ro-crate-metadata.json`` by the profile Process Run Crate, as ``pan run`` writes it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

from pancommons.base.errors import BadInput
from pancommons.catalogue.ingest.entry import Harvested
from pancommons.catalogue.ingest.harvest import Harvest
from pancommons.catalogue.ingest.moments import read_moment
from pancommons.catalogue.ingest.naming import slug
from pancommons.catalogue.ingest.people import orcid_in
from pancommons.catalogue.ingest.pictures import default_picture
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Affiliation, Dataset, File, Member, Parameter, Person, Relation, Thumbnail

CRATE = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/"
UNFINISHED = "is a run that has not ended: it has no crate"
UNKNOWN_INPUT = "sha256:"
"""Before the digest of an input: what a run is derived from while the catalogue does not know it."""

_LARGEST = 32 << 20
_MOST_FILES = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")

Entity = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """What a run was made from: a file outside of its folder."""

    name: str
    path: Path | None
    sha256: str | None


@dataclass(frozen=True)
class RunHarvest(Harvest):
    """What came of a run's folder, with its inputs, which the catalogue is to find.

    Attributes
    ----------
    alone
        Whether the result is of no proposal, whatever the inputs are of: whoever ran it is not of the team.
    """

    inputs: tuple[Input, ...] = ()
    alone: bool = False


def is_run(folder: Path) -> bool:
    """Say whether a folder is that of a run, finished or not: nothing in it is a dataset of its own."""
    if (folder / "run.json").is_file() and (folder / "events.jsonl").is_file():
        return True
    try:
        crate = folder / CRATE
        return crate.stat().st_size <= _LARGEST and PROFILE in crate.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def harvest_run(folder: Path, roots: Roots, *, mapping: str, pictures: bool = True) -> Harvest:
    """Read what a run's crate says.

    Parameters
    ----------
    folder
        Below a root.
    roots
        What the crate lists outside of them is left out.
    mapping
        Digest of the mappings, kept among the remarks as with any other dataset.

    Returns
    -------
    Harvest
        A `RunHarvest`, or a problem where the run has not ended or its crate is none.
    """
    try:
        graph = _Graph.read(folder / CRATE)
        return _Run(folder, roots, graph, mapping, pictures).harvest()
    except BadInput as error:
        return Harvest(folder, problem=error.problem)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return Harvest(folder, problem=f"its crate cannot be understood ({type(error).__name__}: {error})")


class _Graph:
    """The entities of a crate by their ids."""

    def __init__(self, entities: dict[str, Entity]) -> None:
        self._entities = entities

    @classmethod
    def read(cls, file: Path) -> _Graph:
        try:
            if file.stat().st_size > _LARGEST:
                raise BadInput("its crate is too large", file=file)
            told = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadInput(UNFINISHED, file=file) from None
        except (OSError, ValueError, RecursionError) as error:
            raise BadInput(f"its crate cannot be read ({error})", file=file) from None
        return cls({one["@id"]: one for one in told["@graph"]})

    def get(self, identifier: str) -> Entity:
        return self._entities.get(identifier, {})

    def of(self, entity: Entity, name: str) -> Iterator[Entity]:
        """Give what an entity refers to under a name."""
        told = entity.get(name, [])
        for one in told if isinstance(told, list) else [told]:
            if isinstance(one, dict) and (found := self.get(one["@id"])):
                yield found

    def files(self) -> Iterator[Entity]:
        """Give the files that lie in the crate's folder."""
        waiting, seen = [self.get("./")], {"./"}
        while waiting:
            for part in self.of(waiting.pop(), "hasPart"):
                if part["@id"] not in seen:
                    seen.add(part["@id"])
                    waiting.append(part)
                    if _is(part, "File"):
                        yield part


class _Run:
    """A run's folder being harvested."""

    def __init__(self, folder: Path, roots: Roots, graph: _Graph, mapping: str, pictures: bool) -> None:
        self.folder, self.roots, self.graph, self.pictures = folder, roots, graph, pictures
        self.remarks: dict[str, Any] = {"entry": "/", "mapping": mapping}

    def harvest(self) -> RunHarvest:
        root = self.graph.get("./")
        action = next((one for one in self.graph.of(root, "mentions") if _is(one, "CreateAction")), None)
        if action is None:
            raise BadInput("its crate tells of no run")
        pid = str(root["identifier"])
        ended = self._moment(action.get("endTime")) or self._moment(root.get("datePublished"))
        if ended is None:
            raise BadInput("its crate does not say when the run ended")
        state = str(action.get("actionStatus", "")).rsplit("/", 1)[-1]
        self.remarks["state"] = "completed" if state == "CompletedActionStatus" else "partial"
        if action.get("error"):
            self.remarks["error"] = str(action["error"])
        pipeline = next(self.graph.of(action, "instrument"), {})
        name = str(pipeline.get("name", "")).rsplit(" ", 1)[-1]
        self.remarks["software"] = self._software(pipeline)
        if references := [one["identifier"] for one in self.graph.of(root, "citation") if "identifier" in one]:
            self.remarks["references"] = references
        inputs = tuple(self._inputs(action))
        files = tuple(self._files())
        picture = self._picture(files)
        dataset = Dataset(
            pid=pid,
            kind="processed",
            title=str(root["name"]),
            summary=root.get("description"),
            creation_date=ended,
            size=sum(one.size or 0 for one in files),
            license=next((one.get("name") for one in self.graph.of(root, "license")), None),
            techniques=tuple(one["@id"] for one in self.graph.of(root, "about") if _is(one, "DefinedTerm")),
            parameters=tuple(self._parameters(action, name, f"{name} {pipeline.get('version', '')}".strip())),
            members=tuple(self._members(action, pid)),
            files=files,
            relations=tuple(
                Relation(kind="derived from", target=UNKNOWN_INPUT + one.sha256) for one in inputs if one.sha256
            ),
            thumbnail=picture,
            remarks=self.remarks,
        )
        return RunHarvest(self.folder, (Harvested(dataset),), inputs=inputs)

    def _software(self, pipeline: Entity) -> dict[str, str]:
        found: dict[str, str] = {}
        waiting = [pipeline]
        while waiting and len(found) < 200:
            one = waiting.pop()
            if "name" in one and str(one["name"]) not in found:
                found[str(one["name"])] = str(one.get("version", ""))
                waiting += self.graph.of(one, "softwareRequirements")
        return found

    def _inputs(self, action: Entity) -> Iterator[Input]:
        for one in self.graph.of(action, "object"):
            if not (_is(one, "File") or _is(one, "Dataset")):
                continue
            url = urlparse(str(one.get("contentUrl", "")))
            path = Path(os.path.normpath(unquote(url.path))) if url.scheme == "file" else None
            digest = str(one.get("sha256", ""))
            yield Input(str(one.get("name", "")), path, digest if _DIGEST.fullmatch(digest) else None)

    def _parameters(self, action: Entity, name: str, pipeline: str) -> Iterator[Parameter]:
        yield parameter("pipeline", pipeline)
        seen = set()
        for one in (*self.graph.of(action, "object"), *self.graph.of(action, "result")):
            told = one.get("value")
            own = re.sub(r"^#(parameter|found|merit)-", "", str(one["@id"]))
            if not _is(one, "PropertyValue") or told in (None, "none", "auto") or own in seen:
                continue
            seen.add(own)
            value = str(told).lower() if isinstance(told, bool) else told
            if isinstance(value, int | float | str):
                yield parameter(f"{name}.{own}", value, None if isinstance(value, str) else one.get("unitText"))

    def _members(self, action: Entity, pid: str) -> Iterator[Member]:
        for one in self.graph.of(action, "agent"):
            if not _is(one, "Person") or not one.get("name"):
                continue
            orcid, name = orcid_in(one["@id"]), str(one["name"])
            institute = next((str(there["name"]) for there in self.graph.of(one, "affiliation")), None)
            yield Member(
                person=Person(
                    pid=f"https://orcid.org/{orcid}" if orcid else f"{pid}:person:{slug(name)}",
                    full_name=name,
                    orcid=orcid,
                ),
                affiliation=Affiliation(pid=f"affiliation:{slug(institute)}", name=institute) if institute else None,
                role="analyst",
            )

    def _files(self) -> Iterator[File]:
        """Give the crate itself, by whose size and time a change is noticed, and what it lists."""
        crate = self.folder / CRATE
        stat = crate.stat()
        place = self.roots.place(crate)
        if place is None:
            raise BadInput("lies below no data root")
        yield File(
            root=place.root,
            path=place.path,
            size=stat.st_size,
            mtime=datetime.fromtimestamp(stat.st_mtime, UTC),
        )
        for number, one in enumerate(self.graph.files()):
            name = PurePosixPath(unquote(one["@id"]))
            where = self.folder / name
            there = None if name.is_absolute() or ".." in name.parts else self.roots.place(where)
            if there is None or number >= _MOST_FILES or not where.resolve().is_relative_to(self.folder.resolve()):
                continue
            size, digest = str(one.get("contentSize", "")), str(one.get("sha256", ""))
            yield File(
                root=there.root,
                path=there.path,
                size=int(size) if size.isdecimal() else None,
                sha256=digest if _DIGEST.fullmatch(digest) else None,
                missing=not where.is_file(),
            )

    def _picture(self, files: tuple[File, ...]) -> Thumbnail | None:
        result = self.folder / "result.nxs"
        place = self.roots.place(result)
        if (
            not self.pictures
            or place is None
            or not any((one.root, one.path) == (place.root, place.path) for one in files)
        ):
            return None
        drawn = default_picture(result, self.roots)
        if isinstance(drawn, str):
            self.remarks["thumbnail"] = drawn
            return None
        return drawn

    def _moment(self, text: object) -> datetime | None:
        found = read_moment(str(text), "UTC", datetime.max.replace(tzinfo=UTC)) if text else None
        return found.at if found else None


def _is(entity: Entity, kind: str) -> bool:
    told = entity.get("@type", [])
    return kind in (told if isinstance(told, list) else [told])
