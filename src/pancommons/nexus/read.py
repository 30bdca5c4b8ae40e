"""Opening files, finding their entries, and taking single values out of them, whatever the writer did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the compression filters that detectors use)
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus import units
from pancommons.nexus.text import as_text, as_texts, is_placeholder

_LARGEST = 256 << 20
_LARGEST_ATTRIBUTE = 16 << 20
_ENTRY_MEMBERS = frozenset({"definition", "instrument", "data"})


def open_file(path: str | Path, *, chunk_cache: int | None = None) -> h5py.File:
    """Open an HDF5 file for reading, without a lock: it may be on a read-only mount or still be written.

    Use as a context manager.

    Parameters
    ----------
    chunk_cache
        Bytes of decoded chunks that HDF5 keeps for each dataset while it is open; what HDF5 takes when not given.

    Raises
    ------
    BadInput
        If there is no such file, or it is a folder, empty, cut short, no HDF5, or not allowed to be read.
    """
    path = Path(path)
    try:
        return h5py.File(path, "r", locking=False, rdcc_nbytes=chunk_cache)
    except OSError as error:
        raise BadInput(_why_closed(path, str(error)), file=path, remedy=_remedy(path)) from None


def _why_closed(path: Path, message: str) -> str:
    if not path.exists():
        return "there is no such file"
    if path.is_dir():
        return "is a folder, where an HDF5 file was expected"
    if path.stat().st_size == 0:
        return "is empty"
    if "truncated" in message:
        return "is cut short: the copy or the writing of it did not finish"
    if "signature not found" in message:
        return "is no HDF5 file"
    if "ermission denied" in message:
        return "may not be read by this account"
    return f"cannot be opened as HDF5 ({_brief(message)})"


def _remedy(path: Path) -> str | None:
    if not path.exists():
        return "check the name"
    return None if path.is_dir() else "copy it again from its source"


def _brief(message: str) -> str:
    """Take the cause out of h5py's message: what it says in brackets, else all of it."""
    return message[message.find("(") + 1 : message.rfind(")")] if "(" in message else message


def attribute(thing: h5py.Group | h5py.Dataset, name: str) -> Any | None:
    """Return the value of an attribute as h5py gives it, or None where it is absent, huge or cannot be read."""
    try:
        if name not in thing.attrs or thing.attrs.get_id(name).get_storage_size() > _LARGEST_ATTRIBUTE:
            return None
        return thing.attrs[name]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
        return None


def nx_class(thing: h5py.Group | h5py.Dataset) -> str:
    """Return the NX_class of a group, "" where it has none."""
    return as_text(attribute(thing, "NX_class")) or ""


