"""Questions about a file that nobody would ask, and what no answer may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from urllib.parse import quote

import httpx
import numpy as np

from pancommons.nexus.serving.budget import Budget
from tests.nexus.serving.hostile import CANARY

TEAM = b"SECRET-of-the-team"
ROUTES = ("meta", "attr", "data", "stats", "frame", "chunks", "paths", "look", "picture")
_PATHS = ("", "/", "//", ".", "/..", "/../../etc/passwd", "/g0/inner", "/\x00", "/é", "%2F", "/a%00b", "x" * 3990,
          "/" + "a/" * 1900, "/nothing", "/ ", "\\", "/v", "/g0/../v", "\U0001f600")  # fmt: skip
_PARTS = ("", "0", "0,0", "0,0,0", ":", "::2", "0:3", "-1", ",", "0,", "...", "9" * 18, "-" + "9" * 18, "::" + "9" * 18,
          "0:0", "5:1", ":::", "a", "٣", "1e3", "0:\x00", ":,:", "0," * 400, "1:2,::3,0")  # fmt: skip
_FORMATS = ("json", "bin", "npy", "csv", "tiff", "exe", "", "JSON", "../../x", "é")
_NUMBERS = ("0", "1", "16", "511", "4096", "-1", "9" * 30, "x", "2147483647")
_STATUSES = {200, 304, 400, 404, 413, 415, 422, 503}
_SENTENCES = ("reading took longer than", "too many files are being read")


def ask(client: httpx.Client, address: str, file: str, question: tuple[str, str, str]) -> httpx.Response:
    """Ask one question about a file."""
    what, asked, accept = question
    place = {"look": f"/look/{file}", "picture": f"/look/{file}/plot.png"}.get(what, f"/hdf5/{file}/{what}")
    tag = {"if-none-match": "*"} if accept == "known" else {"accept": accept}
    return client.get(f"{address}{place}?{asked}", headers=tag)


def questions(seed: int, names: list[str], count: int) -> Iterator[tuple[str, str, str]]:
    """Give questions: route, query and what is accepted."""
    chance = Random(f"questions {seed}")
    yield from (("data", f"path=%2F{name}", "*/*") for name in ("theirs", "outside"))
    for _ in range(count):
        what = chance.choice(ROUTES)
        path = chance.choice(names) if chance.random() < 0.8 else chance.choice(_PATHS)
        given = [("path", path)]
        part = "slice" if what in ("look", "picture") else "selection"
        for name, values, likely in (
            (part, _PARTS, 0.5), ("format", _FORMATS, 0.7), ("dtype", ("origin", "safe", "x"), 0.4),
            ("flatten", ("true", "maybe"), 0.2), ("max_px", _NUMBERS, 0.4), ("first", _NUMBERS, 0.2),
            ("row", _NUMBERS, 0.2), ("column", _NUMBERS, 0.2), ("attr_keys", ("0", "é", "\x00", "units"), 0.1),
            ("resolve_links", ("all", "none", "only_valid", "x"), 0.3), ("view", ("plain", "full", "x"), 0.3),
        ):  # fmt: skip
            if chance.random() < likely:
                given.append((name, chance.choice(values)))
        if chance.random() < 0.05:
            given.append(chance.choice(given))
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in given)
        if chance.random() < 0.03:
            asked += "&path=%ED%B2%80%FF"
        yield what, asked, chance.choice(["*/*", "text/html", "application/json", "image/png", "known"])


def amiss(answer: httpx.Response, hidden: list[str], budget: Budget) -> list[str]:
    """List what is wrong with an answer.

    Parameters
    ----------
    hidden
        Texts that say something of this machine.
    """
    wrong = []
    if answer.status_code not in _STATUSES:
        wrong.append(f"the status is {answer.status_code}")
    if len(answer.content) > budget.answer_bytes:
        wrong.append(f"it has {len(answer.content)} bytes")
    told = answer.content + b"\n" + repr(answer.headers.raw).encode()
    wrong += [f"it holds {one!r}" for one in _FORBIDDEN if one in told]
    wrong += [f"it holds {one!r}" for one in hidden if one.encode() in told]
    if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
        error = json.loads(answer.content)["error"]
        if error["statusCode"] != answer.status_code or not error["message"].strip():
            wrong.append("it does not say what is wrong")
        if answer.status_code == 503 and not error["message"].startswith(_SENTENCES):
            wrong.append(f"it says: {error['message']}")
    return wrong


def _forms(word: bytes) -> list[bytes]:
    """Return a word as it may be sent: as text, and as numbers of every kind."""
    numbers = np.frombuffer(word[:8], np.uint8)
    told = [word[:14], ",".join(map(str, numbers)).encode(), ", ".join(map(str, numbers)).encode()]
    told += [",".join(f"{number}.0" for number in numbers).encode()]
    told += [between.join(f"{number:.18e}" for number in numbers[:3]).encode() for between in (",", "\n")]
    return told + [numbers.astype(kind).tobytes() for kind in ("<u2", ">u2", "<f2", "<f4", ">f4", "<f8", ">f8", "<i4")]


_FORBIDDEN = [*_forms(CANARY), *_forms(TEAM), b"Traceback (most", b"site-packages", b"root:x:0", b'File "/']
