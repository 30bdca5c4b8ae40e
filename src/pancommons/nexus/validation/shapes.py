"""Whether the shapes of the datasets of an entry fit the definition and each other, through its symbols."""

from __future__ import annotations

from pancommons.nexus.validation.findings import Findings, Severity
from pancommons.nexus.validation.nxdl import Dimensions


class Symbols:
    """The sizes that the symbols of one definition have in one entry, and where each was first seen."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._seen: dict[str, tuple[int, str]] = {}

    def check(
        self, expected: Dimensions, shape: tuple[int, ...], path: str, findings: Findings, *, strict: bool
    ) -> None:
        """Compare a dataset's shape with the one expected, and remember what it says of the symbols.

        What only a base class says of shapes is often meant for one kind of instrument, so it is a remark. One value
        stored as an array of one, or the reverse, is nothing.
        """
        if expected.rank is not None and len(shape) != expected.rank:
            if not (expected.rank <= 1 and len(shape) <= 1):
                severity: Severity = "error" if strict else "info"
                findings.add(severity, "rank", path, f"has {len(shape)} dimensions, where {expected.rank} are expected")
            return
        for place, (stated, size) in enumerate(zip(expected.sizes, shape, strict=False), 1):
            if stated.isdecimal() and int(stated) != size:
                findings.add(
                    "error" if strict else "info", "size", path,
                    f"has the size {size} along dimension {place}, where {stated} is expected",
                )  # fmt: skip
            elif strict and stated in self._names:
                before = self._seen.setdefault(stated, (size, path))
                if before[0] != size:
                    findings.add(
                        "warning", "size", path,
                        f"has the size {size} along dimension {place}, but {stated} is {before[0]} in {before[1]}",
                    )  # fmt: skip
