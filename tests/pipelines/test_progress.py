"""Progress as people and machines see it."""

from __future__ import annotations

import io
import json

import pytest

from pancommons.pipelines import progress
from pancommons.pipelines.following import StageProgress
from pancommons.pipelines.progress import Bars, JsonLines, Lines, Notebook, duration, found_sentence, rate

RUN = [
    {"time": 0.0, "event": "started", "host": "x", "pid": 1, "on": "threads", "workers": 1},
    {"time": 0.0, "event": "phase", "name": "prepare", "title": "Preparing"},
    {"time": 0.1, "event": "found", "name": "level", "value": 1.23456789, "method": "median", "confidence": 0.5,
     "unit": "mm"},
    {"time": 0.1, "event": "warning", "text": "it is <late> & dark [/in] [red]"},
    {"time": 1.0, "event": "stage", "name": "s", "title": "Scaling", "noun": "rows", "units": 3, "total": 30,
     "finished": 10},
    {"time": 2.0, "event": "unit", "stage": "s", "unit": 1, "size": 10, "seconds": 1, "bytes": 1},
    {"time": 3.0, "event": "unit-failed", "stage": "s", "unit": 2, "size": 10, "error": "unit 2: <bad>"},
    {"time": 3.0, "event": "trouble", "text": "a worker died"},
    {"time": 3.0, "event": "something-new"},
    {"time": 4.0, "event": "ended", "state": "partial", "text": "1 units failed"},
]  # fmt: skip


def test_lines() -> None:
    stream = io.StringIO()
    show = Lines(stream)
    for event in RUN:
        show(event)
    assert stream.getvalue().splitlines() == [
        "Preparing ...",
        "Found level = 1.23457 mm (median, confidence 0.50)",
        "Warning: it is <late> & dark [/in] [red]",
        "Scaling: 30 rows, 10 already done",
        "Failed: unit 2: <bad>",
        "Warning: a worker died",
    ]


def test_lines_say_progress_every_ten_seconds_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    show = Lines(stream)
    show({"time": 0.0, "event": "stage", "name": "s", "title": "Scaling", "noun": "rows", "total": 60, "finished": 0})
    for index in range(60):
        clock[0] = index + 1.0
        show({"time": clock[0], "event": "unit", "stage": "s", "size": 1})
    said = stream.getvalue().splitlines()
    assert len(said) == 1 + 6
    assert said[1] == "Scaling: 10 of 60 rows, 1 rows/s, 50 s left"
    assert said[-1] == "Scaling: 60 of 60 rows, 1 rows/s"


def test_a_stage_done_in_no_time_has_no_rate() -> None:
    stream = io.StringIO()
    show = Lines(stream)
    show({"time": 1.0, "event": "stage", "name": "s", "title": "Scaling", "noun": "rows", "total": 1, "finished": 0})
    show({"time": 1.0, "event": "unit", "stage": "s", "size": 1})
    assert stream.getvalue().splitlines()[-1] == "Scaling: 1 of 1 rows"


def test_json_lines_are_the_events() -> None:
    stream = io.StringIO()
    show = JsonLines(stream)
    for event in RUN:
        show(event)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == RUN


def test_bars_take_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    show = Bars()
    for event in RUN:
        show(event)
    err = capsys.readouterr().err
    assert "Scaling" in err and "Found level" in err and "<late> & dark [/in] [red]" in err


def test_notebook_escapes_and_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython.display

    shown: list[str] = []

    class Handle:
        def update(self, html: object) -> None:
            shown.append(html.data)  # type: ignore[attr-defined]

    monkeypatch.setattr(IPython.display, "display", lambda *_, **__: Handle())
    show = Notebook()
    for event in RUN:
        show(event)
    assert "<progress max='30' value='20'>" in shown[-1]
    assert "&lt;late&gt;" in shown[-1] and "<late>" not in shown[-1]
    assert "partial" in shown[-1]


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_rates() -> None:
    stage = StageProgress("s", "S", "rows", 10, finished=1, began=0.0, latest=100.0)
    assert rate(stage) == "0.6 rows/min"
    assert rate(StageProgress("s", "S", "rows", 10)) == ""


def test_found_without_confidence() -> None:
    assert found_sentence({"name": "x", "value": [1, 2], "method": "given"}) == "Found x = [1, 2] (given)"
