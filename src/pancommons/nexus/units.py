"""Units as files spell them, understood through pint; the spelling itself is kept by whoever asks."""

from __future__ import annotations

import os
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.home import home

# Whole texts that pint reads otherwise than the people who wrote them, compared without regard to case.
_ALIASES = {
    "": "", "none": "", "arbitrary": "", "a.u.": "", "au": "", "arb. units": "", "arbitrary units": "",
    "dimensionless": "", "unitless": "", "nx_dimensionless": "", "nx_unitless": "", "nx_any": "",
    "ang": "angstrom", "ang.": "angstrom", "nx_wavelength": "angstrom", "nx_wavenumber": "1/angstrom",
    "nx_angle": "degree", "nx_length": "m", "nx_time": "s", "nx_temperature": "K", "nx_energy": "eV",
    "nx_current": "ampere", "nx_voltage": "V", "nx_frequency": "Hz", "nx_counts": "count",
    "nx_time_of_flight": "microsecond", "nx_pressure": "Pa", "nx_flux": "1/s/cm^2",
    "celsius": "degC", "°c": "degC", "deg c": "degC", "degc": "degC", "kelvin": "K", "deg k": "K",
    "seconds since 1970": "s",
}  # fmt: skip

# Words inside a text, in any case; the rest of the text is left to pint, where case matters.
_WORDS = {
    "angstrom": "angstrom", "kev": "keV", "mev": "MeV", "gev": "GeV", "ev": "eV",
    "angstroms": "angstrom", "ang": "angstrom",
    "cts": "count", "ct": "count", "counts": "count", "photons": "count", "photon": "count", "ph": "count",
    "pixels": "pixel", "px": "pixel", "microns": "micrometer", "micron": "micrometer", "degs": "degree",
    "sec": "second", "secs": "second", "hz": "Hz", "khz": "kHz", "mhz": "MHz", "um": "um", "nm": "nm",
    "mm": "mm", "cm": "cm", "steradian": "steradian", "frames": "count",
}  # fmt: skip
_MILLI_BY_CASE = {"meV": "meV", "mHz": "mHz", "Mm": "Mm"}

# A file is not to be trusted with arithmetic: 9**9**9 would never end. Powers are small and not of brackets.
_LONGEST = 64
_POWER = re.compile(r"(?:\*\*|\^)\s*\(?[-+]?\d{1,2}(?:[./]\d{1,2})?\)?(?!\s*(?:\*\*|\^|\d))")
_POWER_OF_BRACKETS = re.compile(r"\)\s*(?:\*\*|\^)")

# A lone letter that stands for two things: what the field's own dimension asks for decides.
_SECOND_MEANING = {"A": "ampere", "C": "degC", "c": "degC", "F": "degF"}


@cache
def _registry() -> Any:
    import pint

    kept = _kept()
    try:
        return pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=kept)
    except (EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, ValueError, OSError):
        if kept is None:
            raise
        for half in kept.iterdir():  # another process writes it just now, or was killed when it did
            half.unlink(missing_ok=True)
        return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _kept() -> Path | None:
    """Return where the parsed definitions of units are kept between processes, if anything can be kept."""
    folder = home() / "pint"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@cache
def parse(text: str) -> Any | None:
    """Read a unit text as a pint quantity, 1 for ``mm``, 1e-6 for ``1e-6 m``; None where it means nothing.

    Accepted beside pint's own: KeV, Angstrom and A (whose first meaning is the ångström, as in 1/A), micro,
    degree and ångström signs, ``nm-1``, counts, NeXus categories such as NX_ANGLE with the unit that NeXus
    prefers, and "" or "arbitrary" for a plain number.
    """
    spelled = text.strip()
    alias = _ALIASES.get(spelled.lower())
    return _pint(alias if alias is not None else _respell(spelled))


def _harmless(text: str) -> bool:
    powers = re.findall(r"\*\*|\^", text)
    small = len(powers) == len(_POWER.findall(text)) and not _POWER_OF_BRACKETS.search(text)
    return small and len(text) <= _LONGEST


def _respell(text: str) -> str:
    for sign, word in (("\u00b5", "u"), ("\u03bc", "u"), ("\u00c5", "angstrom"), ("\u212b", "angstrom")):
        text = text.replace(sign, word)
    text = text.replace("°", "degree").replace("\u00b7", "*").replace("\u207b\u00b9", "^-1").replace("\u00b2", "^2")
    text = re.sub(r"(?<![A-Za-z])A(?![A-Za-z])", "angstrom", text)
    text = re.sub(r"[A-Za-z]+", lambda match: _word(match[0]), text)
    return re.sub(r"(?<![\d.A-Za-z])([A-Za-z]+)(-?\d)", r"\1^\2", text)


def _word(word: str) -> str:
    return _MILLI_BY_CASE.get(word) or _WORDS.get(word.lower(), word)


def _pint(text: str) -> Any | None:
    if not _harmless(text):
        return None
    registry = _registry()
    try:
        quantity = registry.Quantity(1.0, registry.Unit(text)) if text else registry.Quantity(1.0, "")
    except Exception:
        try:
            quantity = registry.Quantity(text)
        except Exception:  # pint, its tokenizer and its arithmetic raise many kinds, all meaning "no unit"
            return None
    try:
        return quantity if np.isfinite(float(quantity.magnitude)) else None
    except (TypeError, ValueError, OverflowError):
        return None


@overload
def convert(value: float, unit: str, to: str) -> float | None: ...
@overload
def convert(value: ArrayLike, unit: str, to: str) -> NDArray[np.float64] | float | None: ...
def convert(value: ArrayLike, unit: str, to: str) -> NDArray[np.float64] | float | None:
    """Convert numbers from one unit text to another.

    Parameters
    ----------
    value
        A number or an array of numbers.
    unit, to
        Unit texts as `parse` accepts them.

    Returns
    -------
    float or float64 array of the same shape; None where a text is unknown or the two differ in dimension.
    """
    number = np.asarray(value, dtype=np.float64)
    for source in _meanings(unit):
        for target in _meanings(to):
            if source.is_compatible_with(target.units):
                scaled = _registry().Quantity(number * float(source.magnitude), source.units).to(target.units)
                result = np.asarray(scaled.magnitude, dtype=np.float64) / float(target.magnitude)
                return float(result) if result.ndim == 0 else result
    return None


def _meanings(unit: str) -> list[Any]:
    second = _SECOND_MEANING.get(unit.strip())
    return [meaning for meaning in (parse(unit), _pint(second) if second else None) if meaning is not None]


def compatible(unit: str, to: str) -> bool:
    """Say whether `convert` can go from one unit text to the other."""
    return convert(1.0, unit, to) is not None
