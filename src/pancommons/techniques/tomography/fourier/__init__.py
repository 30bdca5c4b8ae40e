"""Filtered back-projection in Fourier space: the reconstruction, and the kernels it is made of."""

from __future__ import annotations

from pancommons.techniques.tomography.fourier.reconstruction import (
    FourierReconstruction,
    Region,
    fitting,
    reconstruct,
    refuse_values,
)
from pancommons.techniques.tomography.fourier.sizes import BATCH, geometry_bytes, working_bytes

__all__ = [
    "BATCH",
    "FourierReconstruction",
    "Region",
    "fitting",
    "geometry_bytes",
    "reconstruct",
    "refuse_values",
    "working_bytes",
]
