"""What a look at the data gave, on its way to becoming a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pancommons.pipelines.creation import Estimate
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.record import Record
from pancommons.runs import telling
from pancommons.runs.asked import Asked, Examined
from pancommons.runs.hiding import Hiding
from pancommons.runs.resolving import InputFile
from pancommons.runs.sight import LINKED

_LONGEST_TITLE = 300


class Look:
    """A request whose data were looked at: the row and the folder it will have, and what is told of it."""

    def __init__(
        self,
        asked: Asked,
        pipeline: Pipeline,
        resolved: Mapping[str, list[InputFile]],
        linked: list[tuple[int, str, str]],
        record: Record,
        estimate: Estimate,
        hiding: Hiding,
        *,
        alone: bool,
    ) -> None:
        self.pipeline, self.record, self.estimate = pipeline, record, estimate
        self._resolved, self._linked = resolved, linked
        first = next(self.files(), None)
        self.row = {
            "pipeline": pipeline.name,
            "version": pipeline.version,
            "title": _title(asked, pipeline, first),
            "preset": asked.preset,
            "parameters": dict(asked.parameters),
            "preview": asked.preview,
            "digest": asked.digest(),
            "alone": alone,
            "seconds": estimate.seconds,
            "memory": estimate.memory,
            "disk": estimate.disk,
            "allowed": record.memory,
            "state": "waiting",
            "line": 0,
            "tries": 0,
            "to_register": False,
            "tell": asked.tell,
            "to_tell": 0 if asked.tell is None else telling.TRIES,
        }
        self.told = Examined(
            pipeline=pipeline.name,
            version=pipeline.version,
            parameters=hiding.json(record.parameters),
            detected=hiding.json(record.detected),
            facts=hiding.json(record.facts),
            warnings=hiding.json(record.warnings),
            units={stage: len(units) for stage, units in record.plan.items()},
            seconds=estimate.seconds,
            memory=estimate.memory,
            disk=estimate.disk,
            inputs={
                role: [
                    {"dataset": one.dataset, "file": one.file, "name": one.name, "title": one.title} for one in several
                ]
                for role, several in resolved.items()
            },
        )

    def files(self) -> Iterator[InputFile]:
        """Give the files of all roles."""
        return (one for several in self._resolved.values() for one in several)

    def input_rows(self) -> list[dict[str, Any]]:
        """Make the rows that say what is run on: inputs, and of other datasets what these read from."""
        rows = [
            {"role": role, "position": place, "dataset_id": one.dataset_id, "file": one.file, "name": one.name}
            for role, several in self._resolved.items()
            for place, one in enumerate(several)
        ]
        own = {row["dataset_id"] for row in rows}
        others = {id_: (file, name) for id_, file, name in self._linked if id_ not in own}
        return rows + [
            {"role": LINKED, "position": place, "dataset_id": id_, "file": file, "name": name}
            for place, (id_, (file, name)) in enumerate(sorted(others.items()))
        ]


def _title(asked: Asked, pipeline: Pipeline, first: InputFile | None) -> str:
    title = " ".join((asked.title or "").split()) or f"{pipeline.title}: {first.title if first else pipeline.name}"
    return "".join(sign for sign in title if sign.isprintable())[:_LONGEST_TITLE]
