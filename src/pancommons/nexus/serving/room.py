"""Memory that the server shares with a reading process: what is put there needs no way through a socket.

A socket takes some 200 kB at a time, and both processes have to be woken for each; a frame is ten times that.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys


def make(size: int) -> int | None:
    """Make room for so many bytes; None where the system has no memory whose size can be sealed.

    Neither side can change the size: one that made it smaller would end the other, which has it mapped.

    Returns
    -------
    fd
        A descriptor, to be closed once it is mapped and handed on.
    """
    if sys.platform != "linux":
        return None
    fd = os.memfd_create("pancommons", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def enter(fd: int | None) -> mmap.mmap | None:
    """Map the room of a descriptor, which is closed; None for none."""
    if fd is None:
        return None
    try:
        return mmap.mmap(fd, 0)
    finally:
        os.close(fd)
