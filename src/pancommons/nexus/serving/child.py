"""A process that works for another, in a folder of its own, and the socket over which it is asked."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pancommons.nexus.serving import room, wire


class Child:
    """A process that was started, and is asked one thing after the other.

    Parameters
    ----------
    module
        What it runs, with the number of its end of the socket as argument.
    environment
        All that it knows of the environment.
    folder
        Where it works; removed at its end.
    shared
        Bytes of memory that are shared with it for what it answers; where that can be, its number is the second
        argument.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str],
        folder: tempfile.TemporaryDirectory[str],
        *,
        shared: int = 0,
    ) -> None:
        self._folder = folder
        self._channel, other = socket.socketpair()
        memory = room.make(shared) if shared else None
        with other:
            handed = [other.fileno()] if memory is None else [other.fileno(), memory]
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, handed)],
                pass_fds=handed,
                env=dict(environment),
                cwd=Path(folder.name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._room = room.enter(memory)

    def exchange(self, head: dict[str, Any], until: float, most: int = 0) -> tuple[dict[str, Any], bytes]:
        """Send a message and receive the answer.

        Parameters
        ----------
        until
            By the monotonic clock, when it has to be there.
        most
            Bytes that may come after the head of the answer.

        Raises
        ------
        TimeoutError
            If it is not there in time.
        wire.Closed
            If the process is gone.
        """

        def wait() -> None:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)

        wait()
        try:
            wire.send(self._channel, head)
        except TimeoutError:
            raise
        except OSError:
            raise wire.Closed from None
        return wire.receive(self._channel, most, wait, self._room)

    def end(self) -> None:
        """End the process, if it has not ended, and remove its folder."""
        self._channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._room is not None:
            self._room.close()
        self._folder.cleanup()
