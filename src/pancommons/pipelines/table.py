"""Runs from a table: a line for each, its columns the inputs and parameters of a pipeline."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.pipelines import parameters
from pancommons.pipelines.creation import Request
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.inputs import check

NAME = "name"
"""The column that names a line's run folder; the primary input's stem where it is left out."""

_MOST_LINES = 10_000


def requests(pipeline: Pipeline, table: Path, common: Request) -> dict[str, Request]:
    """Read a table as one request a line, by the names of their run folders.

    Parameters
    ----------
    pipeline
        What is to be run.
    table
        CSV with a header; a comma, semicolon or tab between columns. A cell of an input is a path, relative to the
        table's folder, or several with ``;`` between them where the input takes several; an empty cell is not given.
    common
        Inputs and parameters of every line; a line's own go before them.

    Raises
    ------
    BadInput
        Naming the line: a column that is neither input nor parameter, a path that is not there, a value that does not
        fit, a name that occurs twice.
    """
    lines = _lines(table)
    header = lines[0][1]
    _check_header(pipeline, table, header)
    found: dict[str, Request] = {}
    for number, cells in lines[1:]:
        try:
            name, request = _request(
                pipeline, table, common, dict(zip(header, cells, strict=False)), len(cells) - len(header)
            )
        except BadInput as error:
            raise BadInput(f"line {number}: {str(error).removesuffix('.')}", file=table) from None
        if name in found:
            raise BadInput(
                f"line {number}: a run named {name!r} is there already", file=table, field=NAME,
                remedy=f"give every line a {NAME} of its own",
            )  # fmt: skip
        found[name] = request
    if not found:
        raise BadInput("holds no line below its header", file=table)
    return found


def _lines(table: Path) -> list[tuple[int, list[str]]]:
    """Read the lines that are not empty with their numbers, the header first."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("is no text in UTF-8", file=table, remedy="save it as CSV in UTF-8") from None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=table, field="--table") from None
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))]
    if not lines:
        raise BadInput("is empty", file=table, remedy="write a header with the names of inputs and parameters")
    if len(lines) > _MOST_LINES:
        raise BadInput(f"has {len(lines)} lines, at most {_MOST_LINES} are taken", file=table)
    return lines


def _check_header(pipeline: Pipeline, table: Path, header: list[str]) -> None:
    known = [NAME, *(role.name for role in pipeline.roles), *pipeline.parameters.model_fields]
    for column in header:
        if column not in known:
            raise BadInput(
                f"{pipeline.name} has no input and no parameter of this name", file=table, field=column or "(no name)",
                remedy=f"its inputs are: {', '.join(role.name for role in pipeline.roles)}",
            )  # fmt: skip
        if header.count(column) > 1:
            raise BadInput("this column is there twice", file=table, field=column)


def _request(
    pipeline: Pipeline, table: Path, common: Request, cells: Mapping[str, str], excess: int
) -> tuple[str, Request]:
    if excess > 0:
        raise BadInput(f"has {excess} more cells than the header", remedy="quote cells that hold the separator")
    inputs = {role: list(paths) for role, paths in common.inputs.items()}
    given = dict(common.parameters)
    for column, cell in cells.items():
        role = pipeline.role(column)
        if cell and role:
            paths = cell.split(";") if role.many else [cell]
            inputs[column] = [table.parent / path.strip() for path in paths]
        elif cell and column != NAME:
            given[column] = cell
    check(pipeline, inputs)
    fixed = parameters.read_file(common.file) if common.file else {}
    parameters.build(pipeline.parameters, {**fixed, **given}, presets=pipeline.presets, preset=common.preset)
    name = cells.get(NAME) or Path(inputs[pipeline.primary.name][0]).stem
    if name in {".", ".."} or "/" in name or not name.isprintable():
        raise BadInput(f"{name!r} cannot name a folder", field=NAME)
    return name, replace(common, inputs=inputs, parameters=given)
