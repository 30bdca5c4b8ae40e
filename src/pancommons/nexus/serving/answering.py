"""One request to a file: what is asked, and the answer, whatever the file is like."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np

from pancommons.nexus.serving import attributes, encoding, structure
from pancommons.nexus.serving.budget import Budget, Clock, Refused
from pancommons.nexus.serving.chunks import MEDIA_TYPE, chunks
from pancommons.nexus.serving.frames import frame
from pancommons.nexus.serving.ground import Ground
from pancommons.nexus.serving.layout import layout
from pancommons.nexus.serving.looking import Page, look
from pancommons.nexus.serving.open_files import OpenFiles
from pancommons.nexus.serving.picture import picture
from pancommons.nexus.serving.seen import Seen
from pancommons.nexus.serving.shows import shown
from pancommons.nexus.serving.statistics import statistics
from pancommons.nexus.serving.text import plain
from pancommons.nexus.serving.values import read
from pancommons.nexus.serving.walk import Entity, Link, Walk

_RESOLVE = {"true": "all", "all": "all", "false": "none", "none": "none", "only_valid": "only_valid"}
_JSON = {"Content-Type": "application/json"}
_VERSION = 2
_MOST_LOOKED = 256


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes
    ----------
    file
        Path of the file, which is checked against the roots too.
    what
        ``attr``, ``meta``, ``data``, ``stats``, ``paths``, ``frame`` or ``chunks``; ``look`` for all that a page
        shows, ``picture`` for what is drawn there; ``layout`` for where the chunks lie, nothing where that is not told.
    path
        Inside the file.
    denied
        Files inside the roots that whoever asks may not have.
    unless
        Tags of answers that whoever asks has already.
    """

    file: str
    what: str
    path: str = "/"
    selection: str | None = None
    format: str = "json"
    dtype: str = "origin"
    flatten: bool = False
    attr_keys: Sequence[str] | None = None
    resolve_links: str = "only_valid"
    first: int = 0
    row: int = 0
    column: int = 0
    max_px: int = 512
    denied: Sequence[str] = ()
    unless: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes
    ----------
    status
        As HTTP has it; 304 where the answer is still what was sent before.
    problem
        Why it is refused; None if it is not.
    touched
        Real paths of all files that were looked into.
    looked
        All that the answer depends on beside what was asked: what each path led to that was tried. None where that
        is not told, being too much.
    fault
        For the log: what went wrong without being foreseen.
    worn
        Whether the process should not go on after this.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    touched: Sequence[str] = ()
    looked: Mapping[str, Seen | None] | None = None
    fault: str | None = None
    worn: bool = False


def answer(asked: Asked, roots: Sequence[Path], budget: Budget, files: OpenFiles) -> Answer:
    """Answer a request; never raises but to be ended.

    Parameters
    ----------
    files
        Those that are open from earlier requests.
    """
    ground = Ground(roots, [Path(one) for one in asked.denied])
    fault, worn = None, False
    try:
        with Walk(Path(asked.file), ground, budget, Clock(budget.seconds), files) as walk:
            made = _answered(asked, walk)
        tag = _tag(asked, walk)
        if made is None or tag in asked.unless:
            return Answer(304, headers={"ETag": tag}, touched=_touched(ground))
        body, headers = made
        if len(body) > budget.answer_bytes:
            raise Refused(413, f"the answer has {len(body)} bytes, of at most {budget.answer_bytes}; ask for a part")
        return Answer(200, body, headers | {"ETag": tag}, touched=_touched(ground), looked=_looked(ground))
    except Refused as error:
        status, problem = error.status, plain(error.problem)
    except (MemoryError, RecursionError):
        status, problem, worn = 413, "needs more memory than is allowed; ask for a part of it", True
    except (OSError, RuntimeError):
        status, problem = 422, "the file is damaged at this place, or written in a way that is unknown here"
    except Exception as error:  # a file can be wrong in ways that nobody thought of
        status, problem, worn = 422, f"the file cannot be read here ({type(error).__name__})", True
        fault = traceback.format_exc(limit=-8)
    return Answer(status, problem=problem, touched=_touched(ground), fault=fault, worn=worn)


