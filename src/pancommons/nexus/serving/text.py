"""Text out of a file that can be sent: UTF-8, whatever bytes it was."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np


def plain(text: str | bytes) -> str:
    """Return text, with a replacement character for every byte that is no UTF-8."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    return raw.decode("utf-8", "replace")


def sendable(value: Any) -> Any:
    """Return a value of a dataset or an attribute as what JSON knows.

    Bytes become text, complex numbers pairs, references their description, an empty value null.
    """
    if value is None or isinstance(value, h5py.Empty):
        return None
    if isinstance(value, str | bytes):
        return plain(value)
    if isinstance(value, np.ndarray):
        return value if _native(value.dtype) else sendable(value.tolist())
    if isinstance(value, np.generic):
        if value.dtype.kind == "f" and value.dtype.itemsize > 8:
            return float(value)
        return value if _native(value.dtype) else sendable(value.item())
    if isinstance(value, list | tuple):
        return [sendable(item) for item in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, bool | int | float):
        return value
    return plain(str(value))


def _native(dtype: np.dtype[Any]) -> bool:
    """Say whether the encoder takes arrays of a type as they are."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype.isnative
