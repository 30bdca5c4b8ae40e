"""Fair share, for any people who ask for anything."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.runs.queue import PREVIEWS_AT_A_TIME, Places, Waiting, choose, line

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("abcd"), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 10), st.none()),
    ),
    max_size=60,
)


class Machine:
    """Starts whatever may start after each step, and looks that nothing is unfair."""

    def __init__(self, places: Places) -> None:
        self.places, self.waiting, self.going = places, [], []  # type: ignore[var-annotated]
        self.latest: dict[tuple[str, bool], datetime] = {}
        self.number = 0
        self.overtaken: Counter[tuple[str, str, bool]] = Counter()

    def ask(self, person: str, preview: bool) -> None:
        self.number += 1
        self.waiting.append(Waiting(self.number, person, preview))

    def at_limit(self, person: str, preview: bool) -> bool:
        each = PREVIEWS_AT_A_TIME if preview else self.places.each
        return sum(one.person == person and one.preview is preview for one in self.going) >= each

    def start(self) -> None:
        while True:
            one = choose(self.waiting, [(run.person, run.preview) for run in self.going], self.latest, self.places)
            if one is None:
                self.check_idle()
                return
            lane = one.preview
            others = {run.person for run in self.waiting if run.preview is lane} - {one.person}
            for other in others:
                if self.at_limit(other, lane):
                    continue
                self.overtaken[one.person, other, lane] += 1
                assert self.overtaken[one.person, other, lane] <= 1, f"{one.person} twice before {other}"
            for key in [key for key in self.overtaken if key[1:] == (one.person, lane)]:
                del self.overtaken[key]
            mine = [run for run in self.waiting if run.person == one.person and run.preview is lane]
            assert one == mine[0], "of one person's runs the oldest"
            self.waiting.remove(one)
            self.going.append(one)
            self.number += 1
            self.latest[one.person, lane] = BEGIN + timedelta(seconds=self.number)
            assert sum(not run.preview for run in self.going) <= self.places.at_a_time
            assert sum(run.preview for run in self.going) <= PREVIEWS_AT_A_TIME
            for person in "abcd":
                assert sum(run.person == person and not run.preview for run in self.going) <= self.places.each

    def check_idle(self) -> None:
        """No place is left empty that somebody could have."""
        for lane, most in ((True, PREVIEWS_AT_A_TIME), (False, self.places.at_a_time)):
            free = sum(run.preview is lane for run in self.going) < most
            could = any(run.preview is lane and not self.at_limit(run.person, lane) for run in self.waiting)
            assert not (free and could)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(1, 4), st.integers(1, 3))
def test_nobody_is_overtaken_twice_nothing_is_idle_and_no_limit_is_passed(
    steps: list[tuple[str, str | int, bool | None]], at_a_time: int, each: int
) -> None:
    machine = Machine(Places(at_a_time, each))
    for what, which, preview in steps:
        if what == "ask":
            machine.ask(str(which), bool(preview))
        elif machine.going:
            ended = machine.going.pop(int(which) % len(machine.going))
            for key in [key for key in machine.overtaken if key[1:] == (ended.person, ended.preview)]:
                del machine.overtaken[key]  # who was at their limit waits anew
        machine.start()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=25), st.data())
def test_the_line_is_the_order_in_which_one_place_is_given(people: list[tuple[str, bool]], data: st.DataObject) -> None:
    waiting = [Waiting(number, person, preview) for number, (person, preview) in enumerate(people)]
    before = st.dictionaries(st.tuples(st.sampled_from("abc"), st.booleans()), st.integers(0, 99))
    latest = {key: BEGIN + timedelta(seconds=value) for key, value in data.draw(before).items()}
    told = line(waiting, latest)
    for lane in (True, False):
        left, known, order, turn = [one for one in waiting if one.preview is lane], dict(latest), [], 1000
        while one := choose(left, [], known, Places(1, 1)):
            order.append(one.id)
            left.remove(one)
            turn += 1
            known[one.person, lane] = BEGIN + timedelta(seconds=turn)
        assert [id_ for id_ in told if waiting[id_].preview is lane] == order
    assert sorted(told) == list(range(len(waiting)))


def test_whoever_used_the_machine_least_recently_is_next_however_many_others_ask_for() -> None:
    waiting = [Waiting(number, "many", False) for number in range(50)] + [Waiting(99, "one", False)]
    assert choose(waiting, [], {}, Places(1, 1)) == waiting[0]
    later = {("many", False): BEGIN}
    assert choose(waiting, [], later, Places(1, 1)) == waiting[-1]
    assert line(waiting, {})[:3] == [0, 99, 1]


def test_a_preview_has_a_place_of_its_own() -> None:
    waiting = [Waiting(1, "a", False), Waiting(2, "a", True), Waiting(3, "b", True)]
    full = [("c", False)]
    assert choose(waiting, full, {}, Places(1, 1)) == waiting[1]
    assert choose(waiting, [*full, ("d", True)], {}, Places(1, 1)) is None
