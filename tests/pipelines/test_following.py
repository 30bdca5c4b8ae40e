"""Where a run is, from its events alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.pipelines import creation, following
from pancommons.pipelines.creation import Request
from pancommons.pipelines.events import EventLog
from pancommons.pipelines.following import Progress
from tests.pipelines import toy


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    monkeypatch.setattr(following.registry, "names", lambda: ["toy"])
    source = toy.write_input(tmp_path / "in.npy")
    return creation.create(creation.examine(Request("toy", {"array": [source]}, workers=1)), tmp_path / "r").path


def test_a_run_that_never_started(run: Path) -> None:
    status = following.status(run)
    assert (status.state, status.runner) == ("created", None)
    (stage,) = status.as_json()["stages"]
    assert (stage["total"], stage["finished"], stage["left"]) == (10, 0, None)
    assert status.progress.warnings == ["the toy is a toy"]


def test_a_run_whose_runner_is_gone(run: Path) -> None:
    log = EventLog(run / "events.jsonl")
    log.add("started", host="x", pid=1, on="threads", workers=1)
    log.add("stage", name="powers", title="Raising rows", noun="rows", units=3, total=10, finished=0)
    log.add("unit", stage="powers", unit=0, size=4, seconds=1, bytes=1)
    status = following.status(run)
    assert status.state == "interrupted" and status.progress.stages["powers"].finished == 4
    json.dumps(status.as_json(), allow_nan=False)


def test_rate_counts_this_attempt_only() -> None:
    progress = Progress()
    for event in (
        {"time": 0.0, "event": "started"},
        {"time": 1.0, "event": "stage", "name": "s", "title": "S", "noun": "rows", "total": 100, "finished": 60},
        {"time": 3.0, "event": "unit", "stage": "s", "size": 10},
        {"time": 6.0, "event": "unit-failed", "stage": "s", "size": 5, "error": "x"},
    ):
        progress.take(event)
    stage = progress.stages["s"]
    assert stage.rate == 5.0 and stage.left == 5.0
    progress.take({"time": 7.0, "event": "ended", "state": "partial", "text": "1 units failed"})
    assert (progress.state, progress.ended) == ("partial", 7.0)
    progress.take({"time": 8.0, "event": "started"})
    assert (progress.state, progress.text, progress.ended) == ("running", "", None)


_names = st.sampled_from(["s", "t"])
_event = st.one_of(
    st.fixed_dictionaries({"event": st.sampled_from(["started", "phase", "later", ""])}),
    st.fixed_dictionaries(
        {"event": st.just("stage"), "name": _names, "title": st.text(max_size=3), "noun": st.just("rows"),
         "total": st.integers(0, 50), "finished": st.integers(0, 50)}
    ),
    st.fixed_dictionaries(
        {"event": st.sampled_from(["unit", "unit-failed"]), "stage": _names, "size": st.integers(0, 9)}
    ),
    st.fixed_dictionaries({"event": st.just("ended"), "state": st.sampled_from(["done", "stopped", "failed"])}),
    st.fixed_dictionaries({"event": st.just("found"), "name": _names, "value": st.floats(allow_nan=False)}),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 10), _event), max_size=20))
def test_any_order_of_events_is_understood(told: list[tuple[float, dict[str, object]]]) -> None:
    progress = Progress()
    for time, event in told:
        progress.take({"time": time, **event})
    status = following.Status(Path("r"), "toy", progress, None)
    for stage in status.as_json()["stages"]:
        assert stage["rate"] is None or stage["rate"] > 0


@pytest.mark.parametrize("place", ["nowhere", "in.npy", "."])
def test_what_is_no_run(run: Path, place: str) -> None:
    with pytest.raises(BadInput, match="run folder"):
        following.status(run.parent / place)


def test_a_run_of_a_pipeline_that_is_not_installed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.registry, "names", list)
    assert following.status(run).state == "created"
