"""Files made and damaged by chance, asked about by chance: whatever it is, the answer is one that may be given."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path

import psutil
import pytest

from pancommons.nexus.serving.budget import Budget
from pancommons.server.hdf5.readers import Readers
from tests.server.hdf5.conftest import Portal
from tests.server.hdf5.fuzzing import TEAM, amiss, ask, questions
from tests.server.hdf5.making import Maker

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

BUDGET = replace(Budget(), seconds=3.0, answer_bytes=4 << 20)
FILE = "noisy-0"
FOUND: tuple[int, ...] = ()
"""Seeds that once found something; they are tried first."""


@dataclass
class Seen:
    """What was asked and answered, and the most memory there was."""

    files: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    reader: int = 0
    server: int = 0

    def note(self, portal: Portal, status: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        for process in portal.readers.processes():
            try:
                self.reader = max(self.reader, psutil.Process(process).memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        self.server = max(self.server, psutil.Process().memory_info().rss)


def fuzz(portal: Portal, seconds: float, folder: Path, each: int = 12) -> Seen:
    """Ask about one file after the other; those of seeds that found something before come first."""
    portal.readers.close()
    portal.app.state.readers = Readers([portal.root], BUDGET, count=2)
    hidden = [str(portal.root), str(Path.cwd()), sys.prefix]
    seen, maker = Seen(), Maker(folder, portal.root)
    end = time.monotonic() + seconds
    for seed in chain(FOUND, count()):
        if time.monotonic() > end and seen.files > len(FOUND):
            break
        names = maker.make(seed)
        if names is None:
            continue
        maker.file.replace(portal.root / f"{FILE}.h5")  # as a whole: a file that is open stays what it was
        for question in questions(seed, names, each):
            answer = ask(portal.client, portal.address, portal.files[FILE], question)
            wrong = amiss(answer, hidden, BUDGET)
            assert not wrong, f"seed {seed} (add it to FOUND to repeat it), {question}: {wrong}\n{answer.text[:500]}"
            seen.note(portal, answer.status_code)
        seen.files += 1
    maker.close()
    return seen


def _check(portal: Portal, seen: Seen, before: int) -> None:
    assert sum(seen.statuses.values()) >= 24 and {200, 404} <= set(seen.statuses)
    assert seen.reader < BUDGET.memory_bytes + (300 << 20)
    assert seen.server - before < 300 << 20, f"grew from {before} to {seen.server} bytes"
    assert portal.get("main", "data", path="/v", selection="0,0").json() == [0, 1, 2, 3]
    assert len(portal.readers.processes()) <= 2


def test_chance_finds_nothing_in_seconds(portal: Portal, tmp_path: Path) -> None:
    before = psutil.Process().memory_info().rss
    _check(portal, fuzz(portal, 8, tmp_path), before)


@pytest.mark.soak
def test_chance_finds_nothing_in_ten_minutes(portal: Portal, tmp_path: Path) -> None:
    before = psutil.Process().memory_info().rss
    seen = fuzz(portal, 600, tmp_path)
    print(f"\n{seen}, {before >> 20} MB before")
    _check(portal, seen, before)
    assert seen.files > 100 and set(seen.statuses) >= {200, 404, 415, 422}


def test_a_page_below_many_groups_names_the_nearest(portal: Portal) -> None:
    """Each is named by its whole path: 4 kB of a question became 7 MB of an answer."""
    answer = portal.client.get(f"{portal.address}/look/{portal.files['main']}", params={"path": "/a" * 1900})
    assert len(answer.content) < 300_000 and "…" in answer.text


def test_the_fuzzer_would_see_what_it_looks_for(portal: Portal) -> None:
    portal.asking = portal.team
    answer = portal.get("embargoed", "data", path="/secret")
    assert TEAM in answer.content and amiss(answer, [], BUDGET)
    portal.asking = type(portal.asking)()
    assert amiss(portal.get("main", "data", path="/v"), ["23"], BUDGET)
    assert amiss(portal.get("main", "data", path="/v"), [], replace(BUDGET, answer_bytes=3))
    assert not amiss(portal.get("main", "data", path="/v"), [], BUDGET)
