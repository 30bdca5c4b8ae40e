"""Calling a technique's simulator: raw data in one file, the truth in another."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pancommons.base.durable import replacing
from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines.declaration import Parameters, Pipeline, resolve


def simulate(
    pipeline: Pipeline,
    parameters: Parameters,
    raw: Path,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[Path, Path]:
    """Simulate raw data with a known answer.

    Parameters
    ----------
    pipeline
        One that declares a simulator.
    parameters
        The simulator's own model.
    raw
        The file to write; the truth lies beside it as ``STEM-truth.SUFFIX``.
    progress
        Called with the fraction done.

    Returns
    -------
    raw, truth
        The two files.

    Raises
    ------
    BadInput
        If a file exists already or cannot be written.

    Notes
    -----
    Interrupted by Ctrl-C or SIGTERM, it leaves nothing behind.
    """
    if pipeline.simulator is None:
        raise PanError(f"{pipeline.name} has no simulator.")
    truth = raw.with_name(f"{raw.stem}-truth{raw.suffix}")
    for file in (raw, truth):
        if file.exists():
            raise BadInput("this file exists", file=file, remedy="name another, or remove it")
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        with _interruptible(), replacing(raw) as beside, replacing(truth) as beside_truth:
            resolve(pipeline.simulator.function)(parameters, beside, beside_truth, progress)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror or error})", file=raw) from None
    return raw, truth


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does; signals come to the main thread alone."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
