"""The Python face of the uniform model, equal in power to the command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.errors import BadInput, PanError
from pancommons.base.settings import settings
from pancommons.pipelines import creation, events, parameters, registry, runner, simulating
from pancommons.pipelines.events import Listener
from pancommons.pipelines.executors import factory
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.lock import is_running

if TYPE_CHECKING:
    import h5py

Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, and what is in it."""

    path: Path
    state: str

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """Return the contents of ``report.json``."""
        return RunFolder(self.path).report_facts()

    @property
    def merits(self) -> dict[str, float | None]:
        """Return the figures of merit by name."""
        return {merit["name"]: merit["value"] for merit in self.report["merits"]}

    @property
    def found(self) -> dict[str, Any]:
        """Return the values the pipeline found itself, by name."""
        return {name: found.value for name, found in (RunFolder(self.path).record().found or {}).items()}

    @property
    def warnings(self) -> list[str]:
        """Return what the run warned of."""
        return list(self.report["warnings"])

    @property
    def result(self) -> Path:
        """Return the path of the result's NeXus file."""
        return RunFolder(self.path).result

    def open(self) -> h5py.File:
        """Open the result's NeXus file for reading."""
        import h5py
        import hdf5plugin  # noqa: F401

        return h5py.File(self.result, "r", locking=False)

    def _repr_html_(self) -> str:
        import base64

        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(str(merit['label']))}</th>"
            f"<td>{escape(_number(merit['value']))} {escape(str(merit['unit']))}</td></tr>"
            for merit in self.report["merits"]
        )
        pictures = "".join(
            f"<img alt='{escape(figure['alternative'], quote=True)}' style='max-width:32em' "
            f"src='data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}'>"
            for figure in self.report["figures"]
            if (file := self.path / "figures" / figure["file"]).suffix == ".png"
        )
        return f"<p>{escape(self.state)}: <code>{escape(str(self.path))}</code></p><table>{rows}</table>{pictures}"


def run(
    pipeline: str,
    *paths: str | Path,
    out: str | Path | None = None,
    preset: str | None = None,
    params: str | Path | None = None,
    preview: bool = False,
    on: str | None = None,
    workers: int | None = None,
    memory: str | None = None,
    listeners: tuple[Listener, ...] | None = None,
    **named: Any,
) -> Run:
    """Run a pipeline and return when it has ended.

    Parameters
    ----------
    pipeline
        Its name, such as ``"tomography"``.
    paths
        The primary input.
    out
        The run folder to make; ``STEM-PIPELINE-N`` in the current folder where none is given.
    preset, params
        A preset of the pipeline, and a TOML or JSON file of parameters.
    preview
        Do one slice, or what is like it, in seconds.
    on, workers, memory
        Where units run, how many at a time, and how much memory they may use together, such as ``"4G"``.
    listeners
        Called with each event; shows progress where none are given.
    named
        Parameters, and other inputs by role: ``centre=512.3, flats="flats.nxs"``.

    Returns
    -------
    Run
        In state ``done`` or ``partial``.

    Raises
    ------
    BadInput
        If inputs or parameters would not work; nothing is written then.
    PanError
        If the run failed; its folder stays and can be resumed.

    Examples
    --------
    >>> import pancommons
    >>> result = pancommons.run("tomography", "scan.nxs", centre=512.3, out="result")  # doctest: +SKIP
    """
    factory(on or settings().on, 1)
    request = _request(pipeline, paths, named, preset, params, preview, workers, memory)
    folder = creation.create(creation.examine(request), Path(out) if out is not None else None)
    return resume(folder.path, on=on, listeners=listeners)


def estimate(
    pipeline: str,
    *paths: str | Path,
    preset: str | None = None,
    params: str | Path | None = None,
    preview: bool = False,
    workers: int | None = None,
    memory: str | None = None,
    **named: Any,
) -> creation.Estimate:
    """Check what `run` would be called with, write nothing, and return the time, memory and disk it would take.

    Raises
    ------
    BadInput
        As `run` would.
    """
    return creation.examine(_request(pipeline, paths, named, preset, params, preview, workers, memory)).estimate


