"""Run a run folder: prepare, map each stage over its units, combine, report - and resume any of it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from pancommons.base import durable
from pancommons.base.errors import BadInput, PanError, RunStopped
from pancommons.pipelines import crate, registry, report, validity
from pancommons.pipelines.declaration import Findings, Outcome, Pipeline, Stage, resolve
from pancommons.pipelines.digesting import InputDigests
from pancommons.pipelines.environment import packages, processor_family
from pancommons.pipelines.events import EventLog, Listener
from pancommons.pipelines.executors import Executor, factory, one_thread
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.inputs import changed
from pancommons.pipelines.job import Job
from pancommons.pipelines.lock import RunLock
from pancommons.pipelines.mapping import map_units
from pancommons.pipelines.record import FoundRecord
from pancommons.pipelines.work import cannot_write, job_of


def execute(path: Path, *, on: str = "threads", listeners: tuple[Listener, ...] = ()) -> str:
    """Bring a run to its end, from wherever it is.

    Parameters
    ----------
    path
        The run folder.
    on
        Where its units run, see `executors.factory`.
    listeners
        Called with every event.

    Returns
    -------
    str
        The state it ended in: ``done`` or ``partial``.

    Raises
    ------
    PanError
        If another runner holds the folder, all units failed or a step of the technique did.
    RunStopped
        If a stop was asked for.
    """
    folder = RunFolder.open(path)
    start = factory(on, folder.record().workers)
    with RunLock(folder.path):
        folder.stop.unlink(missing_ok=True)
        log = EventLog(folder.events, listeners)
        with _ending(folder, log):
            record = folder.record()
            if file := changed(record):
                raise BadInput(
                    "this input is gone or was changed since the run was created",
                    file=file,
                    remedy="put it back, or start a new run",
                )
            log.add("started", host=socket.gethostname(), pid=os.getpid(), on=on, workers=record.workers)
            return _Run(folder, registry.load(record.pipeline), log).go(start)


class _Run:
    """The steps of one run, in order; each leaves what the next needs in the folder."""

    def __init__(self, folder: RunFolder, pipeline: Pipeline, log: EventLog) -> None:
        self.folder, self.pipeline, self.log = folder, pipeline, log

    def go(self, start: Callable[[], Executor]) -> str:
        began = time.time()
        failed: list[str] = []
        with one_thread(), InputDigests(self.folder, self.log) as digests:
            self._warm()
            if self.folder.record().found is None:
                self._prepare()
            for stage in self.pipeline.stages:
                failed += self._stage(stage, start)
            findings = self._report()
            self._check_stop()
            if digests.pending:
                self.log.add("phase", name="digests", title="Finishing the sha256 of the inputs")
            digests.finish(self._check_stop)
        state = "partial" if failed else "done"
        self._conclude(findings, failed, state, began)
        if not failed:
            self._drop_intermediates()
        self.log.add("ended", state=state, text=f"{len(failed)} units failed" if failed else "")
        return state

    def _warm(self) -> None:
        """Compile the technique's kernels visibly, once for an installation, not in the midst of the first unit."""
        if self.pipeline.warm is None:
            return
        key = f"{self.pipeline.name}-{self.pipeline.version}-numba-{packages()['numba']}-{processor_family()}"
        mark = Path(os.environ["NUMBA_CACHE_DIR"]) / f"{key.replace(' ', '_')}.warm"
        if mark.exists():
            return
        self.log.add("phase", name="warm", title="Compiling kernels (first run of this installation only)")
        resolve(self.pipeline.warm)()
        with suppress(OSError):
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()

    def _prepare(self) -> None:
        self.log.add("phase", name="prepare", title="Preparing")
        outcome: Outcome = resolve(self.pipeline.prepare)(self._job())
        self._keep(outcome, None)
        self._check_stop()

    def _stage(self, stage: Stage, start: Callable[[], Executor]) -> list[str]:
        record = self.folder.record()
        units = [unit.unit() for unit in record.plan.get(stage.name, [])]
        if not units or stage.name in record.combined:
            return []
        self._forget_after(stage, len(units))
        failed = map_units(self.folder, stage, units, start, self.log)
        if len(failed) == len(units):
            raise PanError(f"{stage.title}: every unit failed, the first with: {failed[0]}")
        if stage.combine:
            self.log.add("phase", name="combine", title=f"{stage.title}: joining parts")
            outcome: Outcome = resolve(stage.combine)(self._job(), self.folder.parts(stage.name))
            self._keep(outcome, None if failed else stage)
        elif not failed:
            self._keep(Outcome(), stage)
        return failed

    def _forget_after(self, stage: Stage, units: int) -> None:
        """Where a stage that ended with failures is tried again, drop what later stages made of its gaps."""
        later = self.pipeline.stages[self.pipeline.stages.index(stage) + 1 :]
        stale = [part.file for one in later for part in self.folder.parts(one.name)]
        record = self.folder.record()
        names = {one.name for one in later}
        made = bool(stale) or not names.isdisjoint(record.combined)
        if not made or len(self.folder.whole_parts(stage.name)) == units:
            return
        record.combined = [name for name in record.combined if name not in names]
        self.folder.write(record)
        for file in stale:
            file.unlink(missing_ok=True)

    def _keep(self, outcome: Outcome, stage: Stage | None) -> None:
        """Write what a step found: arrays first, then ``run.json``, which makes the step done."""
        for name, array in outcome.arrays.items():
            file = self.folder.path / "prepared" / f"{name}.npy"
            file.parent.mkdir(exist_ok=True)
            with durable.replacing(file) as beside, beside.open("wb") as handle:
                np.save(handle, array, allow_pickle=False)
        record = self.folder.record()
        record.found = {
            **(record.found or {}),
            **{name: FoundRecord.of(found) for name, found in outcome.found.items()},
        }
        record.warnings += [text for text in outcome.warnings if text not in record.warnings]
        if stage:
            record.combined.append(stage.name)
        self.folder.write(record)
        for name, found in outcome.found.items():
            self.log.add(
                "found",
                name=name,
                value=found.value,
                method=found.method,
                confidence=found.confidence,
                unit=found.unit,
            )
        for text in outcome.warnings:
            self.log.add("warning", text=text)

    def _report(self) -> Findings:
        self.log.add("phase", name="report", title="Drawing figures and writing the report")
        self.folder.figures.mkdir(exist_ok=True)
        findings: Findings = resolve(self.pipeline.report)(self._job())
        for text in findings.warnings:
            self.log.add("warning", text=text)
        return findings

    def _conclude(self, findings: Findings, failed: list[str], state: str, began: float) -> None:
        record = self.folder.record()
        verdict = validity.judge(self.folder.result) if self.folder.result.exists() else None
        for text in validity.warnings(verdict) if verdict else ():
            self.log.add("warning", text=text)
        facts = report.facts(record, self.pipeline, findings, failed=failed, state=state, began=began, verdict=verdict)
        durable.write_json(self.folder.report, facts)
        durable.write_text(self.folder.page, report.page(self.folder, self.pipeline))
        crate.write(self.folder, self.pipeline)

    def _drop_intermediates(self) -> None:
        for stage in self.pipeline.stages:
            if not stage.keep:
                for part in self.folder.parts(stage.name):
                    part.file.unlink(missing_ok=True)

    def _job(self) -> Job:
        return job_of(self.folder.record(), self.folder.path)

    def _check_stop(self) -> None:
        if self.folder.stop.exists():
            raise RunStopped(f"Stopped; go on with: pan resume {self.folder.path}")


@contextmanager
def _ending(folder: RunFolder, log: EventLog) -> Iterator[None]:
    """Note how a run ended when it does not end well, and say it in one sentence."""
    try:
        yield
    except RunStopped as stop:
        log.add("ended", state="stopped", text=str(stop))
        raise
    except KeyboardInterrupt:
        stopped = RunStopped(f"Stopped; go on with: pan resume {folder.path}")
        log.add("ended", state="stopped", text=str(stopped))
        raise stopped from None
    except PanError as error:
        with suppress(OSError):
            log.add("ended", state="failed", text=str(error))
        raise
    except OSError as error:
        sentence = cannot_write(error, folder.path)
        with suppress(OSError):
            log.add("ended", state="failed", text=str(sentence or error))
        raise (sentence or error) from (None if sentence else error)
    except MemoryError:
        log.add("ended", state="failed", text="out of memory")
        raise PanError(f"{folder.path}: out of memory; go on with less, `pan resume --memory`.") from None
    except Exception as error:
        with suppress(OSError):
            log.add("ended", state="failed", text=f"{type(error).__name__}: {error}")
        raise
