"""The small picture of a file: its default plot as WebP, read in pieces, drawn in milliseconds."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.links import dataset_sources, missing_sources
from pancommons.nexus.plot import Plot, default_plot, definitions_around, plot_of, scales
from pancommons.nexus.read import open_file, read_block

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = (256, 192)
_SLAB_BYTES = 64 << 20
_MOST_POINTS = 1 << 22
_INK, _FAINT, _PAPER = (31, 78, 140), (150, 180, 215), (255, 255, 255)
_OVERSAMPLING = 3
_MARGIN = 6


def thumbnail(
    path: str | Path, *, group: str | None = None, size: tuple[int, int] = SIZE, colormap: str = "viridis"
) -> bytes:
    """Draw the default plot of a file, or what one of its groups shows.

    A curve for one axis or an ``@interpretation`` of spectrum, else the image of the last two axes, in the
    middle of all others; scattering and diffraction are drawn on a logarithmic scale, as is what asks for it.

    Parameters
    ----------
    path
        A NeXus file.
    group
        The path of an NXdata group in it.
    size
        Width and height, pixels.
    colormap
        A name that matplotlib knows.

    Returns
    -------
    bytes
        A WebP image.

    Raises
    ------
    BadInput
        If the file cannot be opened, has nothing to draw, or the data to draw lies in a file that is missing.
    """
    path = Path(path)
    with open_file(path) as file:
        plot = default_plot(file) if group is None else plot_of(file, group)
        if plot is None:
            absent = next((source.target for source in missing_sources(path) if source.target), None)
            why = f"data lies in {absent}, which is missing" if absent else "no NXdata group with numbers in it"
            raise BadInput(f"has nothing to draw: {why}", file=path)
        if missing := [source for source in dataset_sources(path, plot.signal) if source.missing]:
            raise BadInput(f"its data lies in {missing[0].target}, which is missing", file=path, field=plot.signal)
        log, log_axes = scales(plot, definitions_around(file, plot.group))
        signal = file[plot.signal]
        if plot.interpretation in ("spectrum", "scalar") or signal.ndim == 1:
            curve, errors, x = _curve_of(file, plot)
            picture = _curve(curve, x, errors, log=log, log_x=log_axes, size=size)
        elif plot.interpretation in ("rgb-image", "rgba-image"):
            picture = _colours(signal, size)
        else:
            picture = _image(_binned(signal, size), log=log, colormap=colormap, size=size)
    if picture is None:
        raise BadInput("has nothing to draw: not two finite numbers in its data", file=path, field=plot.signal)
    return _webp(picture)


def draw(
    values: ArrayLike,
    *,
    x: ArrayLike | None = None,
    errors: ArrayLike | None = None,
    log: bool = False,
    log_x: bool = False,
    size: tuple[int, int] = SIZE,
    colormap: str = "viridis",
) -> bytes:
    """Draw an array: a curve for one axis, an image for two, the middle image for more.

    Parameters
    ----------
    values
        Numbers; those that are not finite are left out.
    x, errors
        For a curve: where its points lie, and their standard uncertainties.
    log, log_x
        Logarithmic scales; numbers of zero and below are left out then.
    size
        Width and height, pixels.
    colormap
        A name that matplotlib knows.

    Returns
    -------
    bytes
        A WebP image.

    Raises
    ------
    BadInput
        If there are not two finite numbers in it.
    """
    array = np.asarray(values)
    if array.ndim < 2:
        given = [None if other is None else np.asarray(other, np.float64) for other in (x, errors)]
        picture = _curve(np.atleast_1d(array).astype(np.float64), given[0], given[1], log=log, log_x=log_x, size=size)
    else:
        picture = _image(_binned(array, size), log=log, colormap=colormap, size=size) if array.size else None
    if picture is None:
        raise BadInput("there is nothing to draw: not two finite numbers in the array")
    return _webp(picture)


def _webp(picture: Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=85, method=1)  # half the time of the default for a few bytes more
    return buffer.getvalue()


def _middle(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length // 2 for length in shape)


def _curve_of(
    file: h5py.File, plot: Plot
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Read the curve to draw, with its errors and its axis, thinned out where it has millions of points."""
    signal = file[plot.signal]
    step = max(1, signal.shape[-1] // _MOST_POINTS)
    select = (*_middle(signal.shape[:-1]), slice(None, None, step))
    axis = read_block(file[plot.axes[-1]], np.s_[::step]) if plot.axes[-1] else None
    errors = read_block(file[plot.errors], select) if plot.errors else None
    curve = read_block(signal, select).astype(np.float64)
    if axis is not None and len(axis) == len(curve) + 1:
        axis = (axis[1:] + axis[:-1]) / 2.0
    fits = axis is not None and len(axis) == len(curve)
    return (
        curve,
        None if errors is None else errors.astype(np.float64),
        axis.astype(np.float64) if axis is not None and fits else None,
    )


def _binned(signal: Any, size: tuple[int, int]) -> NDArray[np.float64]:
    """Average the middle image to at most twice the size drawn: float64 [y, x], NaN where nothing is valid.

    It is read in slabs of rows. The largest number of an unsigned type marks dead pixels and gaps, and is
    left out.
    """
    index = _middle(signal.shape[:-2])
    rows, columns = signal.shape[-2:]
    down, across = max(1, rows // (2 * size[1])), max(1, columns // (2 * size[0]))
    slab = down * max(1, _SLAB_BYTES // max(1, down * columns * signal.dtype.itemsize))
    bands = []
    for start in range(0, rows, slab):
        part = (*index, slice(start, min(rows, start + slab)))
        block = read_block(signal, part) if isinstance(signal, h5py.Dataset) else np.asarray(signal[part])
        valid = np.isfinite(block) if block.dtype.kind == "f" else block != _dead(block.dtype)
        total = _sums(np.where(valid, block, 0).astype(np.float64), down, across)
        count = _sums(valid.astype(np.float64), down, across)
        bands.append(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
    return np.concatenate(bands)


def _dead(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if dtype.kind == "u" and dtype.itemsize > 1 else -(1 << 62)


def _sums(block: NDArray[np.float64], down: int, across: int) -> NDArray[np.float64]:
    rows = np.add.reduceat(block, np.arange(0, block.shape[0], down), axis=0)
    return np.add.reduceat(rows, np.arange(0, block.shape[1], across), axis=1)


def _fit(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size to draw an image at: in its own proportions where moderate, else all the room."""
    if max(width, height) > 4 * min(width, height):
        return size
    scale = min(size[0] / width, size[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _image(values: NDArray[np.float64], *, log: bool, colormap: str, size: tuple[int, int]) -> Image | None:
    import matplotlib
    from PIL import Image

    if log:
        values = np.log10(np.where(values > 0, values, np.nan))
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        return None
    low, high = np.percentile(finite, [0.5, 99.5])
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)
    lookup = (matplotlib.colormaps[colormap](np.arange(256))[:, :3] * 255).astype(np.uint8)
    colours = lookup[np.nan_to_num(scaled * 255).astype(np.uint8)]
    colours[~np.isfinite(values)] = lookup[0] if log else 128
    return _on_paper(Image.fromarray(colours), size)


def _colours(signal: h5py.Dataset, size: tuple[int, int]) -> Image | None:
    """Draw an image that is already in colours: channels last, or first as some writers have them."""
    from PIL import Image

    pixels = read_block(signal, _middle(signal.shape[:-3]))
    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4) and pixels.shape[0] in (3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.shape[-1] not in (3, 4):
        return None
    top = 255.0 if pixels.dtype == np.uint8 else float(np.nanmax(np.abs(pixels))) or 1.0
    bytes_ = np.clip(np.nan_to_num(pixels.astype(np.float64)) * (255.0 / top), 0, 255).astype(np.uint8)
    return _on_paper(Image.fromarray(np.ascontiguousarray(bytes_[..., :3])), size)


def _on_paper(picture: Image, size: tuple[int, int]) -> Image:
    from PIL import Image

    fitted = picture.resize(_fit(*picture.size, size), Image.Resampling.BOX, reducing_gap=None)
    paper = Image.new("RGB", size, _PAPER)
    paper.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return paper


def _curve(
    y: NDArray[np.float64],
    x: NDArray[np.float64] | None,
    errors: NDArray[np.float64] | None,
    *,
    log: bool,
    log_x: bool,
    size: tuple[int, int],
) -> Image | None:
    from PIL import Image, ImageDraw

    log_x = log_x and x is not None
    places = np.arange(len(y), dtype=np.float64) if x is None else x
    good = np.isfinite(y) & np.isfinite(places) & ((y > 0) | (not log)) & ((places > 0) | (not log_x))
    if good.sum() < 2:
        return None
    spread = np.zeros(int(good.sum())) if errors is None else np.nan_to_num(np.abs(errors[good]))
    low, high = y[good] - spread, y[good] + spread
    if log:  # a bar that reaches below zero ends just under the lowest point
        low = np.maximum(low, y[good].min() / 3)
    across = np.log10(places[good]) if log_x else places[good]
    up, low, high = (np.log10(part) if log else part for part in (y[good], low, high))

    width, height, margin = (_OVERSAMPLING * length for length in (*size, _MARGIN))
    bottom = min(float(up.min()), float(np.percentile(low, 1)))
    top = max(float(up.max()), float(np.percentile(high, 99)))
    columns = margin + _from_0_to_1(across, across.min(), across.max()) * (width - 2 * margin)
    foot, middle, head = (
        height - margin - _from_0_to_1(part, bottom, top) * (height - 2 * margin) for part in (low, up, high)
    )
    paper = Image.new("RGB", (width, height), _PAPER)
    pen, keep = ImageDraw.Draw(paper), _thinned(up, 2 * width)
    for index in keep if errors is not None else ():
        bar = [(columns[index], foot[index]), (columns[index], head[index])]
        pen.line(bar, fill=_FAINT, width=_OVERSAMPLING)
    pen.line(np.column_stack([columns, middle])[keep].ravel().tolist(), fill=_INK, width=2 * _OVERSAMPLING - 1)
    return paper.resize(size, Image.Resampling.LANCZOS)


def _from_0_to_1(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return (values - low) / ((high - low) or 1.0)


def _thinned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Choose points that keep the look of a curve: the least and the greatest of each stretch, in order."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2 + 1).astype(np.int64)
    pairs = [
        (start + int(np.argmin(values[start:end])), start + int(np.argmax(values[start:end])))
        for start, end in pairwise(edges.tolist())
    ]
    return np.unique(np.asarray(pairs).ravel())
