"""One dataset or one set of attributes compared with what the definitions say of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import h5py

from pancommons.nexus.text import as_text, decode
from pancommons.nexus.units import parse
from pancommons.nexus.validation.findings import Findings, Severity
from pancommons.nexus.validation.layers import Layer, Match, match_attributes
from pancommons.nexus.validation.nxdl import Attribute, Field
from pancommons.nexus.validation.units import fits, wants_unit
from pancommons.nexus.validation.values import (
    enumeration_problem,
    kind_of,
    kind_of_value,
    small_attribute,
    small_value,
    type_problem,
)

MOST_ATTRIBUTES = 500

# Attributes that any thing may have, by the rules of the format or the habits of those who write it.
_COMMON = frozenset({
    "NX_class", "canSAS_class", "target", "units", "unit", "long_name", "default", "signal", "axes", "axis",
    "primary", "interpretation", "SILX_style", "napimount", "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST",
    "DIMENSION_LABELS", "_Netcdf4Dimid", "IMAGE_VERSION", "IMAGE_SUBCLASS",
})  # fmt: skip


def check_field(dataset: h5py.Dataset, path: str, matches: Sequence[Match[Field]], findings: Findings) -> None:
    """Check type, unit, values, shape and attributes of a dataset; of each the nearest that is stated counts."""
    _check_sources(dataset, path, findings)
    attributes = [(match.layer, match.item.attributes) for match in matches]
    found = check_attributes(dataset, path, attributes, findings)
    if not matches:
        return
    for match in matches:
        if match.item.deprecated:
            why = " ".join(match.item.deprecated.split())
            findings.add("info", "deprecated", path, f"is deprecated in {match.layer.name}: {why}")
    kind, value = kind_of(dataset.dtype), small_value(dataset)
    problem = type_problem(_type(matches), kind, value)
    if problem:
        severity = "warning" if problem[0] == "error" and not _type_stated(matches) and kind != "t" else problem[0]
        findings.add(severity, "type", path, problem[1])
    _check_units(dataset, kind, path, matches, found, findings)
    for match in matches:
        if match.item.enumeration and path.rpartition("/")[2] != "definition":
            if value is not None and (wrong := enumeration_problem(match.item.enumeration, value)):
                findings.add(_eased(wrong[0], match.layer.strict), "enumeration", path, wrong[1])
            break
    for match in matches:
        if match.item.dimensions and dataset.shape is not None:
            match.layer.symbols.check(match.item.dimensions, dataset.shape, path, findings, strict=match.layer.strict)
            break


def _type_stated(matches: Sequence[Match[Field]]) -> bool:
    return any(match.item.type for match in matches) or not any(match.item.units for match in matches)


def _type(matches: Sequence[Match[Field]]) -> str:
    """Return the type: the nearest stated; a number for what has a unit; else text, the default of NXDL."""
    stated = next((match.item.type for match in matches if match.item.type), "")
    if stated:
        return stated
    return "NX_NUMBER" if any(match.item.units for match in matches) else "NX_CHAR"


def _check_units(
    dataset: h5py.Dataset, kind: str, path: str, matches: Sequence[Match[Field]], found: dict[str, Any],
    findings: Findings,
) -> None:  # fmt: skip
    category = next((match.item.units for match in matches if match.item.units), "")
    unit = as_text(found.get("units")) or as_text(found.get("unit")) or ""
    if not category or kind not in "iufc":
        return
    if "unit" in found and "units" not in found:
        findings.add("warning", "units", path, "has its unit in the attribute unit, where units is the name")
    if not unit:
        if wants_unit(category):
            findings.add("warning", "units", path, f"states no unit, where one of {category} is expected")
        return
    verdict = fits(unit, category)
    if verdict is None:
        findings.add("warning", "units", path, f"has the unit {unit[:60]!r}, which means nothing")
    elif not verdict:
        quantity = parse(unit)
        plain = quantity is not None and quantity.dimensionless and unit.lower() in ("arbitrary", "a.u.", "none")
        severity: Severity = "warning" if plain else "error"
        findings.add(severity, "units", path, f"has the unit {unit[:60]!r}, where one of {category} is expected")


def _check_sources(dataset: h5py.Dataset, path: str, findings: Findings) -> None:
    """Say where a dataset's data is stored elsewhere and missing."""
    from pancommons.base.errors import BadInput
    from pancommons.nexus.links import dataset_sources

    try:
        if not dataset.is_virtual and not dataset.external:
            return
        missing = [one for one in dataset_sources(dataset.file.filename, dataset.name) if one.missing]
    except (BadInput, OSError, RuntimeError, ValueError, KeyError) as error:
        findings.add("warning", "link", path, f"where its data lies cannot be followed ({str(error)[:100]})")
        return
    if missing:
        some = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        findings.add("warning", "link", path, f"its data is missing: {missing[0].target[:100]}{some}")


