"""Iterative reconstruction of slices, for few angles, a missing wedge, or noise.

Conventions are those of `pancommons.techniques.tomography.fourier`; the model of a scan is that of `projector`. Slices
are zero outside the circle that touches the sides: no projection says anything about the corners.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import log2
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import Region, fitting, refuse_values
from pancommons.techniques.tomography.geometry.angles import checked_angles
from pancommons.techniques.tomography.iterative import solvers, variation
from pancommons.techniques.tomography.iterative.normal import Buffers, NormalOperator
from pancommons.techniques.tomography.iterative.projector import Projector, ring_length
from pancommons.techniques.tomography.quality.truth import inside

Method = Literal["cgls", "sirt", "tv"]

METHODS: tuple[Method, ...] = get_args(Method)
"""Conjugate gradients, Landweber's iteration, total variation."""

ITERATIONS: dict[Method, int] = {"cgls": 30, "sirt": 200, "tv": 100}
"""How many iterations a method gets where nobody says otherwise."""

TOLERANCE = 1e-4
"""Where iteration ends: gradient (cgls) or step (sirt) relative to the first, step relative to the slice (tv)."""

_SECONDS = 3.6e-10
"""Of one core, for a transform there and back, per point and per halving of it."""


class Iterated(NamedTuple):
    """Slices and how they converged.

    Attributes
    ----------
    slices
        float32 [slice, y, x], 1 / pixel.
    residuals
        float32 [slice, iteration], the root of the misfit over that of an empty slice; NaN after the last iteration of
        a slice. What is below 1e-3 is mostly rounding.
    """

    slices: NDArray[np.float32]
    residuals: NDArray[np.float32]


def automatic_weight(sinograms: NDArray[np.float32]) -> float:
    """Return a weight of the total variation that suits sinograms.

    It grows with their noise, which is estimated from the median magnitude of second differences along the columns,
    so that it stays below the contrast of what a few projections can tell from noise; and it is at least a tenth of the
    mean attenuation along the strongest rays, for sharp edges that no band-limited model meets.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column], line integrals.

    Returns
    -------
    Weight, in 1 / pixel, as `IterativeReconstruction` takes it; 0 for empty sinograms.
    """
    if sinograms.size == 0 or sinograms.shape[2] < 3:
        return 0.0
    noise = float(np.median(np.abs(np.diff(sinograms, n=2, axis=2)))) / (0.6745 * 6**0.5)
    strongest = max(0.0, float(np.percentile(sinograms, 99)))
    return float(noise / sinograms.shape[1] ** 0.5 + 0.1 * strongest / sinograms.shape[2])


