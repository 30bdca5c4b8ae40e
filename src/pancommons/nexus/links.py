"""Which other files a file reads from: external links, virtual datasets and external storage, near and far.

HDF5 reads a virtual dataset whose sources are absent as fill values, without a word; so ask here first.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.read import open_file

Kind = Literal["external link", "virtual dataset", "external storage", "soft link"]
Link: TypeAlias = Any  # one of h5py's three kinds, which carry no types

MOST_LINKS = 20_000
DEEPEST = 8
_MOST_HOPS = 64


@dataclass(frozen=True)
class Source:
    """A place outside a file that a part of the file is read from.

    Attributes
    ----------
    file, path
        The file and the path inside it that hold the reference.
    kind
        By what: an external link, a virtual dataset, raw external storage, or a soft link to nothing.
    target
        The other file as it is named there.
    target_path
        The path inside the other file; "" for raw storage.
    found
        The other file where HDF5 would find it; None where it is missing.
    missing
        Whether the file, or the path inside it, is not there.
    """

    file: Path
    path: str
    kind: Kind
    target: str
    target_path: str
    found: Path | None
    missing: bool

    def __str__(self) -> str:
        where = f"{self.target}:{self.target_path}" if self.target_path else self.target
        return f"{self.path} reads from {where}" + (" (missing)" if self.missing else "")


def locate(name: str, holder: Path) -> Path | None:
    """Find the file an external link or virtual source names, as the HDF5 library looks for it.

    An absolute name is tried as it is; then, and for relative names, the folder of the file that holds the
    reference (of an absolute name the last part), and last the working directory.
    """
    if name == ".":
        return holder
    named = Path(name)
    tries = [named, holder.parent / named.name] if named.is_absolute() else [holder.parent / named]
    tries += [holder.resolve().parent / (named.name if named.is_absolute() else named), Path.cwd() / named]
    return next((place for place in tries if place.is_file()), None)


def dataset_sources(path: str | Path, inside: str) -> list[Source]:
    """List what lies outside a file on the way to one dataset and beneath it, through every file in between.

    Parameters
    ----------
    path
        The file to start from.
    inside
        The dataset's path inside it; it need not resolve, which is then among the answers as missing.

    Raises
    ------
    BadInput
        If the file itself cannot be opened, or the links lead through more than ``DEEPEST`` files.
    """
    trace = _Trace()
    trace.follow(Path(path), inside, 0)
    return list(trace.found)


class _Trace:
    """What was found on the way: each place of each file is followed once, so that circles end."""

    def __init__(self) -> None:
        self.found: dict[Source, None] = {}
        self._there: dict[tuple[Path, str], bool] = {}

    def follow(self, path: Path, inside: str, depth: int) -> bool:
        """Follow one path of one file to its end; return whether an object is there."""
        key = (path.resolve(), inside)
        if key not in self._there:
            if depth > DEEPEST:
                raise BadInput(f"the links lead through more than {DEEPEST} files", file=path, field=inside)
            self._there[key] = False
            try:
                opened = open_file(path)
            except BadInput:
                if depth == 0:
                    raise
                return False
            with opened as file:
                self._there[key] = self._walk(file, path, inside, depth)
        return self._there[key]

    def _walk(self, file: h5py.File, path: Path, inside: str, depth: int) -> bool:
        place, rest, hops = "", _parts(inside), 0
        while rest:
            step = f"{place}/{rest.pop(0)}"
            try:
                link = file.get(step, getlink=True)
            except (KeyError, OSError, RuntimeError):
                return False
            if isinstance(link, h5py.ExternalLink):
                target = "/".join([link.path.rstrip("/"), *rest])
                return self.refer(path, step, "external link", link.filename, target, depth)
            if isinstance(link, h5py.SoftLink):
                hops += 1
                if hops > _MOST_HOPS:
                    return False
                rest = ([] if link.path.startswith("/") else _parts(place)) + _parts(link.path) + rest
                place = ""
            elif link is None:
                return False
            else:
                place = step
        thing = file[place or "/"]
        if isinstance(thing, h5py.Dataset):
            self._beneath(thing, path, place, depth)
        return True

    def _beneath(self, dataset: h5py.Dataset, path: Path, place: str, depth: int) -> None:
        sources = dataset.virtual_sources() if dataset.is_virtual else []
        for name, inside in dict.fromkeys((source.file_name, source.dset_name) for source in sources):
            if name == ".":
                self.follow(path, inside, depth)
            else:
                self.refer(path, place, "virtual dataset", name, inside, depth)
        for stored, _, _ in dataset.external or ():
            name = os.fsdecode(stored)
            raw = Path(name) if Path(name).is_file() else None
            self.found[Source(path, place, "external storage", name, "", raw, raw is None)] = None

    def refer(self, path: Path, place: str, kind: Kind, name: str, inside: str, depth: int) -> bool:
        """Note a reference to another file and go on in there; return whether the object is there."""
        other, beneath = locate(name, path), _Trace()
        beneath._there = self._there
        there = other is not None and beneath.follow(other, inside, depth + 1)
        self.found[Source(path, place, kind, name, inside, other, not there)] = None
        self.found.update(beneath.found)
        return there


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def files_read(path: str | Path, *datasets: str) -> list[Path]:
    """List the files that datasets of a file are read from, the file itself first, missing ones left out."""
    files = [Path(path)]
    for inside in datasets:
        files += [source.found for source in dataset_sources(path, inside) if source.found is not None]
    return list(dict.fromkeys(files))


def all_sources(path: str | Path, *, most: int = MOST_LINKS, soft: bool = True) -> list[Source]:
    """List everything a file refers to outside itself, and (with ``soft``) its soft links to nothing.

    At most ``most`` links are looked at, in breadth before depth, hard-linked circles once.

    Raises
    ------
    BadInput
        If the file itself cannot be opened.
    """
    path, trace = Path(path), _Trace()
    for place, link in _links(path, most):
        if isinstance(link, h5py.SoftLink) and not soft:
            continue
        if isinstance(link, h5py.ExternalLink):
            trace.refer(path, place, "external link", link.filename, link.path, 0)
        elif not trace.follow(path, place, 0) and isinstance(link, h5py.SoftLink):
            trace.found[Source(path, place, "soft link", "", link.path, None, True)] = None
    return list(trace.found)


def missing_sources(path: str | Path, *, most: int = MOST_LINKS) -> list[Source]:
    """List what a file refers to and is not there: dangling links, absent virtual sources and storage."""
    return [source for source in all_sources(path, most=most) if source.missing]


def _links(path: Path, most: int) -> list[tuple[str, Link]]:
    """List the soft and external links of a file, and the hard ones to datasets that are stored elsewhere."""
    found: list[tuple[str, Link]] = []
    with open_file(path) as file:
        waiting, seen = deque([""]), {h5py.h5o.get_info(file.id).addr}
        while waiting:
            place = waiting.popleft()
            group = file[place or "/"]
            for name in group:
                most -= 1
                if most < 0:
                    return found
                inner, link = f"{place}/{name}", group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    found.append((inner, link))
                    continue
                thing = group[name]
                address = h5py.h5o.get_info(thing.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if isinstance(thing, h5py.Group):
                    waiting.append(inner)
                elif isinstance(thing, h5py.Dataset) and (thing.is_virtual or thing.external):
                    found.append((inner, link))
    return found
