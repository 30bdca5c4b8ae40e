"""Finding pipelines: every package that registers an entry point is on a level with ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines.declaration import Pipeline

GROUP = "pancommons.pipelines"

RUN_OPTIONS = frozenset(
    {
        "out",
        "preset",
        "params",
        "dry_run",
        "preview",
        "on",
        "workers",
        "memory",
        "name",
        "table",
        "json",
        "help",
        "server",
        "quiet",
    }
)
"""Names of the options of ``pan run``, which no parameter may take."""


def names() -> list[str]:
    """List the names of the installed pipelines, sorted, without importing any."""
    return sorted(_entry_points())


@cache
def load(name: str) -> Pipeline:
    """Return a pipeline's declaration.

    Raises
    ------
    BadInput
        If no pipeline of this name is installed.
    PanError
        If its declaration breaks a rule of the model.
    """
    points = _entry_points()
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise BadInput(f"there is no pipeline {name!r}", remedy=f"installed are: {known}")
    pipeline = points[name].load()
    if not isinstance(pipeline, Pipeline):
        raise PanError(f"Entry point {points[name].value} of pipeline {name} is no Pipeline declaration.")
    _check(pipeline, name)
    return pipeline


def _entry_points() -> dict[str, EntryPoint]:
    return _found(entry_points, tuple(sys.path))


@lru_cache(maxsize=4)
def _found(find: Callable[..., EntryPoints], path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Look through all that is installed on a path, which takes some milliseconds."""
    return {point.name: point for point in find(group=GROUP)}


def _check(pipeline: Pipeline, name: str) -> None:
    """Refuse a declaration that the faces could not serve."""
    fields = pipeline.parameters.model_fields
    problems = []
    if pipeline.name != name:
        problems.append(f"it calls itself {pipeline.name!r}")
    if taken := sorted(RUN_OPTIONS & set(fields)):
        problems.append(f"parameter {taken[0]!r} is the name of a run option")
    try:
        pipeline.parameters.model_validate(pipeline.parameters().model_dump())
    except (ValueError, TypeError) as error:
        problems.append(f"its default parameters are not valid ({error})")
    if bare := [key for key, field in fields.items() if not field.description]:
        problems.append(f"parameter {bare[0]!r} has no description")
    if needed := [key for key, field in fields.items() if field.is_required()]:
        problems.append(f"parameter {needed[0]!r} has no default")
    if both := sorted({role.name for role in pipeline.roles} & set(fields)):
        problems.append(f"{both[0]!r} is both a role and a parameter")
    for preset, values in pipeline.presets.items():
        if unknown := sorted(set(values) - set(fields)):
            problems.append(f"preset {preset!r} sets the unknown parameter {unknown[0]!r}")
    if not pipeline.roles or not pipeline.stages:
        problems.append("it needs at least one role and one stage")
    if problems:
        raise PanError(f"The declaration of pipeline {name} is wrong: {'; '.join(problems)}.")
