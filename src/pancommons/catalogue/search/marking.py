"""Marking in memory which datasets fit a choice, for somebody, where the catalogue is not very large."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Principal
from pancommons.catalogue.search.choosing import Choice
from pancommons.catalogue.search.columns import Columns, Ints, Mask, View
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.search.ranking import Step, query_terms, steps
from pancommons.catalogue.search.tabulating import (
    EVERYBODY,
    alike,
    fitting_ids,
    parts,
    read_columns,
    read_more,
    read_sight,
    worded_ids,
)
from pancommons.store.engine import TookTooLong

ALL = 50_000
"""Up to so many datasets are counted one by one; in a catalogue that holds no more, in memory."""

_READING = 5.0


@dataclass
class Marking:
    """Marks for one request.

    Attributes
    ----------
    lasting
        Of whoever asks.
    each
        Seconds for one statement.
    """

    lasting: Lasting
    each: float
    _view: tuple[View | None] | None = None
    _masks: dict[Choice, Mask | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._database = self.lasting.database
        self._shared = self.lasting.of(EVERYBODY)

    def marked(self, choice: Choice) -> tuple[View, Mask] | None:
        """Return the columns, and marks of what fits a choice; None where that is left to the database."""
        if self._view is None:
            self._view = (self.lasting.get("view", self._look),)
        (view,) = self._view
        if view is None:
            return None
        if choice not in self._masks:
            self._masks[choice] = self._mask(view, choice)
        mask = self._masks[choice]
        return None if mask is None else (view, mask)

    def candidates(self, choice: Choice, most: int) -> list[int] | None:
        """Return the ids of those datasets that `ranking.hits` scores of a choice; None where the database is asked."""
        found = self.marked(choice)
        if found is None:
            return None
        view, left = found
        if left.sum() <= most:
            return view.last(left, most)
        chosen: list[int] = []
        wanted = query_terms(choice.words)
        for step in steps(wanted)[:-1]:  # the last one finds all that fits
            try:
                ids = self._shared.get(("worded", tuple(wanted), step), partial(self._worded, wanted, step), _weight)
            except TookTooLong:
                return None
            these = left & view.marked(ids)
            chosen += view.last(these, most - len(chosen))
            if len(chosen) == most:
                return chosen
            left = left & ~these
        return chosen + view.last(left, most - len(chosen))

    def _worded(self, wanted: list[str], step: Step) -> tuple[Ints, bool]:
        with self._database.read(_READING) as connection:
            return worded_ids(wanted, step, self._ground(connection, EVERYBODY), connection), True

    def _look(self) -> tuple[View | None, bool]:
        columns = self._shared.get("columns", lambda: (self._columns(), True), grow=self._more)
        if columns is None:
            return None, True
        try:
            with self._database.read(self.each) as connection:
                return View(columns, read_sight(connection, self._ground(connection, self.lasting.principal))), True
        except TookTooLong:
            return None, False

    def _columns(self, known: Columns | None = None) -> Columns | None:
        """Read the columns, or only what came to those known."""
        try:
            with self._database.read(_READING) as connection:
                ground = self._ground(connection, EVERYBODY)
                if known is None:
                    return read_columns(connection, ground, ALL)
                return read_more(connection, ground, known, ALL)
        except TookTooLong:
            return None  # the next to ask would wait in vain as long

    def _more(self, known: Columns | None) -> Columns | None:
        return known and self._columns(known)

    def _mask(self, view: View, choice: Choice) -> Mask | None:
        """Mark what fits a choice; None if the database does not tell that in time."""
        mask = view.within(choice)
        for part in parts(choice):
            try:
                mask &= view.marked(self.lasting.get(("fitting", part), partial(self._fitting, part), _weight))
            except TookTooLong:
                return None
        return mask

    def _fitting(self, part: Choice) -> tuple[Ints, bool]:
        """Return the ids of what fits a part of a choice, found once for all where that is the same for all."""

        def found(who: Principal) -> tuple[Ints, bool]:
            with self._database.read(self.each) as connection:
                return fitting_ids(part, self._ground(connection, who), connection), True

        if not alike(part):
            return found(self.lasting.principal)
        return self._shared.get(("fitting", part), lambda: found(EVERYBODY), _weight), True

    def _ground(self, connection: Connection, who: Principal) -> Ground:
        return Ground(connection.dialect.name, who, self.lasting.at)


def _weight(numbers: Ints) -> int:
    """Return how many rows take as much memory as numbers in arrays."""
    return 1 + len(numbers) // 32
