"""From a path to what lies there, one link at a time: the HDF5 library never follows a link by itself.

Hard links stay in the file and are opened; soft links are put in the place of their name; the file of an external
link is opened here, if it lies where it may be read. Of a dataset, the sources are checked before its extent or a
value is asked for, since the library opens them for that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.serving.budget import Budget, Clock, Refused
from pancommons.nexus.serving.ground import ELSEWHERE, Ground
from pancommons.nexus.serving.open_files import OpenFiles, close
from pancommons.nexus.serving.seen import Seen, settled

DEEPEST = 8
_MOST_HOPS = 64
_MOST_STEPS = 4096
_MOST_OPEN = 256
_MOST_KNOWN = 50_000

_plain: set[tuple[Seen, str]] = set()
"""Source datasets known to hold their values themselves, reached without links; as long as their file is the same."""


class Broken(Exception):
    """A link that leads to nothing that may be read.

    Parameters
    ----------
    certain
        Whether there is nothing for the HDF5 library either.
    """

    def __init__(self, problem: str, *, certain: bool = False) -> None:
        super().__init__(problem)
        self.certain = certain


@dataclass(frozen=True)
class Link:
    """A link in a group.

    Attributes
    ----------
    kind
        ``hard``, ``soft_link``, ``external_link`` or ``other``.
    file, path
        What it names, as it stands in the file.
    """

    kind: str
    file: str = ""
    path: str = ""


@dataclass(frozen=True)
class Entity:
    """A group, dataset or named type.

    Attributes
    ----------
    thing
        As h5py has it.
    file
        Real path of the file it lies in.
    depth
        Through how many files it was reached.
    missing
        Of a virtual dataset: sources that are not there and read as fill values, as they are named.
    problem
        Why a dataset may not be read; None if it may.
    """

    thing: Any
    file: Path
    depth: int = 0
    missing: tuple[str, ...] = ()
    problem: str | None = None


class Walk:
    """One request's way through files; a context, at whose end all are given back, or closed if anything went wrong.

    Raises
    ------
    Refused
        404 if the first file is not there, 415 if it is no HDF5 file.
    """

    def __init__(self, path: Path, ground: Ground, budget: Budget, clock: Clock, files: OpenFiles) -> None:
        self.ground, self.budget, self.clock = ground, budget, clock
        self.began = time.time_ns()
        self._files = files
        self._open: dict[Path, tuple[Seen, Any]] = {}
        real = ground.enter(path)
        if real is None:
            raise Refused(404, "File not found: it is no longer where the catalogue has it")
        self.start = real
        try:
            self._file(real)
        except BadInput as error:
            raise Refused(415, f"the file {error.problem}") from None

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for real, (known, file) in self._open.items():
            if kind is None:
                self._files.give_back(real, known, file, self.began)
            else:
                close(file)

    @property
    def settled(self) -> bool:
        """Say whether any change of a file that was looked into, since then, would show."""
        return all(settled(known, self.began) for known in self.ground.touched.values())

    def find(self, path: str, resolve: str = "only_valid") -> Entity | Link:
        """Return what lies at a path of the first file.

        Parameters
        ----------
        resolve
            Whether a link at the end of the path is followed: ``all``, ``none``, or ``only_valid`` for those that
            lead somewhere.

        Raises
        ------
        Refused
            404 if nothing lies there, or a link on the way cannot be followed.
        """
        if "\x00" in path:
            raise Refused(404, "is not a valid path: it holds a NUL")
        root = self._file(self.start)["/"]
        *way, last = parts(path) or [""]
        if not last:
            return Entity(root, self.start)
        try:
            group, file, depth = self._descend(root, self.start, way, 0)
        except Broken as error:
            raise Refused(404, f"{path} is not a valid path: {error}") from None
        link = link_at(group, last) if isinstance(group, h5py.Group) else None
        if link is None:
            raise Refused(404, f"{path} is not a valid path in this file")
        return self.enter(Entity(group, file, depth), last, link, resolve)

    def enter(self, group: Entity, name: str, link: Link, resolve: str) -> Entity | Link:
        """Return what a link of a group leads to, see `find`."""
        if link.kind != "hard" and resolve == "none":
            return link
        try:
            thing, file, depth = self._descend(group.thing, group.file, [name], group.depth)
        except Broken as error:
            if resolve == "all":
                raise Refused(404, f"Cannot resolve {name}: {error}") from None
            return Link("other") if link.kind == "hard" else link
        if not isinstance(thing, h5py.Dataset):
            return Entity(thing, file, depth)
        missing: dict[str, None] = {}
        try:
            self._check(thing, file, depth, missing)
        except Refused as error:
            if error.status == 413:
                raise
            return Entity(thing, file, depth, problem=error.problem)
        return Entity(thing, file, depth, tuple(missing))

    def _descend(
        self, thing: Any, file: Path, names: list[str], depth: int, *, strict: bool = False
    ) -> tuple[Any, Path, int]:
        """Follow names from a group of a file to their end; return the object, its file and how many files in."""
        rest, hops, steps = list(names), 0, 0
        while rest:
            name, steps = rest.pop(0), steps + 1
            if steps > _MOST_STEPS or len(rest) > _MOST_STEPS:
                raise Broken("the path is too long")
            link = link_at(thing, name) if isinstance(thing, h5py.Group) else None
            if link is None:
                raise Broken(f"there is no {name}", certain=True)
            if link.kind == "hard":
                thing = opened(thing, name)
                continue
            hops += 1
            if hops > _MOST_HOPS:
                raise Broken("the links lead in circles")
            if link.kind == "soft_link":
                thing = self._file(file)["/"] if link.path.startswith("/") else thing
            elif link.kind == "external_link":
                depth += 1
                if depth > DEEPEST:
                    raise Broken(f"the links lead through more than {DEEPEST} files")
                follow = self.ground.check_all if strict else self.ground.follow
                target = follow(link.file, file)
                if target is None:
                    raise Broken(f"the file {link.file} {ELSEWHERE}", certain=True)
                try:
                    thing, file = self._file(target)["/"], target
                except BadInput as error:
                    raise Broken(f"the file {link.file} {error.problem}") from None
            else:
                raise Broken("it is a link of an unknown kind")
            rest = parts(link.path) + rest
        return thing, file, depth

    def _file(self, real: Path) -> Any:
        if real not in self._open:
            if len(self._open) >= _MOST_OPEN:
                raise Broken(f"more than {_MOST_OPEN} files would have to be opened")
            known = self.ground.touched[real]
            self._open[real] = known, self._files.take(real, known)
        return self._open[real][1]

    def _check(self, dataset: Any, file: Path, depth: int, missing: dict[str, None]) -> bool:
        """Check all that a dataset reads from; return whether it holds its values itself."""
        created = dataset.id.get_create_plist()
        if created.get_external_count():
            raise Refused(422, "its values lie in a raw file beside it, which is not read here")
        if created.get_layout() != h5py.h5d.VIRTUAL:
            return True
        count = created.get_virtual_count()
        if count > self.budget.sources:
            raise Refused(422, f"is made of more than {self.budget.sources} parts")
        sources = {(str(created.get_virtual_filename(i)), str(created.get_virtual_dsetname(i))) for i in range(count)}
        for name, inside in sorted(sources):
            self.clock.check("it is made of many parts")
            if "%" in name or "%" in inside:
                raise Refused(422, "its sources are named by a pattern, which is not followed here")
            if not self._source(name, inside, file, depth + 1):
                missing[inside if name == "." else name] = None
        return False

    def _source(self, name: str, inside: str, holder: Path, depth: int) -> bool:
        """Check one source, and what that reads from in turn; return whether all of it is there."""
        if depth > DEEPEST:
            raise Refused(422, f"the links lead through more than {DEEPEST} files")
        target = holder if name == "." else self.ground.check_all(name, holder)
        if target is None:
            return False
        known = self.ground.touched[target]
        if (known, inside) in _plain:
            return True
        before, touched = set(self._open), len(self.ground.touched)
        try:
            root = self._file(target)["/"]
            thing, where, deep = self._descend(root, target, parts(inside), depth, strict=True)
        except Broken as error:
            if not error.certain:
                raise Refused(422, f"{name}: {error}") from None
            return False
        except BadInput as error:
            raise Refused(422, f"{name} {error.problem}") from None
        if not isinstance(thing, h5py.Dataset):
            return False
        beneath: dict[str, None] = {}
        plain = self._check(thing, where, deep, beneath)
        if plain and where == target and len(self.ground.touched) == touched and settled(known, self.began):
            if len(_plain) >= _MOST_KNOWN:
                _plain.clear()
            _plain.add((known, inside))
        for real in set(self._open) - before:
            close(self._open.pop(real)[1])
        return not beneath


def parts(path: str) -> list[str]:
    """Split a path into names; HDF5 takes "." for the group itself."""
    return [part for part in path.split("/") if part not in ("", ".")]


def decoded(name: bytes) -> str:
    """Return a name as text that `encoded` turns back."""
    return name.decode("utf-8", "surrogateescape")


def encoded(name: str) -> bytes:
    """Return the bytes of a name in a file."""
    return name.encode("utf-8", "surrogateescape")


def link_at(group: Any, name: str) -> Link | None:
    """Return the link of a name in a group; None if there is none."""
    links, own = group.id.links, encoded(name)
    try:
        kind = links.get_info(own).type
        if kind == h5py.h5l.TYPE_HARD:
            return Link("hard")
        if kind == h5py.h5l.TYPE_SOFT:
            return Link("soft_link", path=decoded(links.get_val(own)))
        if kind == h5py.h5l.TYPE_EXTERNAL:
            file, path = links.get_val(own)
            return Link("external_link", decoded(file), decoded(path))
        return Link("other")
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def opened(group: Any, name: str) -> Any:
    """Open what a hard link leads to.

    Raises
    ------
    Broken
        If it cannot be opened, as in a damaged file.
    """
    try:
        found = h5py.h5o.open(group.id, encoded(name))
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise Broken(f"{name} cannot be opened ({type(error).__name__})") from None
    for kind, made in (
        (h5py.h5g.GroupID, h5py.Group),
        (h5py.h5d.DatasetID, h5py.Dataset),
        (h5py.h5t.TypeID, h5py.Datatype),
    ):
        if isinstance(found, kind):
            return made(found)
    raise Broken(f"{name} is nothing that can be shown")
