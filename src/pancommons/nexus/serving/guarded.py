"""A file as the rules of NeXus look at it, of which everything is reached through a walk."""

from __future__ import annotations

from typing import Any

import h5py

from pancommons.nexus.serving.budget import Clock
from pancommons.nexus.serving.walk import Entity, Link, Walk, link_at, parts

_LESS = "the file has much to look through; choose a group further down"


class Guarded(h5py.Group):  # type: ignore[misc]
    """A group whose members are entered as the walk allows: what may not be read is not there.

    Parameters
    ----------
    entity
        The group.
    clock
        How long may be looked.
    """

    def __init__(self, entity: Entity, walk: Walk, clock: Clock) -> None:
        super().__init__(entity.thing.id)
        self._entity, self._walk, self._clock = entity, walk, clock

    def __getitem__(self, path: str) -> Any:
        """Return a group or dataset by its path, from the root of the first file where it begins with a slash.

        Raises
        ------
        KeyError
            If nothing that may be read lies there.
        """
        self._clock.check(_LESS)
        if path.startswith("/"):
            here: Entity | Link = self._walk.find("/")
        else:
            here = self._entity
        for name in parts(path):
            link = (
                link_at(here.thing, name) if isinstance(here, Entity) and isinstance(here.thing, h5py.Group) else None
            )
            if link is None or not isinstance(here, Entity):
                raise KeyError(path)
            here = self._walk.enter(here, name, link, "only_valid")
        if isinstance(here, Link) or here.problem is not None:
            raise KeyError(path)
        return Guarded(here, self._walk, self._clock) if isinstance(here.thing, h5py.Group) else here.thing

    def __contains__(self, name: object) -> bool:
        """Say whether there is a link of a name, wherever it leads."""
        return isinstance(name, str) and link_at(self, name) is not None


def guarded(walk: Walk, seconds: float) -> Guarded:
    """Return the root of a walk's first file, to be looked through for so long."""
    root = walk.find("/")
    if isinstance(root, Link):
        raise KeyError("/")
    return Guarded(root, walk, Clock(seconds))
