"""Which part of a dataset: NumPy's notation for it, its size before anything is read, and the way through it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from pancommons.nexus.serving.budget import Refused

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_LONGEST = 1000

Piece: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True)
class Along:
    """What is taken along one axis.

    Attributes
    ----------
    start, count, step
        The first index, how many, and how far apart.
    single
        Whether one index was named, so that the axis is not among those of the result.
    """

    start: int
    count: int
    step: int = 1
    single: bool = False

    def piece(self, first: int, count: int) -> slice:
        """Return ``count`` of the indices from the one at ``first`` on."""
        start = self.start + first * self.step
        return slice(start, start + (count - 1) * self.step + 1, self.step)


@dataclass(frozen=True)
class Selection:
    """A part of a dataset, axis by axis."""

    axes: tuple[Along, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Return how many are taken along each axis of the dataset."""
        return tuple(axis.count for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the result."""
        return tuple(axis.count for axis in self.axes if not axis.single)

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return math.prod(self.counts)

    def chunks_touched(self, chunks: tuple[int, ...]) -> int:
        """Return how many chunks have to be decoded at most."""
        return math.prod(_touched(axis, edge) for axis, edge in zip(self.axes, chunks, strict=True))

    def blocks(self, most: int, chunks: tuple[int, ...] | None = None) -> Iterator[tuple[Piece, Piece]]:
        """Go through the selection in blocks of about ``most`` elements, whole chunks at a time where it can be.

        Gives a slice for each axis of the dataset, and the same for the array of `counts` that is selected.
        """
        edges = [1] * len(self.axes)
        if chunks is not None:
            edges = [max(1, min(axis.count, edge // axis.step)) for axis, edge in zip(self.axes, chunks, strict=True)]
            while math.prod(edges) > most:
                largest = edges.index(max(edges))
                edges[largest] = (edges[largest] + 1) // 2
        for index in reversed(range(len(edges))):
            others = math.prod(edges) // edges[index]
            whole = self.axes[index].count
            if others * whole <= most:
                edges[index] = max(1, whole)
            else:
                edges[index] *= max(1, most // (others * edges[index]))
                break
        steps = [range(0, axis.count, edge) for axis, edge in zip(self.axes, edges, strict=True)]
        for corner in product(*steps):
            counts = [min(edge, axis.count - at) for axis, at, edge in zip(self.axes, corner, edges, strict=True)]
            taken = zip(self.axes, corner, counts, strict=True)
            yield (
                tuple(axis.piece(at, count) for axis, at, count in taken),
                tuple(slice(at, at + count) for at, count in zip(corner, counts, strict=True)),
            )


def select(text: str | None, shape: tuple[int, ...]) -> Selection:
    """Read a selection such as ``3, 10:20, ::2`` for a dataset of a shape; None is all of it.

    Axes that are not named are taken whole. Negative numbers count from the end; slices end where the axis does.

    Raises
    ------
    Refused
        422 if it cannot be read, has more axes than the dataset, a step below 1, or an index out of range.
    """
    if text is None:
        return Selection(tuple(Along(0, length) for length in shape))
    members = text.split(",")
    if len(text) > _LONGEST or len(members) > len(shape):
        raise Refused(422, f"selection has too many members for {len(shape)} axes")
    told = [_along(member.strip(), length) for member, length in zip(members, shape, strict=False)]
    return Selection(tuple(told) + tuple(Along(0, length) for length in shape[len(told) :]))


def _along(member: str, length: int) -> Along:
    if ":" not in member:
        index = _number(member)
        if index is None or not -length <= index < length:
            raise Refused(422, f"selection: expected an index below {length} or a slice, not '{member[:40]}'")
        return Along(index % length, 1, single=True)
    numbers = [_number(part) for part in member.split(":")]
    if len(numbers) > 3 or (len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1):
        raise Refused(422, f"selection: expected start:stop:step with a step of 1 or more, not '{member[:40]}'")
    taken = range(*slice(*numbers).indices(length))
    return Along(taken.start, len(taken), taken.step)


def _number(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Refused(422, f"selection: '{text[:40]}' is no whole number")
    return int(text)


def _touched(axis: Along, edge: int) -> int:
    if axis.count == 0:
        return 0
    last = axis.start + (axis.count - 1) * axis.step
    return min(axis.count, last // edge - axis.start // edge + 1)
