"""Ingest of ten thousand small files: how fast, in how much memory, and that again is no change.

Each is a NeXus file of about 20 kB with instrument, sample, user, parameters and an image of 64 x 64, in a hundred
folders, put into a SQLite file by ``pan ingest``. Memory is the peak of all its processes together; that it is bounded
is seen by comparing with a tenth of the files. The rate is per second of CPU time, of two readers and the writer.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import psutil

from benchmarks import Row

FILES, FOLDERS = int(os.environ.get("PANCOMMONS_BENCH_FILES", "10000")), 100


def measure() -> Iterator[Row]:
    """Return the rows for ingest."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(FILES):
            write(place / "data" / f"{number % FOLDERS:03}" / f"scan-{number:06}.nxs", number)
        few, _, _ = _ingest(place, "few", *(f"{number:03}" for number in range(FOLDERS // 10)))
        spent = os.times()
        memory, seconds, counts = _ingest(place, "all", "")
        cpu = sum(os.times()[2:4]) - sum(spent[2:4])
        detail = f"{counts}, {memory / 2**20:.0f} MiB at the peak, {FILES / seconds:.1f} a second on the clock"
        yield Row("files per second of CPU time", FILES / cpu, 10, detail=detail)
        yield Row("peak of memory over that of a tenth of the files", memory / few, 1.25, at_least=False)
        before = _content(place / "all")
        again, seconds, counts = _ingest(place, "all", "")
        detail = f"{FILES / seconds:.0f} files a second, {again / 2**20:.0f} MiB"
        yield Row("files that a second ingest changes", FILES - counts["unchanged"], 0, at_least=False, detail=detail)
        yield Row("tables that it changes", float(_content(place / "all") != before), 0, at_least=False)


def write(path: Path, number: int) -> None:
    """Write a small measurement."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(number).poisson(20, (64, 64)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "data"
        entry["title"] = f"measurement {number} of sample {number % 97}"
        entry["definition"] = ("NXtomo", "NXsas", "NXmx", "NXfluo")[number % 4]
        entry["start_time"] = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00+01:00"
        entry["experiment_identifier"], entry["entry_identifier"] = f"p{number % 50}", str(number)
        for name, kind in (
            ("instrument", "NXinstrument"),
            ("sample", "NXsample"),
            ("user", "NXuser"),
            ("data", "NXdata"),
        ):
            entry.create_group(name).attrs["NX_class"] = kind
        entry["instrument/name"] = f"B{number % 7}"
        for name, kind in (("source", "NXsource"), ("monochromator", "NXmonochromator"), ("detector", "NXdetector")):
            entry.create_group(f"instrument/{name}").attrs["NX_class"] = kind
        entry["instrument/source/name"], entry["instrument/source/probe"] = "Example Light Source", "x-ray"
        entry["instrument/monochromator/energy"] = 5.0 + number % 20
        entry["instrument/monochromator/energy"].attrs["units"] = "keV"
        entry["instrument/detector/distance"] = 100.0 + number % 900
        entry["instrument/detector/distance"].attrs["units"] = "mm"
        entry["sample/name"], entry["sample/temperature"] = f"sample {number % 97}", 4.0 + number % 296
        entry["sample/temperature"].attrs["units"] = "K"
        entry["user/name"], entry["user/role"] = f"Person {number % 31}", "principal investigator"
        entry["data"].attrs["signal"] = "data"
        entry["data/data"] = image


def _ingest(place: Path, name: str, *folders: str) -> tuple[int, float, dict[str, int]]:
    """Ingest some folders into a catalogue; return peak memory in bytes, seconds and how many became what."""
    home = place / name
    home.mkdir(exist_ok=True)
    roots = json.dumps({"bench": str(place / "data")})
    environment = os.environ | {"PANCOMMONS_HOME": str(home), "PANCOMMONS_DATA_ROOTS": roots}
    command = [sys.executable, "-m", "pancommons", "ingest", "--json", *(str(place / "data" / one) for one in folders)]
    begin, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as told, subprocess.Popen(command, stdout=told, env=environment) as process:
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(_resident(one) for one in (whole, *_children(whole))))
            time.sleep(0.2)
        seconds = time.perf_counter() - begin
        told.seek(0)
        *_, last = told
    assert process.returncode == 0
    return peak, seconds, json.loads(last)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    """Return the memory of a process's own: pages of files it maps, as SQLite does, are the system's cache."""
    try:
        found = process.memory_info()
        return int(found.rss - found.shared)
    except psutil.NoSuchProcess:
        return 0


def _content(home: Path) -> list[object]:
    """Return all rows of the catalogue's own tables."""
    with sqlite3.connect(home / "pancommons.db") as database:
        tables = (
            "datasets",
            "documents",
            "instruments",
            "samples",
            "files",
            "parameters",
            "members",
            "relations",
            "audit",
        )
        return [database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]
