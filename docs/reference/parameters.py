"""Write ``parameters-PIPELINE.md`` from the declarations.

    .venv/bin/python docs/reference/parameters.py

``tests/docs`` checks that the pages are what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Parameters
from pancommons.pipelines.parameters import schema

PIPELINES = ("tomography", "sans", "thz")
_WORDS = {"number": "number", "integer": "whole number", "string": "text", "boolean": "yes or no", "null": "none"}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

_HEAD = """# Parameters of {name}

<!-- Made by docs/reference/parameters.py from the declaration; change it there. -->

As `pan pipelines schema {name}` has them (pipeline version {version}). On the command line a parameter is an option
with hyphens for underscores, in Python and in parameter files it has the name given here. Plain
numbers are in the unit of the table; a text with another unit is converted (`"650 nm"`). "auto" is found
from the data; the report says what was found, how, and how surely.
"""
_PRESETS = """## Presets

`--preset NAME` sets these, and what you give besides wins.

| preset | sets |
|---|---|
"""
_MERITS = """## Figures of merit

| name | unit | meaning |
|---|---|---|
"""
_SIMULATED = """## Simulated scans

Parameters of `pan simulate {name}`.
"""


def path(name: str) -> Path:
    """Return where the page of a pipeline lies."""
    return Path(__file__).with_name(f"parameters-{name}.md")


def page(name: str) -> str:
    """Return the text of the page of a pipeline."""
    pipeline = registry.load(name)
    label = "" if name == "tomography" else f"{name}-"
    head = _HEAD.format(name=name, version=pipeline.version)
    text = [head, *_tables(schema(pipeline)["properties"], kind=label)]
    rows = [
        f"| `{preset}` | {', '.join(f'`{key} = {value}`' for key, value in values.items())} |\n"
        for preset, values in pipeline.presets.items()
    ]
    text += [_PRESETS + "".join(rows)]
    merits = [f"| `{merit.name}` | {merit.unit} | {merit.label}: {merit.description} |\n" for merit in pipeline.merits]
    text += [_MERITS + "".join(merits), _SIMULATED.format(name=name)]
    assert pipeline.simulator is not None
    text += _tables(_properties(pipeline.simulator.parameters), level=3, kind=f"{label}scan-")
    return "\n".join(text)


def _properties(model: type[Parameters]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return properties


def _tables(properties: dict[str, Any], level: int = 2, kind: str = "") -> Iterator[str]:
    """Give a table for each group, in the order of the declaration."""
    for group in dict.fromkeys(told["group"] for told in properties.values()):
        rows = [
            f"| `{name}` | {_kind(told)} | {told.get('unit', '')} | {_default(told)} | {told['description']} |\n"
            for name, told in properties.items()
            if told["group"] == group
        ]
        label = f"{kind}{group.lower().replace(' ', '-')}"
        head = f"({label})=\n{'#' * level} {group}\n\n| parameter | type | unit | default | meaning |\n"
        yield head + "|---|---|---|---|---|\n" + "".join(rows)


def _kind(told: dict[str, Any]) -> str:
    if "anyOf" in told:
        return " or ".join(_kind(one) for one in told["anyOf"])
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if "const" in told:
        return f"`{told['const']}`"
    bounds = ", ".join(f"{sign} {told[name]:g}" for name, sign in _BOUNDS.items() if name in told)
    return f"{_WORDS[told['type']]}{f' {bounds}' if bounds else ''}"


def _default(told: dict[str, Any]) -> str:
    value = told["default"]
    if value is None:
        return "none"
    return ("yes" if value else "no") if isinstance(value, bool) else f"`{value}`"


if __name__ == "__main__":
    for one in PIPELINES:
        path(one).write_text(page(one), encoding="utf-8")
