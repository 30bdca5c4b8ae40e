"""Choosing the form of an answer by ``Accept`` (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 30


def best(accept: str | None, offered: Sequence[str]) -> str:
    """Return the media type that is wanted most.

    Parameters
    ----------
    accept
        The header's value; without one, or where nothing fits, it is the first offered.
    offered
        Media types in the order in which they are preferred where the client does not mind.
    """
    wanted: dict[str, float] = {}
    for part in (accept or "").split(",")[:_MOST]:
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        if name:
            wanted[name] = _quality(parameters)

    def quality(kind: str) -> float:
        return next((wanted[one] for one in (kind, f"{kind.split('/')[0]}/*", "*/*") if one in wanted), 0.0)

    return max(offered, key=quality)


def _quality(parameters: Sequence[str]) -> float:
    told = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    try:
        return min(max(float(told), 0.0), 1.0)
    except ValueError:
        return 0.0
