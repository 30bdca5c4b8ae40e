"""The result of a search as a file: JSON or CSV, read and sent piece by piece."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from fastapi.responses import StreamingResponse

from pancommons.catalogue.access import Principal
from pancommons.catalogue.search.asking import MOST
from pancommons.catalogue.search.choosing import Slice, dataset_ids
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.listing import DatasetHit, dataset_hits
from pancommons.server.pages.chosen import Chosen
from pancommons.server.pages.frame import Page
from pancommons.server.services import STATEMENT_SECONDS, Now
from pancommons.store.schema import instant_text

_PIECE = 500
COLUMNS = (
    "pid", "title", "kind", "access", "openFrom", "creationDate", "size", "facility", "instrument", "techniques",
    "samples", "beam", "beamValue", "beamUnit", "doi", "page",
)  # fmt: skip
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def json_file(page: Page, chosen: Chosen, who: Principal, at: Now) -> StreamingResponse:
    """Send ``{"datasets": [...]}``."""

    def pieces() -> Iterator[str]:
        yield '{"datasets": ['
        for place, row in enumerate(_rows(page, chosen, who, at)):
            yield (",\n" if place else "\n") + json.dumps(row, ensure_ascii=False)
        yield "\n]}\n"

    return _sent(pieces(), "application/json", "datasets.json")


def csv_file(page: Page, chosen: Chosen, who: Principal, at: Now) -> StreamingResponse:
    """Send a table with a line of names; several values in a cell are parted by semicolons."""

    def pieces() -> Iterator[str]:
        yield _line(COLUMNS)
        for row in _rows(page, chosen, who, at):
            yield _line([_cell(row[name]) for name in COLUMNS])

    return _sent(pieces(), "text/csv; charset=utf-8", "datasets.csv")


def _rows(page: Page, chosen: Chosen, who: Principal, at: Now) -> Iterator[dict[str, Any]]:
    """Describe the datasets, some at a time: what may be seen is decided for each piece anew."""
    site = page.shared.site(page.request)
    with page.shared.database.read(STATEMENT_SECONDS) as connection:
        ground = Ground(connection.dialect.name, who, at)
        ids = dataset_ids(chosen.choice, Slice(chosen.order, 0, MOST), ground, connection)
    for begin in range(0, len(ids), _PIECE):
        with page.shared.database.read(STATEMENT_SECONDS) as connection:
            ground = Ground(connection.dialect.name, who, at)
            hits = dataset_hits(ids[begin : begin + _PIECE], ground, connection)
        for hit in hits:
            yield _row(hit, site.landing_page(hit.identifier))


def _row(hit: DatasetHit, page: str) -> dict[str, Any]:
    return {
        "pid": hit.pid,
        "title": hit.title,
        "kind": hit.kind,
        "access": "open" if hit.open else "embargoed" if hit.public_from else "restricted",
        "openFrom": instant_text(hit.public_from) if hit.public_from else None,
        "creationDate": instant_text(hit.creation_date),
        "size": hit.size,
        "facility": hit.facility,
        "instrument": hit.instrument,
        "techniques": [name for _, name in hit.techniques],
        "samples": list(hit.samples),
        "beam": hit.beam.name if hit.beam else None,
        "beamValue": hit.beam.value if hit.beam else None,
        "beamUnit": hit.beam.unit if hit.beam else None,
        "doi": hit.doi,
        "page": page,
    }


def _cell(value: Any) -> str:
    """Write a cell; one that a spreadsheet would take for a formula begins with an apostrophe."""
    text = "; ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str | list) and text.startswith(_DANGEROUS) else text


def _line(cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _sent(pieces: Iterator[str], media_type: str, name: str) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie, Authorization",
    }
    return StreamingResponse(pieces, media_type=media_type, headers=headers)
