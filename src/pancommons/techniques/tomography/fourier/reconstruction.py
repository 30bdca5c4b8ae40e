"""Filtered back-projection in Fourier space, sixteen slices at a time.

The filtered projections' spectra are the slice's spectrum on a polar grid (the Fourier slice theorem). They
are spread over a Cartesian grid a quarter finer than the image needs, transformed, and divided by the
spreading kernel's transform: the non-uniform Fourier transform as an exact adjoint, weighted by the ramp
filter. It equals the classical back-projection with ideal interpolation at a small part of its cost.

Conventions
-----------
- The rotation axis is given in pixels, pixel centres being whole numbers: a centred axis of N columns is at
  (N - 1) / 2.
- The axis meets the slice at its middle, ((N - 1) / 2, (N - 1) / 2), wherever it met the detector.
- Column index grows along x at angle 0 and upwards (towards smaller row index y) at angle pi / 2.
- A slice is in 1 / pixel; divide by the pixel size for 1 / length.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import batch, lanes, spreading
from pancommons.techniques.tomography.fourier.filters import FilterName, response
from pancommons.techniques.tomography.fourier.sizes import BATCH, Sizes, Workspace
from pancommons.techniques.tomography.geometry.angles import angular_shares, checked_angles

_NOWHERE = np.empty(0, np.float32)

Padding = Literal["zeros", "edge"]
Region = tuple[int, int, int, int]


def _middle(width: int) -> float:
    return (width - 1) / 2


class FourierReconstruction:
    """Reconstructs slices of one geometry; several threads may call it at once.

    Parameters
    ----------
    angles
        float [angle], radians, in any order and with any spacing (see `angular_shares`).
    width
        Columns of a sinogram, and rows and columns of a slice.
    centre
        Column of the rotation axis, in pixels; by default the middle, (width - 1) / 2.
    filter
        The window on the ramp filter, see `pancommons.techniques.tomography.filters.window`.
    padding
        What lies beside the field of view: ``zeros`` for a sample inside of it, ``edge`` to repeat the
        outermost columns for a sample that is wider (its slices then have a smooth error instead of a bright
        rim).
    region
        (y0, y1, x0, x1), the part of a slice that is wanted, ends excluded; by default all.
    mask
        Radius of a circle around the axis in half widths, outside of which a slice is set to zero; by default
        none.

    Raises
    ------
    BadInput
        The angles, the centre, the filter, the region or the mask make no sense.
    """

    def __init__(
        self,
        angles: ArrayLike,
        width: int,
        *,
        centre: float | None = None,
        filter: FilterName = "ramp",  # noqa: A002 - the word every user knows
        padding: Padding = "zeros",
        region: Region | None = None,
        mask: float | None = None,
    ) -> None:
        theta = checked_angles(angles)
        if width < 2:
            raise BadInput(f"sinograms of {width} columns are too narrow to reconstruct", field="sinograms")
        self.angles, self.width = theta.size, width
        self.centre = _middle(width) if centre is None else float(centre)
        if not -0.5 <= self.centre <= width - 0.5:
            raise BadInput(
                f"the rotation axis at column {self.centre:g} lies outside of the {width} columns",
                field="centre",
            )
        if padding not in ("zeros", "edge"):
            raise BadInput(f"there is no padding {padding!r}", field="padding", remedy="choose zeros or edge")
        self.region = self._checked_region(region)
        if mask is not None and not mask > 0:
            raise BadInput(f"the radius {mask} is not positive", field="mask")
        self._mask, self._edge = mask, padding == "edge"
        self._sizes = sizes = Sizes.of(width)
        # The filtered projection is taken from half a width before the axis to half a width behind it. Off the field of
        # view it is not zero, and with the axis in the middle of its period nothing of the far side wraps in.
        self._first = round(self.centre - _middle(width))
        self._response = (response(filter, sizes.filter, self._first) / sizes.filter).astype(np.complex64)
        self._phases = self._make_phases(theta)
        self._samples = spreading.arrange(theta, sizes.spectrum, sizes.grid, sizes.grid / width)
        self._factors = np.append(spreading.correction(width, sizes.grid), np.zeros(8, np.float32))
        self._plans = [
            (plan.passes, plan.twiddles) for plan in map(lanes.plan, (sizes.filter, sizes.spectrum, sizes.grid))
        ]
        self._idle: list[Workspace] = []

    def __call__(
        self,
        sinograms: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
        shifts: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Return the slices of sinograms.

        Parameters
        ----------
        sinograms
            float32 [slice, angle, column], line integrals, dimensionless. Batches of `BATCH` slices are the
            fastest.
        out
            float32 [slice, y, x], contiguous, for the result.
        shifts
            float [slice], how far right of `centre` the axis of each slice lies, in pixels, for an axis that leans.
            Slices 2n and 2n + 1 take the mean of theirs.

        Returns
        -------
        float32 [slice, y, x], 1 / pixel. Slices 2n and 2n + 1 are computed as one complex number, whose
        rounding joins them to less than 1e-5 of the maximum; other slices have no influence at all.

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
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise BadInput(f"expected a contiguous float32 array of shape {shape}", field="out")
        for start in range(0, len(sinograms), BATCH):
            moved = None if shifts is None else np.asarray(shifts, np.float64)[start : start + BATCH]
            self._batch(sinograms[start : start + BATCH], out[start : start + BATCH], start, moved)
        return out

    def release(self) -> None:
        """Give the work buffers of idle threads back to the system."""
        self._idle.clear()

    @property
    def workspace_bytes(self) -> int:
        """Bytes of work buffers per thread at work."""
        return self._sizes.workspace_bytes(self.angles)

    def _batch(
        self,
        sinograms: NDArray[np.float32],
        out: NDArray[np.float32],
        first: int,
        shifts: NDArray[np.float64] | None,
    ) -> None:
        try:
            work = self._idle.pop()
        except IndexError:
            work = self._new_workspace()
        samples = self._samples
        filtering, spectrum, grid = self._plans
        batch.spectra(
            sinograms,
            self._edge,
            filtering,
            spectrum,
            self._response,
            _NOWHERE if shifts is None else self._moves(shifts),
            self._phases,
            work.x,
            work.y,
            work.spectra,
        )
        spreading.spread(
            work.spectra,
            samples.source,
            samples.corner,
            samples.weights,
            samples.strips,
            samples.stride,
            work.grid,
        )
        batch.images(
            work.grid, samples.stride, spreading.TAPS, grid, self.region, self.width // 2, self._factors,
            work.x, work.y, out,
        )  # fmt: skip
        self._idle.append(work)
        # A value that is not finite makes all of its slice so, and its partner's.
        if not np.isfinite(out[:, 0, 0]).all():
            refuse_values(sinograms, first)
        if self._mask is not None:
            self._cut(out, self._mask)

    def _moves(self, shifts: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the cells [frequency] that move each pair of slices to the left by the mean of its shifts."""
        pairs = np.zeros(BATCH)
        pairs[: len(shifts)] = shifts
        if len(shifts) % 2:
            pairs[len(shifts)] = shifts[-1]
        cycles = np.fft.fftfreq(self._sizes.filter)[:, None] * pairs.reshape(-1, 2).mean(1)
        turns = np.exp(2j * np.pi * cycles)
        if self._sizes.filter % 2 == 0:  # it has no partner of opposite sign
            turns[self._sizes.filter // 2] = turns[self._sizes.filter // 2].real
        cells = lanes.aligned(self._sizes.filter * BATCH)
        cells[:] = np.stack([turns.real, turns.imag], axis=1).ravel()
        return cells

    def _new_workspace(self) -> Workspace:
        sizes = self._sizes
        return Workspace(
            lanes.aligned(sizes.buffer),
            lanes.aligned(sizes.buffer),
            lanes.aligned(self.angles * sizes.spectrum * BATCH),
            lanes.aligned(self._samples.grid_size),
        )

    def _make_phases(self, theta: NDArray[np.float64]) -> NDArray[np.complex64]:
        """Return what moves axis and middle of the slice to the origin, times the weight of each sample."""
        length = self._sizes.spectrum
        frequency = 2 * np.pi * np.fft.fftfreq(length)
        half = 0.5 if self.width % 2 == 0 else 0.0
        phases = np.empty((theta.size, length), np.complex64)
        shift = self.centre - self._first + half * (np.cos(theta) - np.sin(theta))
        for row, weight, distance in zip(phases, angular_shares(theta) / length, shift, strict=True):
            row[:] = weight * np.exp(1j * distance * frequency)
        phases[:, length // 2] = 0  # it has no partner of opposite sign
        return phases

    def _checked_region(self, region: Region | None) -> Region:
        if region is None:
            return 0, self.width, 0, self.width
        y0, y1, x0, x1 = (int(edge) for edge in region)
        if not (0 <= y0 < y1 <= self.width and 0 <= x0 < x1 <= self.width):
            raise BadInput(
                f"{(y0, y1, x0, x1)} is not a part of a slice of {self.width} x {self.width} pixels",
                field="region",
                remedy="give y0, y1, x0, x1 with the ends excluded",
            )
        return y0, y1, x0, x1

    def _cut(self, out: NDArray[np.float32], ratio: float) -> None:
        y0, y1, x0, _ = self.region
        middle, radius = _middle(self.width), ratio * self.width / 2
        for row, y in enumerate(range(y0, y1)):
            square = radius**2 - (y - middle) ** 2
            if square < 0:
                out[:, row] = 0
                continue
            left, right = ceil(middle - square**0.5), floor(middle + square**0.5) + 1
            out[:, row, : max(0, left - x0)] = 0
            out[:, row, max(0, right - x0) :] = 0


def fitting(sinograms: NDArray[np.float32], angles: int, width: int) -> NDArray[np.float32]:
    """Return sinograms [slice, angle, column] contiguous in float32; BadInput if they do not fit a geometry."""
    sinograms = np.ascontiguousarray(sinograms, np.float32)
    if sinograms.ndim != 3 or sinograms.shape[1:] != (angles, width):
        raise BadInput(
            f"expected [slice, {angles} angles, {width} columns], not {sinograms.shape}",
            field="sinograms",
        )
    return sinograms


def refuse_values(sinograms: NDArray[np.float32], first: int) -> None:
    """Raise BadInput that tells which value of sinograms is not finite; `first` is the first slice's index."""
    wrong = np.argwhere(~np.isfinite(sinograms))
    if len(wrong) == 0:
        raise BadInput("the values are too large for float32", field="sinograms")
    z, angle, column = (int(index) for index in wrong[0])
    raise BadInput(
        f"slice {first + z} is {sinograms[z, angle, column]} at angle {angle}, column {column} "
        f"({len(wrong)} such values in all)",
        field="sinograms",
        remedy="replace such values before",
    )


def reconstruct(
    sinograms: ArrayLike,
    angles: ArrayLike,
    *,
    centre: float | None = None,
    filter: FilterName = "ramp",  # noqa: A002 - the word every user knows
    threads: int | None = None,
    padding: Padding = "zeros",
    region: Region | None = None,
    mask: float | None = None,
) -> NDArray[np.float32]:
    """Reconstruct slices from parallel-beam sinograms by filtered back-projection.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column], line integrals (minus the logarithm of the transmission),
        dimensionless.
    angles
        float [angle], radians; a half or a full turn, with or without the end repeated, in any order.
    centre
        Column of the rotation axis, in pixels; by default the middle, (columns - 1) / 2.
    filter
        ``ramp``, ``shepp``, ``cosine``, ``hann``, ``hamming``, ``parzen`` or ``butterworth``.
    threads
        How many threads to use, by default one. A thread takes whole batches of `BATCH` slices, since a part
        of a batch takes as long as all of it; more threads than batches stand idle. The result does not
        depend on it.
    padding, region, mask
        See `FourierReconstruction`.

    Returns
    -------
    float32 [slice, y, x], 1 / pixel: divide by the pixel size for an attenuation coefficient.

    Raises
    ------
    BadInput
        Shapes that do not match, or values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> angles = np.arange(90) * np.pi / 90
    >>> column = np.arange(64) - 31.5
    >>> disc = 2 * np.sqrt(np.clip(20**2 - column**2, 0, None))
    >>> slices = reconstruct(np.tile(disc, (1, 90, 1)), angles)
    >>> slices.shape
    (1, 64, 64)
    >>> bool(abs(slices[0, 24:40, 24:40].mean() - 1) < 0.005)
    True
    """
    stack = np.asarray(sinograms)
    if stack.ndim != 3:
        raise BadInput(f"expected [slice, angle, column], not the shape {stack.shape}", field="sinograms")
    theta = checked_angles(angles)
    if stack.shape[1] != theta.size:
        raise BadInput(f"{stack.shape[1]} projections, but {theta.size} angles", field="angles")
    if threads is not None and threads < 1:
        raise BadInput(f"{threads} threads are too few", field="threads")
    geometry = FourierReconstruction(
        theta, stack.shape[2], centre=centre, filter=filter, padding=padding, region=region, mask=mask
    )
    y0, y1, x0, x1 = geometry.region
    out = np.empty((len(stack), y1 - y0, x1 - x0), np.float32)
    starts = range(0, len(stack), BATCH)

    def work(start: int) -> None:
        try:
            geometry(stack[start : start + BATCH], out[start : start + BATCH])
        except BadInput:
            refuse_values(stack[start : start + BATCH], start)
            raise

    with ThreadPoolExecutor(min(threads or 1, max(1, len(starts)))) as pool:
        list(pool.map(work, starts))
    return out
