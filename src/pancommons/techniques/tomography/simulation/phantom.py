"""Analytic phantoms: bodies whose slices and line integrals are known exactly.

Ellipsoids are given in units of the half width of the field (radius 1 is width / 2 pixels), with the rotation
axis at the origin. A slice of an ellipsoid at height z is an ellipse, and the line integral of an ellipse has
a closed form, so any rows of any scan can be made without a volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK_BYTES = 32 << 20
"""Memory that a block of angles or rows may take while it is worked out."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse of uniform attenuation, added to whatever it lies in.

    Attributes
    ----------
    value
        Attenuation coefficient, 1 / pixel.
    a, b
        Half axes, in half widths.
    x, y
        Centre, in half widths; x along the columns at angle 0, y upwards.
    turn
        Angle from the x axis to the half axis `a`, counted towards y, in radians.
    """

    value: float
    a: float
    b: float
    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True)
class Ellipsoid(Ellipse):
    """An ellipsoid with one half axis along the rotation axis.

    Attributes
    ----------
    c
        Half axis along the rotation axis, in half widths.
    z
        Height of its centre above the middle row, in half widths, counted along the rows.
    """

    c: float = 1.0
    z: float = 0.0

    def at(self, height: float) -> Ellipse | None:
        """Return the slice at a height, in half widths, or nothing where the ellipsoid does not reach."""
        square = 1 - ((height - self.z) / self.c) ** 2
        if square <= 0:
            return None
        scale = float(np.sqrt(square))
        return Ellipse(self.value, self.a * scale, self.b * scale, self.x, self.y, self.turn)


def disc(value: float = 1.0, radius: float = 0.8) -> list[Ellipse]:
    """Return one uniform disc around the axis; radius in half widths."""
    return [Ellipse(value, radius, radius)]


_SHEPP_LOGAN = (
    # value, a, b, c, x, y, z, turn in degrees: L. A. Shepp, B. F. Logan, IEEE Trans. Nucl. Sci. 21, 21
    # (1974), contrast raised as usual; the heights follow the usual three-dimensional form.
    (1.0, 0.69, 0.92, 0.81, 0.0, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.78, 0.0, -0.0184, 0.0, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.22, 0.0, 0.0, -18.0),
    (-0.2, 0.16, 0.41, 0.28, -0.22, 0.0, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.41, 0.0, 0.35, -0.15, 0.0),
    (0.1, 0.046, 0.046, 0.05, 0.0, 0.1, 0.25, 0.0),
    (0.1, 0.046, 0.046, 0.05, 0.0, -0.1, 0.25, 0.0),
    (0.1, 0.046, 0.023, 0.05, -0.08, -0.605, 0.0, 0.0),
    (0.1, 0.023, 0.023, 0.02, 0.0, -0.606, 0.0, 0.0),
    (0.1, 0.023, 0.046, 0.02, 0.06, -0.605, 0.0, 0.0),
)


def shepp_logan(seed: int = 0, grains: int = 30) -> list[Ellipsoid]:
    """Return the Shepp-Logan head, in three dimensions, with small random grains inside of it.

    Parameters
    ----------
    seed
        Of the grains' sizes, places and values.
    grains
        How many. All are upright and meet the middle row at their widest.
    """
    bodies = [
        Ellipsoid(value, a, b, x, y, float(np.deg2rad(turn)), c, z) for value, a, b, c, x, y, z, turn in _SHEPP_LOGAN
    ]
    random, heights = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    for _ in range(grains):
        distance, direction = 0.55 * np.sqrt(random.random()), 2 * np.pi * random.random()
        a = random.uniform(0.008, 0.05)
        value, b = random.uniform(-0.15, 0.15), a * random.uniform(0.5, 1)
        x, y, turn = distance * np.cos(direction), distance * np.sin(direction), random.uniform(0, np.pi)
        bodies.append(Ellipsoid(value, a, b, x, y, turn, heights.uniform(0.1, 0.6)))
    return bodies


def cross_section(bodies: Sequence[Ellipsoid], row: float, rows: int, width: int) -> list[Ellipse]:
    """Return the ellipses that a detector row sees.

    Parameters
    ----------
    bodies
        The phantom.
    row
        Row index, pixel centres being whole numbers; the middle row, (rows - 1) / 2, is at height 0.
    rows, width
        Rows and columns of the detector; the pixels are square.
    """
    height = (row - (rows - 1) / 2) / (width / 2)
    return [ellipse for body in bodies if (ellipse := body.at(height)) is not None]


def image(ellipses: Sequence[Ellipse], width: int, *, supersampling: int = 4) -> NDArray[np.float32]:
    """Return a slice, averaged over its pixels.

    Parameters
    ----------
    ellipses
        What the slice consists of.
    width
        Rows and columns; the axis is at ((width - 1) / 2, (width - 1) / 2).
    supersampling
        Points per pixel along each axis.

    Returns
    -------
    float32 [y, x], 1 / pixel.
    """
    fine = ((np.arange(width * supersampling) + 0.5) / supersampling - width / 2) / (width / 2)
    result = np.empty((width, width), np.float32)
    rows = max(1, BLOCK_BYTES // (32 * width * supersampling**2))
    for first in range(0, width, rows):
        count = min(rows, width - first)
        up = -fine[first * supersampling : (first + count) * supersampling, None]
        block = np.zeros((up.size, fine.size), np.float32)
        for e in ellipses:
            reach = max(e.a, e.b)
            y0, y1 = _span(-up[:, 0], -e.y, reach)
            x0, x1 = _span(fine, e.x, reach)
            c, s = np.cos(e.turn), np.sin(e.turn)
            x, y = fine[None, x0:x1] - e.x, up[y0:y1] - e.y
            inside = ((x * c + y * s) / e.a) ** 2 + ((y * c - x * s) / e.b) ** 2 <= 1
            block[y0:y1, x0:x1] += np.float32(e.value) * inside
        pixels = block.reshape(count, supersampling, width, supersampling)
        result[first : first + count] = pixels.mean((1, 3), dtype=np.float64)
    return result


def _span(ascending: NDArray[np.float64], middle: float, reach: float) -> tuple[int, int]:
    return int(np.searchsorted(ascending, middle - reach)), int(np.searchsorted(ascending, middle + reach, "right"))


def sinogram(
    ellipses: Sequence[Ellipse],
    angles: ArrayLike,
    width: int,
    *,
    centre: float | None = None,
    scale: int | None = None,
    supersampling: int = 4,
) -> NDArray[np.float32]:
    """Return the line integrals of a slice, averaged over each detector pixel.

    Parameters
    ----------
    ellipses
        What the slice consists of.
    angles
        float [angle], radians.
    width
        Columns.
    centre
        Column of the rotation axis, in pixels; by default (width - 1) / 2.
    scale
        Width of the field, in pixels, that the ellipses are given in half of; by default `width`. It differs
        where the detector sees only a part of the sample.
    supersampling
        Points per pixel.

    Returns
    -------
    float32 [angle, column], dimensionless.
    """
    theta = np.atleast_1d(np.asarray(angles, np.float64))
    half = (width if scale is None else scale) / 2
    axis = (width - 1) / 2 if centre is None else centre
    position = ((np.arange(width * supersampling) + 0.5) / supersampling - 0.5 - axis) / half
    result = np.empty((theta.size, width), np.float32)
    count = max(1, BLOCK_BYTES // (24 * position.size))
    for first in range(0, theta.size, count):
        part = theta[first : first + count]
        fine = np.zeros((part.size, position.size))
        for e in ellipses:
            square = (e.a * np.cos(part - e.turn)) ** 2 + (e.b * np.sin(part - e.turn)) ** 2
            shift = e.x * np.cos(part) + e.y * np.sin(part)
            reach = max(e.a, e.b)
            left, right = _span(position, 0.0, reach + float(np.hypot(e.x, e.y)))
            offset = position[None, left:right] - shift[:, None]
            chord = np.sqrt(np.maximum(square[:, None] - offset * offset, 0))
            fine[:, left:right] += (2 * half * e.value * e.a * e.b / square)[:, None] * chord
        result[first : first + part.size] = fine.reshape(part.size, width, supersampling).mean(2)
    return result


def sinograms(
    bodies: Sequence[Ellipsoid],
    angles: ArrayLike,
    rows: Sequence[int] | range,
    shape: tuple[int, int],
    *,
    centre: float | None = None,
    scale: int | None = None,
    supersampling: int = 4,
) -> NDArray[np.float32]:
    """Return the sinograms of detector rows.

    Parameters
    ----------
    bodies
        The phantom.
    angles
        float [angle], radians.
    rows
        The rows wanted.
    shape
        Rows and columns of the detector.
    centre, scale, supersampling
        See `sinogram`.

    Returns
    -------
    float32 [row, angle, column], dimensionless.
    """
    theta = np.atleast_1d(np.asarray(angles, np.float64))
    result = np.empty((len(rows), theta.size, shape[1]), np.float32)
    for target, row in zip(result, rows, strict=True):
        ellipses = cross_section(bodies, row, shape[0], scale or shape[1])
        target[:] = sinogram(ellipses, theta, shape[1], centre=centre, scale=scale, supersampling=supersampling)
    return result


def projections(
    bodies: Sequence[Ellipsoid],
    angles: ArrayLike,
    shape: tuple[int, int],
    *,
    centre: float | None = None,
    scale: int | None = None,
    tilt: float = 0.0,
    points: tuple[int, int] = (1, 4),
) -> NDArray[np.float32]:
    """Return line integrals on a grid finer than the detector, also about an axis that leans in its plane.

    Parameters
    ----------
    bodies
        The phantom.
    angles
        float [angle], radians.
    shape
        Rows and columns of the detector.
    centre
        Column of the rotation axis in the middle row, in pixels; by default (columns - 1) / 2.
    scale
        See `sinogram`.
    tilt
        Angle by which the axis leans to higher columns at higher rows, radians.
    points
        Points per pixel along columns and along rows.

    Returns
    -------
    float32 [angle, row x points, column x points], dimensionless.
    """
    theta = np.atleast_1d(np.asarray(angles, np.float64))
    rows, columns = shape
    half = (columns if scale is None else scale) / 2
    axis = (columns - 1) / 2 if centre is None else centre
    down = ((np.arange(rows * points[0]) + 0.5) / points[0] - 0.5 - (rows - 1) / 2)[:, None] / half
    across = ((np.arange(columns * points[1]) + 0.5) / points[1] - 0.5 - axis)[None] / half
    aside, height = across * np.cos(tilt) - down * np.sin(tilt), down * np.cos(tilt) + across * np.sin(tilt)
    result = np.zeros((theta.size, *aside.shape), np.float32)
    for e in bodies:
        section = 1 - ((height - e.z) / e.c) ** 2
        square = (e.a * np.cos(theta - e.turn)) ** 2 + (e.b * np.sin(theta - e.turn)) ** 2
        shift = e.x * np.cos(theta) + e.y * np.sin(theta)
        for target, reach, middle in zip(result, square, shift, strict=True):
            inside = section * reach - (aside - middle) ** 2
            np.maximum(inside, 0, out=inside)
            target += (2 * half * e.value * e.a * e.b / reach) * np.sqrt(inside)
    return result


def images(
    bodies: Sequence[Ellipsoid],
    rows: Sequence[int] | range,
    shape: tuple[int, int],
    *,
    supersampling: int = 4,
) -> NDArray[np.float32]:
    """Return the slices at detector rows: float32 [row, y, x], 1 / pixel. For the rest see `sinograms`."""
    return np.stack([image(cross_section(bodies, row, *shape), shape[1], supersampling=supersampling) for row in rows])
