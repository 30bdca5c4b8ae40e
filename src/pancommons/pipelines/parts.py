"""The part a finished unit leaves: its arrays in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Part:
    """A finished unit's arrays, read one at a time from its file.

    A unit that failed has no part; ``combine`` sees the gap in the indices.
    """

    index: int
    span: Mapping[str, Any]
    file: Path

    def read(self, name: str) -> np.ndarray:
        """Read one array whole."""
        import h5py

        with h5py.File(self.file, "r", locking=False) as part:
            array: np.ndarray = part[name][()]
            return array

    def shape(self, name: str) -> tuple[int, ...]:
        """Return an array's shape without reading it."""
        import h5py

        with h5py.File(self.file, "r", locking=False) as part:
            shape: tuple[int, ...] = part[name].shape
            return shape
