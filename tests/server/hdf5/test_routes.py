"""Files of the catalogue over HTTP: the protocol, and who may look into which."""

from __future__ import annotations

import os
import time

import httpx
import numpy as np

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.nexus.serving.seen import SETTLED_NS
from tests.server.hdf5.conftest import Portal

ROUTES = ("meta", "attr", "data", "stats", "paths")


def refused(answer: httpx.Response, *statuses: int) -> bool:
    told = answer.json()
    assert told["error"]["statusCode"] == answer.status_code
    assert told.get("message", told["error"]["message"]) == told["error"]["message"]
    return answer.status_code in statuses


def test_the_protocol(portal: Portal) -> None:
    answer = portal.get("main", "data", path="/v", format="bin", selection="1,:,2", dtype="safe")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/octet-stream"
    np.testing.assert_array_equal(np.frombuffer(answer.content, "<f8"), [14, 18, 22])
    assert portal.get("main", "data", path="/v", flatten="true", selection="0,0").json() == [0, 1, 2, 3]
    assert portal.get("main", "meta", path="/v").json()["shape"] == [2, 3, 4]
    assert portal.get("main", "stats", path="/v").json()["max"] == 23
    assert portal.get("types", "attr", attr_keys=["empty", "latin"]).json() == {"empty": None, "latin": "Ch\ufffdteau"}
    assert portal.get("main", "paths").json() == ["/", "/own", "/theirs", "/v", "/virtual"]
    tiff = portal.get("main", "data", path="/v", format="tiff")
    assert tiff.headers["content-disposition"] == 'attachment; filename="data.tiff"'
    assert tiff.headers["x-content-type-options"] == "nosniff"
    for wrong in ("meta/", ""):
        assert portal.get("main", wrong).status_code == 404


def test_an_answer_that_is_still_the_same(portal: Portal) -> None:
    time.sleep(SETTLED_NS / 1e9 + 0.1)
    for what in ROUTES:
        first = portal.get("main", what, path="/v" if what in ("data", "stats") else "/")
        tag = {"If-None-Match": f'"other", {first.headers["etag"]}'}
        again = portal.get("main", what, path="/v" if what in ("data", "stats") else "/", headers=tag)
        assert again.status_code == 304 and not again.content and again.headers["etag"] == first.headers["etag"]
        assert portal.get("types", what, path="/numbers" if what != "paths" else "/", headers=tag).status_code == 200
    os.utime(portal.root / "main.h5", ns=(0, time.time_ns() + 10**9))
    assert portal.get("main", "meta", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_only_files_of_the_catalogue(portal: Portal) -> None:
    names = ("nonsense", "..%2Fmain.h5", "%2Fetc%2Fpasswd", "main.h5", "in%2Fgood.h5", str(portal.root / "main.h5")[1:])
    for name in names:
        for what in ROUTES:
            assert refused(portal.get(name, what, file="/etc/passwd"), 404)


def test_an_embargoed_file_is_for_its_team(portal: Portal) -> None:
    for asking, status in ((ANONYMOUS, 404), (portal.team, 200), (LOCAL_USER, 200), (ANONYMOUS, 404)):
        portal.asking = asking
        answer = portal.get("embargoed", "data", path="/secret")
        assert answer.status_code == status and (b"SECRET" in answer.content) == (status == 200)
    unknown = portal.get("nonsense", "data", path="/secret")
    assert portal.get("embargoed", "data", path="/secret").content == unknown.content


def test_an_embargoed_file_is_not_read_through_an_open_one(portal: Portal) -> None:
    for what in ROUTES:
        for path in ("/theirs", "/virtual", "/"):
            answer = portal.get(
                "main", what, path=path, resolve_links="all" if what == "meta" and path != "/" else "none"
            )
            assert b"SECRET" not in answer.content and answer.status_code in (200, 404, 422)
    for path in ("/theirs", "/virtual"):
        assert refused(portal.get("main", "data", path=path), 404, 422)
    assert {child["name"]: child["kind"] for child in portal.get("main", "meta").json()["children"]} == {
        "own": "dataset", "theirs": "external_link", "v": "dataset", "virtual": "other",
    }  # fmt: skip
    assert portal.get("main", "data", path="/own").json() == ["allowed"]
    portal.asking = portal.team
    assert portal.get("main", "data", path="/theirs").json() == ["SECRET-of-the-team"]
    assert portal.get("main", "data", path="/virtual").json() == ["SECRET-of-the-team"]


def test_what_is_asked_wrongly(portal: Portal) -> None:
    wrong = (
        ("data", {"path": "/v", "selection": "x"}), ("data", {"path": "/v", "selection": "1" * 2000}),
        ("data", {"path": "/v", "format": "exe"}), ("data", {"path": "/"}), ("stats", {"path": "/"}),
        ("data", {"path": "/nothing"}), ("data", {"path": "/v", "flatten": "perhaps"}), ("meta", {"path": "x" * 5000}),
        ("meta", {"first": -1}), ("meta", {"resolve_links": "maybe"}), ("paths", {"path": "/v"}),
        ("attr", {"attr_keys": "nothing"}), ("meta", {"path": "\x00"}),
    )  # fmt: skip
    for what, arguments in wrong:
        assert refused(portal.get("main", what, **arguments), 400, 404, 422), (what, arguments)
