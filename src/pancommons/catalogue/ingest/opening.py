"""What the configuration says about ingest: data roots, mappings, site, database."""

from __future__ import annotations

from pathlib import Path

from pancommons.base.home import config_file
from pancommons.base.settings import settings
from pancommons.catalogue.access import Principal
from pancommons.catalogue.ingest.mapping import Mappings, Site, read_mappings
from pancommons.catalogue.ingest.moments import known_zone
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ingest.storing import Catalogue
from pancommons.catalogue.ingest.workers import Reading
from pancommons.catalogue.policy import read_policy
from pancommons.store.engine import Database


def configured_roots() -> Roots:
    """Return the data roots of the configuration; relative ones are so to the configuration file."""
    return Roots({name: _path(folder) for name, folder in settings().data_roots.items()})


def configured_mappings() -> Mappings:
    """Return the mappings of the configuration, before the package's own.

    Raises
    ------
    BadInput
        Naming the file and the key that is wrong.
    """
    site = settings().site
    own = Site(facility=site.facility, time_zone=known_zone(site.time_zone))
    return read_mappings([_path(path) for path in settings().mappings], own)


def open_ingest(database: Database, by: Principal, *, digests: bool = True) -> tuple[Catalogue, Reading]:
    """Return what `ingest` needs, as configured."""
    roots, mappings = configured_roots(), configured_mappings()
    catalogue = Catalogue(database, roots, mappings.digest, read_policy(), by)
    return catalogue, Reading(mappings, roots, digests=digests)


def _path(text: str) -> Path:
    return config_file().absolute().parent / Path(text).expanduser()
