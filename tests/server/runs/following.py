"""Following the events of a run over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx


def followed(
    address: str, run: str, after: int | None = None, most: int = 10**6, shown: Mapping[str, str] | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """Follow the events of a run as a browser does, to the end or so many of them.

    Parameters
    ----------
    shown
        Headers that say who asks.
    """
    headers = {**(shown or {}), "Accept": "text/event-stream"}
    headers |= {} if after is None else {"Last-Event-ID": str(after)}
    found: list[tuple[int, dict[str, Any]]] = []
    line = 0
    with httpx.stream("GET", f"{address}/runs/{run}/events", headers=headers, timeout=120) as answer:
        if answer.status_code == 204:
            return found
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for text in answer.iter_lines():
            if text.startswith("id: "):
                line = int(text[4:])
            elif text.startswith("data: "):
                found.append((line, json.loads(text[6:])))
                if len(found) >= most:
                    break
    return found
