"""Our own identifiers: in order of time, fit for a URL, and with a sign that shows a slip of the pen."""

from __future__ import annotations

import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's 32 signs: no i, l, o or u."""

LENGTH = 19
_TIME, _CHANCE = 10, 8
_VALUES = {sign: value for value, sign in enumerate(ALPHABET)}
_READ_AS = str.maketrans("iloILO", "110110")

_lock = threading.Lock()
_last = (0, 0)


def new_identifier() -> str:
    """Make an identifier: 48 bits of milliseconds since 1970, 40 bits of chance, one sign to check.

    Those made in one process are in strict order.
    """
    global _last
    with _lock:
        now = time.time_ns() // 1_000_000
        _last = (now, secrets.randbits(39)) if now > _last[0] else (_last[0], _last[1] + 1)
        milliseconds, chance = _last
    signs = _write(milliseconds, _TIME) + _write(chance, _CHANCE)
    return signs + ALPHABET[_check(signs)]


def parse_identifier(text: str) -> str | None:
    """Read an identifier as people type it: any case, ``O`` for zero, ``I`` or ``L`` for one, hyphens.

    Returns
    -------
    str or None
        As `new_identifier` writes it; None where it is none, one sign is wrong, or two changed places.
    """
    signs = text.strip().replace("-", "").translate(_READ_AS).lower()
    if len(signs) != LENGTH or any(sign not in _VALUES for sign in signs):
        return None
    return signs if _check(signs[:-1]) == _VALUES[signs[-1]] else None


def _write(number: int, signs: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(signs)))


def _check(signs: str) -> int:
    """Sum the signs, each times another power of x, in GF(32) = GF(2)[x]/(x^5 + x^2 + 1)."""
    total = 0
    for sign in signs:
        total ^= _VALUES[sign]
        total <<= 1
        if total & 32:
            total ^= 37
    return total
