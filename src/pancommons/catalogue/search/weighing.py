"""How large an answer may become, weighed while it grows: nothing is gathered only to be thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pancommons.catalogue.search.errors import TooLarge

LARGEST = 32 << 20
"""So many bytes an answer has at most. Providers of a federation take no more from each other."""

_NUMBER = 8
_SIGNS = 6
_OBJECT = 16


class Budget:
    """What a request has gathered.

    Attributes
    ----------
    spent
        In bytes.
    """

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, row: Mapping[str, Any]) -> None:
        """Count a row.

        Raises
        ------
        TooLarge
            If that is more than an answer may have.
        """
        self.spent += _size(row)
        if self.spent > LARGEST:
            raise too_large()


def too_large() -> TooLarge:
    """Say that an answer is too large, and what to do."""
    return TooLarge(
        f"the answer is larger than {LARGEST >> 20} MiB; ask for less with a smaller limit and go on with skip, "
        "include less, or choose fields"
    )


def _size(row: Mapping[str, Any]) -> int:
    """Return about how many bytes a row has in JSON."""
    size = _OBJECT
    for name, value in row.items():
        size += len(name) + _SIGNS
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, list):
            size += sum(_size(one) if isinstance(one, dict) else len(one) for one in value)
        else:
            size += _NUMBER
    return size
