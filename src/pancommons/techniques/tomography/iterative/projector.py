"""The model of a scan: projections of a slice, and their transpose, the unfiltered back-projection.

The slice is the band-limited function through its pixels' values, and so is each projection through its columns: a
pixel projects to a sinc one column wide, centred where the pixel's centre projects to. In Fourier space a projection is
the slice's spectrum along a ray, up to the detector's Nyquist frequency. The blur of the detector's pixels is not
undone; the slice shows it as a filtered back-projection does.

The detector is continued by columns that see nothing, to `ring` columns in all, and closed to a ring, so that a slice
within the field of view projects onto it without a loss. Conventions are those of
`pancommons.techniques.tomography.fourier.reconstruction`.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from pancommons.techniques.tomography.fourier.lanes import good_length
from pancommons.techniques.tomography.geometry.angles import checked_angles
from pancommons.techniques.tomography.iterative import nonuniform


def ring_length(width: int) -> int:
    """Return the columns of the closed detector."""
    return good_length(2 * width)


class Projector:
    """Projects slices of one geometry, and back; threads may share it.

    Parameters
    ----------
    angles
        float [angle], radians; any set of them.
    width
        Columns of the detector; rows and columns of a slice.
    centre
        Column of the rotation axis, in pixels; by default (width - 1) / 2.
    """

    def __init__(self, angles: ArrayLike, width: int, *, centre: float | None = None) -> None:
        self.angles, self.width = checked_angles(angles), width
        self.centre = (width - 1) / 2 if centre is None else float(centre)
        self.ring = ring_length(width)
        self._side = nonuniform.grid_side(width)
        self._beta = nonuniform.shape(width, self._side)
        pixels = np.arange(width) - width // 2
        self._factors = nonuniform.correction(pixels, width, self._side).astype(np.float32)
        self._cosines, self._sines = np.cos(self.angles), np.sin(self.angles)
        frequency = 2 * np.pi * np.arange(self.ring // 2) / self.ring  # the Nyquist frequency itself has no partner
        half = 0.5 if width % 2 == 0 else 0.0
        shift = self.centre + half * (self._cosines - self._sines)
        self._phases = np.exp(1j * shift[:, None] * frequency).astype(np.complex64)
        self._parts = np.full(frequency.size, 2 / self.ring, np.float32)
        self._parts[0] = 1 / self.ring

    def project(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the projections of a slice (float32 [y, x], 1 / pixel): float32 [angle, column], line integrals."""
        return self.project_on_ring(image)[:, : self.width]

    def project_on_ring(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the projections on the whole closed detector: float32 [angle, column of `ring`]."""
        width, side = self.width, self._side
        grid = np.zeros((side, side), np.complex64)
        grid[:width, :width] = image * self._factors[:, None] * self._factors
        grid = np.roll(grid, (-(width // 2), -(width // 2)), (0, 1))
        spectrum = scipy.fft.fft2(grid, overwrite_x=True)
        rays = np.empty(self._phases.shape, np.complex64)
        nonuniform.gather(spectrum, self._cosines, self._sines, side / self.ring, self._beta, rays)
        rays *= np.conj(self._phases)
        return np.asarray(scipy.fft.irfft(rays, self.ring, axis=1), np.float32)

    def back_project(self, sinogram: NDArray[np.float32], shift: float = 0.0) -> NDArray[np.float32]:
        """Return the transpose: float32 [angle, column], fewer columns than `ring`, to float32 [y, x].

        `shift` is how far right of `centre` the axis lies, in pixels.
        """
        width, side = self.width, self._side
        rays = scipy.fft.rfft(sinogram, self.ring, axis=1)[:, : self.ring // 2]
        rays *= self._phases
        rays *= self._parts * np.exp(2j * np.pi * shift / self.ring * np.arange(self.ring // 2)).astype(np.complex64)
        grid = np.empty((side, side), np.complex64)
        nonuniform.spread(rays, self._cosines, self._sines, side / self.ring, self._beta, grid)
        pixels = (np.arange(width) - width // 2) % side
        lines = scipy.fft.ifft(grid, axis=1, norm="forward", overwrite_x=True)[:, pixels]
        image = scipy.fft.ifft(lines, axis=0, norm="forward", overwrite_x=True)[pixels].real
        image *= self._factors[:, None] * self._factors
        return np.ascontiguousarray(image)

    @staticmethod
    def bytes_of(width: int, angles: int) -> tuple[int, int]:
        """Return the bytes that are held, and the bytes that a back-projection takes beside."""
        held = angles * (ring_length(width) // 2) * 8
        side = nonuniform.grid_side(width)
        return held, 2 * held + 8 * angles + 8 * side * (side + 2 * width) + 16 * width * width
