"""Techniques and what lies beneath them: a graph without a single root, in which equals stand beneath each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

from pancommons.catalogue.records import Technique

PANET = "http://purl.org/pan-science/PaNET/"
ROOT = f"{PANET}PaNET00001"
"""The technique above all techniques; what is not beneath it in PaNET only describes techniques."""


class Ontology:
    """Techniques by their PID.

    A technique may have several parents. Two named as equivalent are parents of each other, so that whoever
    asks for what lies beneath one finds the other.
    """

    def __init__(self, techniques: Iterable[Technique]) -> None:
        self._techniques = {one.pid: one for one in techniques}

    def __len__(self) -> int:
        return len(self._techniques)

    def __iter__(self) -> Iterator[Technique]:
        return iter(self._techniques.values())

    def __contains__(self, pid: object) -> bool:
        return pid in self._techniques

    def get(self, identifier: str) -> Technique | None:
        """Return a technique by its PID, or by the last part of it, such as ``PaNET01207``."""
        return self._techniques.get(identifier) or self._techniques.get(f"{PANET}{identifier}")

    def named(self, name: str) -> list[Technique]:
        """List the techniques that have a name, old names and synonyms included, whatever the case."""
        asked = _folded(name)
        return [one for one in self if asked in map(_folded, (one.name, *one.synonyms))]

    def containing(self, words: str) -> list[Technique]:
        """List the techniques with all words in their name, synonyms or definition, the best matches first."""
        asked = _folded(words).split()
        found = [one for one in self if all(word in _searched(one) for word in asked)]
        return sorted(found, key=lambda one: (not any(word in _folded(one.name) for word in asked), len(one.name)))

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """What lies directly beneath each technique, in the order of the PIDs."""
        beneath: dict[str, list[str]] = {pid: [] for pid in self._techniques}
        for one in self:
            for parent in one.parents:
                if parent in beneath:
                    beneath[parent].append(one.pid)
        return {pid: tuple(sorted(found)) for pid, found in beneath.items()}

    @cached_property
    def closure(self) -> Mapping[str, tuple[str, ...]]:
        """Every technique's PID with its own and those of all beneath it, its own first."""
        return {pid: self._beneath(pid) for pid in self._techniques}

    @cached_property
    def below(self) -> Mapping[str, frozenset[str]]:
        """What lies below each technique; of those that are each other's parent the later one does."""
        return {
            pid: frozenset(one for one in found[1:] if one > pid or pid not in self.closure[one])
            for pid, found in self.closure.items()
        }

    def _beneath(self, pid: str) -> tuple[str, ...]:
        found = {pid: None}
        waiting = [pid]
        while waiting:
            for child in self.children[waiting.pop()]:
                if child not in found:
                    found[child] = None
                    waiting.append(child)
        return (pid, *sorted(found.keys() - {pid}))

    def as_json(self, technique: Technique) -> dict[str, Any]:
        """Describe a technique as the PaNET service does; an equal is a relative, neither parent nor child."""
        relatives = self.closure[technique.pid]
        parents = [pid for pid in technique.parents if pid in self and pid not in relatives]
        children = [pid for pid in self.children[technique.pid] if pid not in technique.parents]
        return {
            "pid": technique.pid,
            "name": technique.name,
            "panetId": technique.pid,
            "synonym": list(technique.synonyms),
            "definition": technique.definition,
            "relatives": list(relatives),
            "children": children,
            "parents": parents,
        }

    def techniques_only(self) -> Ontology:
        """Return the part beneath PaNET's root, if that is here: without what only describes techniques."""
        if ROOT not in self:
            return self
        return Ontology(self._techniques[pid] for pid in self._beneath(ROOT))


def core() -> Ontology:
    """Return the techniques that the package brings along: those of its pipelines and its mapping of files."""
    import tomllib

    told = tomllib.loads((files(__package__) / "core.toml").read_text(encoding="utf-8"))["technique"]
    return Ontology(
        Technique(
            pid=PANET + one["id"],
            name=one["name"],
            synonyms=tuple(one.get("synonyms", ())),
            parents=tuple(PANET + parent for parent in one.get("parents", ())),
        )
        for one in told
    )


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _searched(one: Technique) -> str:
    return _folded(" ".join((one.pid, one.name, *one.synonyms, one.definition or "")))
