"""``pan demo``: from nothing to a checked result in under a minute."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pancommons.pipelines.declaration import Pipeline


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pan demo --out demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="The folder to work in; a demo's earlier runs in it are replaced.")] = Path(
        "demo"
    ),
    data: Annotated[Path | None, typer.Option(help="Folder of real data to run as well, where it is there.")] = None,
) -> None:
    """Simulate raw data with a known answer, run its pipeline on it, and show how near the result is."""
    from rich.console import Console
    from rich.table import Table

    from pancommons.pipelines import registry

    table = Table("run", "figure of merit", "value", title="What came out")
    places = []
    for name in registry.names():
        pipeline = registry.load(name)
        for title, folder in _runs(pipeline, out, data):
            places.append(folder)
            _rows(table, title, folder)
    Console().print(table)
    print("Where to look:")
    for folder in places:
        print(f"  {folder / 'report.html'}   (result.nxs and figures/ beside it)")


def _runs(pipeline: Pipeline, out: Path, data: Path | None) -> list[tuple[str, Path]]:
    """Run the simulated data and the real samples of one pipeline."""
    from pancommons.pipelines.simulating import simulate

    runs = []
    if pipeline.simulator:
        raw = out / pipeline.name / pipeline.simulator.default_name
        for old in (raw, raw.with_name(f"{raw.stem}-truth{raw.suffix}")):
            old.unlink(missing_ok=True)
        print(f"{pipeline.title}: simulating {raw} ...")
        raw, truth = simulate(pipeline, pipeline.simulator.parameters(), raw)
        inputs = {"truth": truth} if pipeline.role("truth") else {}
        folder = out / pipeline.name / "simulated"
        _run(pipeline, raw, folder, inputs)
        runs.append((f"{pipeline.name}: simulated", folder))
    for sample in pipeline.samples:
        if data is not None and (data / sample.path).exists():
            print(f"{pipeline.title}: {sample.title} ...")
            folder = out / pipeline.name / Path(sample.path).stem
            inputs = {role: data / path for role, path in sample.inputs.items()}
            _run(pipeline, data / sample.path, folder, {**inputs, **sample.parameters})
            runs.append((f"{pipeline.name}: {sample.title}", folder))
    return runs


def _run(pipeline: Pipeline, path: Path, folder: Path, named: dict[str, Any]) -> None:
    from pancommons.pipelines import api

    if (folder / "run.json").exists():
        shutil.rmtree(folder)
    api.run(pipeline.name, path, out=folder, **named)


def _rows(table: Any, title: str, folder: Path) -> None:
    from pancommons.pipelines.api import open_run

    for merit in open_run(folder).report["merits"]:
        if merit["value"] is not None:
            table.add_row(title, merit["label"], f"{merit['value']:.6g} {merit['unit']}".strip())
            title = ""
