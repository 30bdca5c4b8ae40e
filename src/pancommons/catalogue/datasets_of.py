"""The datasets of a document, an instrument or a sample, in pages, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Principal
from pancommons.catalogue.read import Found
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.listing import DatasetHit, dataset_hits
from pancommons.catalogue.tables import dataset_documents, dataset_samples, datasets

PAGE = 25
_LINKS = {"document": dataset_documents.c.document_id, "sample": dataset_samples.c.sample_id}


@dataclass(frozen=True)
class Listing:
    """A page of datasets that the principal may discover, and how many there are on all pages."""

    hits: tuple[DatasetHit, ...]
    total: int
    page: int

    @property
    def last(self) -> int:
        """Return the number of the last page."""
        return max(1, -(-self.total // PAGE))


def datasets_of(
    connection: Connection, kind: str, record: Found, page: int, principal: Principal, at: datetime
) -> Listing:
    """List the datasets of a record that is no dataset itself.

    Parameters
    ----------
    page
        From 1; one past the last is the last.
    """
    ground = Ground(connection.dialect.name, principal, at)
    table = ground.alias(datasets)
    if kind == "instrument":
        of = table.c.instrument_id == record.id
    else:
        link = _LINKS[kind]
        of = table.c.id.in_(sa.select(link.table.c.dataset_id).where(link == record.id))
    conditions = of, ground.seen(table)
    total: int = connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
    page = min(max(page, 1), max(1, -(-total // PAGE)))
    ids = connection.execute(
        sa.select(table.c.id)
        .where(*conditions)
        .order_by(table.c.creation_date.desc(), table.c.id.desc())
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    ).scalars()
    return Listing(tuple(dataset_hits(list(ids), ground, connection)), total, page)
