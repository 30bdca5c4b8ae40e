"""The process that reads: ``python -m pancommons.nexus.serving.reader FD [FD]``: a socket to the server, and memory.

It has no environment to speak of, no database, as much memory as it is given, and where the kernel has Landlock no
files but those of the data roots. The first message says roots and budget; then each is a request.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path

from pancommons.base.machine import give_way
from pancommons.nexus.serving import room, wire
from pancommons.nexus.serving.answering import Asked, answer
from pancommons.nexus.serving.budget import Budget
from pancommons.nexus.serving.confinement import bound_files, bound_memory
from pancommons.nexus.serving.open_files import OpenFiles
from pancommons.nexus.serving.picture import load

_NICE = 5
"""Pages come before plots and frames, and these before runs."""
_LONGEST_BODY = 0
_GRACE = 10
_IDLE_SECONDS = 30.0


def serve(channel: socket.socket, memory: mmap.mmap | None) -> None:
    """Answer requests until the other side closes."""
    told, _ = wire.receive(channel, _LONGEST_BODY)
    roots, budget = [Path(os.path.realpath(root)) for root in told["roots"]], Budget(**told["budget"])
    confined = bound_files(roots)
    bound_memory(budget.memory_bytes)
    wire.send(channel, {"confined": confined}, room=memory)
    files = OpenFiles()
    while True:
        if len(files) and not select.select([channel], [], [], _IDLE_SECONDS)[0]:
            files.close()  # a file that is removed takes its place on the disk until it is closed
        request, _ = wire.receive(channel, _LONGEST_BODY)
        if request["what"] == "picture":
            load()
        signal.alarm(int(budget.seconds) + _GRACE)
        said = asdict(answer(Asked(**request), roots, budget, files))
        signal.alarm(0)
        body = said.pop("body")
        wire.send(channel, said, body, memory)
        if said["worn"]:
            return


def main() -> None:
    """Serve on the socket that is named on the command line."""
    give_way(_NICE)
    memory = room.enter(int(sys.argv[2])) if len(sys.argv) > 2 else None
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        try:
            serve(channel, memory)
        except (wire.Closed, KeyboardInterrupt, BrokenPipeError):
            return


if __name__ == "__main__":
    main()
