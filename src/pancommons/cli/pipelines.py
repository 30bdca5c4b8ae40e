"""``pan pipelines``: what is installed, and what each takes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def app() -> typer.Typer:
    """Make the group."""
    group = typer.Typer(help="List and describe the pipelines.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command("list")(list_all)
    group.command()(show)
    group.command()(schema)
    return group


def _group() -> None:
    """List and describe the pipelines."""


def list_all(as_json: AsJson = False) -> None:
    """List the installed pipelines."""
    from pancommons.pipelines import registry

    declared = [registry.load(name) for name in registry.names()]
    if as_json:
        facts = [
            {"name": one.name, "version": one.version, "title": one.title, "technique": one.technique.iri}
            for one in declared
        ]
        print(json.dumps(facts, indent=1))
        return
    for one in declared:
        print(f"{one.name:<16} {one.version:<6} {one.title} ({one.technique.identifier} {one.technique.label})")


def show(name: Name) -> None:
    """Describe a pipeline: inputs, parameters, presets, figures of merit, what to cite."""
    from pancommons.pipelines import registry
    from pancommons.pipelines.parameters import group_of, unit_of

    one = registry.load(name)
    print(
        f"{one.title} ({one.name} {one.version})\n{one.technique.identifier} {one.technique.label}\n\n{one.description}"
    )
    print("\nInputs")
    for role in one.roles:
        print(f"  {role.name:<22} {role.description} ({'needed' if role.required else 'optional'})")
    groups: dict[str, list[str]] = {}
    for key, field in one.parameters.model_fields.items():
        unit = f" {unit_of(field)}" if unit_of(field) else ""
        default = "none" if field.default is None else f"{field.default}{'' if field.default == 'auto' else unit}"
        groups.setdefault(group_of(field), []).append(
            f"  --{key.replace('_', '-'):<20} {field.description} [default: {default}]"
        )
    for group, lines in groups.items():
        print(f"\n{group}", *lines, sep="\n")
    if one.presets:
        print("\nPresets")
        for preset, values in one.presets.items():
            print(f"  {preset:<22} {', '.join(f'{key}={value}' for key, value in values.items())}")
    if one.merits:
        print("\nFigures of merit")
        for merit in one.merits:
            print(f"  {merit.name:<22} {merit.description}{f' [{merit.unit}]' if merit.unit else ''}")
    if one.citations:
        print("\nTo cite")
        for work in one.citations:
            print(f"  {work.text}{f' doi:{work.doi}' if work.doi else ''}")
    if one.examples:
        print("\nExamples", *(f"  {line}" for line in one.examples), sep="\n")


def schema(name: Name) -> None:
    """Print the JSON Schema of a pipeline's parameters, with units."""
    from pancommons.pipelines import parameters, registry

    print(json.dumps(parameters.schema(registry.load(name)), indent=1))