class IterativeReconstruction:
    """Reconstructs slices of one geometry by iteration; several threads may call it at once.

    Parameters
    ----------
    angles
        float [angle], radians; any set of them, in any order.
    width
        Columns of a sinogram, and rows and columns of a slice.
    centre
        Column of the rotation axis, in pixels; by default the middle, (width - 1) / 2. The sample must lie within the
        field of view at every angle: beside it, nothing is taken to be there.
    method
        ``cgls`` (least squares), ``sirt`` (the same, slowly and from coarse to fine) or ``tv`` (least squares with
        little total variation).
    iterations
        The most iterations, by default those of `ITERATIONS`. Each costs a transform of twice the width and one back.
    non_negative
        Whether slices must not be negative.
    tv_weight
        Of the total variation, in 1 / pixel: minimised is half the sum over the columns of the squared differences,
        averaged over the angles, plus `tv_weight` times the total variation. Only for ``tv``, which needs it.
    tolerance
        Where iteration ends before, see `TOLERANCE`; 0 for never.
    region
        (y0, y1, x0, x1), the part of a slice that is wanted, ends excluded; by default all.
    mask
        Radius of a circle around the axis in half widths, outside of which a slice is set to zero in the end.

    Raises
    ------
    BadInput
        A parameter makes no sense.
    """

    def __init__(
        self,
        angles: ArrayLike,
        width: int,
        *,
        centre: float | None = None,
        method: Method = "cgls",
        iterations: int | None = None,
        non_negative: bool = True,
        tv_weight: float | None = None,
        tolerance: float = TOLERANCE,
        region: Region | None = None,
        mask: float | None = None,
    ) -> None:
        theta = checked_angles(angles)
        if width < 4:
            raise BadInput(f"sinograms of {width} columns are too narrow to reconstruct", field="sinograms")
        if centre is not None and not -0.5 <= centre <= width - 0.5:
            raise BadInput(
                f"the rotation axis at column {centre:g} lies outside of the {width} columns", field="centre"
            )
        if method not in METHODS:
            raise BadInput(
                f"there is no method {method!r}", field="method", remedy=f"choose one of {', '.join(METHODS)}"
            )
        if iterations is not None and iterations < 2:
            raise BadInput(f"{iterations} iterations are too few", field="iterations")
        if method == "tv" and (tv_weight is None or not 0 < tv_weight < np.inf):
            raise BadInput(
                f"the weight {tv_weight} of the total variation is not positive",
                field="tv_weight",
                remedy="give a weight; automatic_weight(sinograms) suggests one",
            )
        if mask is not None and not mask > 0:
            raise BadInput(f"the radius {mask} is not positive", field="mask")
        self.angles, self.width, self.method = theta.size, width, method
        self.iterations = iterations or ITERATIONS[method]
        self.region = _checked_region(region, width)
        self._non_negative, self._tolerance, self._weight = non_negative, tolerance, tv_weight or 0.0
        self._kept = None if mask is None else inside(width, mask)
        self.projector = Projector(theta, width, centre=centre)
        self.normal = NormalOperator(theta, width)
        self._idle: list[Buffers] = []

    def __call__(
        self,
        sinograms: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
        shifts: ArrayLike | None = None,
        residuals: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return the slices of sinograms.

        Parameters
        ----------
        sinograms
            float32 [slice, angle, column], line integrals, dimensionless.
        out
            float32 [slice, y, x], for the result.
        shifts
            float [slice], how far right of `centre` the axis of each slice lies, in pixels, for an axis that leans.
        residuals
            float32 [slice, iteration], for the residuals, see `Iterated`.

        Returns
        -------
        float32 [slice, y, x], 1 / pixel. Each slice is computed by itself, so that in every bit it depends on nothing
        but its own sinogram.

        Raises
        ------
        BadInput
            Wrong shape, or values that are not finite.
        """
        sinograms = fitting(sinograms, self.angles, self.width)
        y0, y1, x0, x1 = self.region
        shape = (len(sinograms), y1 - y0, x1 - x0)
        if out is None:
            out = np.empty(shape, np.float32)
        elif out.shape != shape or out.dtype != np.float32:
            raise BadInput(f"expected a float32 array of shape {shape}", field="out")
        if residuals is not None:
            residuals[:] = np.nan
        moved = np.zeros(len(sinograms)) if shifts is None else np.asarray(shifts, np.float64)
        for index, sinogram in enumerate(sinograms):
            if not np.isfinite(sinogram).all():
                refuse_values(sinograms[index : index + 1], index)
            image, history = self._solve(sinogram, float(moved[index]))
            out[index] = image[y0:y1, x0:x1]
            if residuals is not None:
                residuals[index, : len(history)] = history
        return out

    def release(self) -> None:
        """Give the work buffers of idle threads back to the system."""
        self._idle.clear()

    def _solve(self, sinogram: NDArray[np.float32], shift: float) -> tuple[NDArray[np.float32], list[float]]:
        try:
            buffers = self._idle.pop()
        except IndexError:
            buffers = Buffers(self.width)
        target = self.projector.back_project(sinogram, shift)
        if not np.isfinite(target).all():
            raise BadInput("the values are too large for float32", field="sinograms")
        target[~self.normal.support] = 0
        problem = solvers.Problem(
            lambda image, product: self.normal(image, product, buffers),
            self.normal.norm,
            target,
            float(np.square(sinogram, dtype=np.float64).sum(axis=1).sum()),
            self.normal.support,
        )
        limits = (self.iterations, self._tolerance)
        if self.method == "tv":
            weight = self._weight * self.angles
            image, history = variation.tv(problem, *limits, weight=weight, non_negative=self._non_negative)
        elif self.method == "sirt":
            image, history = solvers.sirt(problem, *limits, non_negative=self._non_negative)
        elif self._non_negative:
            image, history = solvers.non_negative_cgls(problem, *limits)
        else:
            image, history = solvers.cgls(problem, *limits)
        self._idle.append(buffers)
        if self._kept is not None:
            image[~self._kept] = 0
        return image, history


def _checked_region(region: Region | None, width: int) -> Region:
    if region is None:
        return 0, width, 0, width
    y0, y1, x0, x1 = (int(edge) for edge in region)
    if not (0 <= y0 < y1 <= width and 0 <= x0 < x1 <= width):
        raise BadInput(
            f"{(y0, y1, x0, x1)} is not a part of a slice of {width} x {width} pixels",
            field="region",
            remedy="give y0, y1, x0, x1 with the ends excluded",
        )
    return y0, y1, x0, x1


def working_bytes(width: int, angles: int, slices: int, *, method: Method) -> int:
    """Return the bytes that one thread needs beside the geometry to reconstruct `slices` slices in one call."""
    images = (11 if method == "tv" else 9) * 4 * width * width
    passing = max(Projector.bytes_of(width, angles)[1], images)
    return Buffers.bytes_of(width) + passing + 4 * slices * width * (angles + width)


def geometry_bytes(width: int, angles: int) -> int:
    """Return the most bytes that an `IterativeReconstruction` takes for all threads, while it is made included."""
    return Projector.bytes_of(width, angles)[0] + NormalOperator.bytes_of(width)[1] + 2 * width * width


def seconds(width: int, angles: int, iterations: int, *, method: Method) -> float:
    """Return about how many seconds of one core a slice takes."""
    side = ring_length(width)
    each = _SECONDS * side * side * log2(side) + (3e-8 if method == "tv" else 5e-9) * width * width
    return iterations * each + 4e-7 * angles * width + 1e-7 * width * width


def warm() -> None:
    """Compile every kernel once, on a slice of a few pixels."""
    angles, sinograms = np.arange(8) * np.pi / 8, np.ones((1, 8, 16), np.float32)
    for method in METHODS:
        for non_negative in (True, False):
            IterativeReconstruction(angles, 16, method=method, iterations=12, non_negative=non_negative, tv_weight=0.1)(
                sinograms
            )


def reconstruct_iteratively(
    sinograms: ArrayLike,
    angles: ArrayLike,
    *,
    centre: float | None = None,
    method: Method = "cgls",
    iterations: int | None = None,
    non_negative: bool = True,
    tv_weight: float | None = None,
    tolerance: float = TOLERANCE,
    threads: int | None = None,
    region: Region | None = None,
    mask: float | None = None,
) -> Iterated:
    """Reconstruct slices from parallel-beam sinograms by iteration.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column], line integrals (minus the logarithm of the transmission), dimensionless.
    angles
        float [angle], radians; any set of them: few, with gaps, uneven, in any order.
    centre
        Column of the rotation axis, in pixels; by default the middle, (columns - 1) / 2.
    method, iterations, non_negative, tolerance, region, mask
        See `IterativeReconstruction`.
    tv_weight
        Of the total variation, in 1 / pixel; by default the `automatic_weight` of all the sinograms.
    threads
        How many threads to use, by default one; each takes a slice. The result does not depend on it.

    Returns
    -------
    `Iterated`: the slices, float32 [slice, y, x], in 1 / pixel (divide by the pixel size for an attenuation
    coefficient), and the residuals.

    Raises
    ------
    BadInput
        Shapes that do not match, parameters that make no sense, or values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> angles = np.arange(12) * np.pi / 12
    >>> column = np.arange(32) - 15.5
    >>> disc = 2 * np.sqrt(np.clip(10**2 - column**2, 0, None))
    >>> slices, residuals = reconstruct_iteratively(np.tile(disc, (1, 12, 1)), angles, method="tv")
    >>> slices.shape, bool(slices.min() >= 0)
    ((1, 32, 32), True)
    >>> bool(abs(slices[0, 12:20, 12:20].mean() - 1) < 0.05)
    True
    """
    stack = np.ascontiguousarray(sinograms, np.float32)
    if stack.ndim != 3:
        raise BadInput(f"expected [slice, angle, column], not the shape {stack.shape}", field="sinograms")
    theta = checked_angles(angles)
    if stack.shape[1] != theta.size:
        raise BadInput(f"{stack.shape[1]} projections, but {theta.size} angles", field="angles")
    if threads is not None and threads < 1:
        raise BadInput(f"{threads} threads are too few", field="threads")
    if not np.isfinite(stack).all():
        refuse_values(stack, 0)
    if method == "tv" and tv_weight is None:
        tv_weight = automatic_weight(stack) or 1.0  # an empty slice stays so whatever the weight
    geometry = IterativeReconstruction(
        theta, stack.shape[2], centre=centre, method=method, iterations=iterations, non_negative=non_negative,
        tv_weight=tv_weight, tolerance=tolerance, region=region, mask=mask,
    )  # fmt: skip
    y0, y1, x0, x1 = geometry.region
    slices = np.empty((len(stack), y1 - y0, x1 - x0), np.float32)
    residuals = np.empty((len(stack), geometry.iterations), np.float32)

    def work(index: int) -> None:
        one = slice(index, index + 1)
        geometry(stack[one], slices[one], residuals=residuals[one])

    with ThreadPoolExecutor(threads or 1) as pool:
        list(pool.map(work, range(len(stack))))
    return Iterated(slices, residuals)
