"""Several runs of one command: a folder each, the worst exit code, one table at the end."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pancommons.pipelines.creation import Prepared, Request
    from pancommons.pipelines.folder import RunFolder

SUMMARY = "summary.csv"


def places(requests: list[Request], out: Path | None) -> list[Path | None]:
    """Give each run of a batch a folder of its own in ``out``, also where inputs have the same name."""
    if out is None or len(requests) == 1:
        return [out] * len(requests)
    chosen: list[Path | None] = []
    for request in requests:
        stem = next(iter(next(iter(request.inputs.values())))).stem
        names = (out / (stem if number == 1 else f"{stem}-{number}") for number in count(1))
        chosen.append(next(name for name in names if name not in chosen))
    return chosen


class Worst:
    """The worst exit code so far; errors of one run do not keep the others from running."""

    def __init__(self, *, as_json: bool) -> None:
        self.code, self.stopped, self.as_json = 0, False, as_json

    @contextmanager
    def surviving(self) -> Iterator[None]:
        """Say what went wrong with one run, and go on unless the user stopped it."""
        from pancommons.base.errors import PanError
        from pancommons.cli import say_error

        try:
            yield
        except PanError as error:
            say_error(error, as_json=self.as_json)
            self.code = max(self.code, error.exit_code)
            self.stopped = error.exit_code == 130
        except typer.Exit as end:
            self.code = max(self.code, end.exit_code)

    def exit(self) -> None:
        """Exit with the worst code, if anything went wrong."""
        if self.code:
            raise typer.Exit(self.code)


def existing(prepared: Prepared, place: Path) -> RunFolder | None:
    """Return the run that lies at a place from an earlier try at the same table; None where nothing does.

    Raises
    ------
    BadInput
        If another run lies there.
    """
    from pancommons.base.errors import BadInput
    from pancommons.pipelines.folder import RunFolder

    if not (place / "run.json").exists():
        return None
    folder, asked = RunFolder.open(place), prepared.record
    there = folder.record()
    if _asked(there) != _asked(asked):
        raise BadInput(
            "holds a run with other inputs or parameters than the table asks for", file=place,
            remedy="name another folder with --out, or remove it",
        )  # fmt: skip
    return folder


def _asked(record: Any) -> tuple[Any, ...]:
    inputs = {role: [file.path for file in files] for role, files in record.inputs.items()}
    return record.pipeline, inputs, json.loads(json.dumps(record.given)), record.preset, record.preview


def say_summary(folders: Mapping[str, Path], out: Path) -> None:
    """Print what came out of the runs of a table, and write it as CSV beside them."""
    from rich.console import Console
    from rich.table import Table

    from pancommons.base import durable
    from pancommons.pipelines.folder import RunFolder

    facts = {name: RunFolder(path).report_facts() if path.exists() else {} for name, path in folders.items()}
    merits = {name: {merit["name"]: merit for merit in told.get("merits", ())} for name, told in facts.items()}
    columns = {merit["name"]: merit for those in merits.values() for merit in those.values()
               if merit["value"] is not None}  # fmt: skip
    lines = [["name", "state", *(f"{name} [{one['unit']}]" if one["unit"] else name for name, one in columns.items())]]
    for name, told in facts.items():
        values = [merits[name].get(column, {}).get("value") for column in columns]
        lines.append([name, told.get("state", "not done"), *("" if v is None else f"{v:.15g}" for v in values)])
    with durable.replacing(out / SUMMARY) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    shown = list(columns)[:4]
    table = Table("run", "state", *(columns[name]["label"] for name in shown))
    for name, told in facts.items():
        cells = (merits[name].get(column) for column in shown)
        table.add_row(name, told.get("state", "not done"), *map(_cell, cells))
    Console().print(table)
    print(f"All figures of merit: {out / SUMMARY}")


def _cell(merit: Mapping[str, Any] | None) -> str:
    return "" if not merit or merit["value"] is None else f"{merit['value']:.6g} {merit['unit']}".strip()
