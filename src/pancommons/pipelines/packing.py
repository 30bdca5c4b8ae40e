"""A result as one file to publish: a zipped crate that needs nothing beside it, made and opened."""

from __future__ import annotations

import json
import math
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pancommons.base import durable, machine
from pancommons.base.digests import sha256
from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.lock import is_running

if TYPE_CHECKING:
    import h5py

BLOCK = 32 << 20
"""Bytes of an array held in memory at a time."""

_COMPRESSED_ALREADY = {".nxs", ".h5", ".png", ".jpg", ".jpeg", ".webp"}


def pack(folder: str | Path, target: str | Path) -> Path:
    """Pack a finished run into one file: result, report, figures, request and provenance.

    The parts are left out; where the result only refers to them, the data are written into it.

    Parameters
    ----------
    folder
        The run folder, which is left as it is.
    target
        The zip file to make; it appears whole or not at all.

    Returns
    -------
    Path
        The file made.

    Raises
    ------
    BadInput
        If the run has not ended, or the target exists.
    PanError
        If a part that the result refers to is gone, or the disk is full.
    """
    folder, target = Path(folder).absolute(), Path(target).absolute()
    run = RunFolder.open(folder)
    if not (run.result.exists() and run.crate.exists() and run.report.exists()) or is_running(folder):
        raise BadInput("this run has not ended", file=folder, remedy=f"end it with: pan resume {folder}")
    if target.exists():
        raise BadInput("this file exists", file=target, field="--to", remedy="name another")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as space,
            durable.replacing(target) as beside,
        ):
            result = Path(space) / "result.nxs"
            make_real(run.result, result)
            _zip(run, result, beside)
    except OSError as error:
        raise PanError(f"{target}: cannot be written ({error.strerror or error}).") from None
    return target


def make_real(source: Path, target: Path) -> None:
    """Copy an HDF5 file, turning every virtual dataset into a real one, block by block.

    Chunks are those of the first dataset a virtual one is made of; the filter is bitshuffle with LZ4.
    Links to files in the same folder are replaced by what they point to; those to other files stay links.

    Raises
    ------
    PanError
        If a file that a virtual dataset is made of is gone.
    """
    import h5py

    shutil.copyfile(source, target)
    with h5py.File(source, "r", locking=False) as old, h5py.File(target, "r+") as new:
        names: dict[Any, str] = {}
        for name, link in _links(old):
            if isinstance(link, h5py.ExternalLink):
                if _inside(source.parent, link.filename) and name in old:
                    del new[name]
                    old.copy(old[name], new, name)
                continue
            dataset = old[name]
            if not (isinstance(dataset, h5py.Dataset) and dataset.is_virtual):
                continue
            address = h5py.h5o.get_info(dataset.id).addr
            copied = new[name]
            del new[name]
            if address in names:
                new[name] = new[names[address]]
                continue
            names[address] = name
            _copy_virtual(dataset, copied, new, name)


