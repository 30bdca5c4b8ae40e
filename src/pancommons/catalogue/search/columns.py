"""What facets count of datasets, as columns: counted in memory, not in the database.

For a catalogue that is not very large. `tabulating` reads the columns, once for everybody, and with which datasets and
samples somebody may discover they become what that person sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.catalogue.search.choosing import Choice, purl

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NOTHING: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Techniques:
    """The techniques of datasets.

    Attributes
    ----------
    together
        Shape (datasets,): which of the sets of techniques that occur each has; the set that is numbered 0 is empty.
    sets, had
        Shape (pairs,): of each set its techniques, and all above these, as places among the PIDs; no pair twice.
    pids
        Of all techniques.
    """

    together: Ints
    sets: Ints
    had: Ints
    pids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of datasets.

    Attributes
    ----------
    owner, had
        Shape (pairs,): places of datasets, and of the samples that each has.
    ids, name
        Shape (samples,): ascending, and places of their names; several samples may have one.
    names
        All different ones.
    """

    owner: Ints
    had: Ints
    ids: Ints
    name: Ints
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """All datasets of the catalogue, whoever may discover them.

    Attributes
    ----------
    ids
        Shape (datasets,), ascending.
    cell
        Shape (datasets,): which of the cells each is in.
    cells
        The values of `sides` that occur together.
    newest
        Shape (datasets,): places of the datasets, those measured last first.
    """

    ids: Ints
    cell: Ints
    cells: Sequence[Mapping[str, Any]]
    newest: Ints
    techniques: Techniques
    samples: Samples


@dataclass(frozen=True, slots=True)
class Sight:
    """Ids of the datasets and the samples that somebody may discover, and of the datasets that are theirs."""

    datasets: Ints
    mine: Ints
    samples: Ints


class View:
    """The columns as somebody sees them: of what they may not discover nothing is counted."""

    def __init__(self, columns: Columns, sight: Sight) -> None:
        self._columns = columns
        self._seen, self._mine = self.marked(sight.datasets), self.marked(sight.mine)
        self._samples = _marked(columns.samples.ids, sight.samples)

    def within(self, choice: Choice) -> Mask:
        """Mark the datasets of the techniques, years, kinds and ways of access of a choice."""
        seen = self._seen & self._measured_by(choice.technique) if choice.technique else self._seen
        cells = self._columns.cells
        near = np.asarray(
            [
                (not choice.year or one["year"] in choice.year) and (not choice.kind or one["kind"] in choice.kind)
                for one in cells
            ],
            bool,
        )
        if not choice.access:
            return self._of(near) & seen
        found = self._of(near & np.asarray([one["access"] in choice.access for one in cells], bool))
        if "mine" in choice.access:
            found |= self._of(near) & self._mine
        return found & seen

    def _measured_by(self, given: Sequence[str]) -> Mask:
        """Mark the datasets that have any of some techniques, or one beneath."""
        found = self._columns.techniques
        wanted = set(map(purl, given))
        places = [place for place, pid in enumerate(found.pids) if pid in wanted]
        sets = np.zeros(found.together.max(initial=0) + 1, bool)
        sets[found.sets[np.isin(found.had, places)]] = True
        measured: Mask = sets[found.together]
        return measured

    def _of(self, cells: Mask) -> Mask:
        """Mark the datasets in cells that are marked."""
        found: Mask = cells[self._columns.cell]
        return found

    def marked(self, ids: Ints) -> Mask:
        """Mark datasets by their ids; those that are not among the columns are passed over."""
        return _marked(self._columns.ids, ids)

    def newest(self, mask: Mask, most: int) -> list[int]:
        """Return the ids of the datasets marked that were measured last, so many at most."""
        order = self._columns.newest
        found: list[int] = self._columns.ids[order[mask[order]][:most]].tolist()
        return found

    def last(self, mask: Mask, most: int) -> list[int]:
        """Return the highest ids of the datasets marked, so many at most, from the highest down."""
        found: list[int] = self._columns.ids[np.flatnonzero(mask)[::-1][:most]].tolist()
        return found

    def count_cells(self, mask: Mask) -> list[tuple[Mapping[str, Any], int]]:
        """Count the datasets marked by their values of `sides`, and by whether they are ``mine``: 1 or 0."""
        cells, cell = self._columns.cells, self._columns.cell
        return [
            ({**values, "mine": mine}, int(number))
            for mine, those in enumerate((mask & ~self._mine, mask & self._mine))
            for values, number in zip(cells, np.bincount(cell[those], minlength=len(cells)), strict=True)
            if number
        ]

    def count_techniques(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the PIDs of their techniques, and of those above."""
        found = self._columns.techniques
        sets = np.bincount(found.together[mask], minlength=found.together.max(initial=0) + 1)
        return _named(found.pids, np.bincount(found.had, sets[found.sets], len(found.pids)))

    def count_samples(self, mask: Mask) -> dict[str, int]:
        """Count the datasets marked by the names of their samples, as far as these may be seen."""
        found = self._columns.samples
        kept = mask[found.owner] & self._samples[found.had]
        several = max(len(found.names), 1)
        pairs = np.unique(found.owner[kept] * several + found.name[found.had[kept]])
        return _named(found.names, np.bincount(pairs % several, minlength=len(found.names)))


def places_of(every: Ints, ids: Ints) -> Ints:
    """Return where ids are among all, which are in order; those that are not there are passed over."""
    if not len(every):
        return NOTHING
    places: Ints = np.minimum(np.searchsorted(every, ids), len(every) - 1)
    found: Ints = places[every[places] == ids]
    return found


def _marked(every: Ints, ids: Ints) -> Mask:
    """Mark ids among all, which are in order."""
    found = np.zeros(len(every), bool)
    found[places_of(every, ids)] = True
    return found


def _named(names: Sequence[str], numbers: NDArray[Any]) -> dict[str, int]:
    """Name numbers that are not zero."""
    return {names[place]: int(numbers[place]) for place in map(int, np.flatnonzero(numbers))}
