"""Following a run: however often the connection breaks, each event arrives once, in order."""

from __future__ import annotations

import json
import random

import pytest

from pancommons.client.connection import Connection, NoAnswer, Refused
from pancommons.client.events import follow, messages
from tests.client.wires import Answer, Request, answering, cutting

EVENTS = [{"event": "unit", "text": f"\u2028 number {number} \x85 µm", "unit": number} for number in range(40)]


def _written(after: int) -> bytes:
    lines = ["retry: 2000", "", ": still here", ""]
    for number, event in enumerate(EVENTS, 1):
        if number > after:
            lines += [f"id: {number}", f"data: {json.dumps(event, ensure_ascii=False)}", ""]
    return "\n".join([*lines, ""]).encode()


def _serve(request: Request) -> Answer:
    after = int(request.headers.get("last-event-id", "0"))
    if after == len(EVENTS):
        return 204, {}, b""
    return 200, {"Content-Type": "text/event-stream"}, _written(after)


@pytest.mark.parametrize("seed", range(6))
def test_each_event_once_over_a_wire_that_breaks(seed: int) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(1, 900) for _ in range(30)]
    with answering(_serve) as (server, asked), cutting(server, *cuts) as wire:
        connection = Connection(wire.address, sleep=lambda _: None)
        connection._answered = True
        assert list(follow(connection, "/events", lambda: True)) == EVENTS
    assert wire.connections > 5 and any("last-event-id" in one.headers for one in asked)


def test_a_stream_that_closes_before_the_end_is_opened_again() -> None:
    with answering(_serve) as (server, asked):
        found = list(follow(Connection(server, sleep=lambda _: None), "/events", lambda: False))
    assert found == EVENTS
    assert [one.headers.get("last-event-id") for one in asked] == [None, str(len(EVENTS))]  # and then a 204


def test_what_was_said_between_the_stream_and_the_end_is_read() -> None:
    streams = [_written(0).partition(b"id: 31\n")[0], _written(30), b""]

    def answer(request: Request) -> Answer:
        return 200, {"Content-Type": "text/event-stream"}, streams.pop(0)

    with answering(answer) as (server, asked):
        assert list(follow(Connection(server, sleep=lambda _: None), "/events", lambda: True)) == EVENTS
    assert len(asked) == 2 and len(streams) == 1


def test_a_wire_that_never_holds_is_given_up() -> None:
    slept: list[float] = []
    with answering(_serve) as (server, _), cutting(server, *[200] * 500) as wire:
        connection = Connection(wire.address, patience=2.0, sleep=slept.append)
        connection._answered = True
        with pytest.raises(NoAnswer, match="breaks off again and again"):
            list(follow(connection, "/events", lambda: False))
    assert 1 < len(slept) < 20


def test_a_run_that_may_not_be_seen_any_more() -> None:
    def answer(request: Request) -> Answer:
        if "last-event-id" in request.headers:
            return 404, {}, b'{"error": {"message": "there is no such run that you may see"}}'
        return _serve(request)

    with answering(answer) as (server, _):
        events = follow(Connection(server, sleep=lambda _: None), "/events", lambda: False)
        with pytest.raises(Refused, match="no such run"):
            list(events)


@pytest.mark.parametrize("written", [b"data: {broken\n\n", b"data: \xff\n\n"])
def test_what_is_no_event(written: bytes) -> None:
    with answering(lambda _: (200, {}, written)) as (server, _), pytest.raises(NoAnswer, match="cannot be read"):
        list(follow(Connection(server), "/events", lambda: True))


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_any_size_are_the_same_messages(seed: int) -> None:
    chance = random.Random(seed)
    written, pieces = _written(30), []
    while written:
        size = chance.choice([1, 2, 3, chance.randrange(1, 400)])
        pieces.append(written[:size])
        written = written[size:]
    assert [json.loads(one.data) for one in messages(pieces)] == EVENTS[30:]


def test_the_grammar_of_the_standard() -> None:
    told = b": note\r\nid: 1\r\nevent: x\r\ndata: a\r\ndata:b\r\nunknown\r\n\r\nid: 2\n\ndata: c\n\ndata: cut short\n"
    assert [(one.data, one.identifier) for one in messages([told])] == [("a\nb", "1"), ("c", None)]


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(messages([b"x" * (1 << 20)] * 20))
    with pytest.raises(ValueError, match="too long"):
        list(messages([b"data: " + b"x" * (1 << 20) + b"\n"] * 20))
