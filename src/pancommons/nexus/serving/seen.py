"""What a path leads to at a moment, from which it shows later whether that is still so."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeAlias

Seen: TypeAlias = tuple[str, int, int, int, int, int]
"""Of a regular file: real path, device, inode, size in bytes, last change of its content and of anything, in ns."""

SETTLED_NS = 2_000_000_000
"""How long after its last change a file has to be seen for any later change to show.

The clocks by which file systems write times step by 1 to 10 ms, that of FAT by 2 s: what is changed twice between two
steps looks as if it were changed once.
"""


def seen(path: str | Path) -> Seen | None:
    """Look what a path leads to, links in it resolved; None if that is no regular file, or its name is no text."""
    try:
        real = os.path.realpath(path, strict=True)
        real.encode("utf-8")
        known = Path(real).stat()
    except (OSError, ValueError):
        return None
    return (real, *marks(known)) if stat.S_ISREG(known.st_mode) else None


def marks(known: os.stat_result) -> tuple[int, int, int, int, int]:
    """Return what of a file's state tells whether it is still the same."""
    return known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns


def settled(known: Seen, at: int) -> bool:
    """Say whether any change of a file since it was seen would show.

    Parameters
    ----------
    at
        A moment before it was seen, in ns since 1970.
    """
    return max(known[4], known[5]) < at - SETTLED_NS