def member(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """Return what lies at a path, or None where nothing does: also for a link to nowhere or in circles."""
    try:
        found = group[path]
    except (KeyError, OSError, RuntimeError, ValueError):
        return None
    return found if isinstance(found, h5py.Group | h5py.Dataset) else None


def groups(group: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
    """Give the groups in a group with their names, leaving out links that lead nowhere."""
    for name in group:
        found = member(group, name)
        if isinstance(found, h5py.Group):
            yield name, found


@dataclass(frozen=True)
class Entry:
    """One measurement in a file.

    Attributes
    ----------
    path
        Where the group lies in the file.
    definitions
        The application definitions it claims, its subentries' included: ``("NXtomo",)``.
    title
        Its own title, else that of its first subentry that has one.
    subentries
        The paths of its NXsubentry groups.
    """

    path: str
    definitions: tuple[str, ...]
    title: str | None
    subentries: tuple[str, ...] = ()


def entries(file: h5py.File) -> list[Entry]:
    """List the entries of a file in the order of their names.

    An entry is a group at the root with NX_class NXentry; in a file without one, a group with canSAS_class
    SASentry; in a file without these, a group that has a definition, an instrument or data. "NXentry" and
    "NXroot" are no definitions.
    """
    at_root = list(groups(file))
    for is_entry in (_claims_entry, _claims_sas, _looks_like_entry):
        if chosen := [(name, group) for name, group in at_root if is_entry(group)]:
            return [_entry(name, group) for name, group in chosen]
    return []


def _claims_entry(group: h5py.Group) -> bool:
    return nx_class(group) == "NXentry"


def _claims_sas(group: h5py.Group) -> bool:
    return as_text(attribute(group, "canSAS_class")) == "SASentry"


def _looks_like_entry(group: h5py.Group) -> bool:
    return not nx_class(group) and not _ENTRY_MEMBERS.isdisjoint(group)


def _entry(name: str, group: h5py.Group) -> Entry:
    parts = [(f"/{name}", group)]
    parts += [(f"/{name}/{sub}", inner) for sub, inner in groups(group) if nx_class(inner) == "NXsubentry"]
    definitions = [text(part, "definition") for _, part in parts]
    claimed = tuple(dict.fromkeys(d for d in definitions if d and d not in ("NXentry", "NXroot")))
    title = next((found for _, part in parts if (found := text(part, "title"))), None)
    return Entry(f"/{name}", claimed, title, tuple(path for path, _ in parts[1:]))


def value(group: h5py.Group, path: str) -> Any | None:
    """Return the whole value of a small dataset as h5py gives it; None where absent, unreadable or above 256 MiB."""
    dataset = member(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        return None
    if dataset.size * dataset.dtype.itemsize > _LARGEST:
        return None
    try:
        return dataset[()]
    except (OSError, RuntimeError, ValueError, TypeError):
        return None


def text(group: h5py.Group, path: str) -> str | None:
    """Return the text at a path: None where it is absent, unreadable or a placeholder.

    Accepts a scalar, an array of strings (the first that is not empty counts), bytes in UTF-8 or Latin-1.
    """
    found = as_text(value(group, path))
    return None if found is None or is_placeholder(found) else found


@dataclass(frozen=True)
class Measured:
    """Numbers with the unit text they came with.

    Attributes
    ----------
    values
        float64, of the shape in the file.
    unit
        The text of the units attribute, or the default given where that is absent or empty; None for neither.
    stated
        Whether the file itself names a unit.
    """

    values: NDArray[np.float64]
    unit: str | None
    stated: bool

    def to(self, unit: str) -> NDArray[np.float64] | None:
        """Return the values in another unit, float64 of the same shape; None where that cannot be done."""
        converted = None if self.unit is None else units.convert(self.values, self.unit, unit)
        return None if converted is None else np.asarray(converted)


def unit_of(dataset: h5py.Dataset) -> str | None:
    """Return the text of a dataset's units attribute (``unit``, as some writers have it, is taken too)."""
    for name in ("units", "unit"):
        if found := as_texts(attribute(dataset, name)):
            return next((unit for unit in found if unit), "")
    return None


def numbers(group: h5py.Group, path: str, default_unit: str | None = None) -> Measured | None:
    """Return the numbers at a path with their unit; None where there are none (text included)."""
    raw = value(group, path)
    dataset = member(group, path)
    if raw is None or not isinstance(dataset, h5py.Dataset):
        return None
    try:
        values = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    unit = unit_of(dataset)
    return Measured(values, unit or (unit if default_unit is None else default_unit), bool(unit))


def number(
    group: h5py.Group, path: str, unit: str, default_unit: str | None = None, *, positive: bool = False
) -> float | None:
    """Return one finite number at a path in the unit asked for, or None.

    Parameters
    ----------
    unit
        The unit of the result.
    default_unit
        What a dataset without a units attribute is in; without a default such a dataset gives None.
    positive
        Drop the sentinels that control systems write for "not known": zero and below.
    """
    measured = numbers(group, path, default_unit)
    converted = None if measured is None else measured.to(unit)
    if converted is None or converted.size == 0:
        return None
    first = float(converted.flat[0])
    if not np.isfinite(first) or (positive and first <= 0):
        return None
    return first


def read_block(dataset: h5py.Dataset, selection: Any = (), out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Read a part of a dataset, saying in one sentence what is wrong where that fails.

    Parameters
    ----------
    selection
        What h5py takes in square brackets: slices, integers.
    out
        C-contiguous array to fill, of the selection's shape and a dtype that HDF5 can convert to.

    Raises
    ------
    BadInput
        If the stored bytes cannot be decoded, as in a damaged file or with an unknown compression filter.
    """
    try:
        if out is None:
            return np.asarray(dataset[selection])
        dataset.read_direct(out, source_sel=np.s_[selection])
        return out
    except (OSError, RuntimeError) as error:
        raise BadInput(
            f"the data cannot be read ({_brief(str(error))})", file=dataset.file.filename, field=dataset.name,
            remedy="copy the file again from its source",
        ) from None  # fmt: skip
