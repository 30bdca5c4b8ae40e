"""The ``pan`` command: thin faces over the rooms below, a module for each group of commands."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pancommons.base.errors import PanError

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    from pancommons.base.errors import PanError
    from pancommons.base.home import home
    from pancommons.cli.app import build

    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("MPLCONFIGDIR", str(home() / "matplotlib"))
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")  # units are what runs in parallel
    try:
        build(arguments)(arguments)
    except PanError as error:
        say_error(error, as_json="--json" in arguments)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def say_error(error: PanError, *, as_json: bool) -> None:
    """Say an error in its one sentence: to people on stderr, to machines as an event on stdout."""
    if as_json:
        print(json.dumps({"event": "error", "text": str(error), "exit": error.exit_code}), flush=True)
    else:
        print(error, file=sys.stderr)
