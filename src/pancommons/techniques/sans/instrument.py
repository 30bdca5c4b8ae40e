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
class Drive:
    """What moves a bank: the run's logs that say where it is, mm and degrees; None for what it does not do.

    `z` is along the beam from the sample's place, `x` across it, counted `against` another bank's; `turn` about the
    vertical `axis`, mm behind the pixels.
    """

    z: str
    x: str | None = None
    against: str | None = None
    turn: str | None = None
    axis: float = 0.0

    @property
    def logs(self) -> list[str]:
        """Return the names of all logs."""
        return [name for name in (self.z, self.x, self.against, self.turn) if name is not None]


@dataclass(frozen=True)
class Guides:
    """Pieces of guide, each of which lengthens the collimation by `length`, m, when it is out, from `shortest`, m.

    The odd ones are out where their log is above `cutoff`, the even ones where it is below.
    """

    shortest: float
    logs: tuple[str, ...]
    length: float
    cutoff: float


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
    behind
        Metres that a pixel is behind `z`: float64 [pixel], or 0 where the bank faces the beam.
    turn
        Of the bank about the vertical, radians, from z towards x.
    drive
        What moves it, see `placement`.
    box
        Width, height and depth, m, of what the solid angle is that of, where it is not the pixel: the public geometry
        of SANS2D has boxes twice as wide as its pixels are apart, and its factors to absolute units go with them.
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
    behind: NDArray[np.float64] | float = 0.0
    turn: float = 0.0
    drive: Drive | None = None
    box: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Instrument:
    """What the reduction has to know of an instrument; lengths in metres along the beam from the moderator.

    `centre_origin` is where the beam's centre is counted from, mm; `centre_step` and `centre_radius`, mm, are the first
    step of the instrument's own search for it and the ring of the detector that the search looks at. `scale_over_pi`
    says whether its factors to absolute units are divided by pi, `one_direct_beam` whether that of the rear bank serves
    the other where there is none. `guides` make the collimation longer, see `placement`. Runs before `first_run` have
    other tables of spectra. Where the beam is `monochromatic` all pixels are as far as the monitor.
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
    scale_over_pi: bool = True
    one_direct_beam: bool = False
    guides: Guides | None = None
    first_run: int = 0


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
        If there is no geometry of that name, or of that day.
    """
    if name.upper() not in known():
        raise BadInput(
            f"the geometry of the instrument {name or '(unnamed)'} is not known",
            remedy=f"known are: {', '.join(known())}",
        )
    place = files("pancommons.techniques.sans") / "instruments" / f"{name.lower()}.json"
    facts: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    if "until" in facts and date is not None and date >= facts["until"]:
        raise BadInput(
            f"the geometry of {facts['name']} is known until {facts['until']}; {facts['since_then']}",
            remedy="reduce runs from before",
        )
    for period in facts["periods"]:
        if date is not None and period.get("from", "") <= date < period.get("until", "~"):
            facts = _overlaid(facts, period)
    collimation, prompt = facts["collimation"], facts["monitor_prompt_us"]
    guides = None
    if "guides" in collimation:
        guides = Guides(
            collimation["shortest"], tuple(collimation["guides"]), collimation["guide_length"],
            collimation["guide_cutoff"],
        )  # fmt: skip
    return Instrument(
        name=facts["name"],
        facility=facts["facility"],
        sample_z=facts["sample_z"],
        monitors={int(number): z for number, z in facts["monitors"].items()},
        incident_monitor=facts["incident_monitor"],
        transmission_monitor=facts["transmission_monitor"],
        most_transmission_spectra=facts["most_spectra_of_a_transmission_run"],
        monitor_prompt=None if prompt is None else (prompt[0], prompt[1]),
        centre_origin=(facts["centre_origin_mm"][0], facts["centre_origin_mm"][1]),
        centre_step=facts["centre_finder"]["step_mm"],
        centre_radius=(facts["centre_finder"]["radius_mm"][0], facts["centre_finder"]["radius_mm"][1]),
        collimation=guides.shortest
        if guides is not None
        else collimation["sample_aperture_z"] - collimation["source_aperture_z"],
        source_aperture=collimation["source_aperture_diameter_mm"],
        moderator_spread=collimation["moderator_spread_us"],
        banks={key: _bank(key, bank) for key, bank in facts["banks"].items()},
        scale_over_pi=facts.get("scale_over_pi", True),
        one_direct_beam=facts.get("one_direct_beam", False),
        guides=guides,
        first_run=facts.get("from_run", 0),
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
        drive=_drive(facts["drive"]) if "drive" in facts else None,
        box=(facts["box"][0], facts["box"][1], facts["box"][2]) if "box" in facts else None,
    )


def _drive(facts: Mapping[str, Any]) -> Drive:
    return Drive(facts["z"], facts.get("x"), facts.get("against"), facts.get("turn"), axis=facts.get("axis_mm", 0.0))
