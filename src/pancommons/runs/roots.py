"""Where runs are made, which is a data root of its own."""

from __future__ import annotations

from pathlib import Path

from pancommons.base.home import config_file, home
from pancommons.base.settings import Settings
from pancommons.catalogue.ingest.roots import Roots

RUNS = "runs"
"""The name of the data root in which runs lie."""


def runs_folder(settings: Settings) -> Path:
    """Return the folder in which run folders are made; a relative one is so to the configuration file."""
    if settings.runs.folder is None:
        return home().absolute() / "runs"
    return config_file().absolute().parent / Path(settings.runs.folder).expanduser()


def all_roots(settings: Settings) -> Roots:
    """Return the data roots of the settings, and the folder of runs."""
    folder = config_file().absolute().parent
    told = {name: folder / Path(path).expanduser() for name, path in settings.data_roots.items()}
    return Roots({**told, RUNS: runs_folder(settings)})
