"""Strings as HDF5 files hold them: scalars, arrays of one or two, bytes in UTF-8 or Latin-1, padded."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_PLACEHOLDER = re.compile(r"\{[\w .:-]*\}|NX_[A-Z_]*|.*-CHAR-DATA|unknown|undefined|none|null|n/?a|-+", re.IGNORECASE)
_FILL = "\x00 \t\r\n"


def decode(value: str | bytes) -> str:
    """Return text from bytes: UTF-8 where it is that, else Latin-1, without NULs and blanks at the ends.

    Text that h5py decoded with surrogates, because its bytes were no UTF-8, is read as Latin-1 too.
    """
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(_FILL)


def as_texts(value: Any) -> list[str]:
    """List the strings in the value of a dataset or an attribute, in order; numbers in decimal notation.

    Parameters
    ----------
    value
        What h5py returned: str, bytes, a NumPy scalar, an array of any shape, `h5py.Empty` or None.
    """
    if value is None or type(value).__name__ == "Empty":
        return []
    if isinstance(value, str | bytes):
        return [decode(value)]
    found = []
    for item in np.asarray(value).ravel().tolist():
        if isinstance(item, str | bytes):
            found.append(decode(item))
        elif isinstance(item, bool | int | float):
            found.append(str(item))
    return found


def as_text(value: Any) -> str | None:
    """Return the first string that is not empty, or None."""
    return next((text for text in as_texts(value) if text), None)


def is_placeholder(text: str) -> bool:
    """Say whether a text only holds a place: "", ``{name}``, ``NX_CHAR``, ``...-CHAR-DATA``, ``unknown``."""
    return not text or _PLACEHOLDER.fullmatch(text) is not None


def names_in(value: Any) -> list[str]:
    """List the names in an ``@axes`` value: an array of strings, or one string joined by colons or commas.

    A surrounding pair of brackets, as old files have it, is taken away.
    """
    texts = as_texts(value)
    if len(texts) == 1:
        return [name.strip() for name in re.split(r"[:,]", texts[0].strip("[]")) if name.strip()]
    return texts
