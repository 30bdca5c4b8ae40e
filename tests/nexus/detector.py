"""Frames as a detector counts them."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np


def write_frames(file: Path, frames: int, edge: int) -> None:
    """Write a stack of square frames as ``v``, compressed one by one: a few photons a pixel, more in rings."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : edge * 1j, -1 : 1 : edge * 1j]
    radius = np.hypot(x, y)
    rings = 1 + 30 * np.exp(-(((radius * 12) % 1 - 0.5) ** 2) / 0.01) * np.exp(-radius)
    with h5py.File(file, "w") as opened:
        made = opened.create_dataset(
            "v", (frames, edge, edge), "u2", chunks=(1, edge, edge), **hdf5plugin.Bitshuffle(cname="lz4")
        )
        for index in range(frames):
            made[index] = rng.poisson(rings)
