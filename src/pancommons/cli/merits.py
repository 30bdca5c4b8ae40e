"""Figures of merit on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def say_merits(merits: Iterable[Mapping[str, Any]]) -> None:
    """Print figures of merit, those that are known."""
    for merit in merits:
        if merit["value"] is not None:
            print(f"{merit['label']:<40} {merit['value']:.6g} {merit['unit']}".rstrip())
