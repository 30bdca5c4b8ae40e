"""Files of a dataset as the folders they lie in, below the one that they have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pancommons.catalogue.records import File


@dataclass
class Folder:
    """A folder, with what is shown of it."""

    name: str
    folders: dict[str, Folder] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many files it holds, those in folders below it too."""
        return len(self.files) + sum(one.count for one in self.folders.values())

    @property
    def size(self) -> int:
        """Return how many bytes are known to be in it."""
        return sum(one.size or 0 for one in self.files) + sum(one.size for one in self.folders.values())


def file_tree(files: Iterable[File]) -> Folder:
    """Put files into folders; the path that all of them share is not shown."""
    top = Folder("")
    for one in sorted(files, key=lambda file: file.path):
        here = top
        for part in one.path.split("/")[:-1]:
            here = here.folders.setdefault(part, Folder(part))
        here.files.append(one)
    while not top.files and len(top.folders) == 1:
        top = next(iter(top.folders.values()))
    return top
