"""Ingesting files and folders: walk, read in processes, put into the catalogue, tell."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pancommons.catalogue.ingest.crates import CRATE, is_run
from pancommons.catalogue.ingest.harvest import Harvest, is_candidate
from pancommons.catalogue.ingest.storing import Catalogue, Outcome
from pancommons.catalogue.ingest.workers import Reading, Task, read_all


def walk(paths: Iterable[Path]) -> Iterator[Path]:
    """Give the files to look at, and the folders of runs, in the order of their names.

    A file that is named is given whatever it is called; in folders only those called as HDF5 files are. Hidden
    ones are left out, folders behind symbolic links too. A run's folder is one thing: nothing in it is given.
    """
    for path in paths:
        if not path.is_dir() or is_run(path):
            yield path
        else:
            yield from _inside(path)


def _inside(folder: Path) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if is_run(path):
                    yield path
                else:
                    folders.append(path)
            elif entry.is_file() and is_candidate(path):
                yield path
        waiting += reversed(folders)


def ingest(paths: Iterable[Path], catalogue: Catalogue, reading: Reading, *, workers: int = 2) -> Iterator[Outcome]:
    """Bring the catalogue up to date with files and run folders, each in one transaction.

    Killed at any moment, it can be started again: what is there is left as it is.

    Yields
    ------
    Outcome
        One for each, as they are done.
    """
    catalogue.prepare()
    later: list[Path] = []
    yield from _round(walk(paths), catalogue, reading, workers, later)
    yield from _round(iter(later), catalogue, reading, workers, None)


def _round(
    paths: Iterable[Path], catalogue: Catalogue, reading: Reading, workers: int, later: list[Path] | None
) -> Iterator[Outcome]:
    for done in read_all(_tasks(paths, catalogue), reading, workers):
        outcome = catalogue.put(done, last=later is None) if isinstance(done, Harvest) else done
        if outcome.later and later is not None:
            later.append(outcome.path)
        else:
            yield outcome


def _tasks(paths: Iterable[Path], catalogue: Catalogue) -> Iterator[Task | Outcome]:
    for path in paths:
        try:
            path.as_posix().encode()
        except UnicodeEncodeError:
            yield Outcome(path, "failed", problem="has a name that is no text in UTF-8")
            continue
        yield catalogue.task(path) or Outcome(path, "unchanged")


def watch(
    paths: list[Path], catalogue: Catalogue, reading: Reading, *, workers: int = 2, seconds: float = 10.0
) -> Iterator[Outcome | None]:
    """Ingest again and again; a file is read once it has not changed from one look to the next.

    Yields
    ------
    Outcome or None
        One for each file that was new or changed; None after each look at all of them.
    """
    catalogue.prepare()
    before: dict[Path, tuple[int, int]] = {}
    refused: dict[Path, tuple[int, int]] = {}
    while True:
        now = {
            path: sign
            for path in walk(paths)
            if (sign := _sign(path)) and refused.get(path) != sign and catalogue.task(path) is not None
        }
        later: list[Path] = []
        settled = [path for path, sign in now.items() if before.get(path) == sign]
        for paths_, last in ((settled, later), (later, None)):
            for outcome in _round(list(paths_), catalogue, reading, workers, last):
                if outcome.status in ("failed", "skipped"):
                    refused[outcome.path] = now[outcome.path]
                yield outcome
        before = now
        yield None
        time.sleep(seconds)


def _sign(path: Path) -> tuple[int, int] | None:
    """Return what tells whether a file, or the crate of a run, changed; None where it is gone."""
    try:
        stat = (path / CRATE if path.is_dir() else path).stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
