"""The OpenAPI description: filters as the JSON that they are, for every model of the search API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from pancommons.catalogue.ontology.asking import FIELDS as TECHNIQUE_FIELDS
from pancommons.catalogue.search.conditions import OPERATORS
from pancommons.catalogue.search.models import MODELS, Kind, Model
from pancommons.server.limits import Rules

_VALUES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.TEXTS: {"type": "string"},
    Kind.NUMBER: {"type": "number"},
    Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.TRUTH: {"type": "boolean"},
    Kind.VALUE: {"type": ["number", "string"]},
}
_LISTS = ("between", "inq", "nin")
_EQUAL = ("eq", "neq", "inq", "nin")
_OF_TEXTS = ("like", "nlike", "ilike", "nilike", "regexp")
_WHOLE = {"type": "integer", "minimum": 0}


def describe(app: FastAPI, prefix: str) -> Callable[[], dict[str, Any]]:
    """Return what makes the description of an application, once: filters and wheres with a schema of their own."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = make()
            told["components"]["schemas"].update(_schemas())
            _say_limits(told["paths"], Rules(prefix))
            for path, operations in told["paths"].items():
                if path.startswith(f"{prefix}/"):
                    for operation in operations.values():
                        for parameter in operation.get("parameters", ()):
                            _as_json(parameter, _model_of(path.removeprefix(prefix)))
        return app.openapi_schema or {}

    return described


def _say_limits(paths: dict[str, Any], rules: Rules) -> None:
    """Say where an answer may be that a visitor asks for too much."""
    header = {"description": "seconds after which to try again", "schema": {"type": "integer"}}
    content = {"application/json": {"schema": _ref("Failure")}}
    refused = {"description": "too much was asked for", "headers": {"Retry-After": header}, "content": content}
    for path, operations in paths.items():
        for method, operation in operations.items():
            if rules.of(method.upper(), path) is not None:
                operation["responses"].setdefault("429", refused)


def _model_of(path: str) -> str:
    if "/files" in path:
        return "File"
    return next((name for name in ("Dataset", "Document", "Instrument") if f"/{name}s" in path), "KnownTechnique")


def _as_json(parameter: dict[str, Any], model: str) -> None:
    part = {"filter": "Filter", "where": "Where"}.get(parameter["name"])
    if part is not None:
        parameter.pop("schema")
        example = parameter.pop("examples", None) or ["{}"]
        parameter["example"] = {} if example == ["{}"] else {"limit": 10}
        parameter["content"] = {"application/json": {"schema": _ref(f"{part}Of{model}")}}
        parameter["content"]["application/json"]["example"] = parameter.pop("example")


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in MODELS.values():
        fields = {name: kind for name, kind in model.fields.items() if kind is not Kind.SCORE}
        found |= _wheres(model.name, {name: _VALUES[kind] for name, kind in fields.items()}, text=bool(model.searched))
        found[f"FilterOf{model.name}"] = _filter(model.name, tuple(fields), _include(model))
    technique = {name: {"type": "string"} for name in TECHNIQUE_FIELDS}
    return found | _wheres("KnownTechnique", technique, text=False) | {
        "FilterOfKnownTechnique": _filter("KnownTechnique", TECHNIQUE_FIELDS, None)
    }  # fmt: skip


def _wheres(name: str, values: dict[str, dict[str, Any]], *, text: bool) -> dict[str, Any]:
    """Describe conditions, and those within their ``and`` and ``or``."""
    simple: dict[str, Any] = {field: {"anyOf": [value, _operators(value)]} for field, value in values.items()}
    if text:
        simple["text"] = {"type": "string", "description": "contained in a searched field, whatever the case"}
    inner = {"type": "array", "items": _ref(f"ConditionOf{name}")}
    return {
        f"ConditionOf{name}": {"type": "object", "properties": simple, "additionalProperties": False},
        f"WhereOf{name}": {
            "type": "object",
            "additionalProperties": False,
            "description": "Conditions that all hold; `and` and `or` may be nested.",
            "properties": {**simple, "and": inner, "or": inner},
        },
    }


def _operators(value: dict[str, Any]) -> dict[str, Any]:
    several = {"type": "array", "items": value}
    pair = {**several, "minItems": 2, "maxItems": 2}
    names: tuple[str, ...] = _EQUAL if value["type"] == "boolean" else OPERATORS
    if value["type"] == "number" or "format" in value:
        names = tuple(one for one in OPERATORS if one not in _OF_TEXTS)
    return {
        "type": "object",
        "properties": {one: pair if one == "between" else several if one in _LISTS else value for one in names},
        "minProperties": 1,
        "additionalProperties": False,
    }


def _filter(name: str, fields: tuple[str, ...], include: dict[str, Any] | None) -> dict[str, Any]:
    order = {"type": "string", "enum": [f"{field} {way}" for field in fields for way in ("ASC", "DESC")]}
    parts: dict[str, Any] = {
        "where": _ref(f"WhereOf{name}"),
        "order": {"anyOf": [order, {"type": "array", "items": order}]},
        "fields": {"type": "array", "items": {"type": "string", "enum": list(fields)}},
        "limit": _WHOLE,
        "skip": _WHOLE,
    }
    if include is not None:
        parts |= {"include": include, "query": {"type": "string", "description": "free text to rank by"}}
    return {"type": "object", "properties": parts, "additionalProperties": False}


def _include(model: Model) -> dict[str, Any]:
    choices = [
        {
            "type": "object",
            "properties": {
                "relation": {"const": one.name},
                "scope": {
                    "type": "object",
                    "properties": {"where": _ref(f"WhereOf{one.model}"), "limit": _WHOLE},
                    "additionalProperties": False,
                },
            },
            "required": ["relation"],
            "additionalProperties": False,
        }
        for one in model.relations.values()
    ]
    return {"type": "array", "items": {"anyOf": choices}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
