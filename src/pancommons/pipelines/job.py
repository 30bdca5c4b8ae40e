"""What a technique's functions are called with: inputs, parameters, what is known so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.settings import settings
from pancommons.pipelines.declaration import Found, Parameters
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.parts import Part

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Allowance", "Job", "Part"]


@dataclass(frozen=True)
class Allowance:
    """What a run may use: units at a time, and bytes of memory over all of them."""

    workers: int
    memory: int


@dataclass(frozen=True)
class Job:
    """One run as seen by its technique.

    Attributes
    ----------
    inputs
        Absolute paths by role, in the order given; roles not given are absent.
    parameters
        The pipeline's own model.
    allowance
        Workers and memory; plans follow it, results must not.
    folder
        The run folder, or None while nothing is written yet (inspection, planning).
    facts
        What ``inspect`` found.
    found
        What ``prepare`` and earlier stages found, by name.
    """

    inputs: Mapping[str, tuple[Path, ...]]
    parameters: Parameters
    allowance: Allowance
    folder: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Found] = field(default_factory=dict)
    technique: str = ""

    @property
    def directory(self) -> Path:
        """Return the run folder, where there must be one."""
        if self.folder is None:
            raise RuntimeError("this job has no run folder yet")
        return self.folder

    @property
    def input(self) -> Path:
        """Return the first path of the primary role."""
        return next(iter(self.inputs.values()))[0]

    def path(self, role: str) -> Path | None:
        """Return the first path of a role, or None."""
        paths = self.inputs.get(role)
        return paths[0] if paths else None

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """Return this technique's own table of the configuration file."""
        return settings().techniques.get(self.technique, {})

    def value(self, name: str) -> Any:
        """Return what was found under a name, else the parameter of that name."""
        found = self.found.get(name)
        return found.value if found is not None else getattr(self.parameters, name)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays that ``prepare`` and earlier combines handed on; each is read once per process."""
        return _HandedOn(self.directory / "prepared")

    def parts(self, stage: str) -> list[Part]:
        """List the finished parts of an earlier stage, in unit order; looked up once for this job."""
        if stage not in self._parts:
            self._parts[stage] = RunFolder(self.directory).parts(stage)
        return self._parts[stage]

    @cached_property
    def _parts(self) -> dict[str, list[Part]]:
        return {}


class _HandedOn(Mapping[str, "np.ndarray"]):
    """The arrays under ``prepared/``, read when asked for and then kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._kept:
            import numpy as np

            try:
                self._kept[name] = np.load(self._folder / f"{name}.npy", allow_pickle=False)
            except FileNotFoundError:
                raise KeyError(name) from None
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return (file.stem for file in sorted(self._folder.glob("*.npy")))

    def __len__(self) -> int:
        return sum(1 for _ in self)
