"""The catalogue as DataCite's records."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from pancommons.base.errors import BadInput
from pancommons.base.settings import settings
from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.exchange.datacite_writing import export_datacite
from pancommons.catalogue.formats.datacite import NAMESPACE
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.write import load
from pancommons.store.engine import Database
from tests.databases import database, empty_postgresql, empty_sqlite, new_database, postgresql

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]

PAST, NOW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def test_each_dataset_that_anybody_may_find_is_a_valid_record(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Callable[[str], Path]
) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path))
    with pytest.raises(BadInput, match="where the pages of the datasets are"):
        export_datacite(database, tmp_path / "all.zip", at=NOW)
    assert settings().site.url is None
    monkeypatch.setenv("PANCOMMONS_SITE__URL", "https://data.facility.example")
    public = Terms(open_from=PAST, discoverable_from=PAST, fixed=True)
    records = [
        Dataset(pid=f"10.5072/{n}", kind="raw", title=f"t{n}", creation_date=PAST, terms=public) for n in range(3)
    ]
    hidden = Dataset(pid="10.5072/no", kind="raw", title="t", creation_date=PAST, terms=Terms(fixed=True))
    load(database, [*records, hidden], policy=read_policy(), by=LOCAL_USER, at=NOW)

    assert export_datacite(database, tmp_path / "all.zip", at=NOW) == 3

    schema = etree.XMLSchema(etree.parse(shared_data("schemas/datacite-4.7/metadata.xsd")))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        written = [etree.fromstring(archive.read(name)) for name in archive.namelist()]
    for one in written:
        schema.assertValid(one)
    assert {one.findtext(f"{{{NAMESPACE}}}identifier") for one in written} == {one.pid for one in records}
