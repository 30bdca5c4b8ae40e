"""RKH text files: flat cells and direct beams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput

_HEADER_LINES = 5


@dataclass(frozen=True)
class Curve:
    """Points of an RKH file: float64 [point] each, y with its standard uncertainty."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    error: NDArray[np.float64]


def read_rkh(path: Path) -> Curve:
    """Read the points of a one-dimensional RKH file.

    Two lines of title, the number of points, flags and a format stand before rows of x, y and error.

    Raises
    ------
    BadInput
        If the file is not there, is no RKH file, or has fewer points than it says.
    """
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the path") from None
    return parse_rkh(text, path)


def parse_rkh(text: str, path: Path) -> Curve:
    """Take the points out of an RKH file's text; `path` is for what is said when that fails."""
    lines = text.splitlines()
    expected = BadInput("is no RKH file of x, y and error", file=path, remedy="expected a flat cell or direct beam")
    if len(lines) <= _HEADER_LINES:
        raise expected
    try:
        promised = int(lines[2][:5])
        numbers = np.array(" ".join(lines[_HEADER_LINES:]).split(), dtype=np.float64)
    except ValueError:
        raise expected from None
    if numbers.size < 3 * promised or numbers.size % 3:
        raise BadInput(f"is cut short: {promised} points were promised", file=path, remedy="copy it again")
    x, y, error = numbers[: 3 * promised].reshape(-1, 3).T.copy()
    if not np.isfinite(numbers).all() or np.any(np.diff(x) <= 0):
        raise BadInput("x does not grow from point to point, or a number is not finite", file=path)
    return Curve(x, y, error)
