"""Data roots: the folders that the catalogue knows files in, each by an id, so that archives can move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pancommons.base.errors import BadInput


@dataclass(frozen=True)
class Place:
    """Where a file lies: below which root, and the path relative to it with slashes."""

    root: str
    path: str

    def __str__(self) -> str:
        return f"{self.root}:{self.path}"


@dataclass(frozen=True)
class Roots:
    """The configured data roots, by id."""

    folders: dict[str, Path]

    def place(self, path: Path) -> Place | None:
        """Return where a file lies, links in its path resolved; None outside of all roots. The innermost counts."""
        real = path.resolve()
        inside = [(name, folder) for name, folder in self._resolved() if real.is_relative_to(folder)]
        if not inside:
            return None
        name, folder = max(inside, key=lambda one: len(one[1].parts))
        return Place(name, real.relative_to(folder).as_posix())

    def allows(self, path: Path) -> bool:
        """Say whether a file lies below a root, links in its path resolved."""
        return self.place(path) is not None

    def path(self, place: Place) -> Path | None:
        """Return the path of a place; None if its root is not configured any more or the path leads out of it."""
        folder = self.folders.get(place.root)
        if folder is None:
            return None
        found = folder / place.path
        return found if found.resolve().is_relative_to(folder.resolve()) else None

    def _resolved(self) -> list[tuple[str, Path]]:
        return [(name, folder.resolve()) for name, folder in self.folders.items()]


def check_below(roots: Roots, path: Path) -> None:
    """Refuse what lies outside of all roots.

    Raises
    ------
    BadInput
        Saying which line of the configuration is missing.
    """
    if not roots.allows(path):
        raise BadInput(
            "lies below no data root",
            file=path,
            remedy=f'name one in the configuration: [data_roots] NAME = "{path if path.is_dir() else path.parent}"',
        )
