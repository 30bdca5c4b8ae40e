"""Full-field tomography: from raw projections to slices, as functions on arrays and as a pipeline.

>>> from pancommons.techniques.tomography import find_centre, reconstruct  # doctest: +SKIP
>>> centre = find_centre(sinograms, angles)  # doctest: +SKIP
>>> slices = reconstruct(sinograms, angles, centre=centre.value, threads=2)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pancommons.techniques.tomography.axis import Axis, find_axis, find_overlap
    from pancommons.techniques.tomography.centre import Centre, find_centre
    from pancommons.techniques.tomography.correct import attenuation, flat_field
    from pancommons.techniques.tomography.fourier import FourierReconstruction, reconstruct
    from pancommons.techniques.tomography.frames import transmission, without_zingers
    from pancommons.techniques.tomography.geometry import stitched
    from pancommons.techniques.tomography.phase import paganin
    from pancommons.techniques.tomography.read import Scan, open_scan

_PLACES = {
    "without_zingers": "frames",
    "transmission": "frames",
    "stitched": "geometry",
    "paganin": "phase",
    "find_overlap": "axis",
    "find_axis": "axis",
    "Axis": "axis",
    "Centre": "centre",
    "FourierReconstruction": "fourier",
    "Scan": "read",
    "attenuation": "correct",
    "find_centre": "centre",
    "flat_field": "correct",
    "open_scan": "read",
    "reconstruct": "fourier",
}

__all__ = [
    "Axis",
    "Centre",
    "FourierReconstruction",
    "Scan",
    "attenuation",
    "find_axis",
    "find_centre",
    "find_overlap",
    "flat_field",
    "open_scan",
    "paganin",
    "reconstruct",
    "stitched",
    "transmission",
    "without_zingers",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is asked for: the declaration beside it must not pay for kernels."""
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
