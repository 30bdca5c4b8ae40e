"""A stage's map over its units: bounded, resumable, and able to tell which unit kills its worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from pancommons.base.errors import RunStopped
from pancommons.pipelines import work
from pancommons.pipelines.declaration import Stage, Unit
from pancommons.pipelines.events import EventLog
from pancommons.pipelines.executors import Executor, worker_died
from pancommons.pipelines.folder import RunFolder

_LOOK = 0.3
"""Seconds between looks for a stop file."""


def map_units(
    folder: RunFolder, stage: Stage, units: Sequence[Unit], start: Callable[[], Executor], log: EventLog
) -> list[str]:
    """Process the units of a stage that have no whole part yet.

    At most as many run at once as the memory allowed holds. A unit that raises is noted and the others go on;
    after a worker died the units in flight are run one at a time, so that the one at fault is known.

    Returns
    -------
    list of str
        One sentence for each unit that failed.

    Raises
    ------
    RunStopped
        If the stop file appeared; units in flight are finished first.
    CannotWrite
        If the disk is full or read-only.
    """
    record = folder.record()
    whole = folder.whole_parts(stage.name)
    todo = [unit for unit in units if unit.index not in whole]
    width = max(1, min(record.workers, record.memory // max(1, *(unit.memory for unit in units))))
    total, left = (sum(unit.size for unit in some) for some in (units, todo))
    log.add(
        "stage",
        name=stage.name,
        title=stage.title,
        noun=stage.noun,
        units=len(units),
        total=total,
        finished=total - left,
    )
    if not todo:
        return []
    return _Map(folder, stage, width, start, log).run(todo)


class _Map:
    """The state of one map: what waits, what is in flight, what is suspected, what failed."""

    def __init__(
        self, folder: RunFolder, stage: Stage, width: int, start: Callable[[], Executor], log: EventLog
    ) -> None:
        self._folder, self._stage, self._width, self._start, self._log = folder, stage, width, start, log
        self._executor = start()
        self._flying: dict[Future[work.Finished], Unit] = {}
        self._failed: list[str] = []

    def run(self, todo: Sequence[Unit]) -> list[str]:
        waiting = deque(todo)
        try:
            while waiting or self._flying:
                self._check_stop()
                while waiting and len(self._flying) < self._width:
                    self._submit(waiting.popleft())
                suspects = self._collect()
                if suspects:
                    self._isolate(suspects)
        except KeyboardInterrupt:
            self._drain()
            raise
        finally:
            self._executor.shutdown()
        return self._failed

    def _submit(self, unit: Unit) -> None:
        call = (work.execute, str(self._folder.path), self._stage.name, unit.index)
        try:
            future = self._executor.submit(*call)
        except BrokenExecutor:  # a worker died since the last look; those in flight are found by `_collect`
            self._restart()
            future = self._executor.submit(*call)
        self._flying[future] = unit

    def _collect(self) -> list[Unit]:
        """Take what has finished; return the units whose worker died."""
        done, _ = wait(self._flying, timeout=_LOOK, return_when=FIRST_COMPLETED)
        suspects = []
        for future in done:
            unit = self._flying.pop(future)
            error = future.exception()
            if error is None:
                self._finished(unit, future.result())
            elif isinstance(error, work.CannotWrite):
                self._drain()
                raise error
            elif worker_died(error):
                suspects.append(unit)
            else:
                self._note_failure(unit, error)
        return suspects

    def _isolate(self, suspects: list[Unit]) -> None:
        """Run the units that were in flight when a worker died one at a time."""
        while self._flying:
            suspects += self._collect()
        self._log.add(
            "trouble",
            text=f"a worker died; the {len(suspects)} units in flight are tried again one at a time",
        )
        self._restart()
        for unit in sorted(suspects, key=lambda unit: unit.index):
            self._check_stop()
            self._submit(unit)
            again: list[Unit] = []
            while self._flying:
                again += self._collect()
            if again:
                self._note_failure(unit, RuntimeError("it kills its worker, alone as well"))
                self._restart()

    def _restart(self) -> None:
        self._executor.shutdown()
        self._executor = self._start()

    def _finished(self, unit: Unit, finished: work.Finished) -> None:
        self._folder.add_part(self._stage.name, unit.index, finished.digest, finished.size)
        self._log.add(
            "unit",
            stage=self._stage.name,
            unit=unit.index,
            size=unit.size,
            seconds=round(finished.seconds, 3),
            bytes=finished.size,
        )

    def _note_failure(self, unit: Unit, error: BaseException) -> None:
        text = str(error) if str(error) else type(error).__name__
        sentence = f"{self._stage.title}, unit {unit.index} ({_span(unit)}): {text}"
        self._failed.append(sentence)
        self._log.add("unit-failed", stage=self._stage.name, unit=unit.index, size=unit.size, error=sentence)

    def _check_stop(self) -> None:
        if self._folder.stop.exists():
            self._drain()
            raise RunStopped(f"Stopped; go on with: pan resume {self._folder.path}")

    def _drain(self) -> None:
        """Let the units in flight finish, so that their work is not lost."""
        for future in [future for future in self._flying if future.cancel()]:
            del self._flying[future]
        while self._flying:
            done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in done:
                unit = self._flying.pop(future)
                if future.exception() is None:
                    self._finished(unit, future.result())


def _span(unit: Unit) -> str:
    return ", ".join(f"{name} {value}" for name, value in unit.span.items())
