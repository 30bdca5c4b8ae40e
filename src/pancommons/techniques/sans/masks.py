"""Shapes on a detector that do not count: rows, columns, blocks of both, the arm of a beam stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.sans.instrument import Bank

Span = tuple[int, int]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Pixels in rows and in columns, both counted from 0 and inclusive; None for all of them."""

    rows: Span | None = None
    columns: Span | None = None
    bank: str = "rear"

    def covers(self, bank: Bank, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Return bool [pixel]; see `Mask`."""
        covered = np.ones(x.size, bool)
        if bank.name != self.bank or bank.columns * bank.rows != x.size:
            return ~covered
        row, column = np.divmod(np.arange(x.size), bank.columns)
        for lines, span in ((row, self.rows), (column, self.columns)):
            if span is not None:
                covered &= (lines >= span[0]) & (lines <= span[1])
        return covered


@dataclass(frozen=True)
class Arm:
    """A strip of a width, mm, from a point off the beam, mm, outwards at an angle, degrees from x towards y."""

    width: float
    angle: float
    x: float = 0.0
    y: float = 0.0
    bank: str = "rear"

    def covers(self, bank: Bank, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Return bool [pixel]; see `Mask`."""
        if bank.name != self.bank:
            return np.zeros(x.size, bool)
        cosine, sine = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        right, up = x * 1e3 - self.x, y * 1e3 - self.y
        along, across = cosine * right + sine * up, cosine * up - sine * right
        return np.asarray((along >= 0) & (np.abs(across) <= self.width / 2))


Mask = Block | Arm
"""`covers(bank, x, y)` says which pixels of a bank are masked; x and y are those of the pixels about the beam, m."""
