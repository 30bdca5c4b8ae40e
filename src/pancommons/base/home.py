"""Where everything kept between runs lies, and the configuration file."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return PANCOMMONS_HOME: the folder of the configuration and of everything that is kept between runs."""
    if given := os.environ.get("PANCOMMONS_HOME"):
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("pancommons", appauthor=False)


def config_file() -> Path:
    """Return the path of the one configuration file, which need not exist."""
    if given := os.environ.get("PANCOMMONS_CONFIG"):
        return Path(given).expanduser()
    return home() / "pancommons.toml"
