"""Walking in a file by the paths of a mapping, never out of the folders that it may read from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pancommons.base.errors import BadInput
from pancommons.nexus.links import locate
from pancommons.nexus.read import Measured, attribute, nx_class, open_file, unit_of
from pancommons.nexus.text import as_text, as_texts

_MOST_MEMBERS = 1000
_MOST_STEPS = 50_000
_MOST_HOPS = 16
_MOST_FILES = 8
_MOST_BYTES = 8 << 20
_MOST_TEXTS = 100
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Hit:
    """What lies at a path: a group, a dataset, or the value of an attribute of either, and where."""

    thing: h5py.Group | h5py.Dataset
    where: str
    attribute: str | None = None


class Tree:
    """A file to look things up in, with what was seen on the way kept.

    Links to other files are followed only to files that ``allowed`` admits; what is stored in or virtually
    made of others is not read. The number of steps in one file is bounded. Use as a context manager.

    Parameters
    ----------
    file
        Open.
    path
        Where it lies, for links that are relative to it.
    allowed
        Says whether another file may be read.
    """

    def __init__(self, file: h5py.File, path: Path, allowed: Callable[[Path], bool]) -> None:
        self._file, self._path, self._allowed = file, path, allowed
        self._steps = 0
        self._classes: dict[h5py.h5g.GroupID, list[tuple[str, tuple[str, str]]]] = {}
        self._members: dict[tuple[h5py.h5g.GroupID, str], h5py.Group | h5py.Dataset | None] = {}
        self._opened: dict[Path, h5py.File] = {}
        self._exits = ExitStack()

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def exhausted(self) -> bool:
        """Whether the bound of steps was reached, so that something may have been missed."""
        return self._steps >= _MOST_STEPS

    def find(self, group: h5py.Group, path: str) -> Iterator[Hit]:
        """Give everything at a path from a group, in the order of the names where steps name classes."""
        path, _, name = path.partition("@")
        steps = [step for step in path.split("/") if step]
        start = group.file if path.startswith("/") else group
        for thing, where in self._below(start, start.name or "/", steps):
            yield Hit(thing, where, name or None)

    def _below(
        self, group: h5py.Group, where: str, steps: list[str]
    ) -> Iterator[tuple[h5py.Group | h5py.Dataset, str]]:
        if not steps:
            yield group, where
            return
        for name in self._named(group, steps[0]):
            found = self._seen(group, name)
            inner = f"{where.rstrip('/')}/{name}"
            if isinstance(found, h5py.Group):
                yield from self._below(found, inner, steps[1:])
            elif found is not None and len(steps) == 1:
                yield found, inner

    def _named(self, group: h5py.Group, step: str) -> list[str]:
        if not step.startswith(("NX", "SAS")):
            return [step]
        if group.id not in self._classes:
            self._classes[group.id] = self._look(group)
        return [name for name, classes in self._classes[group.id] if step in classes]

    def _look(self, group: h5py.Group) -> list[tuple[str, tuple[str, str]]]:
        found = []
        for number, name in enumerate(group):
            if number >= _MOST_MEMBERS or self.exhausted:
                break
            inner = self._seen(group, name)
            if isinstance(inner, h5py.Group):
                found.append((name, (nx_class(inner), as_text(attribute(inner, "canSAS_class")) or "")))
        return found

    def _seen(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
        key = (group.id, name)
        if key not in self._members:
            self._members[key] = self._member(group, name)
        return self._members[key]

    def _member(self, group: h5py.Group, name: str, hops: int = 0) -> h5py.Group | h5py.Dataset | None:
        """Return a member of a group: through soft links, and external ones to files that may be read."""
        self._steps += 1
        if self.exhausted or hops > _MOST_HOPS:
            return None
        try:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                return self._along(group.file if link.path.startswith("/") else group, link.path, hops + 1)
            if isinstance(link, h5py.ExternalLink):
                other = self._other(link.filename, group.file)
                return None if other is None else self._along(other, link.path, hops + 1)
            found = group[name] if link is not None else None
        except (KeyError, OSError, RuntimeError, ValueError):
            return None
        return found if isinstance(found, h5py.Group | h5py.Dataset) else None

    def _along(self, group: h5py.Group, path: str, hops: int) -> h5py.Group | h5py.Dataset | None:
        place: h5py.Group | h5py.Dataset | None = group
        for step in path.split("/"):
            if step in ("", "."):
                continue
            place = self._member(place, step, hops) if isinstance(place, h5py.Group) else None
            if place is None:
                return None
        return place

    def _other(self, name: str, holder: h5py.File) -> h5py.File | None:
        where = self._path if holder == self._file else Path(os.fsdecode(holder.filename))
        found = locate(name, where)
        if found is None or not self._allowed(found):
            return None
        found = found.resolve()
        if found not in self._opened:
            if len(self._opened) >= _MOST_FILES:
                return None
            try:
                self._opened[found] = self._exits.enter_context(open_file(found))
            except BadInput:
                return None
        return self._opened[found]


def text_at(hit: Hit) -> str | None:
    """Return the first text at a hit that is not empty; None for what holds none, or too much."""
    value = attribute(hit.thing, hit.attribute) if hit.attribute else _small(hit.thing, texts=True)
    found = as_text(value)
    return None if found is None else _plain(found)


def numbers_at(hit: Hit) -> Measured | None:
    """Return the numbers at a hit, with their unit; None for what holds none, or too many."""
    raw = attribute(hit.thing, hit.attribute) if hit.attribute else _small(hit.thing, texts=False)
    if raw is None or isinstance(raw, str | bytes):
        return None
    try:
        values = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    unit = unit_of(hit.thing) if isinstance(hit.thing, h5py.Dataset) and not hit.attribute else None
    return Measured(values, unit or None, bool(unit))


def length_at(hit: Hit) -> int | None:
    """Return how many numbers there are along the first axis at a hit."""
    dataset = hit.thing
    return int(dataset.shape[0]) if isinstance(dataset, h5py.Dataset) and dataset.shape else None


def _small(thing: h5py.Group | h5py.Dataset, *, texts: bool) -> Any | None:
    """Read a dataset that is small and lies in its own file."""
    if not isinstance(thing, h5py.Dataset) or not thing.size or (not texts and thing.dtype.kind not in "iufb"):
        return None
    most = _MOST_TEXTS if thing.dtype.kind not in "iufb" else _MOST_BYTES
    if thing.size > most or thing.size * thing.dtype.itemsize > _MOST_BYTES:
        return None
    try:
        return None if thing.is_virtual or thing.external else thing[()]
    except (OSError, RuntimeError, ValueError, TypeError):
        return None


def texts_at(hit: Hit) -> list[str]:
    """List the texts at a hit that are not empty."""
    value = attribute(hit.thing, hit.attribute) if hit.attribute else _small(hit.thing, texts=True)
    return [_plain(text) for text in as_texts(value) if text]


def _plain(text: str) -> str:
    """Leave out what no database takes and no page shows."""
    return "".join(sign for sign in text[:_LONGEST_TEXT] if sign.isprintable() or sign in "\n\t")
