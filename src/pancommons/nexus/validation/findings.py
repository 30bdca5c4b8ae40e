"""What a validation finds: a finding, the list of them with its limit, and the verdict on a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
Rule = Literal[
    "missing", "recommended", "kind", "class", "type", "units", "enumeration", "rank", "size", "number", "link",
    "plot", "definition", "entry", "unknown", "deprecated", "unreadable", "limit",
]  # fmt: skip
Judgement = Literal["valid", "invalid", "not validated"]


def severity(strict: bool) -> Severity:
    """Return how severe it is what an application definition, or only a base class, has against something."""
    return "error" if strict else "warning"


FORMAT = 1
"""The version of the JSON form."""

MOST_FINDINGS = 1000
_LONGEST_TEXT = 400


@dataclass(frozen=True)
class Finding:
    """One remark on one place of a file.

    Attributes
    ----------
    severity
        ``error``: against the definition; ``warning``: doubtful, or a reader may stumble; ``info``: worth knowing.
    rule
        Which kind of rule it is about, one word for machines.
    path
        The group, dataset or ``dataset@attribute`` in the file.
    text
        What is wrong, in words, without a full stop.
    """

    severity: Severity
    rule: Rule
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.severity:<7} {self.path}: {self.text}"


class Findings:
    """The list of findings: each once, the first thousand kept, all counted; room for errors is always made."""

    def __init__(self) -> None:
        self._kept: dict[Finding, None] = {}
        self.counts: Counter[str] = Counter()
        self.limits: list[str] = []

    def add(self, severity: Severity, rule: Rule, path: str, text: str) -> None:
        """Note a finding."""
        finding = Finding(severity, rule, path[:_LONGEST_TEXT], text[:_LONGEST_TEXT])
        if finding in self._kept:
            return
        self.counts[severity] += 1
        if len(self._kept) >= MOST_FINDINGS:
            spare = next((one for one in self._kept if one.severity == "info"), None) if severity != "info" else None
            if spare is None:
                return
            del self._kept[spare]
        self._kept[finding] = None

    def limit(self, text: str) -> None:
        """Note that something was left unlooked at; said once."""
        if text not in self.limits:
            self.limits.append(text)

    def all(self) -> tuple[Finding, ...]:
        """List the findings that were kept."""
        return tuple(self._kept)


@dataclass(frozen=True)
class EntryVerdict:
    """What was checked of one entry or subentry.

    Attributes
    ----------
    path
        Where it lies in the file.
    definitions
        The application definitions it was checked against.
    unknown
        Those it names that the definitions do not have.
    errors
        How many errors were found in it.
    """

    path: str
    definitions: tuple[str, ...]
    unknown: tuple[str, ...]
    errors: int

    @property
    def judgement(self) -> Judgement:
        """The judgement on this entry alone."""
        return "invalid" if self.errors else "not validated" if self.unknown else "valid"


@dataclass(frozen=True)
class Verdict:
    """The verdict on a file.

    Attributes
    ----------
    file
        The file.
    judgement
        ``valid`` without errors; ``invalid`` with; ``not validated`` where it could not be judged, `reason` says why.
    definitions
        The version of the NeXus definitions and where they are from; "" without.
    entries
        What was checked, entry by entry.
    findings
        What was found, at most a thousand; `counts` counts all.
    """

    file: Path
    judgement: Judgement
    reason: str = ""
    definitions: str = ""
    entries: tuple[EntryVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "format": FORMAT,
            "file": str(self.file),
            "verdict": self.judgement,
            "reason": self.reason,
            "definitions": self.definitions,
            "counts": {severity: self.counts.get(severity, 0) for severity in ("error", "warning", "info")},
            "entries": [
                {
                    "path": one.path,
                    "verdict": one.judgement,
                    "definitions": list(one.definitions),
                    "unknown": list(one.unknown),
                    "errors": one.errors,
                }
                for one in self.entries
            ],
            "findings": [asdict(one) for one in self.findings],
        }

    def __str__(self) -> str:
        words = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("remark", "remarks")}
        counted = [f"{n} {words[severity][n != 1]}" for severity in words if (n := self.counts.get(severity, 0))]
        return f"{self.file}: {self.judgement}" + (f" ({', '.join(counted)})" if counted else "")
