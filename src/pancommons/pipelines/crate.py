"""Provenance: ``ro-crate-metadata.json``, a Process Run Crate: what was made from what, how and by whom."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base import durable
from pancommons.base.digests import sha256
from pancommons.base.settings import settings
from pancommons.pipelines import environment, events
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.report import licence_url, timestamp

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
"""The profile the crate follows, on top of RO-Crate 1.1."""

_TERMS = {
    "environment": "https://w3id.org/ro/terms/workflow-run#environment",
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
}
_TYPES = {
    ".nxs": "application/x-hdf5",
    ".h5": "application/x-hdf5",
    ".jsonl": "application/jsonl",
    ".webp": "image/webp",
}
_GROWING = {"events.jsonl"}
_PASSING = {"lock", "stop", "log", "prepared", "ro-crate-metadata.json"}


def write(folder: RunFolder, pipeline: Pipeline) -> None:
    """Write the provenance of a finished run beside its result.

    Parameters
    ----------
    folder
        With ``run.json``, ``report.json``, ``report.html`` and all results in place.
    pipeline
        The run's declaration.
    """
    durable.write_json(folder.crate, _Crate(folder, pipeline).described())


def encoding(file: str) -> str:
    """Return the media type of a file, by its name."""
    suffix = Path(file).suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(file)[0] or "application/octet-stream"


class _Crate:
    """The entities of one crate, added from what the folder holds."""

    def __init__(self, folder: RunFolder, pipeline: Pipeline) -> None:
        from rocrate.rocrate import ROCrate

        self.folder, self.pipeline = folder, pipeline
        self.record, self.told = folder.record(), folder.report_facts()
        self.crate: ROCrate = ROCrate(version="1.1")
        self.crate.metadata.extra_terms.update(_TERMS)

    def described(self) -> dict[str, Any]:
        """Return the whole as JSON-LD."""
        agent = self._agent()
        instrument = self._instrument()
        subject = Path(self.told["inputs"][0]["path"]).name
        objects = self._inputs() + self._parameters()
        results = self._outputs() + self._values()
        failed = self.told["failed"]
        action = self._add(
            f"#{self.record.id}",
            "CreateAction",
            name=f"{self.pipeline.title}: {subject}",
            description=f"{self.pipeline.name} {self.record.pipeline_version} run on {subject}",
            startTime=self._start(),
            endTime=self.told["ended"],
            instrument=instrument,
            agent=agent,
            object=objects,
            result=results,
            environment=self._environment(),
            actionStatus=f"http://schema.org/{'Failed' if failed else 'Completed'}ActionStatus",
            **({"error": f"partial result, {len(failed)} units failed: {'; '.join(failed)}"} if failed else {}),
        )
        self._root(action, agent, subject)
        described: dict[str, Any] = self.crate.metadata.generate()
        described["@graph"] = [
            {name: _single(value) for name, value in entity.items()} for entity in described["@graph"]
        ]
        return described

    def _root(self, action: dict[str, str], agent: dict[str, str], subject: str) -> None:
        root = self.crate.root_dataset
        technique = self.pipeline.technique
        for name, value in {
            "name": f"{self.pipeline.title}: {subject}",
            "description": f"{self.pipeline.description} Made from {subject} by pancommons "
            f"{self.record.software_version}, pipeline {self.pipeline.name} {self.record.pipeline_version}.",
            "identifier": f"urn:uuid:{self.record.id}",
            "datePublished": self.told["ended"],
            "license": self._licence(),
            "conformsTo": self._add(PROFILE, "CreativeWork", name="Process Run Crate", version="0.5"),
            "author": agent,
            "about": self._add(technique.iri, "DefinedTerm", name=technique.label, termCode=technique.identifier),
            "mentions": action,
            "citation": [self._citation(number, told) for number, told in enumerate(self.told["citations"], 1)],
        }.items():
            if value:
                root[name] = value

    def _start(self) -> str:
        """Return when the first runner took the folder; ``report.json`` knows only the last."""
        started = (event["time"] for event in events.read(self.folder.events) if event.get("event") == "started")
        first = next(started, None)
        return timestamp(first) if first is not None else str(self.told["began"])

    def _agent(self) -> dict[str, str]:
        who = settings().agent
        facts: dict[str, Any] = {"name": who.name or environment.account()}
        if who.affiliation:
            facts["affiliation"] = self._add("#affiliation", "Organization", name=who.affiliation)
        return self._add(f"https://orcid.org/{who.orcid}" if who.orcid else "#agent", "Person", **facts)

    def _licence(self) -> dict[str, str]:
        licence = self.told["licence"]
        url = licence_url(licence)
        return self._add(url or "#licence", "CreativeWork", name=licence, description=f"Licence {licence}")

    def _instrument(self) -> dict[str, str]:
        packages = self.told["environment"]["packages"]
        needs = [self._software(name, version) for name, version in packages.items() if name != "pancommons"] + [
            self._software("Python", self.told["environment"]["python"], identifier="#python")
        ]
        own = self._software("pancommons", self.record.software_version, softwareRequirements=needs)
        return self._add(
            f"#pipeline-{self.pipeline.name}-{self.record.pipeline_version}",
            "SoftwareApplication",
            name=f"pancommons pipeline {self.pipeline.name}",
            alternateName=self.pipeline.title,
            description=self.pipeline.description,
            version=self.record.pipeline_version,
            softwareRequirements=own,
        )

    def _software(self, name: str, version: str, identifier: str | None = None, **facts: Any) -> dict[str, str]:
        return self._add(
            identifier or f"pkg:pypi/{name.lower()}@{version}",
            "SoftwareApplication",
            name=name,
            version=version,
            **facts,
        )

    def _inputs(self) -> list[dict[str, str]]:
        """Describe the inputs: they lie outside the crate, so their identifiers are local names."""
        added = []
        for number, told in enumerate(self.told["inputs"]):
            path = Path(told["path"])
            facts: dict[str, Any] = {
                "name": path.name,
                "description": f"input {told['role']!r}",
                "contentUrl": path.as_uri(),
                "contentSize": str(told["size"]),
            }
            if not told["folder"]:
                facts["encodingFormat"] = encoding(path.name)
            if told["sha256"]:
                facts["sha256"] = told["sha256"]
            kind = "Dataset" if told["folder"] else "File"
            added.append(self._add(f"#input-{number}-{told['role']}", kind, **facts))
        return added

    def _parameters(self) -> list[dict[str, str]]:
        found = {told["name"]: told for told in self.told["found"]}
        return [
            self._value(
                f"#parameter-{told['name']}",
                told["name"],
                found.get(told["name"], told)["value"],
                unit=told["unit"],
                description=told["description"],
                found=found.get(told["name"]),
            )
            for told in self.told["parameters"]
        ]

    def _values(self) -> list[dict[str, str]]:
        """Describe what the run found beside its parameters, and its figures of merit."""
        parameters = {told["name"] for told in self.told["parameters"]}
        found = [
            self._value(f"#found-{told['name']}", told["name"], told["value"], unit=told["unit"], found=told)
            for told in self.told["found"]
            if told["name"] not in parameters
        ]
        return found + [
            self._value(
                f"#merit-{told['name']}",
                told["label"],
                told["value"],
                unit=told["unit"],
                description=told["description"],
            )
            for told in self.told["merits"]
            if told["value"] is not None
        ]

    def _value(
        self,
        identifier: str,
        name: str,
        value: Any,
        *,
        unit: str | None,
        description: str | None = None,
        found: dict[str, Any] | None = None,
    ) -> dict[str, str]:
        if value is None:
            value = "none"
        elif not isinstance(value, bool | int | float | str):
            value = json.dumps(value, ensure_ascii=False)
        facts: dict[str, Any] = {"name": name, "value": value}
        if unit:
            facts["unitText"] = unit
        if found:
            sureness = "" if found["confidence"] is None else f", confidence {found['confidence']:.3g}"
            description = f"{description or name}; found automatically: {found['method']}{sureness}"
            facts["measurementTechnique"] = found["method"]
            if found["confidence"] is not None:
                facts["additionalProperty"] = self._add(
                    f"{identifier}-confidence",
                    "PropertyValue",
                    name="confidence",
                    value=found["confidence"],
                    minValue=0,
                    maxValue=1,
                )
        if description:
            facts["description"] = description
        return self._add(identifier, "PropertyValue", **facts)

    def _environment(self) -> list[dict[str, str]]:
        names = ("python", "system", "processor", "processor_family", "cores")
        told = self.told["environment"]
        added = [
            self._add(f"#environment-{name}", "PropertyValue", name=name, value=told[name])
            for name in names
            if name in told
        ]
        for name, value in (("workers", self.record.workers), ("memory", self.record.memory)):
            added.append(self._add(f"#environment-{name}", "PropertyValue", name=name, value=value))
        return added

    def _outputs(self) -> list[dict[str, str]]:
        """Describe what lies in the folder; ``run.json`` and ``events.jsonl`` are part of it, not results."""
        results = []
        for path in sorted(self.folder.path.iterdir()):
            if path.name in _PASSING or path.name.startswith("."):
                continue
            if path.is_dir():
                entity = self.crate.add_directory(dest_path=path.name, properties={"name": path.name, **_about(path)})
                for file in self._pictures(path):
                    entity.append_to("hasPart", file)
                    results.append({"@id": file.id})
            else:
                entity = self.crate.add_file(dest_path=path.name, properties=_file(path))
            if path.name not in {"run.json", "events.jsonl", "figures"}:
                results.append({"@id": entity.id})
        return results

    def _pictures(self, folder: Path) -> list[Any]:
        if folder != self.folder.figures:
            return []
        told = {figure["file"]: figure for figure in self.told["figures"]}
        added = []
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            properties = _file(file)
            if file.name in told:
                properties |= {"name": told[file.name]["title"], "description": told[file.name]["caption"]}
            added.append(self.crate.add_file(dest_path=f"figures/{file.name}", properties=properties))
        return added

    def _citation(self, number: int, told: dict[str, Any]) -> dict[str, str]:
        facts = {"identifier": f"https://doi.org/{told['doi']}"} if told["doi"] else {}
        return self._add(facts.get("identifier", f"#citation-{number}"), "ScholarlyArticle", name=told["text"], **facts)

    def _add(self, identifier: str, kind: str, /, **facts: Any) -> dict[str, str]:
        """Add an entity that is no file of the crate, and return the reference to it."""
        if self.crate.get(identifier) is None:
            self.crate.add_jsonld({"@id": identifier, "@type": kind, **facts})
        return {"@id": identifier}


_ABOUT = {
    "result.nxs": "the result",
    "report.html": "the report, for people",
    "report.json": "the report, for machines",
    "run.json": "the request, the plan of work and the resolved values",
    "events.jsonl": "what happened when",
    "parts": "the finished units, which the result refers to",
    "figures": "the pictures of the report",
}


def _single(value: Any) -> Any:
    """Write a list of one as that one, as RO-Crate 1.1 recommends."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _about(path: Path) -> dict[str, Any]:
    return {"description": _ABOUT[path.name]} if path.name in _ABOUT else {}


def _file(path: Path) -> dict[str, Any]:
    facts = {"name": path.name, "encodingFormat": encoding(path.name), **_about(path)}
    if path.name not in _GROWING:
        facts |= {"contentSize": str(path.stat().st_size), "sha256": sha256(path)}
    return facts
