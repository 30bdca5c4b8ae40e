"""Writing NeXus files that open well everywhere: default plot, units, long names, provenance, in one step.

A file appears under its name when it is whole: it is written beside, synced and renamed.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pancommons.base.durable import replacing
from pancommons.base.errors import BadInput, PanError
from pancommons.nexus.fields import Field, has_unit, make_dataset
from pancommons.nexus.sink import hdf5_sink
from pancommons.nexus.virtual import Part

__all__ = ["Field", "Part", "Writer", "create"]


class Writer:
    """An entry being written; made by `create`.

    Attributes
    ----------
    file
        The open h5py file.
    entry
        The group of the entry.
    """

    def __init__(self, file: h5py.File, entry: h5py.Group, check: Callable[[], None] = lambda: None) -> None:
        self.file, self.entry = file, entry
        self._check = check
        self._processes = 0

    def group(self, path: str, nx_class: str, /, **fields: Any) -> h5py.Group:
        """Make a group below the entry, its parents as NXcollection, and fill it.

        Parameters
        ----------
        path
            Where, relative to the entry: ``instrument/detector``.
        nx_class
            The NeXus class, such as ``NXdetector``.
        **fields
            Datasets by name: a value, ``(value, units)``, or a `Field` whose own name then does not count.
            None leaves the field out.
        """
        group = self.entry
        for part in path.strip("/").split("/"):
            if part not in group:
                group.create_group(part).attrs["NX_class"] = "NXcollection"
            group = group[part]
        group.attrs["NX_class"] = nx_class
        for name, given in fields.items():
            if isinstance(given, Field):
                self.field(group, replace(given, name=name))
            elif isinstance(given, tuple):
                self.field(group, Field(name, given[0], units=given[1]))
            elif given is not None:
                self.field(group, Field(name, given))
        return group

    def check(self) -> None:
        """Stop here if the disk is full, rather than at the end of the block: for a loop that fills a dataset.

        Raises
        ------
        OSError
            What went wrong; `create` makes its sentence of it.
        """
        self._check()

    def field(self, group: h5py.Group | str, given: Field) -> h5py.Dataset:
        """Write one dataset into a group of the file, or of the entry where its path is given."""
        if isinstance(group, str):
            group = self.entry[group]
        if given.link is not None:
            group[given.name] = self.file[given.link]
            dataset = group[given.name]
            dataset.attrs["target"] = given.link
            return dataset
        self.check()
        dataset = make_dataset(group, given)
        if given.units or has_unit(dataset):
            dataset.attrs["units"] = given.units
        if given.long_name:
            dataset.attrs["long_name"] = given.long_name
        for name, attribute in given.attributes.items():
            dataset.attrs[name] = attribute
        if given.errors is not None:
            self.field(group, Field(f"{given.name}_errors", given.errors, given.units))
        return dataset

    def data(
        self,
        name: str,
        *,
        signal: Field,
        axes: Sequence[Field | None] = (),
        auxiliary: Sequence[Field] = (),
        title: str | None = None,
        log: bool = False,
        log_axes: bool = False,
        default: bool | None = None,
    ) -> h5py.Group:
        """Write an NXdata group, which is what viewers plot.

        Parameters
        ----------
        name
            Its path below the entry.
        signal
            The data; with ``shape`` and ``dtype`` in place of values, fill ``group[signal.name]`` in pieces.
        axes
            A field for each axis of the signal, in order; None for an axis that is only counted.
        auxiliary
            Further signals of the same shape, drawn along: a fit over a measured curve.
        title
            What stands above the plot; the file's title when not given.
        log, log_axes
            Whether the signal and the axes are best seen on a logarithmic scale.
        default
            Whether the file opens with this plot; the first NXdata does when nothing is said.

        Returns
        -------
        h5py.Group
            The group.
        """
        group = self.group(name, "NXdata")
        group.attrs["signal"] = signal.name
        self._plotted(group, signal)
        named = [axis.name if axis else "." for axis in axes]
        if any(axes):
            group.attrs["axes"] = named
        for index, axis in enumerate(axes):
            if axis is not None:
                self._plotted(group, axis)
                group.attrs[f"{axis.name}_indices"] = index
        if auxiliary:
            group.attrs["auxiliary_signals"] = [further.name for further in auxiliary]
            for further in auxiliary:
                self._plotted(group, further)
        if "title" not in group:
            group["title"] = title or self.entry["title"].asstr()[()]
        if log or log_axes:
            style = {"signal_scale_type": "log" if log else "linear"}
            group.attrs["SILX_style"] = json.dumps(style | ({"axes_scale_type": ["log"]} if log_axes else {}))
        if default or (default is None and "default" not in self.entry.attrs):
            self._make_default(group)
        return group

    def _plotted(self, group: h5py.Group, given: Field) -> None:
        label = given.long_name or _label(given.name, given.units)
        self.field(group, given if given.link else replace(given, long_name=label))

    def _make_default(self, group: h5py.Group) -> None:
        path = group.name.removeprefix(f"{self.entry.name}/")
        self.entry.attrs["default"] = path.split("/")[0]
        node = self.entry
        for part, after in zip(path.split("/"), path.split("/")[1:], strict=False):
            node = node[part]
            node.attrs["default"] = after

    def process(
        self,
        name: str = "process",
        /,
        *,
        program: str = "pancommons",
        program_version: str | None = None,
        date: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> h5py.Group:
        """Write an NXprocess: what was done, by which program, when and with what.

        Parameters
        ----------
        name
            Its path below the entry.
        program, program_version
            Who did it; the version of pancommons when not given for that program.
        date
            When; now when not given. Naive times are taken as UTC.
        parameters
            What it was done with. Written twice: each as a field of the group ``parameters`` (NXparameters),
            and all together as JSON in the NXnote ``note``, from which a machine restores them exactly.
        units
            Units of parameters that have one, by name.
        **fields
            As for `group`.
        """
        self._processes += 1
        when = (date or datetime.now(UTC)).replace(microsecond=0)
        group = self.group(
            name, "NXprocess", program=program, version=program_version or _version(program),
            date=(when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat(),
            sequence_index=self._processes, **fields,
        )  # fmt: skip
        if parameters:
            inside = f"{name}/parameters"
            plain = {key: _plain(item) for key, item in parameters.items()}
            self.group(inside, "NXparameters")
            for key, item in plain.items():
                if item is not None:
                    unit = (units or {}).get(key, "") if not isinstance(item, str) else ""
                    self.field(inside, Field(key, item, unit))
            text = json.dumps(dict(parameters), default=_jsonable, ensure_ascii=False)
            self.group(f"{name}/note", "NXnote", type="application/json", description="parameters", data=text)
        return group


@contextmanager
def create(
    path: str | Path,
    *,
    title: str,
    definition: str | None = None,
    entry: str = "entry",
    start_time: str | None = None,
) -> Iterator[Writer]:
    """Write a NeXus file with one entry; it appears under its name at the end of the block, whole and synced.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    title
        The entry's title.
    definition
        The application definition it follows, such as ``NXtomoproc``.
    entry
        The name of the entry.
    start_time
        When the measurement began, in ISO 8601.

    Raises
    ------
    BadInput
        If the folder is not there or may not be written in.
    PanError
        If the disk is full. Nothing is left behind then, and an existing file stays as it was.

    Examples
    --------
    >>> with create("curve.nxs", title="Latex") as nexus:  # doctest: +SKIP
    ...     intensity = Field("I", [9.0, 4.0], "1/cm", errors=[1.0, 1.0])
    ...     nexus.data("curve", signal=intensity, axes=[Field("Q", [0.1, 0.2], "1/nm")], log=True)
    """
    path = Path(path)
    try:
        with replacing(path) as beside, hdf5_sink(beside) as (file, sink):
            file.attrs["NX_class"] = "NXroot"
            file.attrs["default"] = entry
            file.attrs["creator"] = "pancommons"
            file.attrs["file_time"] = datetime.now(UTC).isoformat(timespec="seconds")
            group = file.create_group(entry)
            group.attrs["NX_class"] = "NXentry"
            group["title"] = title
            if definition:
                group["definition"] = definition
            if start_time:
                group["start_time"] = start_time
            yield Writer(file, group, sink.check)
    except (OSError, RuntimeError) as error:
        explained = _explained(error, path)
        if explained is None:
            raise
        raise explained from error


def _explained(error: OSError | RuntimeError, path: Path) -> PanError | None:
    """Say in a sentence what writing failed at, where that is the disk's fault."""
    code, message, about = getattr(error, "errno", None), str(error), getattr(error, "filename", None)
    if isinstance(about, str) and Path(about).parent != path.parent:
        return None  # another file, which the block used
    if code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in message or "quota exceeded" in message:
        return PanError(f"{path}: the disk is full; free some space or choose another folder.")
    if code == errno.EFBIG or "File too large" in message:
        return PanError(f"{path}: the system lets no file grow larger; raise the limit or choose another folder.")
    if code == errno.ENOENT and not path.parent.is_dir():
        return BadInput("there is no such folder", file=path.parent, remedy="create it or choose another")
    if code in (errno.EACCES, errno.EROFS, errno.EPERM):
        return BadInput("may not be written", file=path, remedy="choose another folder")
    return None


def _label(name: str, units: str) -> str:
    words = name.replace("_", " ")
    return f"{words} ({units})" if units else words


def _plain(item: Any) -> Any:
    """Turn a parameter into what HDF5 can hold as one dataset: a number, a text, or JSON text."""
    if item is None or isinstance(item, bool | int | float | str | np.generic):
        return item
    if isinstance(item, Path):
        return str(item)
    return json.dumps(item, default=_jsonable, ensure_ascii=False)


def _jsonable(item: Any) -> Any:
    if isinstance(item, np.ndarray | np.generic):
        return item.tolist()
    return str(item)


def _version(program: str) -> str:
    try:
        return version(program)
    except PackageNotFoundError:
        return "unknown"
