"""Rings: the stripes of a sinogram that they come from, removed before the reconstruction."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.rings import all_stripes, fourier_wavelet, sorting, titarenko
from pancommons.techniques.tomography.rings.guard import mend

RingMethod = Literal["fourier-wavelet", "titarenko", "sorting", "all"]

FEWEST = 8
"""Angles and columns of a sinogram, at least."""

METHODS: tuple[RingMethod, ...] = get_args(RingMethod)
"""The methods by name, from the gentlest to the one that does everything."""

LEVELS, SIGMA = 5, 1.0


def remove_rings(
    sinograms: ArrayLike,
    method: RingMethod,
    *,
    out: NDArray[np.float32] | None = None,
    guard: bool = True,
    wavelet: str = "db9",
    levels: int = LEVELS,
    sigma: float = SIGMA,
    order: int = 2,
    extent: float = 40.0,
    blocks: int = 1,
    width: int = 21,
    large_width: int = 51,
    detection_ratio: float = 3.0,
    dropped: float = 0.1,
) -> NDArray[np.float32]:
    """Remove from sinograms the stripes that would be rings in the slices.

    Each sinogram is treated by itself, by one thread that releases Python's lock: the result does not depend, in any
    bit, on the others.

    Parameters
    ----------
    sinograms
        float32 [row, angle, column], line integrals (minus the logarithm of the transmission), dimensionless, finite.
    method
        ``fourier-wavelet`` (Münch, Trtik, Marone, Stampanoni 2009), ``titarenko`` (Miqueles, Rinkel, O'Dowd, Bermúdez
        2014), ``sorting`` or ``all`` (Vo, Atwood, Drakopoulos 2018: algorithm 3; algorithms 6, 5 and 3).
    out
        float32 [row, angle, column], contiguous, for the result; may be the sinograms themselves.
    guard
        Whether to hold the correction within what is usual for each column, so that edges of the sample are not taken
        for stripes, and to replace broken columns first where a method cannot mend them (see
        `pancommons.techniques.tomography.rings.guard`). False gives the published methods as they are.
    wavelet, levels, sigma
        Of ``fourier-wavelet``: an orthogonal wavelet of PyWavelets; its bands, of which the coarsest holds stripes of
        about 2^levels columns (fewer where the sinogram is too small); standard deviation of the damping, in cycles
        over the projections and a quarter more.
    order, extent, blocks
        Of ``titarenko``: order of the differences between columns; the period across the columns, in pixels, of which
        half is removed; blocks of projections, each with stripes of its own.
    width
        Of ``sorting`` and ``all``: columns of the median, odd; stripes less than half as wide are removed.
    large_width, detection_ratio, dropped
        Of ``all``: columns of the median for large and dead stripes, odd; how far these stand out of the noise;
        fraction of a column's extreme values that its mean leaves out.

    Returns
    -------
    float32 [row, angle, column], line integrals.

    Raises
    ------
    BadInput
        An unknown method, a wrong shape, or a parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(0, 0.01, (1, 180, 64)).astype(np.float32)
    >>> striped = noise.copy()
    >>> striped[:, :, 20] += 0.3
    >>> flat = remove_rings(striped, "sorting")
    >>> bool(abs(flat[0, :, 20].mean()) < 0.01)
    True
    """
    stack = np.asarray(sinograms, np.float32)
    if stack.ndim != 3 or min(stack.shape[1:], default=0) < FEWEST:
        raise BadInput(
            f"expected [row, angle, column] with {FEWEST} angles and columns or more, not the shape {stack.shape}",
            field="sinograms",
        )
    if method not in METHODS:
        raise BadInput(f"there is no method {method!r}", field="rings", remedy=f"choose one of {', '.join(METHODS)}")
    for name, columns in (("width", width), ("large_width", large_width)):
        if columns < 1 or columns % 2 == 0:
            raise BadInput(f"{columns} is not an odd number of columns", field=name)
    for name, value, least in (
        ("levels", levels, 1),
        ("order", order, 1),
        ("blocks", blocks, 1),
        ("extent", extent, 2),
        ("sigma", sigma, 0.1),
        ("detection_ratio", detection_ratio, 0),
        ("dropped", dropped, 0),
    ):
        if value < least:
            raise BadInput(f"{value} is less than {least}", field=name)
    if order >= stack.shape[2]:
        raise BadInput(f"{order} is not below the {stack.shape[2]} columns", field="order")
    if dropped > 0.9:
        raise BadInput(f"{dropped} leaves too little of a column", field="dropped", remedy="give at most 0.9")
    if out is None:
        out = np.empty(stack.shape, np.float32)
    elif out.shape != stack.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise BadInput(f"expected a contiguous float32 array of shape {stack.shape}", field="out")
    if out is not sinograms:
        out[:] = stack
    if method == "fourier-wavelet":
        bands = min(levels, fourier_wavelet.most_levels(*stack.shape[1:]))
        filters = fourier_wavelet.filters(*stack.shape[1:], wavelet=wavelet, levels=bands, sigma=sigma)
    for sinogram in out:
        if guard and method in ("fourier-wavelet", "titarenko"):
            mend(sinogram)
        match method:
            case "fourier-wavelet":
                fourier_wavelet.remove(sinogram, filters, guarded=guard)
            case "titarenko":
                titarenko.remove(sinogram, order=order, extent=extent, blocks=blocks, guarded=guard)
            case "sorting":
                sorting.remove(sinogram, width=width, guarded=guard)
            case "all":
                all_stripes.remove(
                    sinogram,
                    width=width,
                    large_width=large_width,
                    detection_ratio=detection_ratio,
                    dropped=dropped,
                    guarded=guard,
                )
    return out


def warm(method: RingMethod) -> None:
    """Compile what a method needs."""
    remove_rings(np.random.default_rng(0).random((1, 32, 32), np.float32), method)


def working_bytes(method: RingMethod, angles: int, columns: int) -> int:
    """Return the bytes that one thread needs to remove rings in place, beside the sinograms, with the defaults.

    It does not depend on how many sinograms there are.
    """
    match method:
        case "fourier-wavelet":
            bands = min(LEVELS, fourier_wavelet.most_levels(angles, columns))
            return fourier_wavelet.scratch_bytes(angles, columns, bands, SIGMA) + 16 * angles * columns
        case "titarenko":
            return titarenko.scratch_bytes(angles, columns)
        case "sorting":
            return sorting.scratch_bytes(angles, columns)
        case "all":
            return all_stripes.scratch_bytes(angles, columns)
    raise BadInput(f"there is no method {method!r}", field="rings", remedy=f"choose one of {', '.join(METHODS)}")


def seconds_per_value(method: RingMethod) -> float:
    """Return about how long a value of a sinogram takes a core, in seconds, to plan with."""
    return {"fourier-wavelet": 3e-8, "titarenko": 1.5e-8, "sorting": 3e-8, "all": 5e-8}[method]
