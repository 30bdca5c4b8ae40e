"""The catalogue as DataCite's records: a zip with an XML file for each dataset that anybody may find."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lxml import etree

from pancommons.base.durable import replacing
from pancommons.base.errors import BadInput
from pancommons.base.settings import settings
from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.exchange.leaving import leaving
from pancommons.catalogue.formats.datacite import datacite
from pancommons.catalogue.formats.description import Site
from pancommons.catalogue.oai.harvest import describe_datasets
from pancommons.store.engine import Database


def export_datacite(
    database: Database, file: Path, *, at: datetime, show: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Write every dataset that anybody may find as ``IDENTIFIER.xml`` of DataCite 4.7; return how many.

    Raises
    ------
    BadInput
        If the configuration does not say where the datasets' pages are.
    """
    told = settings().site
    if told.url is None:
        raise BadInput(
            "nothing says where the pages of the datasets are",
            field="site.url",
            remedy="set PANCOMMONS_SITE__URL=https://data.facility.example",
        )
    site = Site(told.url, told.publisher, told.ror, told.email)
    count = 0
    with (
        leaving(database, ANONYMOUS, at, show) as source,
        replacing(file) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for page in source.pages("dataset"):
            described = describe_datasets(source.connection, [one.identifier for one in page], site, at)
            for identifier, one in described.items():
                xml = etree.tostring(datacite(one), xml_declaration=True, encoding="UTF-8", pretty_print=True)
                archive.writestr(f"{identifier}.xml", xml)
                count += 1
    return count
