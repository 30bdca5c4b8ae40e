"""Forms made from a pipeline's parameter schema, and what people put into them read back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Literal

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Parameters, Pipeline
from pancommons.pipelines.parameters import build, schema

LONGEST = 2000
"""Characters that a value may have."""

FIRST = 5
"""How many parameters a form shows before all others."""

_COMPARED = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


@dataclass(frozen=True)
class Field:
    """One parameter as a form shows it.

    Attributes
    ----------
    kind
        ``switch``, ``choice``, ``number`` or ``text``.
    choices
        What a choice may be.
    words
        What may stand instead of a number, such as ``auto``.
    limits
        Its allowed range, such as ``> 0, ≤ 10``; empty where there is none.
    optional
        Whether nothing is a value of its own.
    default
        As a form writes it.
    """

    name: str
    help: str
    unit: str | None
    group: str
    kind: Literal["switch", "choice", "number", "text"]
    choices: tuple[str, ...]
    words: tuple[str, ...]
    limits: str
    optional: bool
    default: str

    @property
    def label(self) -> str:
        """Return what people read before it."""
        spelled = self.name.replace("_", " ")
        return spelled[:1].upper() + spelled[1:]


@dataclass(frozen=True)
class Filled:
    """A form as somebody sent it.

    Attributes
    ----------
    given
        Values that differ from those of the preset or the defaults, of the model's types as JSON has them.
    texts
        What stands in each field, right or wrong.
    wrong
        What is wrong, by field; under no name what is wrong with them together.
    """

    given: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def fields(pipeline: Pipeline) -> list[Field]:
    """Make the fields of a pipeline's parameters, in the order of the declaration."""
    described = schema(pipeline)
    return [_field(name, one, described.get("$defs", {})) for name, one in described["properties"].items()]


def first(made: Iterable[Field]) -> list[Field]:
    """Choose what stands before all others: the first of each group, then the second of each, in their order."""
    groups: defaultdict[str, list[Field]] = defaultdict(list)
    for one in made:
        groups[one.group].append(one)
    turns = chain.from_iterable(zip_longest(*groups.values()))
    return [one for one in turns if one is not None][:FIRST]


def texts(values: Parameters) -> dict[str, str]:
    """Write the values of a model as a form does."""
    return {name: text(getattr(values, name)) for name in type(values).model_fields}


def text(value: Any) -> str:
    """Write a value as a field holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read(pipeline: Pipeline, sent: Mapping[str, str], preset: str | None = None) -> Filled:
    """Read a form that was sent; every field is judged, so that all that is wrong is told at once.

    Parameters
    ----------
    sent
        Texts by the names of parameters; those not sent are as the preset or the defaults have them, and so are
        those left empty where nothing is no value.

    Raises
    ------
    BadInput
        If there is no such preset.
    """
    model = pipeline.parameters
    base = build(model, {}, presets=pipeline.presets, preset=preset)
    filled = Filled(texts=texts(base))
    taken: dict[str, Any] = {}
    for one in fields(pipeline):
        if one.name not in sent:
            continue
        filled.texts[one.name] = written = sent[one.name][:LONGEST]
        if len(sent[one.name]) > LONGEST:
            filled.wrong[one.name] = f"is longer than {LONGEST} characters"
            continue
        value = _value(one, written)
        if value == "" and not _takes(model, one.name, ""):
            filled.texts[one.name] = text(getattr(base, one.name))
            continue
        try:
            build(model, {one.name: value})
        except BadInput as error:
            if error.field == one.name:
                filled.wrong[one.name] = _sentence(error)
                continue
        taken[one.name] = value
    if filled.wrong:
        return filled
    try:
        whole = build(model, taken, presets=pipeline.presets, preset=preset)
    except BadInput as error:
        filled.wrong[error.field if error.field in model.model_fields else ""] = _sentence(error)
        return filled
    given = {name for name in taken if getattr(whole, name) != getattr(base, name)}
    filled.given.update(whole.model_dump(mode="json", include=given))
    return filled


def _value(one: Field, written: str) -> str | None:
    """Take what stands in a field: spaces about a number mean nothing."""
    if one.optional and written.strip() == "":
        return None
    return written if one.kind == "text" else written.strip()


def _takes(model: type[Parameters], name: str, value: str) -> bool:
    try:
        build(model, {name: value})
    except BadInput as error:
        return error.field != name
    return True


def _sentence(error: BadInput) -> str:
    return f"{error.problem}; {error.remedy}" if error.remedy else error.problem


def _field(name: str, described: Mapping[str, Any], definitions: Mapping[str, Any]) -> Field:
    ways = [_resolved(way, definitions) for way in described.get("anyOf", [described])]
    kinds = {way.get("type") for way in ways}
    words = tuple(str(word) for way in ways for word in _words(way))
    numbers = [way for way in ways if way.get("type") in ("number", "integer")]
    pattern = next((str(way["pattern"]) for way in ways if "pattern" in way), "")
    kind: Literal["switch", "choice", "number", "text"]
    if kinds == {"boolean"}:
        kind = "switch"
    elif words and not numbers and not pattern and kinds <= {"string", "null", None}:
        kind = "choice"
    else:
        kind = "number" if numbers else "text"
    return Field(
        name,
        str(described.get("description", "")),
        described.get("unit"),
        str(described.get("group", "General")),
        kind,
        words if kind == "choice" else (),
        () if kind == "choice" else words or tuple(re.findall(r"\^([a-z]+)\$", pattern)),
        ", ".join(f"{sign} {text(way[key])}" for way in numbers for key, sign in _COMPARED.items() if key in way),
        "null" in kinds,
        text(described.get("default")),
    )


def _resolved(way: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = definitions.get(str(way.get("$ref", "")).rsplit("/", 1)[-1], way)
    return found


def _words(way: Mapping[str, Any]) -> list[Any]:
    return list(way.get("enum", [way["const"]] if "const" in way else []))
