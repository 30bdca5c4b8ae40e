"""Which of the formats a file is in, and reading and writing it by the format's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.icat import import_icat
from pancommons.catalogue.exchange.icat_writing import export_icat
from pancommons.catalogue.exchange.panosc import import_panosc
from pancommons.catalogue.exchange.panosc_writing import export_panosc
from pancommons.catalogue.exchange.scicat import import_scicat
from pancommons.catalogue.exchange.scicat_writing import export_scicat
from pancommons.catalogue.exchange.visa import import_visa
from pancommons.catalogue.exchange.visa_writing import export_visa
from pancommons.catalogue.policy import Policy
from pancommons.store.engine import Database

Format = Literal["panosc", "scicat", "icat", "visa"]

_SCICAT = re.compile(
    r'"(datasetName|creationTime|sourceFolder|scientificMetadata|dataFileList|origdatablocks|ownerGroup|proposalId|'
    r'proposals|sampleId|publishedData|pidArray|datasetPids|uniqueName)"\s*:'
)
_LOOKED_AT = 65536


def recognise(file: Path) -> Format:
    """Tell a file's format by how it begins; a folder is one of VISA's tables.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    if file.is_dir():
        return "visa"
    try:
        with file.open("rb") as stream:
            begin = stream.read(_LOOKED_AT).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=file) from None
    if not begin.startswith(("[", "{")):
        return "icat"
    return "scicat" if _SCICAT.search(begin) and '"models"' not in begin[:_LOOKED_AT] else "panosc"


def import_file(
    database: Database,
    file: Path,
    *,
    of: Format | None = None,
    facility: str | None = None,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Put a file of another catalogue into this one; again is no change.

    Parameters
    ----------
    of
        The format; found out when not given.
    facility
        Whose instruments those of VISA's tables are.

    Raises
    ------
    BadInput
        If the file is not of the format.
    """
    form = of or recognise(file)
    if form == "visa":
        if not facility:
            raise BadInput("VISA's tables do not say whose instruments they are", field="facility", remedy="name it")
        return import_visa(database, file, facility=facility, policy=policy, by=by, at=at, show=show)
    read = {"panosc": import_panosc, "scicat": import_scicat, "icat": import_icat}[form]
    return read(database, file, policy=policy, by=by, at=at, show=show)


EXPORTS = {"panosc": export_panosc, "scicat": export_scicat, "icat": export_icat, "visa": export_visa}
"""What writes a format; each takes a database, a file, ``principal``, ``at`` and ``show``."""
