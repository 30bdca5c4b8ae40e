"""Who is next: whoever used the machine least recently; previews have a place of their own.

There are two lanes: runs, of which ``at_a_time`` go at a time, and previews, of which one goes at a time
beside them. In each lane the rule is the same. Of the people who wait and have fewer than their limit going,
the one whose latest run was started longest ago is next, those who never ran before all others; where that
is equal, whoever waits longest. Of one person's runs the one that waits longest is next.

So between two starts of one person everybody else who waits all that time, and is not at their limit, has
started a run too.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)
PREVIEWS_AT_A_TIME = 1


@dataclass(frozen=True)
class Waiting:
    """A run that waits, in the order in which runs came to wait."""

    id: int
    person: str
    preview: bool


@dataclass(frozen=True)
class Places:
    """How many runs may go at a time, of all people and of each."""

    at_a_time: int
    each: int


def choose(
    waiting: Iterable[Waiting],
    going: Iterable[tuple[str, bool]],
    latest: Mapping[tuple[str, bool], datetime],
    places: Places,
) -> Waiting | None:
    """Return which run is to be started now; None if none may.

    Parameters
    ----------
    waiting
        Those that wait, the longest first.
    going
        Person of each run that goes, and whether it is a preview.
    latest
        When each person's latest run of a lane was started.
    """
    waiting, going = list(waiting), list(going)
    for preview in (True, False):
        of_lane = Counter(person for person, which in going if which is preview)
        most = PREVIEWS_AT_A_TIME if preview else places.at_a_time
        each = PREVIEWS_AT_A_TIME if preview else places.each
        if of_lane.total() >= most:
            continue
        first: dict[str, Waiting] = {}
        for one in waiting:
            if one.preview is preview and of_lane[one.person] < each:
                first.setdefault(one.person, one)
        if first:
            return min(first.values(), key=lambda one: latest.get((one.person, preview), _NEVER))
    return None


def line(waiting: Iterable[Waiting], latest: Mapping[tuple[str, bool], datetime]) -> list[int]:
    """List the ids of those that wait in the order in which they will be started, lane by lane."""
    order: list[int] = []
    waiting = list(waiting)
    for preview in (True, False):
        queues: defaultdict[str, deque[tuple[int, int]]] = defaultdict(deque)
        for since, one in enumerate(waiting):
            if one.preview is preview:
                queues[one.person].append((since, one.id))
        turns = [(0, latest.get((person, preview), _NEVER), queue[0][0], person) for person, queue in queues.items()]
        heapq.heapify(turns)
        turn = 0
        while turns:
            _, _, _, person = heapq.heappop(turns)
            order.append(queues[person].popleft()[1])
            if queues[person]:
                turn += 1
                heapq.heappush(turns, (turn, _NEVER, queues[person][0][0], person))
    return order
