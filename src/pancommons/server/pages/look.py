"""Looking inside an HDF5 file: the full viewer where npm built it, else what the server itself can show."""

from __future__ import annotations

import io
import json
from textwrap import wrap
from typing import Annotated, Any

from fastapi import Query, Response
from PIL import Image, ImageDraw, ImageFont

from pancommons.catalogue.read import dataset_of, file_place
from pancommons.nexus.serving.answering import Answer
from pancommons.nexus.serving.looking import COLUMNS, MEMBERS, ROWS
from pancommons.server.errors import told
from pancommons.server.hdf5.asking import NO_FILE, Ask
from pancommons.server.pages.frame import Page, Paged, built, router
from pancommons.server.services import STATEMENT_SECONDS

pages = router()

_VIEWER = "viewer.js"
_PAPER, _LONGEST = (912, 240), 300
_CRUMBS = 24
"""Groups above what is shown that are named; each is named by its whole path, which may be long."""

Inside = Annotated[str, Query(alias="path", max_length=4000)]
Part = Annotated[str | None, Query(alias="slice", max_length=1000)]
From = Annotated[int, Query(ge=0, lt=2**31)]


@pages.get("/look/{file_id}")
def look(
    ask: Ask,
    page: Paged,
    path: Inside = "/",
    part: Part = None,
    first: From = 0,
    row: From = 0,
    column: From = 0,
    view: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show what lies at a path of a file.

    With the viewer built, its program takes the page over; what the server itself shows is there for browsers that
    run no programs, and for everybody with ``view=plain``. On the screen of a phone the program goes there by itself,
    unless ``view=full`` was chosen.
    """
    with page.shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        file = file_place(connection, ask.file_id, ask.who, ask.at)
        dataset = dataset_of(connection, ask.file_id, ask.who, ask.at)
    if file is None:
        ask.noted.refused("look inside", "file", ask.file_id)
        return _nothing(page)
    where = _absolute(path)
    found = ask("look", path=where, selection=part or None, first=first, row=row, column=column)
    if found.problem == NO_FILE:  # it was closed after the first look
        return _nothing(page)
    island = _VIEWER in built() and view != "plain" and found.status != 415
    return page.render(
        "look/look.html",
        found.status if found.problem is not None and not island else 200,
        file=file,
        dataset=dataset,
        path=where,
        begin=_begin(where, found),
        part=part or "",
        shows=json.loads(found.body) if found.problem is None else None,
        problem=_sentence(found),
        island=island,
        can=_VIEWER in built(),
        inside=Addresses(page, ask.file_id, plain=view == "plain"),
        crumbs=_crumbs(where),
        words=json.dumps(_words(page)),
        hints=json.dumps(_hints(found)),
        most={"members": MEMBERS, "rows": ROWS, "columns": COLUMNS},
        wide=True,
    )


@pages.get("/look/{file_id}/plot.png", response_class=Response)
def plot(ask: Ask, page: Paged, path: Inside = "/", part: Part = None) -> Response:
    """Draw what is shown of a path."""
    found = ask("picture", path=_absolute(path), selection=part or None)
    if found.problem is None:
        return Response(found.body, found.status, {"Cache-Control": "private, no-cache", **found.headers})
    if "image/" in page.request.headers.get("accept", ""):  # what stands in a page says why there is no plot
        headers = {"Cache-Control": "no-store", **found.headers}
        return Response(_drawn(_sentence(found)), found.status, headers, media_type="image/png")
    return told(page.request, found.status, _sentence(found), headers=found.headers)


class Addresses:
    """The addresses of what is in one file.

    Parameters
    ----------
    plain
        Whether links between them stay with what the server itself shows.
    """

    def __init__(self, page: Page, file_id: str, *, plain: bool) -> None:
        self._page, self._id, self._plain = page, file_id, plain

    def __call__(self, path: str, *, plain: bool | None = None, **asked: Any) -> str:
        """Return the address of a path of the file, with what else is asked."""
        stays = self._plain if plain is None else plain
        return self._with("look", "", {"path": path, **asked, "view": "plain" if stays else None})

    def full(self, path: str, part: str | None) -> str:
        """Return the address of a path in the viewer, however narrow the screen is."""
        return self._with("look", "", {"path": path, "slice": part, "view": "full"})

    def below(self, path: str, name: str) -> str:
        """Return the address of a member of a group."""
        return self(f"{path.rstrip('/')}/{name}")

    def data(self, path: str, form: str, part: str | None) -> str:
        """Return the address of the values at a path, in a format."""
        return self._with("hdf5", "/data", {"path": path, "format": form, "selection": part})

    def picture(self, path: str, part: str | None) -> str:
        """Return the address of the plot of a path."""
        return self._with("look", "/plot.png", {"path": path, "slice": part})

    @property
    def protocol(self) -> str:
        """Return where the viewer asks."""
        return self._page.to(f"/hdf5/{self._id}")

    @property
    def whole(self) -> str:
        """Return the address of the file itself."""
        return self._page.to(f"/files/{self._id}")

    def _with(self, face: str, what: str, asked: dict[str, Any]) -> str:
        given = {name: value for name, value in asked.items() if value not in (None, "", 0)}
        return self._page.to(f"/{face}/{self._id}{what}", given)


def _nothing(page: Page) -> Response:
    return told(page.request, 404, page.gettext("There is no such file that you may read."))


def _absolute(path: str) -> str:
    """Return a path from the root of the file, without empty names."""
    return "/" + "/".join(name for name in path.split("/") if name not in ("", "."))


def _crumbs(path: str) -> list[tuple[str, str]]:
    """List the groups above a path, and itself, as name and path; of very many the first are left out."""
    names = [name for name in path.split("/") if name]
    shown = range(max(0, len(names) - _CRUMBS), len(names))
    found = [(names[place], "/" + "/".join(names[: place + 1])) for place in shown]
    return [("…", "/" + "/".join(names[: shown.start])), *found] if shown.start else found


def _sentence(found: Answer) -> str:
    """Return why something is refused as a sentence; "" where it is not."""
    said = found.problem or ""
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _begin(path: str, found: Answer) -> str:
    """Return where the viewer begins: of a whole file at what it shows first, which it would not always find itself."""
    draws = json.loads(found.body).get("draws") if found.problem is None else None
    return str(draws["begin"]) if draws and path == "/" else path


def _hints(found: Answer) -> dict[str, Any]:
    """Return what is known of the plot that the viewer might not see by itself: dialects of axes, scales."""
    draws = json.loads(found.body).get("draws") if found.problem is None else None
    if not draws:
        return {}
    return {"group": draws["group"], "axes": draws["names"], "log": draws["log"], "log_axes": draws["log_axes"]}


def _drawn(sentence: str) -> bytes:
    """Write a sentence into a picture."""
    paper = Image.new("RGB", _PAPER, "white")
    ImageDraw.Draw(paper).multiline_text(
        (_PAPER[0] / 2, _PAPER[1] / 2), "\n".join(wrap(sentence[:_LONGEST], 64)), "#1c2321",
        ImageFont.load_default(24), anchor="mm", align="center", spacing=10,
    )  # fmt: skip
    file = io.BytesIO()
    paper.save(file, "PNG", optimize=True)
    return file.getvalue()


def _words(page: Page) -> dict[str, str]:
    """Return the sentences that the viewer says itself, with what is filled in between braces."""
    _ = page.gettext
    return {
        "missing": _(
            "{path} reads from files that are not there ({total}): {names}. Fill values stand in place of theirs."
        ),
        "problem": _("{path} cannot be shown: {problem}."),
        "link": _("{path} is a link to {file}, which is missing or may not be read: it is not followed."),
        "members": _("{path} has {total} members: those after the first {shown} are in the groups at its end."),
        "more": _("… members {from} to {to} of {total}"),
        "others": _("{total} more notes of this kind are not listed."),
        "averaged": _("{path} has {pixels} pixels in a frame: a value shown is the mean of {edge} by {edge}."),
        "failed": _("The viewer could not start on this browser. The plain view shows the same file."),
        "plain": _("Plain view"),
    }
