"""An instrument's geometry: a data file for each, with what changed in which period of its life."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput


@dataclass(frozen=True)
class Bank:
    """A bank of detector pixels.

    Attributes
    ----------
    name, title
        As parameters name it and as figures do.
    spectra
        int64 [pixel], numbers of the spectra as the run counts them.
    x, y
        float64 [pixel], metres from the axis of the instrument, before the beam's centre is known.
    z
        Metres from the moderator.
    size
        Width, height and depth of a pixel, metres.
    moves
        Whether the user file's beam centre shifts it.
    has_flat_cell
        Whether a flat cell was measured for it.
    columns, rows
        Of a module's grid, for pictures.
    """

    name: str
    title: str
    spectra: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: float
    size: tuple[float, float, float]
    moves: bool
    has_flat_cell: bool
    columns: int
    rows: int


@dataclass(frozen=True)
class Instrument:
    """What the reduction has to know of an instrument; lengths in metres along the beam from the moderator.

    `centre_origin` is where the beam's centre is counted from, mm; `centre_step` and `centre_radius`, mm, are the first
    step of the instrument's own search for it and the ring of the detector that the search looks at. Where the beam is
    `monochromatic` all pixels are as far as the monitor, see `monochromatic`.
    """

    name: str
    facility: str
    sample_z: float
    monitors: Mapping[int, float]
    incident_monitor: int
    transmission_monitor: int
    most_transmission_spectra: int
    monitor_prompt: tuple[float, float] | None
    centre_origin: tuple[float, float]
    centre_step: float
    centre_radius: tuple[float, float]
    collimation: float
    source_aperture: float
    moderator_spread: float
    banks: Mapping[str, Bank]
    monochromatic: bool = False


def known() -> list[str]:
    """List the names of the instruments whose geometry is known, sorted."""
    here = files("pancommons.techniques.sans") / "instruments"
    return sorted(file.name.removesuffix(".json").upper() for file in here.iterdir() if file.name.endswith(".json"))


@lru_cache(maxsize=8)
def instrument(name: str, date: str | None) -> Instrument:
    """Return the geometry of an instrument as it was on a day.

    Parameters
    ----------
    name
        As the run says it, such as ``LOQ``.
    date
        ISO 8601; None for the latest geometry.

    Raises
    ------
    BadInput
        If there is no geometry of that name.
    """
    if name.upper() not in known():
        raise BadInput(
            f"the geometry of the instrument {name or '(unnamed)'} is not known",
            remedy=f"known are: {', '.join(known())}",
        )
    place = files("pancommons.techniques.sans") / "instruments" / f"{name.lower()}.json"
    facts: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    for period in facts["periods"]:
        if date is not None and period.get("from", "") <= date < period.get("until", "~"):
            facts = _overlaid(facts, period)
    collimation = facts["collimation"]
    return Instrument(
        name=facts["name"],
        facility=facts["facility"],
        sample_z=facts["sample_z"],
        monitors={int(number): z for number, z in facts["monitors"].items()},
        incident_monitor=facts["incident_monitor"],
        transmission_monitor=facts["transmission_monitor"],
        most_transmission_spectra=facts["most_spectra_of_a_transmission_run"],
        monitor_prompt=(facts["monitor_prompt_us"][0], facts["monitor_prompt_us"][1]),
        centre_origin=(facts["centre_origin_mm"][0], facts["centre_origin_mm"][1]),
        centre_step=facts["centre_finder"]["step_mm"],
        centre_radius=(facts["centre_finder"]["radius_mm"][0], facts["centre_finder"]["radius_mm"][1]),
        collimation=collimation["sample_aperture_z"] - collimation["source_aperture_z"],
        source_aperture=collimation["source_aperture_diameter_mm"],
        moderator_spread=collimation["moderator_spread_us"],
        banks={key: _bank(key, bank) for key, bank in facts["banks"].items()},
    )


def _overlaid(facts: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(facts)
    for key, value in changes.items():
        merged[key] = _overlaid(merged[key], value) if isinstance(merged.get(key), dict) else value
    return merged


def _bank(name: str, facts: Mapping[str, Any]) -> Bank:
    """Lay the modules' grids, x fastest, and turn each about the beam."""
    grid = facts["grid"]
    columns, rows = grid["columns"], grid["rows"]
    row, column = np.divmod(np.arange(columns * rows), columns)
    x, y = grid["x0"] + column * grid["dx"], grid["y0"] + row * grid["dy"]
    turned_x, turned_y, spectra = [], [], []
    for module in facts["modules"]:
        quarter = module["turn_degrees"] // 90 % 4
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        turned_x.append(cosine * x - sine * y)
        turned_y.append(sine * x + cosine * y)
        spectra.append(module["first"] + np.arange(columns * rows, dtype=np.int64))
    return Bank(
        name=name,
        title=facts["title"],
        spectra=np.concatenate(spectra),
        x=np.concatenate(turned_x),
        y=np.concatenate(turned_y),
        z=facts["z"],
        size=(facts["pixel"][0], facts["pixel"][1], facts["pixel"][2]),
        moves=facts["moves"],
        has_flat_cell=facts["flat_cell"],
        columns=columns,
        rows=rows,
    )
