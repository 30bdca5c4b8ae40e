"""What a page shows of a path, in one answer: what it is, its attributes, members, values, and what can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from pancommons.nexus.read import nx_class, unit_of
from pancommons.nexus.serving import structure
from pancommons.nexus.serving.attributes import attribute_values
from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.selection import Along, Selection, select
from pancommons.nexus.serving.shows import brief, label, reduced, shown, written
from pancommons.nexus.serving.text import plain, sendable
from pancommons.nexus.serving.types import varies
from pancommons.nexus.serving.values import dtype_of, read
from pancommons.nexus.serving.walk import Entity, Link, Walk, link_at

MEMBERS, ROWS, COLUMNS = 200, 100, 16
_LONGEST = 300
_LONGEST_TEXT = 20_000
_SMALL = 64
_FAULTS = (OSError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError)


@dataclass(frozen=True)
class Page:
    """Which part of something long is shown: from which member, row and column on."""

    first: int = 0
    row: int = 0
    column: int = 0


def look(walk: Walk, found: Entity | Link, path: str, text: str | None, page: Page) -> dict[str, Any]:
    """Tell what a page shows of a path; what cannot be shown is told in ``problem`` and the like beside the rest.

    Parameters
    ----------
    text
        The part of a dataset, as `selection.select` takes it.
    """
    told: dict[str, Any] = {"path": plain(path), **_row(walk, found, path.rsplit("/", 1)[-1])}
    if isinstance(found, Link):
        return told
    told["attributes"], told["attributes_problem"] = _attributes(walk, found)
    told["draws"], told["draws_problem"] = _draws(walk, found, path, text)
    if isinstance(found.thing, h5py.Group):
        return told | _members(walk, found, page)
    if isinstance(found.thing, h5py.Dataset) and found.problem is None:
        try:
            told["values"] = _values(walk, found.thing, text, page)
        except Refused as error:
            told["values_problem"] = plain(error.problem)
    return told


def _members(walk: Walk, group: Entity, page: Page) -> dict[str, Any]:
    names = structure.member_names(group.thing, walk)
    rows = []
    for name in names[page.first : page.first + MEMBERS]:
        link = link_at(group.thing, name) or Link("other")
        try:
            rows.append(_row(walk, walk.enter(group, name, link, "only_valid"), name, link))
        except (Refused, *_FAULTS) as error:
            why = error.problem if isinstance(error, Refused) else f"cannot be read ({type(error).__name__})"
            rows.append({"name": plain(name), "kind": "other", "problem": plain(why)})
        if walk.clock.over:
            break
    return {"members": rows, "members_total": len(names), "first": page.first}


def _row(walk: Walk, found: Entity | Link, name: str, link: Link | None = None) -> dict[str, Any]:
    """Tell in short what something is."""
    told: dict[str, Any] = {"name": plain(name)}
    if isinstance(found, Link):
        told |= {"kind": found.kind, "target": plain(found.path), "file": plain(found.file)}
        return told
    if link is not None and link.kind in ("soft_link", "external_link"):
        told |= {"target": plain(link.path), "file": plain(link.file)}
    thing = found.thing
    if isinstance(thing, h5py.Group):
        return told | {"kind": "group", "is": nx_class(thing)}
    if isinstance(thing, h5py.Datatype):
        return told | {"kind": "datatype", "is": _type(thing.dtype)}
    told |= {"kind": "dataset", "problem": found.problem and plain(found.problem)}
    told |= {"missing": [plain(one) for one in found.missing[:_SMALL]], "missing_total": len(found.missing)}
    if found.problem is not None:
        return told
    dtype = dtype_of(thing)
    told |= {"shape": thing.shape, "is": _type(dtype), "unit": brief(unit_of(thing) or "")}
    told |= {"chunks": thing.chunks, "stored": _stored(thing), "bytes": _bytes(thing, dtype)}
    if thing.shape is not None and math.prod(thing.shape) == 1:
        try:
            told["value"] = _cell(np.asarray(read(thing, None, walk.budget, walk.clock), object).ravel()[0])
        except (Refused, IndexError):
            told["value"] = None
    return told


def _bytes(thing: Any, dtype: np.dtype[Any]) -> int | None:
    return None if thing.shape is None or varies(dtype) else math.prod(thing.shape) * dtype.itemsize


def _stored(thing: Any) -> list[str]:
    created = thing.id.get_create_plist()
    return [plain(created.get_filter(index)[3]) or "?" for index in range(created.get_nfilters())]


def _type(dtype: np.dtype[Any]) -> str:
    """Call a type by the name that scientists know it by."""
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    if h5py.check_ref_dtype(dtype) is not None:
        return "reference"
    if (inner := h5py.check_vlen_dtype(dtype)) is not None:
        return f"lists of {np.dtype(inner)}"
    if h5py.check_enum_dtype(dtype) is not None:
        return "truth value" if dtype == np.bool_ else f"names for {dtype.name}"
    if dtype.names is not None:
        return f"table of {len(dtype.names)} columns"
    if dtype.subdtype is not None:
        return f"{dtype.subdtype[0].name} of shape {dtype.subdtype[1]}"
    return "opaque" if dtype.kind == "V" else dtype.name


def _attributes(walk: Walk, found: Entity) -> tuple[list[list[str]], str | None]:
    try:
        values = attribute_values(found.thing, walk.budget, None)
    except Refused as error:
        return [], plain(error.problem)
    return [[name, _cell(value)] for name, value in values.items()], None


def _draws(walk: Walk, found: Entity, path: str, text: str | None) -> tuple[dict[str, Any] | None, str | None]:
    """Tell what the picture of a path shows, for the words beside it."""
    try:
        what = shown(walk, found, path, text)
    except Refused as error:
        return None, plain(error.problem)
    except _FAULTS as error:
        return None, f"what to draw cannot be found ({type(error).__name__})"
    if what is None:
        return None, None
    plot, name = what.plot, what.plot.signal.rsplit("/", 1)[-1]
    axes = []
    for index, (along, axis) in enumerate(zip(what.selection.axes, plot.axes, strict=True)):
        entity = None if axis is None else walk.find(axis)
        said = label(entity.thing, axis.rsplit("/", 1)[-1]) if axis and isinstance(entity, Entity) else None
        length = what.signal.shape[index]
        axes.append({"name": said, "length": length, "at": along.start if along.single else None})
    return {
        "path": plain(plot.signal),
        "group": plain(plot.group),
        "begin": plain(plot.group if _says_signal(what.signal) else plot.signal),
        "names": [plain(axis.rsplit("/", 1)[-1]) if axis else "." for axis in plot.axes],
        "kind": what.kind,
        "name": brief(name),
        "label": label(what.signal, name),
        "title": plot.title and brief(plot.title),
        "slice": written(what.selection, what.signal.shape),
        "axes": axes,
        "log": what.log,
        "log_axes": what.log_axes,
        "errors": plot.errors is not None,
        "missing": [plain(one) for one in what.missing[:_SMALL]],
        "missing_total": len(what.missing),
    }, None


def _says_signal(signal: Any) -> bool:
    """Say whether the group of a signal names it, by itself or in the older way: then it is shown with its axes."""
    group = signal.parent
    return nx_class(group) == "NXdata" and ("signal" in group.attrs or "signal" in signal.attrs)


def _values(walk: Walk, dataset: Any, text: str | None, page: Page) -> dict[str, Any]:
    dtype = dtype_of(dataset)
    if dataset.shape is None:
        return {"single": None, "empty": True}
    chosen = reduced(select(text, dataset.shape), 1 if dtype.names is not None else 2)
    told: dict[str, Any] = {"slice": written(chosen, dataset.shape)}
    free = [index for index, along in enumerate(chosen.axes) if not along.single]
    if not free:
        value = read(dataset, written(chosen, dataset.shape) if chosen.axes else None, walk.budget, walk.clock)
        return told | {"single": _cell(value, _LONGEST_TEXT), "empty": False}
    bounds = [(page.row, ROWS), (page.column, COLUMNS)]
    axes = list(chosen.axes)
    for index, (start, most) in zip(free, bounds, strict=False):
        along = axes[index]
        start = min(start, max(0, along.count - 1))
        axes[index] = Along(along.start + start * along.step, min(most, along.count - start), along.step)
    window = Selection(tuple(axes))
    if window.size == 0:
        return told | {"single": None, "empty": True}
    values = np.asarray(read(dataset, written(window, dataset.shape), walk.budget, walk.clock))
    rows = axes[free[0]]
    if dtype.names is not None:
        heads = [plain(name) for name in dtype.names[page.column : page.column + COLUMNS]]
        lines = [[_cell(one[name]) for name in dtype.names[page.column : page.column + COLUMNS]] for one in values]
        wide = len(dtype.names)
    elif len(free) == 1:
        heads, wide = [], 1
        lines = [[_cell(one)] for one in values]
    else:
        columns = axes[free[1]]
        heads = [str(columns.start + place * columns.step) for place in range(columns.count)]
        lines = [[_cell(one) for one in line] for line in values]
        wide = chosen.axes[free[1]].count
    return told | {
        "heads": heads,
        "lines": [[str(rows.start + place * rows.step), *line] for place, line in enumerate(lines)],
        "row": min(page.row, max(0, chosen.axes[free[0]].count - 1)),
        "rows": chosen.axes[free[0]].count,
        "column": page.column,
        "columns": wide,
    }


def _cell(value: Any, most: int = _LONGEST) -> str:
    """Write a value for people: numbers with seven digits, text as it is, both cut where they are long."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.ndarray) and value.size > _SMALL:
        value = [*sendable(value.ravel()[:_SMALL]), "…"]
    if isinstance(value, np.void) and value.dtype.names is not None:
        value = [_cell(value[name]) for name in value.dtype.names]
    value = sendable(value)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None:
        return "-"
    if isinstance(value, float):
        said = f"{value:.7g}"
    elif isinstance(value, list):
        said = ", ".join(_cell(one) for one in value)
    else:
        said = str(value)
    return said if len(said) <= most else said[: most - 1] + "…"
