"""How a technique declares its pipeline: once, as data, importing no kernel.

Functions are named as ``module:function`` and are called with a `~pancommons.pipelines.job.Job`:

=============  ======================================================  =========================================
named in       called as                                               returns
=============  ======================================================  =========================================
``inspect``    ``inspect(job)``, first and cheap                       `Inspection`: facts, warnings, files read
``preview``    ``preview(job)``, for ``--preview``                     parameters to change, by name
``plan``       ``plan(job)``, at creation, may read ``job.facts``      the units of each stage, by stage name
``prepare``    ``prepare(job)``, once before the stages                `Outcome`
Stage.process  ``process(job, unit)``, pure, anywhere, any order       the part's arrays, by name
Stage.combine  ``combine(job, parts)``, once after the stage's units   `Outcome`
``report``     ``report(job)``, at the end                             `Findings`
``warm``       ``warm()``, before the first run of an installation     nothing; every kernel is compiled then
=============  ======================================================  =========================================
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np


class Parameters(BaseModel):
    """Base of a pipeline's parameters: flat, immutable, nothing unknown accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Auto = Literal["auto"]
"""The value of a parameter that the pipeline finds from the data, saying how and how surely."""


def parameter(
    default: Any,
    description: str,
    *,
    unit: str | None = None,
    group: str = "General",
    **limits: Any,
) -> Any:
    """Declare one field of a `Parameters` model.

    Parameters
    ----------
    default
        The value where none is given; "auto" if the pipeline finds it.
    description
        One line for the command's help, the form and the report.
    unit
        The unit a plain number is in, as pint reads it; values with another unit are converted.
    group
        The heading it stands under in help and forms.
    limits
        Bounds as in `pydantic.Field`: ``ge``, ``gt``, ``le``, ``lt``, ``pattern``. A number that may be
        "auto" has them in its type instead: ``PositiveFloat | Auto``.
    """
    extra: dict[str, Any] = {"group": group}
    if unit is not None:
        extra["unit"] = unit
    return Field(default, description=description, json_schema_extra=extra, **limits)


@dataclass(frozen=True)
class Role:
    """A named input.

    ``many`` lets one run take several paths in this role; else several bare paths are a batch of runs.
    """

    name: str
    description: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Stage:
    """One map over units and what joins its parts.

    Attributes
    ----------
    name
        Names the folder of its parts.
    title
        What a user reads beside the progress bar, such as "Reconstructing slices".
    noun
        What its units are made of, such as "rows"; rates are given in it.
    process, combine
        ``module:function``.
    keep
        False if the parts serve only later stages and may be removed once the run is done.
    """

    name: str
    title: str
    noun: str
    process: str
    combine: str | None = None
    keep: bool = True


@dataclass(frozen=True)
class Technique:
    """An entry of the PaNET ontology: identifier (such as ``PaNET01207``) and label."""

    identifier: str
    label: str

    @property
    def iri(self) -> str:
        """Return the ontology's IRI of the technique."""
        return f"http://purl.org/pan-science/PaNET/{self.identifier}"


@dataclass(frozen=True)
class Merit:
    """A figure of merit the pipeline reports: its name in results, label, unit and meaning.

    Attributes
    ----------
    uncertainty
        The name of the figure of merit that is its standard uncertainty.
    expected
        The range in which it usually lies, None for an open end; one outside of it is worth a look.
    """

    name: str
    label: str
    unit: str
    description: str
    uncertainty: str | None = None
    expected: tuple[float | None, float | None] | None = None


@dataclass(frozen=True)
class Citation:
    """A work to cite when the pipeline's results are published."""

    text: str
    doi: str | None = None


@dataclass(frozen=True)
class Simulator:
    """What ``pan simulate`` calls: ``function(parameters, raw, truth, progress)`` writes the two files.

    ``progress`` is called with the fraction done. A role named ``truth``, where the pipeline has one, takes the truth.
    ``slow`` are parameters of an analysis of these data that takes minutes, for who wants to watch one.
    """

    parameters: type[Parameters]
    function: str
    default_name: str
    slow: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Sample:
    """Real data that the demonstration runs where it is there: paths below the folder of real data.

    ``path`` fills the primary role, ``inputs`` the others by name.
    """

    path: str
    title: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """A technique's declaration, from which every face of it is made.

    ``tolerance`` is the largest difference, as a fraction of an array's largest magnitude, that a run
    on another processor or by another version of the software may show and still count as reproduced.
    """

    name: str
    version: str
    title: str
    description: str
    technique: Technique
    roles: tuple[Role, ...]
    parameters: type[Parameters]
    inspect: str
    plan: str
    prepare: str
    stages: tuple[Stage, ...]
    report: str
    preview: str | None = None
    warm: str | None = None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    merits: tuple[Merit, ...] = ()
    citations: tuple[Citation, ...] = ()
    licence: str = "CC-BY-4.0"
    tolerance: float = 1e-4
    examples: tuple[str, ...] = ()
    simulator: Simulator | None = None
    samples: tuple[Sample, ...] = ()

    @property
    def primary(self) -> Role:
        """Return the role that bare paths fill: the first."""
        return self.roles[0]

    def role(self, name: str) -> Role | None:
        """Return the role of that name, or None."""
        return next((role for role in self.roles if role.name == name), None)

    def stage(self, name: str) -> Stage:
        """Return the stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)


@dataclass(frozen=True)
class Unit:
    """A piece of a stage's work, independent of all others, and what it costs.

    Attributes
    ----------
    index
        Its place in the order in which parts are combined.
    span
        What it covers, as JSON values that ``process`` understands, such as ``{"start": 0, "stop": 16}``.
    size
        How many of the stage's nouns it covers.
    memory, seconds, output
        Peak bytes, core-seconds and bytes of its part, estimated.
    """

    index: int
    span: Mapping[str, Any]
    size: int
    memory: int
    seconds: float
    output: int


@dataclass(frozen=True)
class Inspection:
    """What a cheap first look at the inputs found.

    ``facts`` are JSON values later steps rely on; ``detected`` are parameter values the data suggest;
    ``files`` are further files that reading the inputs reads (external links, virtual sources).
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    detected: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A value the pipeline found itself: a parameter given as "auto", or another thing worth recording."""

    value: Any
    method: str
    confidence: float | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What ``prepare`` or a ``combine`` hands on: values into ``run.json``, arrays to later stages."""

    found: Mapping[str, Found] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """An array of a part with wishes for its storage: chunk shape, and whether bitshuffle-LZ4 is worth it."""

    array: np.ndarray
    chunks: tuple[int, ...] | None = None
    compress: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture in ``figures/``, with a title, a caption, and a text for those who cannot see it."""

    file: str
    title: str
    caption: str
    alternative: str


@dataclass(frozen=True)
class Findings:
    """What ``report`` found worth showing: figures, figures of merit by name, warnings."""

    figures: tuple[Figure, ...] = ()
    merits: Mapping[str, float | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def resolve(name: str) -> Callable[..., Any]:
    """Import the function named as ``module:function``."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
