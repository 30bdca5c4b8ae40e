"""What schemathesis loads beside the description: identifiers that there are, and what no answer may say.

It runs in a process of its own, in a folder with ``known.json``: values by the names of places and parameters, and
texts that say something of this machine.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import schemathesis

_KNOWN: dict[str, Any] = json.loads(Path("known.json").read_text())


def _chosen(name: str, value: Any, path: str) -> Any:
    """Put what there is in place of most of what was made up, always the same for the same."""
    known = _KNOWN["values"].get(f"{path} {name}", _KNOWN["values"].get(name, []))
    number = zlib.crc32(repr((name, value)).encode("utf-8", "surrogatepass"))
    return known[number // 7 % len(known)] if known and number % 7 < 5 else value


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: _chosen(name, value, context.operation.path) for name, value in (path_parameters or {}).items()}


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: _chosen(name, value, "query") for name, value in (query or {}).items()}


@schemathesis.check
def says_nothing_of_the_machine(ctx: Any, response: Any, case: Any) -> None:
    told = response.content + repr(sorted(response.headers.items())).encode("utf-8", "replace")
    for one in (*_KNOWN["hidden"], "Traceback (most recent", "site-packages"):
        assert one.encode() not in told, f"{case.method} {case.path}: the answer holds {one}"
