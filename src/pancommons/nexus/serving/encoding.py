"""Values as bytes to be sent: JSON, raw, NPY, CSV, TIFF."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import tifffile
from numpy.typing import NDArray

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.text import sendable

FORMATS = ("json", "bin", "npy", "csv", "tiff")
_CSV_BYTES = 25
_RAW = "application/octet-stream"


def as_json(told: Any) -> bytes:
    """Write what was told as JSON; numbers that are not finite become null."""
    return orjson.dumps(sendable(told) if not isinstance(told, dict) else told, option=orjson.OPT_SERIALIZE_NUMPY)


def safe(value: Any) -> Any:
    """Return numbers in a type that JavaScript has an array for: little-endian, floats of 32 or 64 bits.

    Raises
    ------
    Refused
        422 for what are no numbers.
    """
    if not _numeric(value):
        raise Refused(422, "dtype=safe is for numbers only")
    dtype = value.dtype
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        dtype = np.dtype("<f4" if dtype.itemsize < 4 else "<f8")
    elif dtype.kind == "c" and dtype.itemsize > 16:
        dtype = np.dtype("<c16")
    return value.astype(dtype.newbyteorder("<"), copy=False)


def encode(value: Any, form: str, budget: Budget) -> tuple[bytes, dict[str, str]]:
    """Write values in a format; return the bytes and the headers that go with them.

    Raises
    ------
    Refused
        413 if they would be too large, 422 if the format is unknown or not for such values.
    """
    if form not in FORMATS:
        raise Refused(422, f"format: expected one of {', '.join(FORMATS)}")
    if form == "json":
        if isinstance(value, np.ndarray) and value.size > budget.elements:
            raise Refused(413, f"{value.size} values are too many for JSON; ask with format=bin, or for a part")
        return as_json(value), {"Content-Type": "application/json"}
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise Refused(422, f"format={form} is not for text of any length, lists or references; ask with format=json")
    if form == "bin":
        return array.tobytes(), {"Content-Type": _RAW}
    if not _numeric(array):
        raise Refused(422, f"format={form} is for numbers only")
    if form == "npy":
        return _written(lambda file: np.save(file, array)), _download(_RAW, form)
    if array.ndim == 0:
        raise Refused(422, f"format={form} is not for single values")
    if form == "csv":
        return _csv(array, budget), _download("text/csv", form)
    return _tiff(array), _download("image/tiff", form)


def _csv(array: NDArray[Any], budget: Budget) -> bytes:
    if array.ndim > 2:
        raise Refused(422, "format=csv is for one or two axes; name indices of the others in selection")
    if array.size * _CSV_BYTES > budget.answer_bytes:
        raise Refused(413, f"{array.size} values are too many for CSV; ask with format=npy, or for a part")
    return _written(lambda file: np.savetxt(file, array, delimiter=","))


def _tiff(array: NDArray[Any]) -> bytes:
    try:
        return _written(lambda file: tifffile.imwrite(file, array, photometric="minisblack"))
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError):
        raise Refused(422, f"format=tiff is not for values of shape {array.shape} and type {array.dtype}") from None


def _written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _download(media_type: str, form: str) -> dict[str, str]:
    return {"Content-Type": media_type, "Content-Disposition": f'attachment; filename="data.{form}"'}


def _numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc"
