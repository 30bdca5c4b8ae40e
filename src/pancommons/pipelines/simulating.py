"""Calling a technique's simulator: raw data in one file, the truth in another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
    """
    if pipeline.simulator is None:
        raise PanError(f"{pipeline.name} has no simulator.")
    truth = raw.with_name(f"{raw.stem}-truth{raw.suffix}")
    for file in (raw, truth):
        if file.exists():
            raise BadInput("this file exists", file=file, remedy="name another, or remove it")
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        with replacing(raw) as beside, replacing(truth) as beside_truth:
            resolve(pipeline.simulator.function)(parameters, beside, beside_truth, progress)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror or error})", file=raw) from None
    return raw, truth