def _answered(asked: Asked, walk: Walk) -> tuple[bytes, dict[str, str]] | None:
    """Return the answer and its headers; None if whoever asks has it already."""
    resolve = _RESOLVE.get(asked.resolve_links.lower())
    if resolve is None:
        raise Refused(422, "resolve_links: expected all, none or only_valid")
    listing = asked.what in ("meta", "paths", "look")
    found = walk.find(asked.path, resolve if listing else "all")
    name = asked.path.split("/")[-1]
    if asked.what == "meta":
        return encoding.as_json(structure.metadata(walk, found, name, resolve, asked.first)), dict(_JSON)
    if asked.what == "look":
        told = look(walk, found, asked.path, asked.selection, Page(asked.first, asked.row, asked.column))
        return encoding.as_json(told), dict(_JSON)
    if isinstance(found, Link):
        raise Refused(404, f"Cannot resolve {asked.path}")
    if asked.what == "picture":
        what = shown(walk, found, asked.path, asked.selection)
        if what is None:
            raise Refused(404, f"{asked.path} has nothing to draw")
        if _tag(asked, walk) in asked.unless:
            return None
        return picture(walk, what), {"Content-Type": "image/png"}
    if asked.what == "attr":
        return encoding.as_json(attributes.attribute_values(found.thing, walk.budget, asked.attr_keys)), dict(_JSON)
    if asked.what == "paths":
        if not isinstance(found.thing, h5py.Group):
            raise Refused(422, f"{asked.path} is no group")
        return encoding.as_json(structure.paths(walk, found, asked.path)), dict(_JSON)
    return _values(asked, walk, found)


def _values(asked: Asked, walk: Walk, found: Entity) -> tuple[bytes, dict[str, str]] | None:
    if not isinstance(found.thing, h5py.Dataset):
        raise Refused(422, f"{asked.path} is no dataset")
    if found.problem is not None:
        raise Refused(422, f"{asked.path}: {found.problem}")
    if _tag(asked, walk) in asked.unless:
        return None
    if asked.what == "stats":
        told = statistics(found.thing, asked.selection, walk.budget, walk.clock)
        return encoding.as_json(told), dict(_JSON)
    if asked.what == "layout":
        known = layout(found.thing, str(found.file))
        return b"" if known is None else known.packed(), {}
    if asked.what == "chunks":
        return chunks(found.thing, asked.selection, walk.budget), {"Content-Type": MEDIA_TYPE}
    if asked.what == "frame":
        small, told_of = frame(found.thing, asked.selection, asked.max_px, walk.budget, walk.clock)
        return small.tobytes(), {"Content-Type": "application/octet-stream", **told_of}
    if asked.dtype not in ("origin", "safe"):
        raise Refused(422, "dtype: expected origin or safe")
    if asked.format not in encoding.FORMATS:
        raise Refused(422, f"format: expected one of {', '.join(encoding.FORMATS)}")
    value = read(found.thing, asked.selection, walk.budget, walk.clock)
    if asked.dtype == "safe":
        value = encoding.safe(value)
    if asked.flatten and isinstance(value, np.ndarray):
        value = value.ravel()
    return encoding.encode(value, asked.format, walk.budget)


def _tag(asked: Asked, walk: Walk) -> str:
    return tag(asked, walk.ground.touched.values(), 0 if walk.settled else walk.began)


def tag(asked: Asked, files: Iterable[Seen], once: int = 0) -> str:
    """Return a name of an answer that changes when the request or a file it is taken from does.

    Parameters
    ----------
    files
        Those that were looked into, as they were seen.
    once
        What was changed just now may change again without showing: of that, each answer has a name of its own, and
        this is when it was begun, in ns since 1970.
    """
    request = replace(asked, unless=(), denied=())
    told = repr((_VERSION, once, request, [(known[0], *known[2:]) for known in sorted(files)]))
    return f'"{hashlib.blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()}"'


def _touched(ground: Ground) -> list[str]:
    return [str(real) for real in ground.touched]


def _looked(ground: Ground) -> dict[str, Seen | None] | None:
    if len(ground.looked) > _MOST_LOOKED:
        return None
    try:
        "".join(ground.looked).encode("utf-8")
    except UnicodeEncodeError:
        return None
    return ground.looked
