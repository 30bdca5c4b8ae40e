"""Whether values are what a definition says: the type, the allowed values, the date; reading little of a file."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import h5py
import numpy as np

from pancommons.nexus import units
from pancommons.nexus.read import attribute
from pancommons.nexus.text import as_texts
from pancommons.nexus.validation.findings import Severity
from pancommons.nexus.validation.nxdl import Enumeration

MOST_VALUES = 4096
MOST_BYTES = 1 << 20
_LARGEST_CHUNK = 64 << 20

Problem = tuple[Severity, str]

_TYPES = {
    "NX_CHAR": "text", "NX_DATE_TIME": "date", "ISO8601": "date", "NX_FLOAT": "float", "NX_INT": "integer",
    "NX_UINT": "unsigned", "NX_POSINT": "positive", "NX_NUMBER": "number", "NX_BOOLEAN": "boolean",
    "NX_COMPLEX": "complex", "NX_CCOMPLEX": "complex", "NX_PCOMPLEX": "complex", "NX_QUATERNION": "float",
    "NX_CHAR_OR_NUMBER": "text or number",
}  # fmt: skip
_GOOD_KINDS = {
    "text": "t", "date": "t", "float": "f", "integer": "iu", "unsigned": "iu", "positive": "iu", "number": "iufc",
    "boolean": "biut", "complex": "cVf", "text or number": "tiufcb",
}  # fmt: skip
_DOUBTFUL_KINDS = {"float": "iub", "integer": "b", "unsigned": "b", "positive": "b", "number": "b"}
_KIND_NAMES = {
    "t": "text", "i": "integers", "u": "integers", "f": "floating-point numbers", "b": "true or false",
    "c": "complex numbers", "V": "records", "O": "references or lists",
}  # fmt: skip
_TRUTHS = frozenset({"true", "false", "1", "0"})


def small_value(dataset: h5py.Dataset) -> Any | None:
    """Return the value of a dataset, or None where it is not small, is stored elsewhere or cannot be read."""
    try:
        if dataset.shape is None or dataset.size > MOST_VALUES or dataset.nbytes > MOST_BYTES or dataset.external:
            return None
        if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _LARGEST_CHUNK:
            return None
        return None if dataset.is_virtual else dataset[()]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError):
        return None


def small_attribute(thing: h5py.Group | h5py.Dataset, name: str) -> Any | None:
    """Return the value of an attribute, or None where it is absent, not small, or cannot be read."""
    try:
        if h5py.h5a.open(thing.id, name.encode("utf-8", "surrogateescape")).get_storage_size() > MOST_BYTES:
            return None
    except (OSError, RuntimeError, ValueError, KeyError):
        return None
    return attribute(thing, name)


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return the kind letter of a type, "t" for text of any sort."""
    if dtype.kind in "SU" or h5py.check_string_dtype(dtype) is not None:
        return "t"
    enumerated = h5py.check_enum_dtype(dtype)
    if enumerated is not None and {str(name).upper() for name in enumerated} == {"TRUE", "FALSE"}:
        return "b"
    return dtype.kind


def kind_of_value(value: Any) -> str:
    """Return the kind letter of an attribute's value."""
    if isinstance(value, str | bytes):
        return "t"
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return "t" if all(isinstance(item, str | bytes) for item in array.ravel().tolist()) else "O"
    return kind_of(array.dtype)


def type_problem(nx_type: str, kind: str, value: Any | None) -> Problem | None:
    """Compare what is stored with a type of NeXus.

    Parameters
    ----------
    nx_type
        NX_FLOAT and the like; an unknown one takes anything.
    kind
        As `kind_of` gives it.
    value
        The value where it is small, for types that narrow it; None leaves that out.
    """
    wanted = _TYPES.get(nx_type)
    if wanted is None:
        return None
    if kind in _DOUBTFUL_KINDS.get(wanted, ""):
        return ("warning", f"holds {_KIND_NAMES.get(kind, kind)}, where {nx_type} is expected")
    if kind not in _GOOD_KINDS[wanted]:
        return ("error", f"holds {_KIND_NAMES.get(kind, kind)}, where {nx_type} is expected")
    return None if value is None else _narrow(nx_type, wanted, kind, value)


def _narrow(nx_type: str, wanted: str, kind: str, value: Any) -> Problem | None:
    if wanted == "date":
        return next((problem for text in as_texts(value) if (problem := _date_problem(text))), None)
    if wanted == "boolean" and kind == "t":
        wrong = next((text for text in as_texts(value) if text.lower() not in _TRUTHS), None)
        return ("warning", "holds text, where true or false is expected") if wrong is None else (
            "error", f"holds {wrong!r}, where true or false is expected"
        )  # fmt: skip
    least = {"unsigned": 0, "positive": 1, "boolean": 0}.get(wanted)
    if least is None or kind not in "iu" or not np.size(value):
        return None
    low, high = int(np.min(value)), int(np.max(value))
    if low < least or (wanted == "boolean" and high > 1):
        return ("error", f"holds {low if low < least else high}, which is no {nx_type}")
    return None


def _date_problem(text: str) -> Problem | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ("error", f"holds {text[:60]!r}, where a date and time in ISO 8601 is expected")
    if moment.tzinfo is None:
        return ("info", "states no time zone")
    return None


def enumeration_problem(allowed: Enumeration, value: Any, *, is_unit: bool = False) -> Problem | None:
    """Compare a value with those allowed; spelling in other letters, or another spelling of a unit, is doubtful."""
    lists = [_words(item) for item in allowed.items if item.startswith("[")]
    if any(_same(as_texts(value), words) for words in lists):
        return None
    for text in as_texts(value):
        if text in allowed.items or _is_number_in(text, allowed.items):
            continue
        some = ", ".join(allowed.items[:8]) + (", ..." if len(allowed.items) > 8 else "")
        said = f"holds {text[:60]!r}, where one of these is expected: {some}"
        if allowed.open:
            return ("info", f"holds {text[:60]!r}, which is none of those suggested: {some}")
        if text.lower() in {item.lower() for item in allowed.items}:
            return ("warning", said)
        if is_unit and any(units.convert(1.0, text, item) == 1.0 for item in allowed.items):
            return ("warning", said)
        return ("error", said)
    return None


def _words(item: str) -> list[str]:
    """Split an allowed list, such as ``['.', 'energy']`` or ``[0, 1]``, into its words as `as_texts` writes them."""
    return [word.strip().strip("'\"") for word in item.strip("[]").split(",")]


def _same(texts: list[str], words: list[str]) -> bool:
    return len(texts) == len(words) and all(
        text == word or _is_number_in(text, (word,)) for text, word in zip(texts, words, strict=True)
    )


def _is_number_in(text: str, items: tuple[str, ...]) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    for item in items:
        try:
            if float(item) == number:
                return True
        except ValueError:
            continue
    return False
