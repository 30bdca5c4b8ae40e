"""``run.json``: the request and the unit plan of a run, and what it has resolved so far."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pancommons.pipelines.declaration import Found, Unit

FORMAT = 1
"""The version of the run folder; readers take this one and older ones."""


class _Stored(BaseModel):
    """Fields that a later version adds are kept, not refused."""

    model_config = ConfigDict(extra="allow")


class InputFile(_Stored):
    """An input as it was when the run was created."""

    path: str
    size: int
    mtime_ns: int
    folder: bool = False
    sha256: str | None = None


class UnitRecord(_Stored):
    """A `Unit` in JSON."""

    index: int
    span: dict[str, Any]
    size: int
    memory: int
    seconds: float
    output: int

    @classmethod
    def of(cls, unit: Unit) -> UnitRecord:
        """Take a unit of the plan."""
        return cls(**{**unit.__dict__, "span": dict(unit.span)})

    def unit(self) -> Unit:
        """Return the unit."""
        return Unit(self.index, self.span, self.size, self.memory, self.seconds, self.output)


class FoundRecord(_Stored):
    """A `Found` in JSON."""

    value: Any
    method: str
    confidence: float | None = None
    unit: str | None = None

    @classmethod
    def of(cls, found: Found) -> FoundRecord:
        """Take a value that the pipeline found."""
        return cls(value=found.value, method=found.method, confidence=found.confidence, unit=found.unit)

    def found(self) -> Found:
        """Return the value with its method and confidence."""
        return Found(self.value, self.method, self.confidence, self.unit)


class Record(_Stored):
    """The whole of ``run.json``.

    ``given`` is what the user set, ``parameters`` the full model with defaults ("auto" as it was);
    ``found`` is None until ``prepare`` is done; ``combined`` lists the stages whose combine is done.
    """

    format: int = FORMAT
    id: str
    pipeline: str
    pipeline_version: str
    software_version: str
    created: str
    inputs: dict[str, list[InputFile]]
    files: list[InputFile] = Field(default_factory=list)
    given: dict[str, Any] = Field(default_factory=dict)
    preset: str | None = None
    preview: bool = False
    parameters: dict[str, Any]
    workers: int
    memory: int
    facts: dict[str, Any] = Field(default_factory=dict)
    detected: dict[str, Any] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    plan: dict[str, list[UnitRecord]]
    found: dict[str, FoundRecord] | None = None
    combined: list[str] = Field(default_factory=list)
    reproduces: str | None = None
