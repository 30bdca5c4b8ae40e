"""``/files/{file_id}``: files as they are, and the small pictures of datasets."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from lxml import etree
from starlette.exceptions import HTTPException

from pancommons.catalogue.access import Principal
from pancommons.catalogue.formats.description import media_type
from pancommons.catalogue.formats.xml import clean
from pancommons.catalogue.ingest.roots import Place
from pancommons.catalogue.read import Found, fetch, file_place, thumbnail, unreadable
from pancommons.catalogue.records import Dataset, File
from pancommons.server.confined import Opened, open_place
from pancommons.server.landing import served
from pancommons.server.pages.languages import later
from pancommons.server.sending import answer_file, disposition, unchanged
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.sightings import Noted, Noting
from pancommons.server.visitor import Who

router = APIRouter(tags=["files"])

NO_FILE = later("there is no such file that you may read")
_NOT_THERE = later(
    "the catalogue knows this file, but it is not where it should be; tell the people who run this portal"
)
_METALINK = "urn:ietf:params:xml:ns:metalink"
_SPACES: Any = {None: _METALINK}

Identifier = Annotated[str, Path(max_length=100, description="as the catalogue names the file")]
Key = Annotated[str, Path(max_length=2048, description="identifier of the dataset, or a PID of it")]


@router.head("/files/{file_id}", include_in_schema=False)
@router.get("/files/{file_id}", summary="A file, whole or in part", response_class=Response, name="file")
def file(file_id: Identifier, request: Request, shared: Shared, who: Who, at: Now, noted: Noted) -> Response:
    """Send a file to whoever may read it."""
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        told = file_place(connection, file_id, who, at)
    if told is None:
        noted.refused("download", "file", file_id)
        raise HTTPException(404, NO_FILE)
    opened = open_place(shared.roots(), Place(told.root, told.path))
    if opened is None:
        raise HTTPException(404, _NOT_THERE)
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        kept_back = unreadable(connection, opened.places, who, at)
    if kept_back:  # the data of another dataset, which this one reads from
        opened.handle.close()
        noted.refused("download", "place", *(f"{root}\0{path}" for root, path in kept_back))
        raise HTTPException(404, NO_FILE)
    noted.saw("download", "file", file_id)
    kind = media_type(told.name) or "application/octet-stream"
    return answer_file(request, opened, told.name, _harmless(kind), told.sha256 if _same(told, opened) else None)


@router.head("/datasets/{key}/thumbnail", include_in_schema=False)
@router.get(
    "/datasets/{key}/thumbnail", summary="The small picture of a dataset", response_class=Response, name="thumbnail"
)
def picture(key: Key, request: Request, shared: Shared, who: Who, at: Now, noted: Noted) -> Response:
    """Answer the picture of a dataset to whoever may read its data."""
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        found = thumbnail(connection, key, who, at)
    if found is None:
        noted.refused("picture", "dataset", key)
        raise HTTPException(404, "there is no such picture that you may see")
    noted.saw("picture", "dataset", key)
    tag = f'"{hashlib.sha256(found.content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.head("/datasets/{key}/files.metalink", include_in_schema=False)
@router.get(
    "/datasets/{key}/files.metalink",
    summary="All files of a dataset for download programs",
    response_class=Response,
    name="metalink",
)
def metalink(key: Key, request: Request, shared: Shared, who: Who, at: Now, noted: Noted) -> Response:
    """List files with sizes and checksums as Metalink (RFC 5854)."""
    root = etree.Element(f"{{{_METALINK}}}metalink", nsmap=_SPACES)
    site = shared.site(request)
    seen: set[str] = set()
    for one in _listed(key, shared, who, at, noted):
        element = etree.SubElement(root, f"{{{_METALINK}}}file", name=clean(_apart(one, seen)))
        if one.size is not None:
            etree.SubElement(element, f"{{{_METALINK}}}size").text = str(one.size)
        if one.sha256:
            etree.SubElement(element, f"{{{_METALINK}}}hash", type="sha-256").text = clean(one.sha256)
        etree.SubElement(element, f"{{{_METALINK}}}url").text = f"{site.url}/files/{one.identifier}"
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    headers = {"Cache-Control": "private, no-cache", "Content-Disposition": disposition(f"{key}.metalink")}
    return Response(body, media_type="application/metalink4+xml", headers=headers)


@router.head("/datasets/{key}/files.txt", include_in_schema=False)
@router.get(
    "/datasets/{key}/files.txt",
    summary="The addresses of all files of a dataset",
    response_class=Response,
    name="addresses",
)
def addresses(key: Key, request: Request, shared: Shared, who: Who, at: Now, noted: Noted) -> Response:
    """List the addresses of files, one a line, for ``wget --input-file``."""
    site = shared.site(request)
    lines = [f"{site.url}/files/{one.identifier}\n" for one in _listed(key, shared, who, at, noted)]
    return Response("".join(lines), media_type="text/plain", headers={"Cache-Control": "private, no-cache"})


def _listed(key: str, shared: Services, who: Principal, at: datetime, noted: Noting) -> list[File]:
    """Return the files of a dataset that are there and that this principal may have."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = fetch(connection, "dataset", key, who, at)
        if not isinstance(found, Found) or not isinstance(found.record, Dataset):
            noted.refused("list files", "dataset", key)
            raise HTTPException(404, "there is no such dataset that you may see")
        if found.record.files:
            noted.saw("list files", "dataset", found.identifier)
        return [one for one in served(connection, found.record.files, who, at) if not one.missing]


def _apart(file: File, seen: set[str]) -> str:
    """Return a name to save a file under, apart from all others: its own, or its path."""
    name = file.name if file.name not in seen else file.path.lstrip("/").replace("..", "_")
    seen.add(name)
    return name


def _harmless(kind: str) -> str:
    """Return what a browser is told that a file is: nothing that it would execute."""
    return "application/octet-stream" if kind in ("text/html", "application/xml") else kind


def _same(told: File, opened: Opened) -> bool:
    """Say whether a file is as it was when its checksum was taken."""
    if told.size != opened.size:
        return False
    if told.mtime is None:
        return True
    now = datetime.fromtimestamp(opened.modified // 10**6 / 1000, UTC)
    return abs((now - told.mtime).total_seconds()) < 0.002
