"""Full-field tomography: from raw projections to slices, as functions on arrays and as a pipeline.

>>> from pancommons.techniques.tomography import find_centre, reconstruct, remove_rings  # doctest: +SKIP
>>> sinograms = remove_rings(sinograms, "fourier-wavelet")  # doctest: +SKIP
>>> centre = find_centre(sinograms, angles)  # doctest: +SKIP
>>> slices = reconstruct(sinograms, angles, centre=centre.value, threads=2)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pancommons.techniques.tomography.correction.attenuation import attenuation, flat_field
    from pancommons.techniques.tomography.correction.frames import transmission, without_zingers
    from pancommons.techniques.tomography.fourier import FourierReconstruction, reconstruct
    from pancommons.techniques.tomography.geometry.axis import Axis, find_axis, find_overlap
    from pancommons.techniques.tomography.geometry.centre import Centre, find_centre
    from pancommons.techniques.tomography.geometry.stitching import aligned, levelled, stitched
    from pancommons.techniques.tomography.iterative import Iterated, IterativeReconstruction, reconstruct_iteratively
    from pancommons.techniques.tomography.phase import paganin
    from pancommons.techniques.tomography.quality.resolution import Resolution, fourier_correlation
    from pancommons.techniques.tomography.reading.opening import open_scan
    from pancommons.techniques.tomography.reading.scan import Scan
    from pancommons.techniques.tomography.rings import remove_rings

_PLACES = {
    "Axis": "geometry.axis",
    "Centre": "geometry.centre",
    "FourierReconstruction": "fourier",
    "Iterated": "iterative",
    "IterativeReconstruction": "iterative",
    "Resolution": "quality.resolution",
    "Scan": "reading.scan",
    "aligned": "geometry.stitching",
    "attenuation": "correction.attenuation",
    "find_axis": "geometry.axis",
    "find_centre": "geometry.centre",
    "find_overlap": "geometry.axis",
    "flat_field": "correction.attenuation",
    "fourier_correlation": "quality.resolution",
    "levelled": "geometry.stitching",
    "open_scan": "reading.opening",
    "paganin": "phase",
    "reconstruct": "fourier",
    "reconstruct_iteratively": "iterative",
    "remove_rings": "rings",
    "stitched": "geometry.stitching",
    "transmission": "correction.frames",
    "without_zingers": "correction.frames",
}

__all__ = [
    "Axis",
    "Centre",
    "FourierReconstruction",
    "Iterated",
    "IterativeReconstruction",
    "Resolution",
    "Scan",
    "aligned",
    "attenuation",
    "find_axis",
    "find_centre",
    "find_overlap",
    "flat_field",
    "fourier_correlation",
    "levelled",
    "open_scan",
    "paganin",
    "reconstruct",
    "reconstruct_iteratively",
    "remove_rings",
    "stitched",
    "transmission",
    "without_zingers",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is asked for: the declaration beside it must not pay for kernels."""
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
