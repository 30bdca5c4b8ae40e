"""Digests: sha256 for what others must check, xxh3 for the parts of a run that only we read again."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pancommons.base.errors import PanError

_BLOCK = 16 << 20


def sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Return the sha256 of a file, or of a folder's manifest.

    Parameters
    ----------
    path
        A file, or a folder: then the digest is that of its `manifest`.
    progress
        Called with the number of bytes read since the last call; may raise to stop.
    """
    if path.is_dir():
        return hashlib.sha256(os.fsencode(manifest(path, progress))).hexdigest()
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
        if progress:
            progress(len(block))
    return digest.hexdigest()


def manifest(folder: Path, progress: Callable[[int], None] | None = None) -> str:
    """List a folder as `sha256sum` does: ``digest  relative/path`` lines, in the order of the paths' bytes.

    It is what ``find * -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`` prints in the folder.
    """
    files = {os.fsencode(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return "".join(_line(sha256(path, progress), name) for name, path in sorted(files.items()))


def _line(digest: str, name: bytes) -> str:
    """Write a line as `sha256sum` does: a name with a line break or a backslash in it is escaped, and says so."""
    text = os.fsdecode(name)
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == text else chr(92)}{digest}  {escaped}\n"


def quick(path: Path) -> str:
    """Return the 128-bit xxh3 of a file: tells a damaged part from a whole one at memory speed."""
    import xxhash

    digest = xxhash.xxh3_128()
    for block in _blocks(path):
        digest.update(block)
    return str(digest.hexdigest())


def _blocks(path: Path) -> Iterator[mmap.mmap]:
    """Map a file window by window: no copy is made, and its pages are shared with whoever else reads it."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, _BLOCK):
            if os.fstat(file.fileno()).st_size != size:
                raise PanError(f"{path}: this file changed while it was read.")
            with mmap.mmap(file.fileno(), min(_BLOCK, size - start), access=mmap.ACCESS_READ, offset=start) as window:
                yield window
