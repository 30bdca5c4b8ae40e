"""Small NeXus files for the tests of ingest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def write(path: Path, content: Mapping[str, Any] | None = None, *, root: Mapping[str, Any] | None = None) -> Path:
    """Write a file from paths to values: ``"entry": "NXentry"`` makes a group, ``(4.2, "K")`` a quantity, else text.

    Without content it is a measurement with a title, an instrument, a sample and an image.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in (root or {}).items():
            file.attrs[name] = value
        for name, value in (MEASUREMENT if content is None else content).items():
            put(file, name, value)
    return path


def put(file: h5py.File, name: str, value: Any) -> None:
    if "@" in name:
        place, _, attribute = name.partition("@")
        file[place].attrs[attribute] = value
    elif isinstance(value, str) and value.startswith(("NX", "group")) and not name.endswith("definition"):
        group = file.require_group(name)
        if value.startswith("NX"):
            group.attrs["NX_class"] = value
    elif isinstance(value, tuple):
        file[name] = value[0]
        file[name].attrs["units"] = value[1]
    else:
        file[name] = value


MEASUREMENT: dict[str, Any] = {
    "entry": "NXentry",
    "entry/title": "Lysozyme at rest",
    "entry/start_time": "2024-03-01T12:00:00+01:00",
    "entry/experiment_identifier": "mx-17",
    "entry/entry_identifier": "42",
    "entry/instrument": "NXinstrument",
    "entry/instrument/name": "B1",
    "entry/instrument/source": "NXsource",
    "entry/instrument/source/name": "DLS",
    "entry/instrument/source/probe": "x-ray",
    "entry/sample": "NXsample",
    "entry/sample/name": "lysozyme",
    "entry/sample/temperature": (26.85, "celsius"),
    "entry/data": "NXdata",
    "entry/data@signal": "data",
    "entry/data/data": np.arange(64 * 48, dtype=np.uint16).reshape(64, 48),
}


def without(*names: str) -> dict[str, Any]:
    """Return the measurement without some of its parts."""
    return {
        name: value
        for name, value in MEASUREMENT.items()
        if not any(name == one or name.startswith((f"{one}/", f"{one}@")) for one in names)
    }
