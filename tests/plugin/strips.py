"""A third party's technique, installed as any would be: two stages over strips of a vector, with planned accidents."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np

from pancommons.base.errors import BadInput
from pancommons.nexus.write import Field, create
from pancommons.pipelines.declaration import (
    Auto,
    Findings,
    Found,
    Inspection,
    Merit,
    Outcome,
    Parameters,
    Pipeline,
    Role,
    Simulator,
    Stage,
    Stored,
    Technique,
    Unit,
    parameter,
)
from pancommons.pipelines.job import Job, Part

STEP = 8


class StripsParameters(Parameters):
    pause: float = parameter(0.0, "how long a unit takes", unit="s", ge=0)
    offset: float | Auto = parameter("auto", "added to every value", unit="mm")
    kill: int = parameter(-1, "the unit of the first stage that kills its worker")
    bad: int = parameter(-1, "the unit of the first stage that raises")
    fill: int = parameter(0, "further megabytes in each part", unit="megabyte", ge=0)


class SimulationParameters(Parameters):
    length: int = parameter(64, "values", ge=1)


def simulate(parameters: SimulationParameters, raw: Path, truth: Path, progress: object) -> None:
    vector = np.arange(parameters.length, dtype=np.float64)
    for file, content in ((raw, vector), (truth, vector + 1)):
        with file.open("wb") as handle:
            np.save(handle, content)


def inspect(job: Job) -> Inspection:
    try:
        vector = np.load(job.input)
    except ValueError:
        raise BadInput("expected a vector in .npy", file=job.input) from None
    return Inspection({"length": len(vector)}, detected={"offset": 1.0})


def preview(job: Job) -> dict[str, float]:
    return {"pause": 0.0}


def plan(job: Job) -> dict[str, list[Unit]]:
    starts = range(0, job.facts["length"], STEP)
    units = [
        Unit(index, {"start": start}, STEP, 1 << 20, job.parameters.pause, job.parameters.fill << 20)
        for index, start in enumerate(starts)
    ]
    return {"scale": units, "square": units}


def prepare(job: Job) -> Outcome:
    vector = np.load(job.input)
    return Outcome({"offset": Found(float(vector[1] - vector[0]), "first step", 0.5, "mm")}, {"vector": vector})


def scale(job: Job, unit: Unit) -> dict[str, np.ndarray | Stored]:
    time.sleep(job.parameters.pause)
    if unit.index == job.parameters.bad:
        raise ValueError("planned accident")
    if unit.index == job.parameters.kill:
        os.kill(os.getpid(), signal.SIGKILL)
    start = unit.span["start"]
    strip = job.arrays["vector"][start : start + STEP] + job.value("offset")
    return {"strip": Stored(strip, compress=True), "ballast": np.zeros(job.parameters.fill << 20, np.uint8)}


def square(job: Job, unit: Unit) -> dict[str, np.ndarray]:
    time.sleep(job.parameters.pause)
    part = next((part for part in job.parts("scale") if part.index == unit.index), None)
    if part is None:
        raise ValueError(f"strip {unit.index} of the first stage is missing")
    return {"strip": part.read("strip") ** 2}


def join(job: Job, parts: list[Part]) -> Outcome:
    squares = np.full(job.facts["length"], np.nan)
    for part in parts:
        strip = part.read("strip")
        squares[part.span["start"] :][: len(strip)] = strip
    with create(job.directory / "result.nxs", title="strips") as nexus:
        nexus.data("data", signal=Field("squares", squares, "mm^2"))
    return Outcome()


def report(job: Job) -> Findings:
    with h5py.File(job.directory / "result.nxs") as file:
        total = float(np.nansum(file["entry/data/squares"][()]))
    return Findings(merits={"total": total})


PIPELINE = Pipeline(
    name="strips",
    version="1.0",
    title="Squares of strips",
    description="Adds and squares.",
    technique=Technique("PaNET00001", "photon and neutron technique"),
    roles=(Role("vector", "a vector in .npy"),),
    parameters=StripsParameters,
    inspect="strips:inspect",
    preview="strips:preview",
    plan="strips:plan",
    prepare="strips:prepare",
    stages=(
        Stage("scale", "Scaling", "values", "strips:scale", keep=False),
        Stage("square", "Squaring", "values", "strips:square", "strips:join"),
    ),
    report="strips:report",
    merits=(Merit("total", "Total", "mm^2", "the sum of all squares"),),
    presets={"slow": {"pause": 0.2}},
    simulator=Simulator(SimulationParameters, "strips:simulate", "vector.npy"),
)
