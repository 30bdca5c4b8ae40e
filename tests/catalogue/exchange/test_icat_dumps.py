"""Dumps of real ICAT servers, of five versions, as python-icat wrote them.

They are example files of the python-icat repository (``doc/examples/icatdump-*``), which a folder has to hold as
``4.4.yaml``, ``4.4.xml`` and so on; no copy lies here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.formats import import_file
from pancommons.catalogue.exchange.leaving import leaving
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Record
from pancommons.store.engine import Database
from tests.catalogue.exchange.test_panosc import AT
from tests.databases import empty_postgresql, empty_sqlite, new_database, postgresql

__all__ = ["empty_postgresql", "empty_sqlite", "new_database", "postgresql"]


DUMPS = os.environ.get("PANCOMMONS_ICAT_DUMPS")


@pytest.mark.skipif(not DUMPS, reason="PANCOMMONS_ICAT_DUMPS names no folder of dumps that python-icat wrote")
@pytest.mark.parametrize("version", ["4.4", "4.7", "4.10", "5.0", "6.2"])
def test_a_dump_is_taken_over_whole_in_yaml_and_in_xml(new_database: Callable[[], Database], version: str) -> None:
    folder = Path(str(DUMPS))
    yaml, of_yaml = _taken(new_database(), folder / f"{version}.yaml")
    xml, of_xml = _taken(new_database(), folder / f"{version}.xml")
    assert yaml.refused == xml.refused == 0
    assert of_yaml == of_xml

    datasets = [one for one in of_yaml if isinstance(one, Dataset)]
    assert len(datasets) == (9 if version >= "5" else 8)
    assert sum(len(one.files) for one in datasets) == (11 if version >= "5" else 10)
    assert sum(bool(one.techniques) for one in datasets) == (5 if version >= "5" else 0)


def _taken(database: Database, file: Path) -> tuple[Report, list[Record]]:
    report = import_file(database, file, policy=read_policy(), by=LOCAL_USER, at=AT)
    with leaving(database, LOCAL_USER, AT) as source:
        kinds = ("instrument", "sample", "document", "dataset")
        return report, [_plain(one.record) for kind in kinds for one in source.found(kind)]


def _plain(record: Record) -> Record:
    """Leave out the identifiers that a catalogue gives to files."""
    if not isinstance(record, Dataset):
        return record
    return replace(record, files=tuple(replace(one, identifier=None) for one in record.files))
