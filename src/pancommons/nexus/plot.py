"""The default plot of a file: which dataset a viewer shows first, by NeXus' rules and their older dialects.

The rules are those of the NeXus manual, "Find the default plottable data" (version 3, with the older version
1 and 2 ways), extended by canSAS's ``I_axes`` and ``I_uncertainties`` and by silx's ``SILX_style``.
"""

from __future__ import annotations

import json
import posixpath
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py

from pancommons.nexus.read import attribute, entries, groups, member, nx_class, text
from pancommons.nexus.text import as_text, as_texts, names_in

_MOST_GROUPS = 2000
_MOST_HOPS = 16
_LOG_DEFINITIONS = frozenset(
    {
        "NXcanSAS",
        "NXsas",
        "NXsastof",
        "NXiqproc",
        "NXmx",
        "NXxrot",
        "NXlauetof",
        "NXmonopd",
        "NXtofnpd",
        "NXxlaue",
    }
)
_LOG_AXES_DEFINITIONS = frozenset({"NXcanSAS"})


@dataclass(frozen=True)
class Plot:
    """What to draw, by paths in the file.

    Attributes
    ----------
    group
        The NXdata group, or whatever group holds the signal.
    signal
        The dataset to draw.
    axes
        For each of its axes the dataset of that axis, as long as the axis or one longer (bin edges); None for
        an axis that is only counted.
    errors
        The dataset of the signal's standard uncertainties, of its shape; None without.
    auxiliary
        Datasets to draw along with it.
    title
        What to write above; None without.
    log, log_axes
        Whether the file asks for logarithmic scales of the signal and of the axes.
    interpretation
        ``image``, ``spectrum``, ``rgb-image``, ... where the file says so.
    """

    group: str
    signal: str
    axes: tuple[str | None, ...]
    errors: str | None = None
    auxiliary: tuple[str, ...] = ()
    title: str | None = None
    log: bool = False
    log_axes: bool = False
    interpretation: str | None = None


def default_plot(file: h5py.File) -> Plot | None:
    """Find what a viewer should show first; None where the file has nothing that can be drawn.

    Tried in this order: what ``@default`` leads to from the root; what it leads to in each entry; the NXdata
    groups of the entries, then of the file, nearest to the top first. A group counts only if its signal is
    there, so that a default whose data is missing gives way to the next. Links in circles do no harm. Of a
    file without any NeXus class, such as Data Exchange, the largest dataset of numbers is taken.
    """
    for path in _candidates(file):
        if (plot := plot_of(file, path)) is not None:
            return plot
    return None if any(nx_class(group) for _, group in groups(file)) else _largest(file)


def plot_of(file: h5py.File, path: str) -> Plot | None:
    """Describe what the group at a path shows; None where it has no signal of numbers."""
    group = member(file, path)
    name = _signal(group) if isinstance(group, h5py.Group) else None
    signal = group[name] if group is not None and name else None
    if name is None or signal is None or not isinstance(group, h5py.Group):
        return None
    style, errors = _style(group), _errors(group, name, signal)
    further = [other for other in as_texts(attribute(group, "auxiliary_signals")) if other]
    return Plot(
        group=path,
        signal=_join(path, name),
        axes=tuple(axis and _join(path, axis) for axis in _axes(group, name, signal)),
        errors=errors and _join(path, errors),
        auxiliary=tuple(_join(path, other) for other in further if _like(group, other, signal)),
        title=text(group, "title") or _title_above(file, path),
        log=style.get("signal_scale_type") == "log",
        log_axes="log" in (style.get("axes_scale_type") or ()),
        interpretation=as_text(attribute(signal, "interpretation")),
    )


def plot_below(file: h5py.File, path: str) -> Plot | None:
    """Describe what a group stands for: itself, what ``@default`` leads to, or the NXdata group nearest below it."""
    if path == "/":
        return default_plot(file)
    for place in (path, _follow_default(file, path), *_nxdata_below(file, path)):
        if (plot := plot_of(file, place)) is not None:
            return plot
    return None


def definitions_around(file: h5py.File, group: str) -> frozenset[str]:
    """Return the application definitions of the entry that a group lies in."""
    own = [entry for entry in entries(file) if f"{group}/".startswith(f"{entry.path}/")]
    return frozenset(name for entry in own for name in entry.definitions)


def scales(plot: Plot, definitions: frozenset[str]) -> tuple[bool, bool]:
    """Say whether the signal and the axes of a plot want logarithmic scales: scattering and diffraction do."""
    return plot.log or bool(definitions & _LOG_DEFINITIONS), plot.log_axes or bool(definitions & _LOG_AXES_DEFINITIONS)


def _largest(file: h5py.File) -> Plot | None:
    best: tuple[int, str, int] = (0, "", 0)
    waiting, seen = deque(["/"]), {file.id}
    while waiting and len(seen) < _MOST_GROUPS:
        place = waiting.popleft()
        for name, thing in _datasets(file[place]):
            if _drawable(thing) and thing.size > best[0]:
                best = (thing.size, _join(place, name), thing.ndim)
        for name, inner in groups(file[place]):
            if inner.id not in seen:
                seen.add(inner.id)
                waiting.append(_join(place, name))
    size, path, axes = best
    return Plot(posixpath.dirname(path), path, (None,) * axes) if size else None