def agreement(thing: h5py.Group, attributes: tuple[Attribute, ...]) -> int:
    """Count the attributes that have one of the values they are limited to, less those that have another."""
    count = 0
    for one in attributes:
        if one.enumeration and one.name_type == "specified":
            value = as_text(small_attribute(thing, one.name))
            count += 0 if value is None else 1 if value in one.enumeration.items else -1
    return count


def check_attributes(
    thing: h5py.Group | h5py.Dataset,
    path: str,
    layers: Sequence[tuple[Layer, tuple[Attribute, ...]]],
    findings: Findings,
) -> dict[str, Any]:
    """Check the attributes of a thing, and return those that are small."""
    try:
        names = [one if isinstance(one, str) else decode(one) for one in islice(thing.attrs, MOST_ATTRIBUTES + 1)]
    except (OSError, RuntimeError, ValueError):
        findings.add("warning", "unreadable", path, "its attributes cannot be read")
        return {}
    if len(names) > MOST_ATTRIBUTES:
        findings.limit(f"of things with more than {MOST_ATTRIBUTES} attributes the rest was not looked at")
        names = names[:MOST_ATTRIBUTES]
    values = {name: small_attribute(thing, name) for name in names}
    lenient = not layers or any("attributes" in layer.content.lenient for layer, _ in layers)
    for name, value in values.items():
        place = f"{path}@{decode(name)}"
        matches = match_attributes(layers, name)
        if matches:
            _check_attribute(name, value, place, matches, findings)
        elif name not in _COMMON and not lenient and not name.endswith("_indices"):
            names_of = " or ".join(dict.fromkeys(layer.name for layer, _ in layers if layer.name != "NXobject"))
            findings.add("info", "unknown", place, f"this attribute is not described in {names_of or 'NXobject'}")
    said = set()
    for layer, attributes in layers:
        for one in attributes:
            absent = one.name_type == "specified" and one.name not in values and one.name not in said
            said.add(one.name)
            if not absent:
                continue
            if one.presence == "required":
                severity: Severity = "error" if layer.strict else "warning"
                text = f"attribute {one.name} is missing, which {layer.name} requires"
                findings.add(severity, "missing", f"{path}@{one.name}", text)
            elif one.presence == "recommended" and layer.strict:
                text = f"attribute {one.name} is missing, which {layer.name} recommends"
                findings.add("info", "recommended", f"{path}@{one.name}", text)
    return values


def _check_attribute(
    name: str, value: Any | None, place: str, matches: Sequence[Match[Attribute]], findings: Findings
) -> None:
    for match in matches:
        if match.item.deprecated:
            why = " ".join(match.item.deprecated.split())
            findings.add("info", "deprecated", place, f"is deprecated in {match.layer.name}: {why}")
    if value is None or type(value).__name__ == "Empty":
        return
    for match in matches:
        if match.item.type:
            if problem := type_problem(match.item.type, kind_of_value(value), value):
                findings.add(_eased(problem[0], match.layer.strict), "type", place, problem[1])
            break
    for match in matches:
        if match.item.enumeration:
            if problem := enumeration_problem(match.item.enumeration, value, is_unit=name == "units"):
                findings.add(_eased(problem[0], match.layer.strict), "enumeration", place, problem[1])
            break


def _eased(severity: Severity, strict: bool) -> Severity:
    """Take an error for a warning where only a base class says so."""
    return "warning" if severity == "error" and not strict else severity
