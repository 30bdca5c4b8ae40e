"""What processes of runs know of this installation: nothing that is secret, so not the configuration file itself."""

from __future__ import annotations

import json
import os

from pancommons.base.home import home
from pancommons.base.settings import Settings

_KEPT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "TMPDIR",
    "TZ",
    "SSL_CERT_FILE",
    "NUMBA_CACHE_DIR",
    "NUMBA_NUM_THREADS",
)


def environment(settings: Settings, name: str | None = None, account: str | None = None) -> dict[str, str]:
    """Return the environment of a process that examines or runs.

    Parameters
    ----------
    settings
        Of the server; tables of techniques and what says how units run are passed on.
    name
        Who runs, for the provenance; the agent of the settings where none is given.
    account
        The Unix user it will run as, whose own home then holds what is kept between runs.
    """
    found = {one: os.environ[one] for one in _KEPT if one in os.environ}
    agent = settings.agent.model_dump() if name is None else {"name": name}
    found |= {
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "PANCOMMONS_CONFIG": os.devnull,
        "PANCOMMONS_ON": settings.on,
        "PANCOMMONS_AGENT": json.dumps(agent),
        "PANCOMMONS_TECHNIQUES": json.dumps(settings.techniques),
    }
    if settings.nexus_definitions:
        found["PANCOMMONS_NEXUS_DEFINITIONS"] = settings.nexus_definitions
    if account is None:
        found |= {"PANCOMMONS_HOME": str(home())} | ({"HOME": os.environ["HOME"]} if "HOME" in os.environ else {})
    else:
        found.pop("NUMBA_CACHE_DIR", None)
    return found
