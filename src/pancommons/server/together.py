"""What the processes of one server have in common, and what each needs to know of the others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from pancommons.server.buckets import Table

WORKER = "pancommons.server.worker"
"""The module that each of them runs."""


@dataclass(frozen=True)
class Together:
    """One of several processes that serve.

    Attributes
    ----------
    count
        How many they are.
    table
        What visitors have left with all of them.
    folder
        Where they keep what they count.
    """

    count: int
    table: Table
    folder: Path

    def processes(self) -> list[psutil.Process]:
        """Return those that live, and the one that looks after them."""
        above = psutil.Process(os.getppid())
        return [above, *(one for one in above.children() if one.pid == os.getpid() or _serves(one))]


def _serves(process: psutil.Process) -> bool:
    try:
        return WORKER in process.cmdline()
    except psutil.Error:
        return False
