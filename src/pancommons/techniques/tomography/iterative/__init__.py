"""Iterative reconstruction: least squares and total variation by one convolution per iteration."""

from __future__ import annotations

from pancommons.techniques.tomography.iterative.reconstruction import (
    ITERATIONS,
    METHODS,
    Iterated,
    IterativeReconstruction,
    Method,
    automatic_weight,
    geometry_bytes,
    reconstruct_iteratively,
    seconds,
    warm,
    working_bytes,
)

__all__ = [
    "ITERATIONS",
    "METHODS",
    "Iterated",
    "IterativeReconstruction",
    "Method",
    "automatic_weight",
    "geometry_bytes",
    "reconstruct_iteratively",
    "seconds",
    "warm",
    "working_bytes",
]
