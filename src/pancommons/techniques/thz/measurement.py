"""A run: at each position of the delay stage, spectra that tell arrival times, and traces that hold the signal.

Spectra and traces are ragged: a position may have any number of either, and what has no partner is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SPEED_OF_LIGHT = 0.299792458
"""mm/ps; in vacuum, exact."""
PS_PER_MM = 2 / SPEED_OF_LIGHT
"""A stage moved by one millimetre lengthens the path by two."""


@dataclass(frozen=True)
class Block:
    """Spectra of consecutive pulses, as they were stored, in a buffer that the next block may fill again.

    Attributes
    ----------
    first
        Index of the first pulse at its position.
    spectra
        uint16 [pulse, pixel], counts.
    flagged
        Whether the first pixel of their image has its highest bit set, which then is a flag in all of the image.
    """

    first: int
    spectra: NDArray[np.uint16]
    flagged: bool = False


class Position(Protocol):
    """One position of the delay stage.

    Attributes
    ----------
    stage
        Where the stage is, in mm.
    label
        Names the position in messages.
    pixels
        Pixels of a spectrum.
    spectra_count
        Spectra, those of missing rows included.
    trace_values
        ADC samples of all traces together.
    warnings
        What is wrong with it, one sentence each.
    """

    @property
    def stage(self) -> float: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def pixels(self) -> int: ...  # noqa: D102
    @property
    def spectra_count(self) -> int: ...  # noqa: D102
    @property
    def trace_values(self) -> int: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Give the spectra of pulses ``first`` to ``last`` in order; pulses whose spectra are missing are skipped."""
        ...

    def traces(self, first: int, last: int, samples: int) -> NDArray[np.float32]:
        """Return the ADC traces of pulses ``first`` to ``last``: float32 [pulse, sample], arbitrary units."""
        ...


@dataclass(frozen=True)
class Measurement:
    """A run, read lazily.

    Attributes
    ----------
    path
        Folder or file.
    positions
        In the order in which they were measured.
    background
        Spectrum without a pulse: float64 [pixel], counts.
    samples
        ADC samples of one pulse, where the file says it.
    title, start_time
        As the run says, where it does; the time in ISO 8601.
    repetition_rate
        Pulses per second.
    warnings
        What is wrong with it, one sentence each.
    """

    path: Path
    positions: tuple[Position, ...]
    background: NDArray[np.float64]
    samples: int | None = None
    title: str | None = None
    start_time: str | None = None
    repetition_rate: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """Return the pixels of a spectrum."""
        return len(self.background)
