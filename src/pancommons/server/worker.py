"""One of several processes that serve, as `pancommons.server.processes` starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pancommons.base.errors import BadInput, PanError
from pancommons.base.machine import end_with_parent


@dataclass(frozen=True)
class Told:
    """What it is told, as its argument in JSON.

    Attributes
    ----------
    above
        The process that looks after it.
    count
        How many serve.
    listener, ready, memory
        Descriptors: the socket on which it answers, where it says how it began, what visitors have left.
    folder
        Where it keeps what it counts.
    """

    above: int
    count: int
    listener: int
    ready: int
    memory: int | None
    folder: str

    def argument(self) -> str:
        """Write it as the argument of the process."""
        return json.dumps(asdict(self))


def main() -> None:
    """Serve until SIGINT or SIGTERM; end with the process that looks after this one."""
    told = Told(**json.loads(sys.argv[1]))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    end_with_parent(told.above)
    from pancommons.server.app import create_app
    from pancommons.server.buckets import Table
    from pancommons.server.services import Services
    from pancommons.server.serving import serve
    from pancommons.server.together import Together

    with os.fdopen(told.ready, "w", encoding="utf-8") as ready:
        try:
            together = Together(told.count, Table(memory=told.memory), Path(told.folder))
            app = create_app(Services.open(), together)
        except PanError as error:
            json.dump({"problem": str(error), "input": isinstance(error, BadInput)}, ready)
            return
        json.dump({}, ready)
    serve(app, socket.socket(fileno=told.listener))


if __name__ == "__main__":
    main()
