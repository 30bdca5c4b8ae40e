"""What this process may use of the machine: cores by affinity and cgroup, memory by limit, and after whom."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from pancommons.base.errors import BadInput

_CGROUP = Path("/sys/fs/cgroup")
_SESSION = Path("/proc/self/autogroup")
_LIMITS = ("memory.max", "memory.limit_in_bytes")
_USED = ("memory.current", "memory.usage_in_bytes")
_NO_LIMIT = 1 << 60
_PR_SET_PDEATHSIG = 1
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def cores() -> int:
    """Count the cores this process may use: the smallest of affinity and the cgroup's CPU quota, at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = _cpu_quota()
    return max(1, min(allowed, round(quota))) if quota else allowed


def give_way(nice: int) -> None:
    """Let others come first on the cores; for a process that leads a session of its own.

    Linux may share the cores between sessions before it looks at the processes in them (sched(7), "The autogroup
    feature"): then the niceness of a process counts in its session alone, and that of the session is set here, too.
    """
    os.nice(nice)
    with suppress(OSError):
        _SESSION.write_text(str(nice))


def end_with_parent(parent: int) -> None:
    """Make the kernel end this process when its parent does, and end it now if the parent has ended already.

    Linux alone can; elsewhere a process that its parent did not end goes on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def memory_limit() -> int | None:
    """Return the cgroup's memory limit in bytes, or None where there is none."""
    limits = (_first(folder, _LIMITS) for folder in _cgroup_folders("memory"))
    return min((limit for limit in limits if limit is not None and limit < _NO_LIMIT), default=None)


def memory_free() -> int:
    """Return the bytes this process could still allocate, by the machine and by its cgroup."""
    import psutil

    free = int(psutil.virtual_memory().available)
    for folder in _cgroup_folders("memory"):
        limit, used = _first(folder, _LIMITS), _first(folder, _USED)
        if limit is not None and limit < _NO_LIMIT:
            free = min(free, max(0, limit - (used or 0) + _reclaimable(folder)))
    return free


def parse_size(text: str) -> int:
    """Read a size such as ``4G``, ``512 MB`` or ``1.5GiB`` as bytes (binary multiples).

    Raises
    ------
    BadInput
        If the text is no size, or not more than zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    size = float(match[1]) * _UNITS[match[2].upper()] if match else 0
    if not 1 <= size < _NO_LIMIT:
        raise BadInput(f"{text!r} is no size", field="memory", remedy="write a number and a unit, such as 4G")
    return int(size)


def format_size(size: float) -> str:
    """Write a number of bytes for people: ``1.5 GB`` (binary multiples)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _cpu_quota() -> float | None:
    quotas = []
    for folder in _cgroup_folders("cpu"):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            if quota != "max":
                quotas.append(int(quota) / int(period))
        except (OSError, ValueError):
            quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
            if quota_us and period_us and quota_us > 0:
                quotas.append(quota_us / period_us)
    return min(quotas, default=None)


def _cgroup_folders(controller: str) -> list[Path]:
    """List the cgroup folders of this process from its own up to the root, version 2 or 1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers and controller not in names:
            continue
        root = _CGROUP / controllers if controllers else _CGROUP
        if not root.is_dir():
            root = _CGROUP / controller
        place = root / path.lstrip("/")
        while True:
            folders.append(place)
            if place == root or root not in place.parents:
                break
            place = place.parent
    return folders


def _first(folder: Path, names: tuple[str, ...]) -> int | None:
    return next((number for name in names if (number := _number(folder / name)) is not None), None)


def _reclaimable(folder: Path) -> int:
    """Return the bytes of a cgroup that are only cached file contents, which give way when memory is asked for."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    cached = dict(line.split()[:2] for line in lines if line.count(" "))
    return int(cached.get("total_inactive_file") or cached.get("inactive_file") or 0)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
