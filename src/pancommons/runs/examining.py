"""The process that looks at data before a run: ``python -m pancommons.runs.examining FD``.

It is asked over a socket to the server, FD, and forks itself for each request: what looks at data has no environment
to speak of, no database, as much memory and time as it is given, and where the kernel has Landlock no files but those
of the data roots; it ends with its answer, so that nothing of a request is left for the next. The process itself is
started before it is needed, so that whoever asks does not wait for the techniques to be imported.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput, PanError
from pancommons.base.machine import end_with_parent, give_way
from pancommons.nexus.serving import wire
from pancommons.nexus.serving.confinement import bound_files, bound_memory

_NICE = 10
_MOST_LINKS = 5000
_HDF5 = {".nxs", ".h5", ".hdf5", ".hdf", ".nx5", ".nexus"}


def warm() -> None:
    """Import what inspecting and planning need, of every technique that can be imported."""
    import hdf5plugin  # noqa: F401

    from pancommons.nexus.units import convert
    from pancommons.pipelines import creation, registry  # noqa: F401
    from pancommons.pipelines.declaration import resolve

    convert(1.0, "mm", "m")  # reads the definitions of units
    for name in registry.names():
        with suppress(Exception):
            pipeline = registry.load(name)
            for function in (pipeline.inspect, pipeline.plan, pipeline.preview):
                if function:
                    resolve(function)


def examine(told: dict[str, Any]) -> dict[str, Any]:
    """Answer a request: the record of the run to be, what it would take, and all files that it reads."""
    from pancommons.pipelines import creation

    request = creation.Request(
        pipeline=told["pipeline"],
        inputs={role: [Path(path) for path in paths] for role, paths in told["inputs"].items()},
        parameters=told["parameters"],
        preset=told["preset"],
        preview=told["preview"],
        workers=told["workers"],
        memory=str(told["memory"]),
    )
    try:
        prepared = creation.examine(request)
    except BadInput as error:
        file = None if error.file is None else str(error.file)
        return {"problem": error.problem, "file": file, "field": error.field, "remedy": error.remedy}
    except PanError as error:
        return {"problem": str(error).rstrip(".")}
    except MemoryError:
        return {"problem": "looking at the data needs more memory than it may have"}
    except Exception as error:
        return {"problem": f"the data cannot be understood ({type(error).__name__}: {error})"}
    record, estimate = prepared.record, prepared.estimate
    return {
        "record": record.model_dump(mode="json"),
        "estimate": {"seconds": estimate.seconds, "memory": estimate.memory, "disk": estimate.disk},
        "touched": sorted(_touched(told["inputs"], [file.path for file in record.files])),
    }


def _touched(inputs: dict[str, list[str]], files: list[str]) -> set[str]:
    """Return every file that is read: what inspecting named, and where links of HDF5 files lead."""
    from pancommons.nexus.links import all_sources

    found = set(files)
    for path in [path for paths in inputs.values() for path in paths]:
        found.add(path)
        if Path(path).suffix.lower() in _HDF5:
            with suppress(BadInput, OSError, RuntimeError):
                sources = all_sources(path, most=_MOST_LINKS, soft=False)
                found |= {str(source.found) for source in sources if source.found is not None}
    return found


def answer(told: dict[str, Any], channel: socket.socket) -> None:
    """Answer a request in a process of its own; if that gives no answer, this one ends as it did.

    That process has no hold of the socket to the server: what data make it do cannot answer for other requests.
    """
    own = os.getpid()
    here, there = socket.socketpair()
    if not (child := os.fork()):
        try:
            end_with_parent(own)
            channel.close()
            here.close()
            signal.alarm(int(told["seconds"]) + 1)
            bound_files(Path(os.path.realpath(root)) for root in told["roots"])
            bound_memory(told["bytes"])
            wire.send(there, examine(told))
            os._exit(0)
        finally:
            os._exit(1)
    there.close()
    try:
        with here:
            said, _ = wire.receive(here, 0)
    except wire.Closed:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            os.kill(own, signal.SIGALRM)
        sys.exit(1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wire.send(channel, said)


def main() -> None:
    """Answer the requests that come on the socket named on the command line, one after the other."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        give_way(_NICE)
        warm()
        with suppress(wire.Closed, KeyboardInterrupt, BrokenPipeError):
            while True:
                told, _ = wire.receive(channel, 0)
                answer(told, channel)


if __name__ == "__main__":
    main()
