"""A run is a folder: what lies where in it, and reading it without any server."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pancommons.base import durable
from pancommons.base.digests import quick
from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines.parts import Part
from pancommons.pipelines.record import FORMAT, Record


class RunFolder:
    """The layout of a run folder, and every access to its files.

    ::

        run.json                    request, unit plan, resolved values   (replaced in one step)
        events.jsonl                what happened when                    (append-only)
        lock                        who runs it, with a heartbeat
        stop                        put there by anybody to stop the run
        log                         what its process prints, where a server started it
        prepared/NAME.npy           arrays handed to later stages
        parts/STAGE/000000.h5       one file for each finished unit
        parts/index.jsonl           digest of each part                   (append-only)
        result.nxs                  the result
        figures/                    pictures for the report
        report.json, report.html    figures of merit, warnings; for people
        ro-crate-metadata.json      provenance
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = path / "events.jsonl"
        self.stop = path / "stop"
        self.result = path / "result.nxs"
        self.figures = path / "figures"
        self.report = path / "report.json"
        self.page = path / "report.html"
        self.crate = path / "ro-crate-metadata.json"
        self._record = path / "run.json"
        self._index = path / "parts" / "index.jsonl"

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a folder that holds a run.

        Raises
        ------
        BadInput
            If it is not there, or holds no run that this version can read.
        """
        folder = cls(path)
        folder.record()
        return folder

    @classmethod
    def create(cls, path: Path, record: Record) -> RunFolder:
        """Make the folder and write ``run.json`` into it.

        Raises
        ------
        BadInput
            If the folder exists and is not empty, or cannot be made.
        """
        folder = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise BadInput(
                    "this folder exists and is not empty",
                    file=path,
                    field="--out",
                    remedy="name a new one, or go on with `pan resume`"
                    if folder._record.exists()
                    else "name a new one",
                )
            folder.write(record)
        except OSError as error:
            raise BadInput(
                f"the run folder cannot be made ({error.strerror})",
                file=path,
                field="--out",
                remedy="name a folder on a disk you may write to",
            ) from None
        return folder

    def record(self) -> Record:
        """Read ``run.json``."""
        try:
            stored = json.loads(self._record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadInput("this is no run folder: it holds no run.json", file=self.path) from None
        except NotADirectoryError:
            raise BadInput("expected a run folder, this is a file", file=self.path) from None
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot be read ({error})", file=self._record) from None
        if isinstance(stored, dict) and isinstance(stored.get("format"), int) and stored["format"] > FORMAT:
            raise BadInput(
                f"this run folder has format {stored['format']}, this version reads up to {FORMAT}",
                file=self.path,
                remedy="install a newer pancommons",
            )
        try:
            return Record.model_validate(stored)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(str(first["msg"]), file=self._record, field=".".join(map(str, first["loc"]))) from None

    def stamp(self) -> int:
        """Return a number that changes whenever ``run.json`` does."""
        return self._record.stat().st_mtime_ns

    def write(self, record: Record) -> None:
        """Replace ``run.json`` in one step."""
        durable.write_text(self._record, record.model_dump_json(indent=1) + "\n")

    def part_file(self, stage: str, index: int) -> Path:
        """Return where the part of a unit lies."""
        return self.path / "parts" / stage / f"{index:06d}.h5"

    def add_part(self, stage: str, index: int, digest: str, size: int) -> None:
        """Note a part as finished; its file must be in place."""
        line = {"stage": stage, "unit": index, "digest": digest, "bytes": size}
        durable.append_line(self._index, json.dumps(line))

    def index(self, stage: str) -> dict[int, dict[str, Any]]:
        """Return the notes on the finished parts of a stage, by unit."""
        return {line["unit"]: line for line in durable.read_lines(self._index) if line.get("stage") == stage}

    def parts(self, stage: str) -> list[Part]:
        """List the finished parts of a stage, in unit order."""
        units = {unit.index: unit for unit in self.record().plan.get(stage, [])}
        return [
            Part(index, units[index].span, self.part_file(stage, index))
            for index in sorted(self.index(stage))
            if index in units and self.part_file(stage, index).exists()
        ]

    def whole_parts(self, stage: str) -> set[int]:
        """Return the units of a stage whose part is there and agrees with its digest."""
        whole = set()
        for index, line in self.index(stage).items():
            file = self.part_file(stage, index)
            with suppress(OSError):
                if file.stat().st_size == line["bytes"] and quick(file) == line["digest"]:
                    whole.add(index)
        return whole

    def report_facts(self) -> dict[str, Any]:
        """Read ``report.json``; empty where the run has not come so far."""
        try:
            facts: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise PanError(f"{self.report}: cannot be read ({error}).") from None
        return facts

    def request_stop(self) -> None:
        """Ask the runner, whoever it is, to stop after the units in hand."""
        self.stop.touch()
