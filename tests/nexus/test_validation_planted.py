"""A smallest valid file is made of every application definition; then every fault planted in it is found."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pancommons.nexus.text import as_texts
from pancommons.nexus.validation import Verdict, validate
from pancommons.nexus.validation.definitions import Definitions
from pancommons.nexus.validation.layers import application_layers
from pancommons.nexus.validation.links import _resolve
from pancommons.nexus.validation.names import fit
from pancommons.nexus.validation.nxdl import Attribute, Field, Group
from pancommons.nexus.validation.units import _REFERENCES, wants_unit
from pancommons.nexus.validation.values import _words

pytestmark = pytest.mark.real
SharedData = Callable[[str], Path]

THOROUGH = ["NXtomo", "NXtomoproc", "NXcanSAS", "NXmx", "NXcxi_ptycho"]
DATE = "2026-01-02T03:04:05+00:00"
NUMBERS = {"NX_INT": "i4", "NX_POSINT": "i4", "NX_UINT": "u2", "NX_NUMBER": "f8", "NX_FLOAT": "f8", "NX_BOOLEAN": "?"}


def value_of(item: Field | Attribute) -> Any:
    """Make a value that fits a field or an attribute."""
    kind = item.type or ("NX_NUMBER" if getattr(item, "units", "") else "NX_CHAR")
    value: Any = "text" if kind not in NUMBERS else 1
    value = DATE if kind in ("NX_DATE_TIME", "ISO8601") else value
    value = 1j if kind == "NX_COMPLEX" else value
    if item.enumeration:
        value = item.enumeration.items[0]
        if value.startswith("["):
            return np.array(_words(value), dtype=NUMBERS.get(kind, object))
    if kind in NUMBERS:
        value = np.asarray(float(value) if isinstance(value, str) and value[:1].isdigit() else 1).astype(NUMBERS[kind])
    expected = item.dimensions if isinstance(item, Field) else None
    if expected is None:
        return value
    sizes = [int(size) if size.isdecimal() else 3 for size in expected.sizes]
    rank = len(sizes) if expected.rank is None else expected.rank
    return np.full((sizes + [3] * rank)[:rank], value, dtype=object if isinstance(value, str) else None)


def fill(group: h5py.Group, contents: list[Group]) -> None:
    """Write the required items of a group, the nearest definition first; links come later."""
    for content in contents:
        for item in content.fields:
            if item.presence == "required" and item.name not in group:
                write(group, item)
            elif item.name in group:
                mark(group[item.name], item.attributes)
        for inner in content.groups:
            name, same = alike(inner, contents)
            if same[0].presence == "required" or name in group:
                made = group.require_group(name)
                made.attrs.setdefault("NX_class", inner.type)
                fill(made, same)
    for content in contents:
        mark(group, content.attributes, content.fields)


def alike(group: Group, contents: list[Group]) -> tuple[str, list[Group]]:
    """Name a group, and list what each content says of it, the nearest first."""
    name, found = group.name or group.type[2:].lower(), []
    for content in contents:
        scored = [(fit(name, one.name, one.name_type), one) for one in content.groups if one.type == group.type]
        best = max(scored, key=lambda pair: pair[0], default=((0, 0), group))
        found += [group] if group in content.groups else [best[1]] if best[0][0] else []
    return name, found


def write(group: h5py.Group, item: Field) -> None:
    group.create_dataset(item.name, data=value_of(item))
    if item.units:
        unit = _REFERENCES.get(item.units, ("" if item.units.startswith("NX_") else item.units,))[0]
        group[item.name].attrs["units"] = unit
    mark(group[item.name], item.attributes)


def mark(thing: h5py.Group | h5py.Dataset, attributes: tuple[Attribute, ...], fields: tuple[Field, ...] = ()) -> None:
    for item in attributes:
        if item.presence == "required" and item.name not in thing.attrs:
            value = value_of(item)
            plots = item.name in ("signal", "axes") and isinstance(thing, h5py.Group)
            if plots and as_texts(value) == ["text"]:
                value = next((name for name in thing if isinstance(thing[name], h5py.Dataset)), "")
            thing.attrs[item.name] = value
            for name in as_texts(value) if plots else ():  # what may be left out, but is named, is there
                if name not in (".", "", *thing):
                    described = next((one for one in fields if one.name == name), None)
                    write(thing, described) if described else thing.create_dataset(name, data=np.ones(3))


def link(group: h5py.Group, contents: list[Group]) -> None:
    """Write the links that are required, where their targets are there; a number stands in elsewhere."""
    for content in contents:
        for item in content.links:
            if item.presence == "required" and item.name not in group:
                target = _resolve(group, item.target)
                group[item.name] = target if target is not None else 1.0
        for inner in content.groups:
            name, same = alike(inner, contents)
            if name in group:
                link(group[name], same)


@pytest.fixture(scope="session")
def definitions(shared_data: SharedData) -> Definitions:
    return Definitions(shared_data("nexus-definitions"))


def smallest(definitions: Definitions, name: str, path: Path) -> Path:
    contents = [layer.content for layer in application_layers(definitions, name)]
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        fill(entry, contents)
        entry.require_dataset("definition", (), h5py.string_dtype())[()] = name
        link(entry, contents)
    return path


def required_fields(definitions: Definitions, name: str, path: Path) -> list[tuple[str, str]]:
    """List the datasets of a smallest file with the unit category their definition states, links left out."""
    decided: dict[str, tuple[str, str]] = {}

    def visit(place: str, contents: list[Group]) -> None:
        for content in contents:
            for item in content.fields:
                decided.setdefault(f"{place}/{item.name}", (item.presence, item.units))
            for inner in content.groups:
                name, same = alike(inner, contents)
                visit(f"{place}/{name}", same)

    visit("/entry", [layer.content for layer in application_layers(definitions, name)])
    with h5py.File(path) as file:
        there = [
            (place, units) for place, (presence, units) in decided.items() if presence == "required" and place in file
        ]
    return [one for one in there if not one[0].endswith("/definition")]


def errors(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.rule, one.path) for one in verdict.findings if one.severity == "error"]


def names(definitions: Definitions) -> list[str]:
    return [name for name in definitions.names() if application_layers(definitions, name)]


def test_a_smallest_file_of_every_definition_is_valid(definitions: Definitions, tmp_path: Path) -> None:
    assert len(names(definitions)) > 40
    for name in names(definitions):
        verdict = validate(smallest(definitions, name, tmp_path / f"{name}.nxs"), definitions)
        assert verdict.judgement == "valid", f"{name}\n" + "\n".join(map(str, verdict.findings))
        assert [entry.definitions for entry in verdict.entries] == [(name,)]


def plant(path: Path, fault: str, place: str, category: str) -> None:
    with h5py.File(path, "r+") as file:
        dataset = file[place]
        attributes, is_text = dict(dataset.attrs), h5py.check_string_dtype(dataset.dtype) is not None
        if fault == "units":
            dataset.attrs["units"] = "kg" if category != "NX_MASS" else "s"
            return
        shape = dataset.shape
        del file[place]
        if fault == "link":
            file[place] = h5py.SoftLink("/entry/nowhere")
        elif fault == "type":
            file[place] = np.ones(shape, "f4") if is_text else np.full(shape, "text", dtype=object)
            file[place].attrs.update(attributes)


def check(definitions: Definitions, valid: Path, copy: Path, fault: str, place: str, category: str) -> None:
    shutil.copy(valid, copy)
    plant(copy, fault, place, category)
    verdict = validate(copy, definitions)
    assert verdict.judgement == "invalid", (fault, place)
    expected = [(fault, place)]
    if fault == "missing":  # what may have any name is missed in its group
        expected.append((fault, place.rpartition("/")[0]))
    assert set(expected) & set(errors(verdict)), (fault, place, errors(verdict))


@pytest.mark.parametrize("name", THOROUGH)
def test_every_fault_planted_anywhere_is_found(definitions: Definitions, tmp_path: Path, name: str) -> None:
    valid = smallest(definitions, name, tmp_path / "valid.nxs")
    copy = tmp_path / "copy.nxs"
    fields = required_fields(definitions, name, valid)
    assert len(fields) >= 4
    for place, category in fields:
        for fault in ("missing", "link", "type", *(("units",) if wants_unit(category) else ())):
            if not (fault == "type" and _takes_both(definitions, name, place)):
                check(definitions, valid, copy, fault, place, category)


def test_a_fault_planted_in_any_definition_is_found(definitions: Definitions, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    for name in names(definitions):
        valid = smallest(definitions, name, tmp_path / f"{name}.nxs")
        for place, category in chance.sample(required_fields(definitions, name, valid), 1):
            fault = chance.choice(["missing", "link"])
            check(definitions, valid, tmp_path / "copy.nxs", fault, place, category)


def _takes_both(definitions: Definitions, name: str, place: str) -> bool:
    """Say whether a field takes text and numbers."""
    last = place.rpartition("/")[2]
    stack = [layer.content for layer in application_layers(definitions, name)]
    while stack:
        content = stack.pop()
        if any(one.name == last and one.type in ("NX_CHAR_OR_NUMBER", "NX_BOOLEAN") for one in content.fields):
            return True
        stack += content.groups
    return False


def test_wrong_groups_and_attributes_are_found(definitions: Definitions, tmp_path: Path) -> None:
    valid = smallest(definitions, "NXtomo", tmp_path / "valid.nxs")
    with h5py.File(valid, "r+") as file:
        file["entry/instrument/detector"].attrs["NX_class"] = "NXmonitor"
        del file["entry/sample"].attrs["NX_class"]
        del file["entry/data"]
    found = errors(validate(valid, definitions))
    assert {("class", "/entry/instrument/detector"), ("class", "/entry/sample"), ("missing", "/entry/data")} <= {*found}

    curve = smallest(definitions, "NXcanSAS", tmp_path / "curve.nxs")
    with h5py.File(curve, "r+") as file:
        del file["entry"].attrs["version"]
        file["entry/data"].attrs["signal"] = "Q"
        file["entry/data/I"].attrs["units"] = "furlong"
    found = errors(validate(curve, definitions))
    places = {
        ("missing", "/entry@version"),
        ("enumeration", "/entry/data@signal"),
        ("enumeration", "/entry/data/I@units"),
    }
    assert places <= {*found}


def test_ranks_and_symbols_are_compared(definitions: Definitions, tmp_path: Path) -> None:
    valid = smallest(definitions, "NXtomo", tmp_path / "valid.nxs")
    with h5py.File(valid, "r+") as file:
        del file["entry/instrument/detector/image_key"], file["entry/instrument/detector/data"]
        file["entry/instrument/detector/image_key"] = np.zeros(7, int)
        file["entry/instrument/detector/data"] = np.zeros((3, 4), int)
    verdict = validate(valid, definitions)
    assert ("rank", "/entry/instrument/detector/data") in errors(verdict)
    assert any(one.rule == "size" and "nFrames" in one.text for one in verdict.findings)
