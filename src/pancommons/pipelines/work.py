"""One unit, wherever it runs: read the run folder, call the technique, leave a finished part."""

from __future__ import annotations

import errno
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pancommons.base.digests import quick
from pancommons.base.durable import replacing
from pancommons.base.errors import PanError
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Stored, resolve
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.job import Allowance, Job
from pancommons.pipelines.record import Record

_NO_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class Finished(NamedTuple):
    """What a worker tells of a unit it has finished."""

    digest: str
    size: int
    seconds: float


class CannotWrite(PanError):
    """The run folder takes no more data: the run stops, and what is finished stays."""


def execute(folder: str, stage: str, index: int) -> Finished:
    """Process one unit and put its part in place.

    Raises
    ------
    CannotWrite
        If the disk is full or no longer writable.
    """
    run = RunFolder(Path(folder))
    job, record = _job(folder, run.stamp())
    pipeline = registry.load(record.pipeline)
    unit = record.plan[stage][index].unit()
    begin = time.perf_counter()
    arrays = resolve(pipeline.stage(stage).process)(job, unit)
    file = run.part_file(stage, index)
    try:
        write_part(file, arrays)
    except OSError as error:
        raise (cannot_write(error, run.path) or error) from None
    return Finished(quick(file), file.stat().st_size, time.perf_counter() - begin)


def write_part(file: Path, arrays: dict[str, np.ndarray | Stored]) -> None:
    """Write a part's arrays, whole or not at all."""
    import h5py

    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as beside, h5py.File(beside, "w", libver="latest", locking=False) as part:
        for name, value in arrays.items():
            stored = value if isinstance(value, Stored) else Stored(np.asarray(value))
            options = {}
            if stored.compress:
                import hdf5plugin

                options = dict(hdf5plugin.Bitshuffle())
            part.create_dataset(name, data=stored.array, chunks=stored.chunks, **options)


def cannot_write(error: OSError, folder: Path) -> CannotWrite | None:
    """Return the error that a full or read-only disk is, or None if this is another one.

    HDF5 reports the cause only in its text.
    """
    known = error.errno in _NO_WRITING or any(f"errno = {code}," in str(error) for code in _NO_WRITING)
    if not known:
        return None
    full = error.errno not in {errno.EROFS} and f"errno = {errno.EROFS}," not in str(error)
    reason = "the disk is full" if full else "the disk is read-only"
    return CannotWrite(f"{folder}: {reason}; finished parts are kept, make room and go on with `pan resume {folder}`.")


def job_of(record: Record, folder: Path) -> Job:
    """Make the job a technique's functions are called with."""
    pipeline = registry.load(record.pipeline)
    return Job(
        inputs={role: tuple(Path(file.path) for file in files) for role, files in record.inputs.items()},
        parameters=pipeline.parameters.model_validate(record.parameters),
        allowance=Allowance(record.workers, record.memory),
        folder=folder,
        facts=record.facts,
        found={name: found.found() for name, found in (record.found or {}).items()},
        technique=record.pipeline,
    )


@lru_cache(maxsize=2)
def _job(folder: str, stamp: int) -> tuple[Job, Record]:
    """Keep the job between units: ``run.json`` is read again only when it changed."""
    record = RunFolder(Path(folder)).record()
    return job_of(record, Path(folder)), record
