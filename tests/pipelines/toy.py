"""A pipeline small enough to read at a glance: powers of rows, above a level that it finds itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pancommons.pipelines import creation, registry, runner
from pancommons.pipelines.declaration import (
    Auto,
    Citation,
    Figure,
    Findings,
    Found,
    Inspection,
    Merit,
    Outcome,
    Parameters,
    Pipeline,
    Role,
    Stage,
    Stored,
    Technique,
    Unit,
    parameter,
)
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.job import Job, Part

ROWS = 4


class ToyParameters(Parameters):
    power: int = parameter(2, "What the values are raised to", ge=1, le=4, group="Powers")
    level: float | Auto = parameter("auto", "What is taken off first", unit="count", group="Powers")
    scale: float = parameter(1.0, "What the result is multiplied by", unit="mm")
    poison: int = parameter(-1, "The unit that fails")


def inspect(job: Job) -> Inspection:
    shape = np.load(job.input, mmap_mode="r").shape
    extra = job.path("extra")
    linked = (str(job.input.with_suffix(".linked")),) if job.input.with_suffix(".linked").exists() else ()
    return Inspection({"shape": list(shape), "extra": bool(extra)}, ("the toy is a toy",), files=linked)


def plan(job: Job) -> dict[str, list[Unit]]:
    rows = job.facts["shape"][0]
    step = ROWS if job.allowance.workers < 3 else 2 * ROWS
    return {
        "powers": [
            Unit(
                index,
                {"start": start, "stop": min(start + step, rows)},
                min(step, rows - start),
                1000,
                0.01,
                1000,
            )
            for index, start in enumerate(range(0, rows, step))
        ]
    }


def preview(job: Job) -> dict[str, Any]:
    return {"power": 1}


def prepare(job: Job) -> Outcome:
    if job.parameters.level != "auto":
        return Outcome()
    level = float(np.median(np.load(job.input)))
    return Outcome({"level": Found(level, "median of all values", 0.87, "count")}, warnings=("found a level",))


def process(job: Job, unit: Unit) -> dict[str, Stored]:
    if unit.index == job.parameters.poison:
        raise ValueError("this unit is poison <&>")
    rows = np.load(job.input)[unit.span["start"] : unit.span["stop"]]
    values = np.float32(job.parameters.scale) * (rows - job.value("level")).astype(np.float32) ** job.parameters.power
    return {"values": Stored(values, chunks=(1, values.shape[1]), compress=True)}


def combine(job: Job, parts: list[Part]) -> Outcome:
    shape = tuple(job.facts["shape"])
    layout = h5py.VirtualLayout(shape, np.float32)
    sums = np.full(shape[0], np.nan)
    for part in parts:
        rows = slice(part.span["start"], part.span["stop"])
        relative = part.file.relative_to(job.directory)
        layout[rows] = h5py.VirtualSource(str(relative), "values", part.shape("values"))
        sums[rows] = part.read("values").sum(axis=1, dtype=np.float64)
    with h5py.File(job.directory / "result.nxs", "w", libver="latest") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="data")
        entry["title"] = "toy"
        entry["end_time"] = datetime.now(UTC).isoformat()
        data = entry.create_group("data")
        data.attrs.update(NX_class="NXdata", signal="data")
        data.create_virtual_dataset("data", layout, fillvalue=np.nan).attrs["units"] = "mm"
        data.create_dataset("sums", data=sums).attrs["units"] = "mm"
        data["same"] = h5py.SoftLink("/entry/data/sums")
    return Outcome()


def report(job: Job) -> Findings:
    from matplotlib.figure import Figure as Drawing

    with h5py.File(job.directory / "result.nxs") as file:
        sums = file["entry/data/sums"][()]
    drawing = Drawing(figsize=(6, 3))
    drawing.subplots().plot(sums)
    drawing.savefig(job.directory / "figures" / "sums.png", dpi=50)
    return Findings(
        (Figure("sums.png", "Sums of rows", "The sum of every row <b>.", "a curve that rises"),),
        {"total": float(np.nansum(sums)), "nothing": None},
        ("the toy is a toy", "a figure was drawn"),
    )


PIPELINE = Pipeline(
    name="toy",
    version="1.2.0",
    title="Powers of rows",
    description="Raises the rows of an array to a power, above a level that it finds itself.",
    technique=Technique("PaNET00001", "photon and neutron technique"),
    roles=(
        Role("array", "an .npy file of two dimensions"),
        Role("extra", "anything else", required=False, many=True),
    ),
    parameters=ToyParameters,
    inspect=f"{__name__}:inspect",
    plan=f"{__name__}:plan",
    prepare=f"{__name__}:prepare",
    stages=(Stage("powers", "Raising rows", "rows", f"{__name__}:process", f"{__name__}:combine"),),
    report=f"{__name__}:report",
    presets={"cubes": {"power": 3}},
    merits=(
        Merit("total", "Total", "mm", "The sum of all rows"),
        Merit("nothing", "Nothing", "", "What could not be computed"),
    ),
    citations=(Citation("A. Toy, Journal of Toys 1 (2020) 1", "10.1000/toy.1"), Citation("B. Toy, a book")),
)


def register(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline = PIPELINE) -> None:
    """Make the toy the only installed pipeline, in this process."""
    monkeypatch.setattr(registry, "load", lambda name: pipeline)


def write_input(path: Path, rows: int = 10, seed: int = 1) -> Path:
    np.save(path, np.random.default_rng(seed).normal(100.0, 5.0, (rows, 16)))
    return path


def run(source: Path, out: Path, **options: Any) -> RunFolder:
    """Run the toy to its end in a new folder."""
    preset = options.pop("preset", None)
    plain = {name: options.pop(name) for name in ("workers", "preview") if name in options}
    extra = options.pop("extra", None)
    inputs = {"array": [source], **({"extra": extra} if extra else {})}
    request = creation.Request("toy", inputs, options, preset=preset, **plain)
    folder = creation.create(creation.examine(request), out)
    runner.execute(folder.path)
    return folder
