"""From a NeXus file to what the catalogue keeps of it, or why there is nothing to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py

from pancommons.base.errors import BadInput, PanError
from pancommons.catalogue.ingest.entry import Entry, Harvested, OpenFile, there
from pancommons.catalogue.ingest.linked import linked_files
from pancommons.catalogue.ingest.mapping import Mappings
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ingest.tree import Tree
from pancommons.nexus.read import attribute, entries, nx_class, open_file
from pancommons.nexus.text import as_text

NO_ENTRY = "holds no entry"
CHANGED = "changed while it was read"
_SUFFIXES = (".nxs", ".h5", ".hdf", ".hdf5", ".nx", ".nexus", ".cxi")


@dataclass(frozen=True)
class Harvest:
    """What came of a file.

    Attributes
    ----------
    path
        The file, or the folder of a run.
    found
        One for each entry; none where ``problem`` says why.
    problem
        Why nothing was found; None otherwise.
    notes
        What was left out and why.
    same
        Whether the file is what the catalogue knows, so that nothing was read.
    claimed
        Whether it says itself that it holds measurements; else it may only be a part of one.
    """

    path: Path
    found: tuple[Harvested, ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()
    same: bool = False
    claimed: bool = True


def is_candidate(path: Path) -> bool:
    """Say whether a file is looked at, by its name."""
    return path.suffix.lower() in _SUFFIXES


def harvest(
    path: Path, mappings: Mappings, roots: Roots, *, digest: Callable[[Path], str] | None = None, pictures: bool = True
) -> Harvest:
    """Read the metadata of a file.

    Parameters
    ----------
    path
        A NeXus file below a root.
    mappings
        Where things lie.
    roots
        Nothing is read from files outside of them, whatever the links say.
    digest
        Gives the sha256 of a file; left out when not given.
    pictures
        Whether to draw thumbnails.

    Returns
    -------
    Harvest
        With a problem where the file is no HDF5 file, is damaged, or holds no measurement.
    """
    place = roots.place(path)
    try:
        if place is None:
            raise BadInput("lies below no data root")
        before = path.stat()
        with open_file(path) as file, Tree(file, path, roots.allows) as tree:
            whole = OpenFile(file, path, place, tree, mappings, roots, before, digest, pictures)
            found, claimed = _harvested(whole)
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return Harvest(path, problem=CHANGED)
        return Harvest(path, found, None if found else NO_ENTRY, tuple(dict.fromkeys(whole.notes)), claimed=claimed)
    except BadInput as error:
        return Harvest(path, problem=error.problem)
    except PanError:
        return Harvest(path, problem=CHANGED)
    except OSError as error:
        return Harvest(path, problem=f"cannot be read ({error.strerror or error})")
    except MemoryError:
        return Harvest(path, problem="needs more memory than reading metadata may take")
    except (RuntimeError, ValueError, TypeError, KeyError, RecursionError) as error:
        return Harvest(
            path, problem=f"cannot be understood ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        )


def _harvested(whole: OpenFile) -> tuple[tuple[Harvested, ...], bool]:
    """Harvest the entries of an open file; say also whether one of them claims to be one."""
    hits = [hit for entry in entries(whole.file) for hit in whole.tree.find(whole.file, entry.path)]
    groups = [hit.thing for hit in hits if isinstance(hit.thing, h5py.Group)]
    simulated = any(there(whole.tree, group, whole.mappings.default.kind.simulated) for group in groups)
    meant = _meant(whole, groups)
    linked = linked_files(whole.path, whole.roots, whole.digest)
    found: list[Harvested] = []
    for group in meant:
        entry = Entry(whole, group, simulated, alone=len(meant) == 1)
        found.append(entry.harvest(linked, taken={other.dataset.pid for other in found}))
    if whole.tree.exhausted:
        whole.notes.append("is so large that not all of it was looked at")
    return tuple(found), any(nx_class(group) or attribute(group, "canSAS_class") for group in meant)


def _meant(whole: OpenFile, groups: list[h5py.Group]) -> list[h5py.Group]:
    """Return the entries that are datasets of their own: each, or only the one that the file shows first."""
    mapping = whole.mappings.choose(whole.path.as_posix(), creator=whole.creator)
    first = (as_text(attribute(whole.file, "default")) or "").strip("/")
    chosen = [group for group in groups if str(group.name).strip("/") == first]
    return groups if mapping.entries == "each" or not chosen else chosen
