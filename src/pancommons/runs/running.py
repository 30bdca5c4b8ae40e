"""The process of one run: ``python -m pancommons.runs.running FOLDER --memory BYTES --seconds S --files N``.

It takes lower priority and its limits before it imports a technique, and knows nothing of the server.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from pancommons.base.machine import give_way

NICE = 10


def limit(kind: int, most: int) -> None:
    """Let this process have no more of something than that, and never again more."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, most))


def main(arguments: list[str] | None = None) -> int:
    """Bring a run to its end, from wherever it is; a signal to end is a request to stop."""
    parser = argparse.ArgumentParser(prog="pancommons.runs.running")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--files", type=int, required=True)
    told = parser.parse_args(arguments)
    give_way(NICE)
    limit(resource.RLIMIT_AS, told.memory)
    limit(resource.RLIMIT_CPU, told.seconds)
    limit(resource.RLIMIT_NOFILE, told.files)
    limit(resource.RLIMIT_CORE, 0)

    from pancommons.base.errors import PanError
    from pancommons.base.settings import settings
    from pancommons.pipelines import runner
    from pancommons.pipelines.api import finished
    from pancommons.pipelines.folder import RunFolder

    def stop(number: int, frame: FrameType | None) -> None:
        (told.folder / "stop").touch()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        if not finished(RunFolder.open(told.folder)):
            runner.execute(told.folder, on=settings().on)
    except PanError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
