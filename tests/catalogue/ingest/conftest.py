from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.catalogue.ingest.entry import Harvested
from pancommons.catalogue.ingest.harvest import Harvest, harvest
from pancommons.catalogue.ingest.mapping import Site, read_mappings
from pancommons.catalogue.ingest.roots import Roots

Read = Callable[..., Harvest]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Harvest a file below ``tmp_path``, with the mappings in some YAML texts before the package's."""

    def reading(path: Path, *mappings: str, site: Site | None = None, pictures: bool = False) -> Harvest:
        given = []
        for number, text in enumerate(mappings):
            given.append(tmp_path / f"mapping-{number}.yaml")
            given[-1].write_text(text)
        return harvest(path, read_mappings(given, site), Roots({"here": tmp_path}), pictures=pictures)

    return reading


@pytest.fixture
def read_one(read: Read) -> Callable[..., Harvested]:
    """Harvest a file that holds one dataset."""

    def reading(path: Path, *mappings: str, site: Site | None = None, pictures: bool = False) -> Harvested:
        done = read(path, *mappings, site=site, pictures=pictures)
        assert done.problem is None
        [one] = done.found
        return one

    return reading
