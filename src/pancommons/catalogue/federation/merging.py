"""Pages of the answers of several catalogues, as if they were one.

Each catalogue gives its records in one order. The merge always takes the least of the first records that are not
taken yet. So the first n records depend on no more than the first n of each catalogue, even where a catalogue sorts
a little differently from us, and pages neither lose nor repeat a record. Of a record that two catalogues have, the
first met is kept; each one left out stands for another that was kept, so n of each still suffice, unless a
catalogue repeats itself: then it is asked for more.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
Key = tuple[Any, ...]

_DOI = re.compile(r"(?:(?:https?://)?(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a catalogue, with where it stands in the order."""

    record: Record
    key: Key


@dataclass
class Given:
    """What a catalogue has given so far, in its order.

    Attributes
    ----------
    ended
        Whether it has no more, or is not asked for more.
    """

    found: list[Found]
    ended: bool


@dataclass(frozen=True)
class Merged:
    """The first records of all catalogues.

    Attributes
    ----------
    records
        With the number of the catalogue that each came from.
    starved
        Number of the catalogue that must give more before it can go on; None where that is all.
    """

    records: list[tuple[int, Record]]
    starved: int | None


def merge(given: Sequence[Given], count: int) -> Merged:
    """Take the first ``count`` different records."""
    heap: list[tuple[Key, int, int]] = []
    for number, one in enumerate(given):
        if one.found:
            heap.append((one.found[0].key, number, 0))
        elif not one.ended:
            return Merged([], number)
    heapq.heapify(heap)
    seen: set[tuple[int | None, str]] = set()
    records: list[tuple[int, Record]] = []
    while heap and len(records) < count:
        _, number, place = heapq.heappop(heap)
        one = given[number]
        record = one.found[place].record
        marks = identities(number, record)
        if not marks & seen:
            records.append((number, record))
        seen |= marks
        if place + 1 < len(one.found):
            heapq.heappush(heap, (one.found[place + 1].key, number, place + 1))
        elif not one.ended and len(records) < count:
            return Merged(records, number)
    return Merged(records, None)


def identities(number: int, record: Record) -> set[tuple[int | None, str]]:
    """Say what makes a record the same as another: its DOI anywhere, its PID within one catalogue."""
    marks: set[tuple[int | None, str]] = {(number, str(record.get("pid", record.get("id"))))}
    for field in ("doi", "pid"):
        found = doi(record.get(field))
        if found is not None:
            marks.add((None, found))
    return marks


def doi(text: Any) -> str | None:
    """Return a DOI in lower case without what is written before it; None where a text is none."""
    match = _DOI.fullmatch(text.strip()) if isinstance(text, str) else None
    return None if match is None else match[1].lower()
