"""The plot of a path as a PNG: curves with axes and errors, images with a colour bar, each with its units."""

from __future__ import annotations

import io
import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.frames import frame
from pancommons.nexus.serving.selection import Along, Selection
from pancommons.nexus.serving.shows import Shown, brief, label, written
from pancommons.nexus.serving.values import block, check_chunks, dtype_of, index_of, read
from pancommons.nexus.serving.walk import Entity, Walk

_INCHES, _DPI = (7.6, 4.8), 120
_MOST_PIXELS = 1024
_MOST_CURVES = 6
_INK, _GRID = "#1c2321", "#d9dcd5"
_EVEN = 1e-3
_BEYOND = 1e150
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.edgecolor": "#55605b",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": "#55605b",
    "ytick.color": "#55605b",
    "axes.formatter.useoffset": False,
}


def load() -> None:
    """Load what draws, which takes seconds where others compute as well, and is none of the time of an answer."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


def picture(walk: Walk, what: Shown) -> bytes:
    """Draw what is shown.

    Returns
    -------
    bytes
        A PNG image.

    Raises
    ------
    Refused
        413 if it needs more reading than is allowed, 422 if there is nothing to draw in the values.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(_INCHES, dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
        if what.plot.title:
            axes.set_title(brief(what.plot.title), fontsize=10, parse_math=False)
        {"curve": _curves, "image": _image, "colours": _colours}[what.kind](walk, what, figure, axes)
        walk.clock.check("ask for a part of it")
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _curves(walk: Walk, what: Shown, figure: Any, axes: Any) -> None:
    selection = _thinned(what.selection, walk.budget)
    values = _numbers(what.signal, selection, walk.budget)
    places, across = _axis(walk, what, selection, _free(selection)[0])
    errors = _companion(walk, what.plot.errors, selection)
    log_across = what.log_axes and places is not None
    where = np.arange(values.size, dtype=np.float64) if places is None else places
    good = np.isfinite(values) & np.isfinite(where) & ((values > 0) | (not what.log)) & ((where > 0) | (not log_across))
    if not good.any():
        raise Refused(422, "there is nothing to draw: no value is finite" + (" and above zero" if what.log else ""))
    few = int(good.sum()) <= 60
    axes.plot(where[good], values[good], color="#0b6570", lw=1.4, marker="o" if few else None, ms=3, zorder=3)
    if errors is not None and errors.shape == values.shape:
        sigma = np.abs(np.nan_to_num(errors))
        low = values - sigma
        if what.log:
            low = np.maximum(low, float(values[good].min()) / 3)
        axes.fill_between(where, low, values + sigma, where=good, color="#0b6570", alpha=0.22, lw=0, zorder=2)
    names = [what.plot.signal.rsplit("/", 1)[-1]]
    for path in what.plot.auxiliary[: _MOST_CURVES - 1]:
        if (other := _companion(walk, path, selection)) is not None and other.shape == values.shape:
            axes.plot(where, other, lw=1.1, zorder=3)
            names.append(path.rsplit("/", 1)[-1])
    if len(names) > 1:
        legend = axes.legend(axes.get_lines(), [brief(name) for name in names], frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    axes.set_xlabel(across, parse_math=False)
    axes.set_ylabel(label(what.signal, what.plot.signal.rsplit("/", 1)[-1]), parse_math=False)
    axes.set_xscale("log" if log_across else "linear")
    axes.set_yscale("log" if what.log else "linear")
    axes.grid(color=_GRID, lw=0.6)
    axes.set_axisbelow(True)


def _image(walk: Walk, what: Shown, figure: Any, axes: Any) -> None:
    from matplotlib.colors import LogNorm, Normalize

    small, told = frame(what.signal, written(what.selection, what.signal.shape), _MOST_PIXELS, walk.budget, walk.clock)
    pixels = small.astype(np.float32)
    drawn = np.where(pixels > 0, pixels, np.nan) if what.log else pixels
    finite = drawn[np.isfinite(drawn)]
    if finite.size == 0:
        raise Refused(422, "there is nothing to draw: no value is finite" + (" and above zero" if what.log else ""))
    low, high = (float(limit) for limit in np.percentile(finite, [0.5, 99.5]))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        low, high = (low / 2, low * 2) if what.log else (low - 0.5, low + 0.5)
    norm = (LogNorm if what.log else Normalize)(low, high)
    down, across = _free(what.selection)
    binning = int(told["X-Binning"])
    rows, row_label, even_rows = _edges(walk, what, down, pixels.shape[0], binning)
    columns, column_label, even_columns = _edges(walk, what, across, pixels.shape[1], binning)
    colours = "gray" if what.gray else "viridis"
    same_unit = even_rows and even_columns and _alike(rows, columns)
    if same_unit:
        wide, high_ = abs(columns[-1] - columns[0]), abs(rows[-1] - rows[0])
        figure.set_size_inches(min(_INCHES[0], 1.9 + (_INCHES[1] - 0.8) * wide / high_), _INCHES[1])
    if even_rows and even_columns:
        extent = (columns[0], columns[-1], rows[0], rows[-1])
        shape = "equal" if same_unit else "auto"
        made = axes.imshow(
            drawn, cmap=colours, norm=norm, extent=extent, origin="lower", aspect=shape, interpolation="nearest"
        )
    else:
        made = axes.pcolormesh(columns, rows, drawn, cmap=colours, norm=norm, rasterized=True)
    axes.set_xlim(*sorted((columns[0], columns[-1])))
    upwards = what.plot.axes[down] is not None  # rows without an axis are counted from the top, as on a screen
    axes.set_ylim(*sorted((rows[0], rows[-1]), reverse=not upwards))
    axes.set_facecolor("#8b938f")
    axes.set_xlabel(column_label, parse_math=False)
    axes.set_ylabel(row_label, parse_math=False)
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    bar = figure.colorbar(
        made, ax=axes, extend=beyond[bool(finite.min() < low), bool(finite.max() > high)], fraction=0.06, pad=0.02
    )
    bar.set_label(label(what.signal, what.plot.signal.rsplit("/", 1)[-1]), parse_math=False)


def _colours(walk: Walk, what: Shown, figure: Any, axes: Any) -> None:
    pixels = np.asarray(read(what.signal, written(what.selection, what.signal.shape), walk.budget, walk.clock))
    top = 255.0 if pixels.dtype == np.uint8 else float(np.nanmax(np.abs(pixels))) or 1.0
    axes.imshow(np.clip(np.nan_to_num(pixels.astype(np.float64) / top), 0, 1), interpolation="nearest")
    axes.set_axis_off()


def _free(selection: Selection) -> list[int]:
    return [index for index, along in enumerate(selection.axes) if not along.single]


def _thinned(selection: Selection, budget: Budget) -> Selection:
    """Take every n-th value of a curve that has more than can be read at once."""
    most = budget.answer_bytes // 16
    step = max(1, math.ceil(selection.size / most))
    return Selection(
        tuple(
            along if along.single else Along(along.start, math.ceil(along.count / step), along.step * step)
            for along in selection.axes
        )
    )


def _numbers(dataset: Any, selection: Selection, budget: Budget) -> NDArray[np.float64]:
    """Read numbers; those that are too large for a scale to be computed are NaN."""
    if dtype_of(dataset).kind not in "biuf":
        raise Refused(422, "only real numbers are drawn")
    check_chunks(dataset, selection, budget)
    values = np.asarray(block(dataset, index_of(selection)), dtype=np.float64)
    return np.where(np.abs(values) < _BEYOND, values, np.nan)


def _companion(walk: Walk, path: str | None, selection: Selection) -> NDArray[np.float64] | None:
    """Read the same part of another dataset; None where there is none that can be read."""
    entity = None if path is None else walk.find(path)
    if not isinstance(entity, Entity) or entity.problem is not None or not isinstance(entity.thing, h5py.Dataset):
        return None
    try:
        return _numbers(entity.thing, selection, walk.budget)
    except Refused:
        return None


def _axis(walk: Walk, what: Shown, selection: Selection, at: int) -> tuple[NDArray[np.float64] | None, str]:
    """Read where the values along an axis lie, and what stands on it; None for one that is only counted."""
    path, along = what.plot.axes[at], selection.axes[at]
    entity = None if path is None else walk.find(path)
    if path is None or not isinstance(entity, Entity) or entity.problem is not None:
        return None, "index" if along.start == 0 and along.step == 1 else "index in the selection"
    dataset, length = entity.thing, what.signal.shape[at]
    budget = walk.budget
    if dataset.shape == (length + 1,):
        low = _numbers(dataset, Selection((along,)), budget)
        high = _numbers(dataset, Selection((Along(along.start + 1, along.count, along.step),)), budget)
        places = (low + high) / 2
    else:
        places = _numbers(dataset, Selection((along,)), budget)
    return places, label(dataset, path.rsplit("/", 1)[-1])


def _edges(walk: Walk, what: Shown, at: int, count: int, binning: int) -> tuple[NDArray[np.float64], str, bool]:
    """Return the edges of the drawn rows or columns, what stands there, and whether they are evenly spaced."""
    along = what.selection.axes[at]
    places, said = _axis(walk, what, what.selection, at)
    if places is None or places.size < 2 or not np.isfinite(places).all():
        counted = np.minimum(np.arange(count + 1) * binning, along.count).astype(np.float64)
        edges: NDArray[np.float64] = along.start + along.step * counted - 0.5
        return edges, "index" if places is None else said, True
    middles = (places[1:] + places[:-1]) / 2
    all_edges: NDArray[np.float64] = np.concatenate(
        [[2 * places[0] - middles[0]], middles, [2 * places[-1] - middles[-1]]]
    )
    edges = all_edges[np.minimum(np.arange(count + 1) * binning, along.count)]
    steps = np.diff(all_edges)
    mean = (all_edges[-1] - all_edges[0]) / steps.size
    even = bool(np.all(np.abs(steps - mean) <= _EVEN * abs(mean))) and mean != 0
    if not even and not (np.all(steps > 0) or np.all(steps < 0)):
        return np.arange(count + 1, dtype=np.float64) * binning - 0.5, "index", True
    return edges, said, even


def _alike(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> bool:
    """Say whether a picture in the same scale along both axes has moderate proportions."""
    height, width = abs(rows[-1] - rows[0]), abs(columns[-1] - columns[0])
    return bool(0.25 <= height / width <= 4)
