"""What a process that reads files of strangers gives up before it reads the first."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_READ_FILE, _READ_FOLDER, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_ACCESS_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1}
_ACCESS = (1 << 15) - 1
_NETWORK = 3


def bound_memory(more: int) -> None:
    """Let this process have so many bytes more than it has now; what wants more gets a MemoryError."""
    statm = Path("/proc/self/statm")
    now = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 1 << 30
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = now + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def bound_files(folders: Iterable[Path]) -> bool:
    """Let this process open nothing but what lies in folders and what Python itself needs, and that for reading.

    By Landlock, where the kernel has it (Linux 5.13); network connections are given up too (Linux 6.7).

    Returns
    -------
    bool
        Whether it is so now.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    if version < 1:
        return False
    handled = struct.pack("=Q", _ACCESS_OF_VERSION.get(version, _ACCESS))
    if version >= 4:
        handled += struct.pack("=Q", _NETWORK)
    ruleset = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        own = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, *sys.path) if place}
        for folder in {*folders, *own, Path("/usr/lib"), Path("/lib"), Path("/lib64"), Path("/proc/self")}:
            _allow(libc, ruleset, folder)
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, folder: Path) -> None:
    try:
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        access = _READ_FILE | (_READ_FOLDER | _EXECUTE if folder.is_dir() else 0)
        rule = struct.pack("=Qi", access, place)
        libc.syscall(_ADD_RULE, ruleset, ctypes.c_uint32(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)
