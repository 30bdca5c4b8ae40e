"""What a demonstration analyses: simulated data of every technique, and real ones where they are there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.errors import PanError
from pancommons.cli.demonstration.place import Place

if TYPE_CHECKING:
    from pancommons.pipelines.declaration import Pipeline, Sample


@dataclass(frozen=True)
class Measurement:
    """Data in the catalogue, and what is to be made of them.

    Attributes
    ----------
    inputs
        Identifiers of datasets or files, by role.
    """

    pipeline: str
    title: str
    inputs: Mapping[str, list[str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def simulated(place: Place, pipeline: Pipeline) -> Measurement:
    """Simulate data, and put them into the catalogue with the truth, which is a dataset too."""
    from pancommons.pipelines.simulating import simulate

    assert pipeline.simulator is not None  # noqa: S101 - asked of pipelines with one
    raw = place.data / pipeline.name / pipeline.simulator.default_name
    raw, truth = simulate(pipeline, pipeline.simulator.parameters(), raw)
    inputs = {pipeline.primary.name: [_ingested(place, raw)]}
    if pipeline.role("truth"):
        inputs["truth"] = [_ingested(place, truth)]
    return Measurement(pipeline.name, f"{pipeline.title}, simulated", inputs)


def real(place: Place, pipeline: Pipeline) -> Iterator[Measurement]:
    """Put real data into the catalogue, as far as they are there."""
    for sample in pipeline.samples:
        if place.real is not None and (place.real / sample.path).exists():
            inputs = _catalogued(place, pipeline, sample)
            yield Measurement(pipeline.name, _title(sample), inputs, sample.parameters)


def _ingested(place: Place, file: Path) -> str:
    """Have a file harvested by the command that facilities use; return the identifier of its dataset."""
    command = [sys.executable, "-m", "pancommons", "ingest", str(file), "--json"]
    done = subprocess.run(command, env=place.environment, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        for dataset in json.loads(line).get("datasets", []):
            return str(dataset["identifier"])
    raise PanError(f"{file}: the catalogue did not take it: {(done.stderr or done.stdout).strip()}")


def _catalogued(place: Place, pipeline: Pipeline, sample: Sample) -> dict[str, list[str]]:
    """Put a measurement of several files, or of a folder, into the catalogue as one dataset, open to all."""
    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.ingest.pictures import default_picture
    from pancommons.catalogue.ingest.roots import Roots
    from pancommons.catalogue.policy import read_policy
    from pancommons.catalogue.read import fetch
    from pancommons.catalogue.records import Dataset, File, Terms, Thumbnail
    from pancommons.catalogue.write import put
    from pancommons.store.engine import open_database

    at, root = datetime.now(UTC), Path(str(place.real))
    paths = {pipeline.primary.name: sample.path, **sample.inputs}
    size = sum(one.stat().st_size for path in paths.values() for one in _files(root / path))
    picture = default_picture(root / sample.path, Roots({"real": root}))
    record = Dataset(
        pid=f"demo:{sample.path}",
        kind="raw",
        title=_title(sample),
        creation_date=at,
        size=size,
        techniques=(pipeline.technique.iri,),
        files=tuple(File(root="real", path=path) for path in dict.fromkeys(paths.values())),
        thumbnail=picture if isinstance(picture, Thumbnail) else None,
        terms=Terms(open_from=at, discoverable_from=at, fixed=True),
    )
    database = open_database(f"sqlite:///{place.folder}/pancommons.db")
    try:
        with database.write() as connection:
            made = put(connection, record, policy=read_policy(), by=LOCAL_USER, at=at)
            found = fetch(connection, "dataset", made.identifier, LOCAL_USER, at)
    finally:
        database.close()
    files = {file.path: str(file.identifier) for file in found.record.files}  # type: ignore[union-attr]
    return {role: [files[path]] for role, path in paths.items()}


def _title(sample: Sample) -> str:
    return sample.title[:1].upper() + sample.title[1:]


def _files(path: Path) -> Iterator[Path]:
    yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
