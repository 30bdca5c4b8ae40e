"""What two runs were asked and found, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pancommons.server.pages.showing import RunShown


@dataclass(frozen=True)
class Pair:
    """One value of both; ``difference`` is B less A, where both are numbers."""

    name: str
    a: Any
    b: Any
    difference: float | None

    @property
    def relative(self) -> float | None:
        """Return the difference as a fraction of A."""
        return self.difference / abs(self.a) if self.difference is not None and self.a else None


def values(shown: RunShown) -> dict[str, Any]:
    """Return all parameters of a run by name; those given alone, where it has no report."""
    told = shown.report.get("parameters")
    if told is None:
        return {name.replace("_", " "): value for name, value in shown.run.parameters.items()}
    return {str(one["name"]).replace("_", " "): one["value"] for one in told}


def differences(a: Mapping[str, Any], b: Mapping[str, Any], *, all_of_them: bool = False) -> list[Pair]:
    """Pair what has the same name; those that are equal only if all are wanted."""
    pairs = []
    for name in dict.fromkeys([*a, *b]):
        one: Any = a.get(name)
        other: Any = b.get(name)
        if one != other or all_of_them:
            apart = other - one if _is_number(one) and _is_number(other) else None
            pairs.append(Pair(name, one, other, apart))
    return pairs


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
