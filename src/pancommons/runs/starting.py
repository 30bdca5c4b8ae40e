"""Starting the process of a run: an interface that takes the Unix user to run as, and this machine as one way."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pancommons.base.errors import BadInput
from pancommons.base.machine import cores
from pancommons.base.settings import Settings
from pancommons.runs.environment import environment

LOG = "log"
"""What the process of a run prints, in its folder."""
_FILES = 4096
_MORE_MEMORY = 4 << 30


@dataclass(frozen=True)
class Limits:
    """What a run may take: bytes of memory that it plans with, seconds of time, and who runs it by name."""

    memory: int
    seconds: float
    name: str | None = None


class Starter(Protocol):
    """What starts the processes of runs.

    A handle is text that is kept with the run; it tells whether the process is still there, and is what a
    scheduler knows it by. Whether a run goes is not told by it alone: the lock in its folder says so.
    """

    def start(self, folder: Path, *, user: str | None, limits: Limits) -> str:
        """Start or go on with the run in a folder, as a Unix user; return a handle.

        Raises
        ------
        BadInput
            If it cannot be started so.
        """
        ...

    def alive(self, handle: str) -> bool:
        """Say whether the process is there, or may come."""
        ...

    def end(self, handle: str) -> None:
        """End the process and all that it started, at once."""
        ...


class LocalStarter:
    """Processes on this machine, each in a session of its own: they outlive the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, folder: Path, *, user: str | None, limits: Limits) -> str:
        """Start or go on with the run in a folder, as a Unix user; return a handle.

        Raises
        ------
        BadInput
            If there is no such user, or the server is not root and so cannot become another.
        """
        account = _account(user)
        command = [
            *(sys.executable, "-m", "pancommons.runs.running", str(folder)),
            *("--memory", str(2 * limits.memory + _MORE_MEMORY)),
            *("--seconds", str(round(limits.seconds * cores()) + 60)),
            *("--files", str(_FILES)),
        ]
        surroundings = environment(self._settings, limits.name, user if account else None)
        if account is not None:
            surroundings |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
        try:
            if account is not None:
                _hand_over(folder, account)
            log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
            try:
                process = subprocess.Popen(
                    command,
                    env=surroundings,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    user=None if account is None else account.pw_uid,
                    group=None if account is None else account.pw_gid,
                    extra_groups=None if account is None else os.getgrouplist(account.pw_name, account.pw_gid),
                )
            finally:
                os.close(log)
        except OSError as error:
            raise BadInput(f"the run cannot be started ({error.strerror})", remedy="ask the facility") from None
        with self._lock:
            self._children[process.pid] = process
        return name_of(process.pid)

    def alive(self, handle: str) -> bool:
        """Say whether the process is there."""
        with self._lock:
            for pid in [pid for pid, child in self._children.items() if child.poll() is not None]:
                del self._children[pid]
        return is_there(handle)

    def end(self, handle: str) -> None:
        """End the process and all that it started, at once."""
        if self.alive(handle):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(_parts(handle)[1], signal.SIGKILL)


def name_of(pid: int) -> str:
    """Name a process of this machine so that no other is taken for it: host, id, and when it began since boot."""
    return f"{socket.gethostname()}/{pid}/{_stat(pid)[1]}"


def is_there(name: str) -> bool:
    """Say whether a process that was named so is there, on this machine, and no zombie."""
    host, pid, began = _parts(name)
    state, since = _stat(pid)
    return host == socket.gethostname() and since == began and state not in ("Z", "X", "")


def is_here(name: str) -> bool:
    """Say whether a process that was named so is, or was, one of this machine."""
    return _parts(name)[0] == socket.gethostname()


def _stat(pid: int) -> tuple[str, int]:
    """Return state and begin of a process, in ticks since boot; the begin of none is 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return "", 0


def _parts(name: str) -> tuple[str, int, int]:
    host, pid, began = name.rsplit("/", 2)
    return host, int(pid), int(began)


def _account(user: str | None) -> pwd.struct_passwd | None:
    """Return the account to become; None where that is not needed."""
    if user is None:
        return None
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise BadInput(f"there is no Unix user {user!r} on this machine", remedy="ask the facility") from None
    if account.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise BadInput(f"the server may not run as the Unix user {user!r}", remedy="ask the facility")
    if account.pw_uid == 0:
        raise BadInput("runs of people are not run as root", remedy="ask the facility")
    return account


def _hand_over(folder: Path, account: pwd.struct_passwd) -> None:
    """Give a fresh folder, which holds ``run.json``, to its user; nothing that a link leads to."""
    for path in (folder, folder / "run.json"):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
