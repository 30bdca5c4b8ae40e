"""ISIS RAW files, format version 2: binary, VAX numbers, each spectrum compressed as differences in bytes.

Nine sections follow a header of 80 bytes; their addresses are in words of four bytes from 1. Integers are
little-endian, floats those of the VAX. A spectrum's counts are written as differences from bin to bin, a byte each; the
byte -128 says that the next four hold a value in full. Bin 0 of every spectrum counts what came before the first time
and is dropped.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.run import Run, SampleShape

_SECTIONS = ("run", "instrument", "sample", "dae", "times", "user", "data", "log", "end")
_PROTON_CHARGE = 7
_CLOCK = 32.0
"""Ticks of the time channels in a us."""


def looks_like_raw(start: bytes) -> bool:
    """Say whether a file that begins so is an ISIS RAW file."""
    return len(start) >= 84 and not start.startswith(b"\x89HDF") and start[80:84] == b"\x02\x00\x00\x00"


def vax_floats(words: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return VAX F floats, given as 32-bit words, as float64.

    >>> vax_floats(np.array([0x00004080], np.int32))
    array([1.])
    """
    bits = np.ascontiguousarray(words, "<i4").view("<u4")
    swapped = ((bits & 0xFFFF) << 16) | (bits >> 16)
    values = swapped.astype("<u4").view("<f4").astype(np.float64) / 4
    return np.where((swapped & 0x7F800000) == 0, 0.0, values)


def read_raw(path: Path) -> Run:
    """Read a run in an ISIS RAW file.

    Raises
    ------
    BadInput
        If it is cut short or not of this format.
    """
    try:
        return _read(path)
    except (ValueError, IndexError, OverflowError):
        raise BadInput("is cut short or no ISIS RAW file", file=path, remedy="copy it again from its source") from None


def _read(path: Path) -> Run:
    content = path.read_bytes()

    def words(place: int, count: int = 1) -> NDArray[np.int32]:
        return np.frombuffer(content, "<i4", int(count), int(place))

    at = {name: (int(word) - 1) * 4 for name, word in zip(_SECTIONS, words(84, 9), strict=True)}
    instrument = content[at["instrument"] + 4 : at["instrument"] + 12].decode("latin-1").strip()
    detectors, monitors, _ = (int(word) for word in words(at["instrument"] + 268, 3))
    tables = at["instrument"] + 280
    monitor_detectors = words(tables, monitors)
    spectrum_of = words(tables + 8 * monitors, detectors)
    shape = words(at["sample"] + 4, 64)
    thickness, height, width = (float(size) for size in vax_floats(shape[3:6]))
    _, _, periods = (int(word) for word in words(at["times"] + 4, 3))
    channels = at["times"] + 16 + 1024
    spectra, bins = (int(word) for word in words(channels, 2))
    prescale = int(words(channels + 108)[0])
    ticks = words(channels + 112, bins + 1)
    delay = 4.0 * int(words(at["dae"] + 4, 64)[23])
    counts = _decompressed(content, at["data"], spectra, bins, periods, words)
    spectrum_numbers = sorted({int(spectrum_of[number - 1]) for number in monitor_detectors})
    is_monitor = np.isin(np.arange(spectra + 1), spectrum_numbers)
    is_monitor[0] = True
    numbers = np.flatnonzero(~is_monitor)
    detectors_counts = np.ascontiguousarray(counts[:, numbers], np.int32)
    detectors_counts.flags.writeable = False
    return Run(
        path=path,
        entry="",
        instrument=instrument,
        number=int(words(at["run"] + 4)[0]),
        title=content[at["run"] + 8 : at["run"] + 88].decode("latin-1").strip(),
        start=_date(content[52:72].decode("latin-1")),
        edges=ticks / _CLOCK * prescale + delay,
        periods=periods,
        monitors={number: counts[:, number].astype(np.float64) for number in spectrum_numbers},
        spectra=numbers.astype(np.int64),
        read=_Kept(detectors_counts),
        shape=SampleShape(int(shape[2]), thickness, height, width),
        charge=float(vax_floats(words(at["run"] + 248, 32))[_PROTON_CHARGE]) or None,
    )


def _decompressed(
    content: bytes, section: int, spectra: int, bins: int, periods: int, words: object
) -> NDArray[np.int32]:
    """Return int32 [period, spectrum, time]; spectrum 0, which no file numbers, included."""
    compressed, _, offset = (int(word) for word in np.frombuffer(content, "<i4", 3, section + 4))
    total = (spectra + 1) * periods
    bytes_ = np.frombuffer(content, np.uint8)
    out = np.zeros((total, bins + 1), np.int32)
    if compressed == 0:
        plain = np.frombuffer(content, "<i4", total * (bins + 1), section + 4 * offset)
        out[:] = plain.reshape(out.shape)
    else:
        pairs = np.frombuffer(content, "<i4", 2 * total, section + 4 * offset).reshape(-1, 2).astype(np.int64)
        starts = section + 4 * pairs[:, 1]
        if not _undo_differences(bytes_, starts, starts + 4 * pairs[:, 0], out):
            raise ValueError("a spectrum ends early")
    return out.reshape(periods, spectra + 1, bins + 1)[:, :, 1:]


@njit(cache=True, nogil=True)
def _undo_differences(
    content: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64], out: NDArray[np.int32]
) -> bool:
    """Fill int32 [spectrum, bin]; False if a spectrum's bytes end before its bins."""
    for spectrum in range(out.shape[0]):
        place, value = starts[spectrum], np.int64(0)
        stop = min(stops[spectrum], content.size)
        for bin_ in range(out.shape[1]):
            if place >= stop:
                return False
            step = np.int64(content[place])
            place += 1
            if step == 128:
                if place + 4 > stop:
                    return False
                value = np.int64(0)
                for byte in range(4):
                    value |= np.int64(content[place + byte]) << (8 * byte)
                if value >= 1 << 31:
                    value -= 1 << 32
                place += 4
            else:
                value += step - 256 if step > 128 else step
            out[spectrum, bin_] = value
    return True


def _date(text: str) -> str | None:
    """Return ``11-NOV-2009 12:13:14`` in ISO 8601, or None where there is no date."""
    words = text.split()
    try:
        return datetime.strptime(" ".join(words[:2]).title(), "%d-%b-%Y %H:%M:%S").isoformat()
    except (ValueError, IndexError):
        return None


class _Kept:
    """Counts that are in memory already, int32 [period, spectrum, time]."""

    def __init__(self, counts: NDArray[np.int32]) -> None:
        self._counts = counts

    def __call__(self, period: int) -> NDArray[np.int32]:
        counts: NDArray[np.int32] = self._counts[period]
        return counts