def blocks(shape: tuple[int, ...], item: int, chunks: tuple[int, ...] | None) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks of at most `BLOCK` bytes, along whole chunks where that is possible.

    Parameters
    ----------
    shape, item, chunks
        Of the array: its shape, the bytes of one element, the shape of its chunks or None.
    """
    extent = list(shape)
    for axis in range(len(extent)):
        if math.prod(extent) * item <= BLOCK:
            break
        rest = math.prod(extent[:axis]) * math.prod(extent[axis + 1 :]) * item
        room = max(1, BLOCK // max(1, rest))
        if chunks and room > chunks[axis]:
            room -= room % chunks[axis]
        extent[axis] = min(extent[axis], room)
    starts = [range(0, size, max(1, step)) for size, step in zip(shape, extent, strict=True)]
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + step, size)) for start, step, size in zip(corner, extent, shape, strict=True)
        )


@contextmanager
def opened(path: Path) -> Iterator[RunFolder]:
    """Open a run folder, or a packed one through a temporary folder that is removed afterwards.

    Raises
    ------
    BadInput
        If it is neither, is damaged, or would write outside the temporary folder.
    """
    if path.is_dir():
        yield RunFolder.open(path)
        return
    if not path.exists():
        raise BadInput("there is no such run folder or packed result", file=path)
    with tempfile.TemporaryDirectory(prefix="pancommons-") as space:
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, Path(space), path)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise BadInput(f"expected a run folder or a packed result ({error})", file=path) from None
        yield RunFolder.open(_root(Path(space), path))


def _extract(archive: zipfile.ZipFile, space: Path, path: Path) -> None:
    needed, free = sum(entry.file_size for entry in archive.infolist()), shutil.disk_usage(space).free
    if needed > free:
        raise BadInput(
            f"opening it needs {machine.format_size(needed)} in {space.parent}, {machine.format_size(free)} are free",
            file=path,
            remedy="set TMPDIR to a folder on another disk",
        )
    for entry in archive.infolist():
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput("an entry leads out of the archive; nothing was opened", file=path, field=str(name))
    for entry in archive.infolist():
        archive.extract(entry, space)


def _root(space: Path, path: Path) -> Path:
    """Find the crate: at the root of the archive, or in the one folder it holds."""
    for place in (space, *(inner for inner in space.iterdir() if inner.is_dir())):
        if (place / "run.json").is_file():
            return place
    raise BadInput("this archive holds no run.json", file=path, remedy="give one made by `pan result pack`")


def _zip(run: RunFolder, result: Path, target: Path) -> None:
    figures = sorted(file for file in run.figures.rglob("*") if file.is_file()) if run.figures.is_dir() else []
    files = {
        file.relative_to(run.path).as_posix(): file
        for file in (run.path / "run.json", run.report, run.page, *figures)
        if file.exists()
    }
    files["result.nxs"] = result
    described = _adapted(json.loads(run.crate.read_text(encoding="utf-8")), files)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        archive.writestr(run.crate.name, json.dumps(described, indent=1, ensure_ascii=False) + "\n")
        if figures:
            archive.mkdir(run.figures.name)
        for name, file in files.items():
            stored = file.suffix.lower() in _COMPRESSED_ALREADY
            archive.write(file, name, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def _adapted(described: dict[str, Any], files: dict[str, Path]) -> dict[str, Any]:
    """Make the provenance say what the archive holds: its files, their sizes and digests."""
    root = next(entity for entity in described["@graph"] if entity["@id"] == "./")
    left_out = {
        reference["@id"]
        for reference in _listed(root.get("hasPart"))
        if not _is_packed(unquote(reference["@id"]), files)
    }
    graph = []
    for entity in described["@graph"]:
        if entity["@id"] in left_out:
            continue
        kept = {name: _without(value, left_out) for name, value in entity.items()}
        file = files.get(unquote(entity["@id"]))
        if file is not None:
            kept |= {"contentSize": str(file.stat().st_size), "sha256": sha256(file)}
        graph.append({name: value for name, value in kept.items() if value != []})
    return {**described, "@graph": graph}


def _is_packed(identifier: str, files: dict[str, Path]) -> bool:
    inside = identifier.endswith("/") and any(name.startswith(identifier) for name in files)
    return identifier in files or inside


def _without(value: Any, left_out: set[str]) -> Any:
    """Take references to what was left out from a property's value."""

    def is_left_out(item: Any) -> bool:
        return isinstance(item, dict) and item.get("@id") in left_out

    if isinstance(value, list):
        kept = [item for item in value if not is_left_out(item)]
        return kept[0] if len(kept) == 1 and len(value) > 1 else kept
    return [] if is_left_out(value) else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _links(file: h5py.File) -> Iterator[tuple[str, Any]]:
    """Walk over all links of a file by name, following only hard ones, each group once."""
    import h5py

    seen = set()
    waiting = ["/"]
    while waiting:
        place = waiting.pop()
        group = file[place]
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            link = group.get(name, getlink=True)
            path = f"{place.rstrip('/')}/{name}"
            if isinstance(link, h5py.SoftLink):
                continue
            yield path, link
            if isinstance(link, h5py.HardLink) and group.get(name, getclass=True) is h5py.Group:
                waiting.append(path)


def _inside(folder: Path, file: str) -> bool:
    return (folder / file).resolve().is_relative_to(folder.resolve())


def _copy_virtual(dataset: h5py.Dataset, copied: h5py.Dataset, new: h5py.File, name: str) -> None:
    """Write what a virtual dataset shows into a real one of the same name."""
    import hdf5plugin

    chunks = _chunks(dataset)
    filters = dict(hdf5plugin.Bitshuffle()) if dataset.dtype.kind in "iufcb" and dataset.size else {}
    real = new.create_dataset(
        name,
        dataset.shape,
        dataset.dtype,
        maxshape=dataset.maxshape if chunks else None,
        chunks=chunks or (True if filters and dataset.shape else None),
        fillvalue=dataset.fillvalue,
        **(filters if dataset.shape else {}),
    )
    for attribute in copied.attrs:
        real.attrs.create(attribute, copied.attrs[attribute], dtype=copied.attrs.get_id(attribute).dtype)
    for block in blocks(dataset.shape, dataset.dtype.itemsize, chunks):
        real[block] = dataset[block]


def _chunks(dataset: h5py.Dataset) -> tuple[int, ...] | None:
    """Return the chunks of what a virtual dataset is made of, after making sure that all of it is there."""
    import h5py

    folder = Path(dataset.file.filename).parent
    found: tuple[int, ...] | None = None
    for number, source in enumerate(dataset.virtual_sources()):
        if source.file_name == "." or "%" in source.file_name:
            continue
        file = folder / source.file_name
        if not file.exists():
            raise PanError(f"{file}: this part of the result is gone; make it again with: pan resume {folder}")
        if number == 0:
            with h5py.File(file, "r", locking=False) as part:
                found = part[source.dset_name].chunks
    if found is None or len(found) != len(dataset.shape):
        return None
    return tuple(max(1, min(one, size)) for one, size in zip(found, dataset.shape, strict=True))
