"""What somebody wants run, by identifiers only, and what a look at the data says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pancommons.base.errors import PanError


@dataclass(frozen=True)
class Asked:
    """What somebody wants run.

    Attributes
    ----------
    inputs
        By role: identifiers or PIDs of datasets, or identifiers of files of the catalogue. A dataset of several
        files gives the one that holds its data, or all of them to a role that takes many.
    parameters
        Those that are given; text such as ``"0.65 um"`` is converted.
    preview
        Do one slice, or what is like it.
    title
        What the run is called; made from pipeline and input where none is given.
    tell
        Mail address or webhook to tell at the end.
    """

    pipeline: str
    inputs: Mapping[str, Sequence[str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    preview: bool = False
    title: str | None = None
    tell: str | None = None

    def digest(self) -> str:
        """Return what tells one request from another."""
        told = asdict(self) | {"inputs": {role: list(names) for role, names in self.inputs.items()}}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Examined:
    """What a look at the data says before anything is run; no path of the server is in it.

    Attributes
    ----------
    parameters
        All of them, with defaults and preset.
    detected
        Values that the data suggest, by parameter.
    facts
        What was found about the data.
    units
        Into how many pieces each stage is cut.
    seconds, memory, disk
        What the run would take: seconds, bytes, bytes.
    inputs
        By role, what the identifiers stand for: ``{"dataset", "file", "name", "title"}`` each.
    """

    pipeline: str
    version: str
    parameters: Mapping[str, Any]
    detected: Mapping[str, Any]
    facts: Mapping[str, Any]
    warnings: Sequence[str]
    units: Mapping[str, int]
    seconds: float
    memory: int
    disk: int
    inputs: Mapping[str, Sequence[Mapping[str, str]]]


class NotSignedIn(PanError):
    """Only people who are known may run."""


class TooMany(PanError):
    """A limit is reached: of runs that wait, or of requests that are looked at."""


class Conflict(PanError):
    """What is asked does not fit the state that something is in."""


class NotYet(Conflict):
    """What is asked will fit in a moment; nothing was done."""
