"""Asking a server: patience where it does no harm, a token for one origin, and sentences in place of tracebacks."""

from __future__ import annotations

import json
import time

import pytest

from pancommons.base.errors import BadInput
from pancommons.client import Client
from pancommons.client.connection import Connection, NoAnswer, Refused, SignInNeeded
from tests.client.wires import Answer, Request, answering, cutting

OK: Answer = (200, {}, b'{"fine": true}')


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    answers = [(status, {"Retry-After": "7"}, b""), (status, {}, b""), OK]
    slept: list[float] = []
    with answering(lambda _: answers.pop(0)) as (server, asked):
        assert Connection(server, sleep=slept.append).ask("GET", "/x") == {"fine": True}
    assert len(asked) == 3 and slept[0] == 7 and 0 < slept[1] < 2


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_conflict_is_waited_for_only_where_it_passes(method: str) -> None:
    slept: list[float] = []
    answers = [(409, {"Retry-After": "1"}, b""), OK, (409, {}, b"")]
    with answering(lambda _: answers.pop(0)) as (server, asked):
        connection = Connection(server, sleep=slept.append)
        assert connection.ask(method, "/runs/x") == {"fine": True}
        with pytest.raises(Refused) as refused:
            connection.ask(method, "/runs/x")
    assert refused.value.status == 409 and slept == [1] and len(asked) == 3


def test_it_does_not_wait_longer_than_it_has_patience() -> None:
    slept: list[float] = []
    message = json.dumps({"error": {"statusCode": 429, "name": "x", "message": "20 runs of yours wait already"}})
    with answering(lambda _: (429, {"Retry-After": "3600"}, message.encode())) as (server, asked):
        connection = Connection(server, sleep=slept.append)
        with pytest.raises(Refused, match="20 runs of yours wait already") as refused:
            connection.ask("POST", "/runs", json={})
    assert refused.value.status == 429 and refused.value.exit_code == 2
    assert not slept and len(asked) == 1


@pytest.mark.parametrize(
    ("method", "headers", "times"),
    [("GET", {}, 3), ("DELETE", {}, 3), ("POST", {}, 1), ("POST", {"Idempotency-Key": "k"}, 3)],
)
def test_what_was_cut_is_sent_again_only_where_twice_is_once(method: str, headers: dict[str, str], times: int) -> None:
    with answering(lambda _: OK) as (server, asked), cutting(server, 5, 5) as wire:
        connection = Connection(wire.address, sleep=lambda _: None)
        connection._answered = True
        if times == 3:
            assert connection.ask(method, "/x", headers=headers) == {"fine": True}
        else:
            with pytest.raises(NoAnswer, match="does not answer any more"):
                connection.ask(method, "/x", headers=headers)
    assert len(asked) == times
    assert len({one.headers.get("idempotency-key") for one in asked}) == 1


def test_an_address_where_nobody_answers_is_given_up_soon() -> None:
    began = time.monotonic()
    with pytest.raises(BadInput, match=r"cannot be reached \(ConnectError\); check the address"):
        Connection("http://127.0.0.1:9").ask("GET", "/x")
    assert time.monotonic() - began < 5


def test_a_token_goes_to_its_origin_alone() -> None:
    with answering(lambda _: OK) as (other, seen):
        moved = (307, {"Location": f"{other}/stolen"}, b"")
        with answering(lambda _: moved) as (server, asked):
            with pytest.raises(BadInput, match=f"sends to {other}"):
                Connection(server, "pan_secret").ask("GET", "/x")
            with pytest.raises(BadInput, match="sends to"):
                Connection(server, "pan_secret").ask("POST", "/runs", json={}, headers={"Idempotency-Key": "k"})
    assert [one.headers["authorization"] for one in asked] == ["Bearer pan_secret"] * 2
    assert not seen


def test_a_redirect_at_the_same_origin_is_followed() -> None:
    def answer(request: Request) -> Answer:
        return OK if request.path == "/there" else (308, {"Location": "/there"}, b"")

    with answering(answer) as (server, asked):
        assert Connection(server, "pan_secret").ask("GET", "/here", params={"a": "b"}) == {"fine": True}
    assert [one.path for one in asked] == ["/here?a=b", "/there"]


def test_a_redirect_without_end() -> None:
    with answering(lambda _: (302, {"Location": "/x"}, b"")) as (server, asked):
        connection = Connection(server)
        with pytest.raises(BadInput, match="does not answer as a server of PaN Commons does"):
            connection.ask("GET", "/x")
    assert len(asked) < 10


@pytest.mark.parametrize("place", ["http://data.facility.example", "http://192.0.2.1:8000"])
def test_nobody_on_the_way_reads_a_token(place: str) -> None:
    with pytest.raises(BadInput, match="others could read a token on its way there; ask the server through https"):
        Client(place, token="pan_secret")


def test_tokens_are_in_no_text() -> None:
    from pancommons.client.credentials import Credential

    assert "pan_secret" not in repr(Credential("pan_secret")) + str(Credential("pan_secret"))


def test_who_is_unknown_is_told_to_sign_in() -> None:
    with answering(lambda _: (401, {}, b'{"error": {"message": "no"}}')) as (server, _):
        connection = Connection(server)
        with pytest.raises(SignInNeeded, match=f"pan login --server {server}") as error:
            connection.ask("GET", "/runs")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((404, {}, b'{"error": {"message": "there is no such run that you may see"}}'), Refused, "no such run"),
        (
            (400, {}, b'{"error": "invalid_scope", "error_description": "there is no such scope"}'),
            Refused,
            "no such sc",
        ),
        ((400, {}, b"{}"), Refused, "answers 400"),
        ((418, {}, b"\xff\x00" * 100_000), Refused, "answers 418"),
        ((500, {}, b'{"error": {"message": "reference abcd"}}'), NoAnswer, "says: reference abcd"),
        ((200, {}, b"<html>hello</html>"), BadInput, "does not answer as a server of PaN Commons does"),
        ((404, {}, b'{"error": {"message": "one\\u001b[31m two"}}'), Refused, r"one \[31m two"),
    ],
)
def test_a_refusal_is_one_sentence(answer: Answer, error: type[Exception], text: str) -> None:
    with answering(lambda _: answer) as (server, _), pytest.raises(error, match=text) as told:
        Connection(server, patience=0).ask("GET", "/x")
    assert server in str(told.value) and "\n" not in str(told.value) and str(told.value).endswith(".")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://Data.Facility.example/", "https://data.facility.example"),
        ("https://data.facility.example:443", "https://data.facility.example"),
        ("http://localhost:8000/commons/", "http://localhost:8000/commons"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_server_has_one_spelling(given: str, meant: str) -> None:
    assert Client(given).server == meant


@pytest.mark.parametrize(
    "given",
    ["data.facility.example", "ftp://x", "https://", "https://u:p@x", "https://x?y", "https://x#y", "http://x:99999"],
)
def test_what_is_no_server(given: str) -> None:
    with pytest.raises(BadInput, match="no address of a server; write https://HOST"):
        Client(given)
