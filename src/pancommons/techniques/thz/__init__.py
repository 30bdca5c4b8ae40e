"""THz pump-probe, pulse by pulse: from spectra and traces to a trace over time, as functions and as a pipeline.

>>> from pancommons.techniques.thz import arrivals, band_pass, open_measurement  # doctest: +SKIP
>>> run = open_measurement("038_0p7THz_LSCO_2mmZnTe_31K_13.06.2018_0535_02")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pancommons.techniques.thz.archive import save_measurement
    from pancommons.techniques.thz.arrival import Arrivals, BandPass, arrivals, band_pass
    from pancommons.techniques.thz.fourier import Spectrum, spectrum
    from pancommons.techniques.thz.measurement import Measurement
    from pancommons.techniques.thz.read import open_measurement, samples_of
    from pancommons.techniques.thz.signal import signals, without_outliers
    from pancommons.techniques.thz.sums import Binned, Sums, add_pulses, bin_sums, empty_sums

_PLACES = {
    "Arrivals": "arrival",
    "BandPass": "arrival",
    "Binned": "sums",
    "Measurement": "measurement",
    "Spectrum": "fourier",
    "Sums": "sums",
    "add_pulses": "sums",
    "arrivals": "arrival",
    "band_pass": "arrival",
    "bin_sums": "sums",
    "empty_sums": "sums",
    "open_measurement": "read",
    "samples_of": "read",
    "save_measurement": "archive",
    "signals": "signal",
    "spectrum": "fourier",
    "without_outliers": "signal",
}

__all__ = [
    "Arrivals",
    "BandPass",
    "Binned",
    "Measurement",
    "Spectrum",
    "Sums",
    "add_pulses",
    "arrivals",
    "band_pass",
    "bin_sums",
    "empty_sums",
    "open_measurement",
    "samples_of",
    "save_measurement",
    "signals",
    "spectrum",
    "without_outliers",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is asked for: the declaration beside it must not pay for kernels."""
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
