"""What a geometry needs: lengths of its transforms, bytes of its buffers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.tomography.fourier import lanes, spreading

BATCH = lanes.CELL
"""Slices that are reconstructed together; fewer take the same time and memory."""

OVERSAMPLING = 1.25
"""Cells of the grid per pixel of the image."""


@dataclass
class Workspace:
    """The buffers of one thread at work."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    spectra: NDArray[np.float32]
    grid: NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """Lengths of the transforms of a geometry: the filter's, a spectrum's, the grid's along one axis."""

    filter: int
    spectrum: int
    grid: int

    @classmethod
    def of(cls, width: int) -> Sizes:
        """Return the lengths for sinograms of so many columns."""
        return cls(*map(lanes.good_length, (2 * width, width, ceil(OVERSAMPLING * width))))

    @property
    def buffer(self) -> int:
        """Numbers in a line's buffer, of which a thread has two."""
        return (max(self.filter, self.spectrum, 2 * self.grid) + 8) * BATCH

    def workspace_bytes(self, angles: int) -> int:
        """Return the bytes of one thread's `Workspace`."""
        return 4 * (2 * self.buffer + angles * self.spectrum * BATCH + spreading.grid_size(self.grid))

    def geometry_bytes(self, angles: int) -> int:
        """Return the bytes of the tables that all threads share."""
        return angles * self.spectrum * (4 + 4 + 4 * 2 * spreading.TAPS + 8)


def working_bytes(width: int, angles: int, slices: int = BATCH, *, centre: float | None = None) -> int:
    """Return the bytes that one thread needs beside the geometry to reconstruct `slices` slices in one call.

    Counted are the thread's work buffers, which every call uses again, the sinograms and the result. The buffers
    depend neither on the number of slices nor on the centre (taken so that a geometry can be passed as it is).
    """
    del centre
    return Sizes.of(width).workspace_bytes(angles) + 4 * slices * width * (angles + width)


def geometry_bytes(width: int, angles: int, *, centre: float | None = None) -> int:
    """Return the bytes of a `FourierReconstruction` that all threads share; the centre does not matter."""
    del centre
    return Sizes.of(width).geometry_bytes(angles)
