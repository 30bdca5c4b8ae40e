"""Errors: one sentence, an exit code, and the same on the other side of a process."""

from __future__ import annotations

import pickle

import pytest

from pancommons.base.errors import BadInput, PanError, RunPartial, RunStopped


def test_exit_codes() -> None:
    assert [kind.exit_code for kind in (PanError, BadInput, RunPartial, RunStopped)] == [1, 2, 3, 130]


@pytest.mark.parametrize(
    "error",
    [
        BadInput("is wrong"),
        BadInput("is wrong", file="/data/scan.nxs", field="centre", remedy="give another"),
        PanError("It failed."),
        RunStopped("Stopped."),
    ],
)
def test_errors_survive_the_way_from_a_worker(error: PanError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_sentence_has_all_that_is_known() -> None:
    error = BadInput("is wrong", file="a.nxs", field="centre", remedy="give another")
    assert str(error) == "a.nxs: centre: is wrong; give another."
    assert str(BadInput("is wrong")) == "is wrong."