def _request(
    pipeline: str,
    paths: tuple[str | Path, ...],
    named: dict[str, Any],
    preset: str | None,
    params: str | Path | None,
    preview: bool,
    workers: int | None,
    memory: str | None,
) -> creation.Request:
    """Sort what was given by name into inputs and parameters."""
    declared = registry.load(pipeline)
    inputs: dict[str, list[Path]] = {}
    if paths:
        inputs[declared.primary.name] = [Path(path) for path in paths]
    for role in declared.roles:
        if role.name in named:
            inputs.setdefault(role.name, []).extend(_listed(named.pop(role.name)))
    return creation.Request(
        pipeline=pipeline,
        inputs=inputs,
        parameters={name: _plain(value) for name, value in named.items()},
        preset=preset,
        file=Path(params) if params is not None else None,
        preview=preview,
        workers=workers,
        memory=memory,
    )


def resume(
    path: str | Path,
    *,
    on: str | None = None,
    workers: int | None = None,
    memory: str | None = None,
    listeners: tuple[Listener, ...] | None = None,
) -> Run:
    """Bring a run that was stopped, killed or left partial to its end; finished work is kept.

    Raises
    ------
    BadInput
        If the folder holds no run, or an input has changed since.
    PanError
        If another runner holds the folder or the run failed.
    """
    folder = RunFolder.open(Path(path).absolute())
    if finished(folder):
        return Run(folder.path, "done")
    if workers or memory:
        creation.allow(folder, workers, memory)
    if listeners is None:
        from pancommons.pipelines.progress import default_listeners

        listeners = default_listeners()
    state = runner.execute(folder.path, on=on or settings().on, listeners=listeners)
    return Run(folder.path, state)


def finished(folder: RunFolder) -> bool:
    """Tell whether a run ended with everything done."""
    ended = [event for event in events.read(folder.events) if event.get("event") in {"started", "ended"}]
    return bool(ended) and ended[-1].get("state") == "done"


def open_run(path: str | Path) -> Run:
    """Return a run that has ended before.

    Raises
    ------
    BadInput
        If the folder holds no run.
    PanError
        If it has not come to an end yet.
    """
    folder = RunFolder.open(Path(path).absolute())
    facts = folder.report_facts()
    if not facts:
        raise PanError(f"{path}: this run has no result yet; go on with `pan resume {path}`.")
    return Run(folder.path, facts["state"])


def stop(path: str | Path) -> None:
    """Ask a run, whoever runs it, to stop after the units in hand; `resume` goes on with it.

    Raises
    ------
    BadInput
        If it is not running.
    """
    folder = RunFolder.open(Path(path).absolute())
    if not is_running(folder.path):
        raise BadInput("this run is not running", file=path)
    folder.request_stop()


def simulate(pipeline: str, out: str | Path | None = None, **named: Any) -> tuple[Path, Path]:
    """Simulate raw data with a known answer; return the raw file and the file of the truth.

    Parameters
    ----------
    pipeline
        One with a simulator, such as ``"tomography"``.
    out
        The raw file to write.
    named
        The simulation's parameters.

    Raises
    ------
    BadInput
        If a parameter does not fit, or a file exists already.
    """
    declared = registry.load(pipeline)
    if declared.simulator is None:
        raise BadInput(f"{pipeline} has no simulator")
    model = parameters.build(declared.simulator.parameters, named)
    return simulating.simulate(declared, model, Path(out or declared.simulator.default_name))


def _listed(paths: Paths) -> list[Path]:
    if isinstance(paths, str | Path):
        return [Path(paths)]
    try:
        return [Path(path) for path in paths]
    except TypeError:
        raise BadInput(f"{paths!r} is no path") from None


def _plain(value: Any) -> Any:
    """Return a numpy scalar as the number it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
