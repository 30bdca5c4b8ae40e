"""The uniform model against one call in memory: what folders, parts, digests, provenance and the report cost.

The same scan, a frame to a chunk, is reconstructed twice, each time by a new process with one worker: by ``pan run``,
and by a script that reads all frames, corrects and reconstructs them in memory and writes one file. CPU seconds of the
whole processes are compared, so imports and start-up count for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Row

ROWS, COLUMNS, ANGLES = 512, 1024, 900

IN_MEMORY = """
import sys
import numpy as np
from pancommons.nexus.write import Field, create
from pancommons.techniques.tomography import attenuation, find_centre, flat_field, open_scan, reconstruct
from pancommons.techniques.tomography.correction.attenuation import averaged

scan = open_scan(sys.argv[1])
field = flat_field([averaged(scan.read_flats()[0])], averaged(scan.read_darks()[0]))
sinograms, _ = attenuation(scan.read_frames(), field)
centre = find_centre(sinograms[:: len(sinograms) // 8], scan.angles).value
slices = reconstruct(sinograms, scan.angles, centre=centre)
with create(sys.argv[2], title="in memory") as nexus:
    nexus.data("data", signal=Field("data", slices, "1/pixel"))
"""


def measure() -> Iterator[Row]:
    """Return the overhead of the runner."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        scan = place / "scan.nxs"
        size = ["--rows", str(ROWS), "--columns", str(COLUMNS), "--angles", str(ANGLES), "--phantom", "disc"]
        pan = [sys.executable, "-m", "pancommons"]
        _spent([*pan, "simulate", "tomography", str(scan), *size])
        run = [*pan, "run", "tomography", str(scan), "--workers", "1", "--no-resolution", "--out"]
        _spent([*run, str(place / "warm"), "--rows", "0:16"])
        memory = _spent([sys.executable, "-c", IN_MEMORY, str(scan), str(place / "memory.nxs")])
        runner = _spent([*run, str(place / "run")])
        detail = f"{ROWS} x {COLUMNS} x {ANGLES}: {runner:.1f} s against {memory:.1f} s"
        yield Row(
            "CPU seconds of pan run over one call in memory", runner / memory, 1.05, at_least=False, detail=detail
        )


def _spent(command: list[str]) -> float:
    """Run a command and return its CPU seconds, those of its children included."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
