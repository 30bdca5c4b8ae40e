"""Command-line options made from a declaration's parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from pancommons.pipelines.declaration import Parameters


def signature(function: Callable[..., Any], model: type[Parameters]) -> None:
    """Give a function that takes ``**given`` an option for every parameter of a model.

    Options are text, so that the model alone judges values; those not given are None.
    """
    own = [
        parameter
        for parameter in inspect.signature(
            function, locals=inspect.getclosurevars(function).nonlocals, eval_str=True
        ).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name, field))
        for name, field in model.model_fields.items()
    ]
    function.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *options]}


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _annotation(name: str, field: FieldInfo) -> Any:
    from pancommons.pipelines.parameters import group_of, unit_of

    flag = "--" + name.replace("_", "-")
    unit = unit_of(field)
    default = "none" if field.default is None else field.default
    if field.annotation is bool:
        shown = "on" if field.default else "off"
        option = typer.Option(
            f"{flag}/--no-{flag[2:]}",
            help=f"{field.description} [default: {shown}]",
            rich_help_panel=group_of(field),
        )
        return Annotated[bool | None, option]
    option = typer.Option(
        flag,
        help=f"{field.description} [default: {default}]",
        metavar=_metavar(field.annotation, unit),
        rich_help_panel=group_of(field),
    )
    return Annotated[str | None, option]


def _metavar(annotation: Any, unit: str | None) -> str:
    words = [word for part in _parts(annotation) for word in (_words(part),) if word]
    joined = "|".join(dict.fromkeys(words))
    return f"{joined} {unit}" if unit and "|" not in joined else joined.replace("NUMBER", unit or "NUMBER")


def _parts(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in {Literal, None}:
        return (annotation,)
    return tuple(part for argument in get_args(annotation) for part in _parts(argument))


def _words(part: Any) -> str:
    if get_origin(part) is Literal:
        return "|".join(str(value) for value in get_args(part))
    return {float: "NUMBER", int: "NUMBER", str: "TEXT"}.get(part, "")
