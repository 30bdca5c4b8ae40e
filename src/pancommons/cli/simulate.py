"""``pan simulate``: raw data with a known answer, for every technique that can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.cli.options import given, signature

if TYPE_CHECKING:
    from pancommons.pipelines.declaration import Pipeline, Simulator


def app(arguments: list[str]) -> typer.Typer:
    """Make the group; only the technique named on the command line is loaded, or all for its help."""
    group = typer.Typer(
        help="Simulate raw data with a known answer, the truth in a file of its own.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    group.callback()(_group)
    if arguments[:1] != ["simulate"]:
        return group
    from pancommons.base.errors import BadInput
    from pancommons.pipelines import registry

    asked = next((word for word in arguments[1:] if not word.startswith("-")), None)
    for name in [asked] if asked else registry.names():
        pipeline = registry.load(name)
        if pipeline.simulator:
            _add(group, pipeline, pipeline.simulator)
        elif asked:
            raise BadInput(f"{name} has no simulator")
    return group


def _group() -> None:
    """Simulate raw data with a known answer, the truth in a file of its own."""


def _add(group: typer.Typer, pipeline: Pipeline, simulator: Simulator) -> None:
    def command(
        out: Annotated[Path, typer.Argument(metavar="FILE", help="The raw file to write.")] = Path(
            simulator.default_name
        ),
        **options: Any,
    ) -> None:
        from pancommons.pipelines import parameters
        from pancommons.pipelines.simulating import simulate

        model = parameters.build(simulator.parameters, given(options))
        raw, truth = simulate(pipeline, model, out)
        print(f"Raw data: {raw}\nTruth:    {truth}\nRun it:   pan run {pipeline.name} {raw}")

    signature(command, simulator.parameters)
    group.command(pipeline.name, help=f"Simulate raw data for: {pipeline.title}.")(command)
