"""Parts of a file: what ``Range`` asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_ONE = re.compile(r"\s*bytes\s*=\s*(\d{0,30})\s*-\s*(\d{0,30})\s*", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """A range was asked for that a file of this size does not have."""


def asked_part(header: str | None, size: int) -> range | None:
    """Return the places of the bytes that a request wants.

    Parameters
    ----------
    header
        The value of ``Range``; several ranges, other units and what cannot be read are left out of account,
        as the standard allows.
    size
        Of the file, in bytes.

    Returns
    -------
    range or None
        None for the whole file.

    Raises
    ------
    Unsatisfiable
        If the range begins after the end, or holds nothing.
    """
    match = _ONE.fullmatch(header or "")
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        last = min(int(match[2]), size)
        if last == 0:
            raise Unsatisfiable
        return range(size - last, size)
    first = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return range(first, stop)
