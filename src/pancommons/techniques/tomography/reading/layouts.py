"""Where things lie in the scan files of the facilities: a table that users extend."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.links import dataset_sources
from pancommons.nexus.read import groups, member, text

PLACES = frozenset(
    {
        "data", "image_key", "angles", "flats", "darks", "flat_value", "dark_value", "flat_angles",
        "rotation_start", "rotation_step", "rotation_count", "pixel_size_x", "pixel_size_y", "distance",
        "energy", "wavelength", "probe", "field_of_view", "rotation_axis", "sample", "title", "start_time",
        "instrument", "source",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How one kind of file is laid out; the keys of a table in ``layouts.toml``, which explains them.

    Attributes
    ----------
    name, facility
        What it is called, and whose files these are ("" for a format that everybody uses).
    entry
        Patterns of the groups it may begin at.
    definition
        The definition such a group must claim, if any.
    requires
        The quantities that must be there beside the data.
    places
        The paths each quantity may have.
    units
        The units of quantities that come without.
    angles_missing
        "half turn" or "".
    """

    name: str
    entry: tuple[str, ...]
    places: Mapping[str, tuple[str, ...]]
    facility: str = ""
    definition: str = ""
    requires: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    angles_missing: str = ""


@dataclass(frozen=True)
class Match:
    """A layout found in a file.

    Attributes
    ----------
    layout
        The layout.
    entry
        The group it begins at.
    detector
        What ``*`` stands for; "" where the layout has none.
    data
        The path of the frames.
    dangling
        The path of frames that are only a link to something missing, else "".
    others
        Further groups of the file that the layout fits.
    """

    layout: Layout
    entry: str
    detector: str = ""
    data: str = ""
    dangling: str = ""
    others: tuple[str, ...] = ()

    def find(self, file: h5py.File, quantity: str) -> str | None:
        """Return the path of a quantity, the first of its places that is there; None without any."""
        return next((path for path in self.candidates(quantity) if member(file, path) is not None), None)

    def candidates(self, quantity: str) -> Iterator[str]:
        """Give the paths a quantity may have in this file."""
        for place in self.layout.places.get(quantity, ()):
            if "*" not in place or self.detector:
                yield _inside(self.entry, place.replace("*", self.detector))


def read_tables(tables: Iterable[Mapping[str, Any]], origin: str) -> list[Layout]:
    """Check tables of the schema of ``layouts.toml`` and make layouts of them.

    Raises
    ------
    BadInput
        If a table has an unknown key, or a wrong type, or lacks its name, entry or data.
    """
    return [_layout(table, origin) for table in tables]


def _layout(table: Mapping[str, Any], origin: str) -> Layout:
    name = table.get("name")
    label = f"layout {name}" if isinstance(name, str) else "layout without a name"
    plain: dict[str, Any] = {}
    places: dict[str, tuple[str, ...]] = {}
    for key, given in table.items():
        if key in PLACES or key in ("entry", "requires"):
            if not (isinstance(given, list | tuple) and all(isinstance(item, str) for item in given)):
                raise BadInput(f"{key} is no list of texts", file=origin, field=label)
            (places if key in PLACES else plain)[key] = tuple(given)
        elif key == "units" and isinstance(given, Mapping):
            plain[key] = dict(given)
        elif key in ("name", "facility", "definition", "angles_missing") and isinstance(given, str):
            plain[key] = given
        else:
            known = ", ".join(sorted(PLACES | {"entry", "requires", "units", "facility", "definition"}))
            raise BadInput(f"{key} is not understood", file=origin, field=label, remedy=f"known are {known}")
    if not (plain.get("name") and plain.get("entry") and places.get("data")):
        raise BadInput("it needs a name, an entry and data", file=origin, field=label)
    return Layout(places=places, **plain)


@cache
def shipped() -> tuple[Layout, ...]:
    """Return the layouts of the package."""
    resource = files(__package__) / "layouts.toml"
    return tuple(read_tables(tomllib.loads(resource.read_text("utf-8"))["layout"], "layouts.toml"))


def configured() -> tuple[Layout, ...]:
    """Return the layouts of the configuration: the tables ``[[techniques.tomography.layout]]``."""
    from pancommons.base.home import config_file
    from pancommons.base.settings import settings

    tables = settings().techniques.get("tomography", {}).get("layout", [])
    return tuple(read_tables(tables, str(config_file())))


def recognise(path: Path, file: h5py.File, layouts: Iterable[Layout]) -> Match | None:
    """Find the first layout that fits a file; data that is there goes before a dangling link."""
    dangling = None
    for layout in layouts:
        matches = [match for entry in _entries(file, layout) if (match := _match(path, file, layout, entry))]
        whole = [match for match in matches if not match.dangling]
        if whole:
            others = tuple(match.entry for match in whole[1:])
            return replace(whole[0], others=others)
        dangling = dangling or next(iter(matches), None)
    return dangling


def _entries(file: h5py.File, layout: Layout) -> Iterator[str]:
    for pattern in layout.entry:
        for path in _expand(file, "", pattern.strip("/").split("/")):
            group = member(file, path)
            claims = isinstance(group, h5py.Group) and (
                not layout.definition or text(group, "definition") == layout.definition
            )
            if claims:
                yield path


def _expand(file: h5py.File, base: str, parts: list[str]) -> Iterator[str]:
    if not parts or parts == [""]:
        yield base or "/"
        return
    group = member(file, base or "/")
    names = [name for name, _ in groups(group)] if isinstance(group, h5py.Group) and parts[0] == "*" else [parts[0]]
    for name in names:
        yield from _expand(file, f"{base}/{name}", parts[1:])


def _match(path: Path, file: h5py.File, layout: Layout, entry: str) -> Match | None:
    dangling = None
    for match in (Match(layout, entry, detector) for detector in _detectors(file, layout, entry)):
        if not all(match.find(file, quantity) for quantity in layout.requires):
            continue
        for place in match.candidates("data"):
            dataset = member(file, place)
            if isinstance(dataset, h5py.Dataset):
                if dataset.ndim == 3 or not match.detector:
                    return replace(match, data=place)
            elif dangling is None and any(source.missing for source in dataset_sources(path, place)):
                dangling = replace(match, dangling=place)
    return dangling


def _detectors(file: h5py.File, layout: Layout, entry: str) -> list[str]:
    """List what ``*`` may stand for: nothing first, then the groups at a star in the places of the data."""
    names = [""]
    for place in layout.places["data"]:
        if "*" in place:
            above = member(file, _inside(entry, place.partition("*")[0]))
            names += [name for name, _ in groups(above)] if isinstance(above, h5py.Group) else []
    return list(dict.fromkeys(names))


def _inside(entry: str, place: str) -> str:
    return posixpath.normpath(posixpath.join(entry, place))