def _join(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(path, name))


def _candidates(file: h5py.File) -> Iterator[str]:
    start = _follow_default(file, "/")
    if start != "/":
        yield start
        yield from _nxdata_below(file, start)
    for entry in entries(file):
        yield _follow_default(file, entry.path)
        yield from _nxdata_below(file, entry.path)
    yield from _nxdata_below(file, "/")


def _follow_default(file: h5py.File, path: str) -> str:
    """Follow ``@default`` from group to group, as far as it leads."""
    for _ in range(_MOST_HOPS):
        name = as_text(attribute(file[path], "default"))
        if not name or not isinstance(member(file, _join(path, name)), h5py.Group):
            break
        path = _join(path, name)
    return path


def _nxdata_below(file: h5py.File, path: str) -> Iterator[str]:
    """Give the NXdata groups in a group, nearest first, each once."""
    waiting, seen, looked = deque([path]), {file[path].id}, 0
    while waiting and looked < _MOST_GROUPS:
        place = waiting.popleft()
        for name, inner in groups(file[place]):
            looked += 1
            if inner.id in seen:
                continue
            seen.add(inner.id)
            if nx_class(inner) == "NXdata":
                yield _join(place, name)
            waiting.append(_join(place, name))


def _drawable(thing: h5py.Group | h5py.Dataset | None) -> bool:
    return isinstance(thing, h5py.Dataset) and bool(thing.size) and thing.ndim > 0 and thing.dtype.kind in "iufb"


def _like(group: h5py.Group, name: str, signal: h5py.Dataset) -> bool:
    other = member(group, name)
    return isinstance(other, h5py.Dataset) and _drawable(other) and other.shape == signal.shape


def _datasets(group: h5py.Group) -> list[tuple[str, h5py.Dataset]]:
    found = ((name, member(group, name)) for name in group)
    return [(name, thing) for name, thing in found if isinstance(thing, h5py.Dataset)]


def _signal(group: h5py.Group) -> str | None:
    """Name the signal: as ``@signal`` says, or marked by signal=1, or the only numbers, or called data."""
    name = as_text(attribute(group, "signal"))
    if name is not None:
        return name if _drawable(member(group, name)) else None
    inside = _datasets(group)
    marked = [name for name, thing in inside if as_text(attribute(thing, "signal")) == "1" and _drawable(thing)]
    if marked or nx_class(group) != "NXdata":
        return marked[0] if marked else None
    drawable = [name for name, thing in inside if _drawable(thing)]
    if "data" in group:  # also as a link whose end is missing: then an axis must not stand in for it
        return "data" if "data" in drawable else None
    return drawable[0] if len(drawable) == 1 else None


def _axes(group: h5py.Group, own: str, signal: h5py.Dataset) -> list[str | None]:
    """Match axes to the signal's dimensions: by ``@axes``, by the signal's own, or by ``@axis`` numbers."""
    places: list[tuple[int, str]] = []
    named = names_in(attribute(group, "axes")) or names_in(attribute(group, "I_axes"))
    for position, name in enumerate(named or names_in(attribute(signal, "axes"))):
        indices = as_texts(attribute(group, f"{name}_indices"))
        places.append((int(indices[0]) if len(indices) == 1 and indices[0].isdecimal() else position, name))
    if not places:
        for name, thing in _datasets(group):
            number, primary = as_text(attribute(thing, "axis")), as_text(attribute(thing, "primary"))
            if number and number.isdecimal() and primary in (None, "1") and name != own:
                places.append((int(number) - 1, name))
    found: list[str | None] = [None] * signal.ndim
    for place, name in places:
        axis = member(group, name) if name not in ("", ".") else None
        if not isinstance(axis, h5py.Dataset) or axis.ndim != 1 or not 0 <= place < signal.ndim:
            continue
        if _drawable(axis) and axis.shape[0] - signal.shape[place] in (0, 1) and found[place] is None:
            found[place] = name
    return found


def _errors(group: h5py.Group, own: str, signal: h5py.Dataset) -> str | None:
    said = [as_text(attribute(signal, name)) for name in ("uncertainties", "uncertainty", "errors")]
    said += [as_text(attribute(group, name)) for name in (f"{own}_uncertainties", f"{own}_uncertainty")]
    return next((name for name in (f"{own}_errors", *said, "errors") if name and _like(group, name, signal)), None)


def _style(group: h5py.Group) -> dict[str, Any]:
    try:
        style = json.loads(as_text(attribute(group, "SILX_style")) or "{}")
    except ValueError:
        return {}
    return style if isinstance(style, dict) else {}


def _title_above(file: h5py.File, path: str) -> str | None:
    parts = path.strip("/").split("/")[:-1]
    above = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((found for place in above if (found := text(file, f"/{place}/title"))), None)
