"""What a dataset shows first: the shape of its data and a small picture."""

from __future__ import annotations

from pathlib import Path

import h5py

from pancommons.base.errors import BadInput
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ingest.tree import Tree
from pancommons.catalogue.records import Thumbnail
from pancommons.nexus.links import dataset_sources
from pancommons.nexus.plot import Plot, default_plot, plot_of
from pancommons.nexus.read import member, open_file
from pancommons.nexus.thumbnail import SIZE, thumbnail

_MOST_BYTES = 256 << 20


def picture(
    tree: Tree, file: h5py.File, path: Path, entry: h5py.Group, roots: Roots, *, draw: bool = True
) -> tuple[tuple[int, ...] | None, Thumbnail | str | None]:
    """Find what an entry shows first.

    Returns
    -------
    shape
        Of the data shown; None where there are none.
    picture
        None where there is nothing to draw; a text that says why it could not be drawn.
    """
    plot, is_default = _plot(tree, file, entry)
    signal = member(file, plot.signal) if plot else None
    if plot is None or not isinstance(signal, h5py.Dataset):
        return None, None
    if not draw:
        return signal.shape, None
    drawn = drawing(path, plot, signal, roots, whole=is_default)
    return signal.shape, drawn


def drawing(path: Path, plot: Plot, signal: h5py.Dataset, roots: Roots, *, whole: bool) -> Thumbnail | str:
    """Draw a plot of a file, if all it needs lies below the roots and is stored in pieces of a bearable size.

    Parameters
    ----------
    plot, signal
        What to draw, in the file as it is open.
    whole
        Whether that is what the whole file shows first.

    Returns
    -------
    Thumbnail or str
        Or why it could not be drawn.
    """
    try:
        for inside in filter(None, (plot.signal, plot.errors, *plot.axes)):
            if any(source.found and not roots.allows(source.found) for source in dataset_sources(path, inside)):
                return "its data lie outside of the data roots"
        if (signal.chunks is not None and _bytes(signal, signal.chunks) > _MOST_BYTES) or _row(signal) > _MOST_BYTES:
            return "its data are stored in pieces too large to draw from"
        content = thumbnail(path, group=None if whole else plot.group)
    except BadInput as error:
        return error.problem
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        return f"could not be drawn ({type(error).__name__})"
    return Thumbnail(content=content, media_type="image/webp", width=SIZE[0], height=SIZE[1])


def default_picture(path: Path, roots: Roots) -> Thumbnail | str | None:
    """Draw what a file shows first; None where there is nothing to draw, a text that says why it cannot be."""
    try:
        with open_file(path) as file:
            plot = default_plot(file)
            signal = member(file, plot.signal) if plot else None
            if plot is None or not isinstance(signal, h5py.Dataset):
                return None
            return drawing(path, plot, signal, roots, whole=True)
    except BadInput as error:
        return error.problem


def _plot(tree: Tree, file: h5py.File, entry: h5py.Group) -> tuple[Plot | None, bool]:
    """Return what an entry shows first, and whether that is what the whole file shows first."""
    plot = default_plot(file)
    if plot is not None and f"{plot.group}/".startswith(f"{entry.name}/"):
        return plot, True
    groups = (hit.where for path in ("NXdata", "NXsubentry/NXdata") for hit in tree.find(entry, path))
    return next((found for where in groups if (found := plot_of(file, where)) is not None), None), False


def _bytes(signal: h5py.Dataset, shape: tuple[int, ...]) -> int:
    total = int(signal.dtype.itemsize)
    for length in shape:
        total *= int(length)
    return total


def _row(signal: h5py.Dataset) -> int:
    return int(signal.shape[-1]) * int(signal.dtype.itemsize) if signal.ndim > 1 else 0
