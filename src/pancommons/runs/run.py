"""A run as those see it who may."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pancommons.catalogue.identifiers import ALPHABET

_SIGNS = 24

State = Literal["waiting", "running", "stopping", "done", "partial", "stopped", "failed"]


@dataclass(frozen=True)
class Input:
    """One input: identifiers of the dataset and of the file, the file's name, the dataset's title."""

    dataset: str
    file: str
    name: str
    title: str


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes
    ----------
    identifier
        Ours; nobody can guess it.
    person
        As signed in.
    name
        How pages and the provenance call them.
    why
        One sentence on the state, where there is more to say than the word.
    inputs
        By role.
    parameters
        As given.
    place
        In the queue, from 1; None if it does not wait.
    dataset
        Identifier of the registered result.
    expires
        When it is removed by the policy; None for never, or not yet known.
    seconds, memory, disk
        As estimated before.
    removed
        When its folder was removed; the rest of the line stays.
    """

    identifier: str
    person: str
    name: str | None
    pipeline: str
    version: str
    title: str
    state: State
    why: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    preview: bool
    parameters: Mapping[str, Any]
    preset: str | None
    seconds: float
    memory: int
    disk: int
    inputs: Mapping[str, Sequence[Input]] = field(default_factory=dict)
    place: int | None = None
    dataset: str | None = None
    expires: datetime | None = None
    tell: str | None = None
    removed: datetime | None = None
    id: int = 0
    path: str = ""

    @property
    def active(self) -> bool:
        """Whether it waits or goes."""
        return self.state in ("waiting", "running", "stopping")

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on with."""
        return self.state in ("stopped", "failed", "partial")


def new_identifier() -> str:
    """Make an identifier of 120 bits of chance."""
    return "".join(secrets.choice(ALPHABET) for _ in range(_SIGNS))


def is_identifier(text: str) -> bool:
    """Say whether a text may be the identifier of a run."""
    return len(text) == _SIGNS and set(text) <= set(ALPHABET)
