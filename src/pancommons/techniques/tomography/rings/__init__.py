"""Removal of rings: one function, a module per method."""

from __future__ import annotations

from pancommons.techniques.tomography.rings.removal import (
    FEWEST,
    METHODS,
    RingMethod,
    remove_rings,
    seconds_per_value,
    warm,
    working_bytes,
)

__all__ = ["FEWEST", "METHODS", "RingMethod", "remove_rings", "seconds_per_value", "warm", "working_bytes"]
