"""What is drawn of a path: the default plot of a group, or a dataset with the axes its group gives it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any, Literal

import h5py

from pancommons.nexus.plot import Plot, definitions_around, plot_below, plot_of, scales
from pancommons.nexus.read import attribute, unit_of
from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.guarded import guarded
from pancommons.nexus.serving.selection import Along, Selection, select
from pancommons.nexus.serving.text import plain
from pancommons.nexus.serving.walk import Entity, Walk
from pancommons.nexus.text import as_text

_SECONDS = 2.0
_LONGEST = 100
_TOMOGRAPHY = frozenset({"NXtomo", "NXtomoproc", "NXtomophase"})


@dataclass(frozen=True)
class Shown:
    """What to draw.

    Attributes
    ----------
    plot
        By paths in the file.
    signal
        The dataset itself.
    kind
        A curve, an image in false colours, or one in its own.
    selection
        The part of the signal that is drawn.
    log, log_axes
        Logarithmic scales.
    gray
        Whether an image is of the kind that is shown in shades of gray.
    missing
        Sources of the signal that are not there.
    """

    plot: Plot
    signal: Any
    kind: Literal["curve", "image", "colours"]
    selection: Selection
    log: bool
    log_axes: bool
    gray: bool
    missing: tuple[str, ...]


def shown(walk: Walk, found: Entity, path: str, text: str | None) -> Shown | None:
    """Find what is drawn of a path; None where there is nothing.

    Parameters
    ----------
    text
        The part of the signal, as `selection.select` takes it. Of axes that are more than can be drawn the index in
        the middle is taken.

    Raises
    ------
    Refused
        413 if looking takes too long, 422 if the part does not fit.
    """
    root = guarded(walk, min(_SECONDS, walk.budget.seconds))
    if isinstance(found.thing, h5py.Group):
        plot = plot_below(root, path)
    elif isinstance(found.thing, h5py.Dataset) and found.problem is None and _drawable(found.thing):
        plot = plot_of(root, posixpath.dirname(path))
        if plot is None or plot.signal != path:
            said = as_text(attribute(found.thing, "interpretation"))
            plot = Plot(posixpath.dirname(path), path, (None,) * found.thing.ndim, interpretation=said)
    else:
        return None
    entity = None if plot is None else walk.find(plot.signal)
    if plot is None or not isinstance(entity, Entity) or entity.problem is not None:
        return None
    signal = entity.thing
    whole = select(text, signal.shape)
    definitions = definitions_around(root, plot.group)
    log, log_axes = scales(plot, definitions)
    free = len(whole.shape)
    kind: Literal["curve", "image", "colours"] = "image"
    if plot.interpretation in ("rgb-image", "rgba-image") and free >= 3 and signal.shape[-1] in (3, 4):
        kind = "colours"
    elif free == 1 or (plot.interpretation in ("spectrum", "scalar") and text is None):
        kind = "curve"
    elif free == 0:
        return None
    selection = reduced(whole, {"curve": 1, "image": 2, "colours": 3}[kind])
    return Shown(plot, signal, kind, selection, log, log_axes, bool(definitions & _TOMOGRAPHY), entity.missing)


def reduced(selection: Selection, keep: int) -> Selection:
    """Leave the last axes of a selection that are free; of the others take the index in the middle."""
    free = [index for index, along in enumerate(selection.axes) if not along.single]
    drop = set(free[: max(0, len(free) - keep)])
    return Selection(
        tuple(
            Along(along.start + along.count // 2 * along.step, 1, single=True) if index in drop else along
            for index, along in enumerate(selection.axes)
        )
    )


def written(selection: Selection, shape: tuple[int, ...]) -> str:
    """Write a selection so that `selection.select` reads the same from it."""
    return ",".join(_written(along, length) for along, length in zip(selection.axes, shape, strict=True))


def label(thing: Any, name: str) -> str:
    """Return what stands on the axis of a dataset: its long name, else its name with the unit."""
    said = as_text(attribute(thing, "long_name"))
    unit = unit_of(thing)
    return brief(said) if said else brief(f"{name} ({unit})" if unit else name)


def brief(text: str) -> str:
    """Return text of a file on one line, cut where it is long."""
    line = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(plain(text).split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _written(along: Along, length: int) -> str:
    if along.single:
        return str(along.start)
    if along.count == 0:
        return "0:0"
    stop = along.start + (along.count - 1) * along.step + 1
    whole = along.start == 0 and stop + along.step > length
    bounds = ":" if whole else f"{along.start}:{stop}"
    return bounds if along.step == 1 else f"{bounds}:{along.step}"


def _drawable(dataset: Any) -> bool:
    try:
        return bool(dataset.size) and dataset.ndim > 0 and dataset.dtype.kind in "iufb"
    except (TypeError, ValueError, OSError, RuntimeError):
        raise Refused(422, "the type of the dataset is unknown here") from None
