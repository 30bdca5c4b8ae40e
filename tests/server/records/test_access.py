"""Every state and every kind of visitor: who may, gets it; who may not, learns nothing, not even that it is there."""

from __future__ import annotations

import re

import pytest

from pancommons.catalogue.access import Action
from pancommons.server.landing import ENDINGS, FORMS
from tests.server.records.conftest import Portal, visitors

_FEW = ("anybody", "collaborator", "token of an administrator to do nothing")
_MOST = ("stranger", "owner", "member", "investigator", "scientist", "manager", "administrator", "token to read",
         "token of a member to discover")  # fmt: skip
_IN_EVERY_FORM = ("anybody", "token of a member to discover")
_UNKNOWN = "0" * 18 + "9"


def _plain(text: str, key: str) -> str:
    return re.sub(r"[0-9a-f]{8}", "", text.replace(key, "KEY"))


def _addresses(identifier: str, file: str, *, every_form: bool) -> list[tuple[str, str]]:
    page = f"/datasets/{identifier}"
    found = [(page, "text/html"), (page, "application/json"), (f"/files/{file}", "*/*")]
    found += [(f"{page}/{what}", "*/*") for what in ("thumbnail", "files.metalink")]
    if every_form:
        found += [(page, accept) for accept in ("*/*", *FORMS)] + [(f"{page}/files.txt", "*/*")]
        found += [(f"{page}.{ending}", "*/*") for ending in ENDINGS]
    return found


def test_every_state_for_every_visitor(portal: Portal) -> None:
    everybody = visitors(portal.world)
    seen = {True: 0, False: 0}
    for who in _FEW if portal.database.dialect == "postgresql" else (*_FEW, *_MOST):
        portal.asking = principal = everybody[who]
        with portal.database.read() as connection:
            kept = portal.world.kept_from(connection, principal)
        words = [secret.word.encode() for secret in kept]
        for kind, keys in portal.world.records.items():
            for identifier, pid in zip(keys[::2], keys[1::2], strict=True):
                may = portal.may(Action.DISCOVER, kind, pid)
                seen[may] += 1
                if kind == "dataset":
                    _check_dataset(portal, who, identifier, pid, words)
                    continue
                answer = portal.get(f"/{kind}s/{identifier}")
                assert answer.status_code == (200 if may else 404), (who, kind, pid)
                assert not [word for word in words if word in answer.content], (who, kind, pid)
    assert min(seen.values()) >= 10


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_what_is_kept_back_cannot_be_told_from_what_is_not_there(portal: Portal) -> None:
    for who in ("anybody", "stranger", "collaborator", "token to edit"):
        portal.asking = portal.world.visitors[who]
        for kind, keys in portal.world.records.items():
            unknown = portal.get(f"/{kind}s/{_UNKNOWN}")
            assert unknown.status_code == 404
            for identifier, pid in zip(keys[::2], keys[1::2], strict=True):
                may = portal.may(Action.DISCOVER, kind, pid)
                assert portal.get(f"/{kind}s/{pid}").status_code == (302 if may else 404)
                if not may:
                    answer = portal.get(f"/{kind}s/{identifier}")
                    assert _plain(answer.text, identifier) == _plain(unknown.text, _UNKNOWN)
                    assert {*answer.headers} == {*unknown.headers}


def _check_dataset(portal: Portal, who: str, identifier: str, pid: str, words: list[bytes]) -> None:
    file = portal.world.files[pid]
    read = portal.may(Action.READ, "dataset", pid)
    seen = portal.may(Action.DISCOVER, "dataset", pid)
    for path, accept in _addresses(identifier, file, every_form=who in _IN_EVERY_FORM):
        answer = portal.get(path, accept)
        where = (who, pid, path, accept, answer.status_code)
        told = answer.content + str(answer.headers.raw).encode()
        assert not [word for word in words if word in told], where
        assert answer.status_code < 500, where
        if path.startswith("/files/"):
            assert answer.status_code == (200 if read else 404), where
            if not read:
                assert answer.text == portal.get("/files/" + _UNKNOWN, accept).text, where
        elif path.endswith("/thumbnail"):
            assert answer.status_code == (200 if read else 404), where
        elif path.endswith(("files.metalink", "files.txt")):
            assert answer.status_code == (200 if seen else 404), where
            assert (file in answer.text) is (seen and read), where
        elif path.endswith(identifier) and accept in ("text/html", "application/json", "*/*"):
            assert answer.status_code == (200 if seen else 404), where
            assert (file in answer.text) is (seen and read), where
            if seen:
                title = next(one.word for one in portal.world.secrets if one.pid == pid and "title" in one.word)
                assert title in answer.text, where


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_what_a_page_of_closed_data_says(portal: Portal) -> None:
    embargoed = portal.identifier("dataset", "embargoed")
    page = portal.get(f"/datasets/{embargoed}").text
    assert "opens on" in page and "mailto:data@facility.example" in page and "Sign in if you belong to it" in page
    assert "Look inside" not in page and "/thumbnail" not in page and "Analyse" not in page
    portal.asking = portal.world.visitors["collaborator"]
    page = portal.get(f"/datasets/{embargoed}").text
    assert "Look inside" in page and "/thumbnail" in page and "/analyse" not in page
    portal.asking = portal.world.visitors["member"]
    hidden = portal.get(f"/datasets/{portal.identifier('dataset', 'hidden')}").text
    assert "found by its team only" in hidden and "ld+json" not in hidden and "It can be cited once" in hidden


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_a_nul_is_nobodys_name(portal: Portal) -> None:
    for path in (
        "/datasets/%00",
        "/datasets/%00/thumbnail",
        "/files/%00",
        "/documents/a%00b/c",
        "/datasets/%00.jsonld",
    ):
        assert portal.get(path).status_code == 404, path
