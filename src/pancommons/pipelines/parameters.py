"""Parameters as people give them - text, files, presets - made into a pipeline's typed model; and its schema."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Parameters, Pipeline

_NUMBERS = {"float_parsing": "expected a number", "int_parsing": "expected an integer"}


def unit_of(field: FieldInfo) -> str | None:
    """Return the unit a parameter's plain number is in."""
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    return unit if isinstance(unit, str) else None


def group_of(field: FieldInfo) -> str:
    """Return the heading a parameter stands under."""
    extra = field.json_schema_extra
    return str(extra.get("group", "General")) if isinstance(extra, dict) else "General"


def build(
    model: type[Parameters],
    given: Mapping[str, Any],
    *,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    preset: str | None = None,
) -> Parameters:
    """Make the parameters: defaults, above them the preset, and what was given by name.

    Text such as ``"0.65 um"`` is converted to the parameter's unit.

    Raises
    ------
    BadInput
        Naming the parameter, what was expected and, for a misspelt one, what may have been meant.
    """
    values: dict[str, Any] = {}
    if preset is not None:
        known = presets or {}
        if preset not in known:
            raise BadInput(f"there is no preset {preset!r}", remedy=f"known are: {', '.join(sorted(known)) or 'none'}")
        values.update(known[preset])
    values.update(given)
    fields = model.model_fields
    for name, value in values.items():
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            raise BadInput(
                "there is no such parameter",
                field=name,
                remedy=f"did you mean {close[0]}?" if close else f"known are: {', '.join(fields)}",
            )
        unit = unit_of(fields[name])
        if unit and isinstance(value, str):
            values[name] = _converted(name, value, unit)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        culprit = str(first["loc"][0]) if first["loc"] else ""
        raise BadInput(_expectation(first, values, culprit, fields), field=culprit) from None


def read_file(file: Path) -> dict[str, Any]:
    """Read parameters from a TOML or JSON file: a flat table of names and values.

    Raises
    ------
    BadInput
        If the file is not there or is neither.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise BadInput(f"cannot be read ({reason})", file=file, field="--params") from None
    try:
        values = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise BadInput(f"is no {kind} ({error})", file=file) from None
    if not isinstance(values, dict):
        raise BadInput("expected a table of parameter names and values", file=file)
    return values


def schema(pipeline: Pipeline) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a pipeline's parameters, with ``unit`` and ``group`` on each."""
    described = pipeline.parameters.model_json_schema()
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = f"Parameters of {pipeline.name} {pipeline.version}"
    return described


def _converted(name: str, text: str, unit: str) -> Any:
    """Convert ``"0.65 um"`` to a number in ``unit``; plain numbers and words stay as they are."""
    number, _, wanted = text.strip().partition(" ")
    if not wanted:
        digits = len(number.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZµμÅ°%/^"))
        number, wanted = number[:digits], number[digits:]
    try:
        value = float(number)
    except ValueError:
        return text
    if not wanted:
        return text
    from pancommons.nexus.units import convert

    converted = convert(value, wanted, unit)
    if converted is None:
        raise BadInput(f"{text!r} cannot be expressed in {unit}", field=name, remedy=f"give it in {unit}")
    return float(converted)


def _expectation(error: Any, values: Mapping[str, Any], name: str, fields: Mapping[str, FieldInfo]) -> str:
    """Say in words what pydantic expected."""
    message = str(error["msg"])
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if error["type"] in _NUMBERS:
        message = _NUMBERS[error["type"]]
    if name not in fields:
        return message
    if error["type"] == "string_pattern_mismatch":
        return f"{values.get(name)!r} does not fit: expected {fields[name].description}"
    allowed = ""
    if "auto" in str(fields[name].annotation) and "Literal" in str(fields[name].annotation):
        allowed = ' or "auto"'
    unit = unit_of(fields[name])
    return f"{values.get(name)!r} does not fit: {message}{allowed}{f' (in {unit})' if unit else ''}"
