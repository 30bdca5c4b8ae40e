"""A tomography scan, lazily: what is known about it, and its frames read piece by piece, never whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.links import Source, dataset_sources, locate
from pancommons.nexus.read import member, open_file, read_block


@dataclass(frozen=True)
class Stack:
    """Frames of one size, in a dataset of an HDF5 file or in TIFF files.

    Attributes
    ----------
    files
        The HDF5 file, or the TIFF files in the order of their frames.
    inside
        The dataset's path; "" for TIFF files.
    shape
        Frames, rows, columns.
    dtype
        The type as stored.
    chunks
        Frames, rows and columns that are stored, and decoded, together; None for a contiguous dataset.
    compressed
        Whether the chunks are compressed.
    """

    files: tuple[Path, ...]
    inside: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunks: tuple[int, int, int] | None = None
    compressed: bool = False

    def read(
        self, frames: NDArray[np.int64], rows: slice = slice(None), out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Read rows of chosen frames.

        Parameters
        ----------
        frames
            int64 [frame]: indices, rising.
        rows
            Rows, with a step of one.
        out
            A C-contiguous array [frame, row, column] to fill in place of a new one.

        Returns
        -------
        [frame, row, column] of the stored type, counts.

        Raises
        ------
        BadInput
            If the file cannot be opened or its data cannot be decoded.
        """
        first, last, _ = rows.indices(self.shape[1])
        if out is None:
            out = np.empty((len(frames), last - first, self.shape[2]), self.dtype)
        if self.inside:
            self._read_hdf5(frames, first, last, out)
        else:
            self._read_tiff(frames, first, last, out)
        return out

    def _read_hdf5(self, frames: NDArray[np.int64], first: int, last: int, out: NDArray[Any]) -> None:
        with open_file(self.files[0]) as file:
            dataset = member(file, self.inside)
            if not isinstance(dataset, h5py.Dataset):
                raise BadInput("is gone", file=self.files[0], field=self.inside)
            for start, stop, place in runs(frames):
                part = out[place : place + stop - start]
                if dataset.ndim == 2:
                    read_block(dataset, np.s_[first:last], part[0])
                else:
                    read_block(dataset, np.s_[start:stop, first:last], part)

    def _read_tiff(self, frames: NDArray[np.int64], first: int, last: int, out: NDArray[Any]) -> None:
        if len(self.files) == self.shape[0]:
            for place, frame in enumerate(frames.tolist()):
                self._read_pages(self.files[frame], {0: place}, first, last, out)
            return
        wanted = {int(frame): place for place, frame in enumerate(frames)}
        begin = 0
        for name in self.files:
            own = {index - begin: place for index, place in wanted.items() if index >= begin}
            begin += self._read_pages(name, own, first, last, out)

    def _read_pages(self, name: Path, places: dict[int, int], first: int, last: int, out: NDArray[Any]) -> int:
        """Read the frames of one file that have a place in `out`; return how many it has."""
        import tifffile

        try:
            with tifffile.TiffFile(name) as tiff:
                for index in places.keys() & set(range(len(tiff.pages))):
                    frame = tiff.pages[index].asarray()
                    if frame.shape != self.shape[1:] or frame.dtype != self.dtype:
                        problem = f"has a frame of {frame.shape} {frame.dtype}, not {self.shape[1:]} {self.dtype}"
                        raise BadInput(problem, file=name)
                    out[places[index]] = frame[first:last]
                return len(tiff.pages)
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise BadInput(f"cannot be read as TIFF ({error})", file=name) from None


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Flats or darks taken together.

    Attributes
    ----------
    stack
        Where they lie; None for a level given as a number.
    frames
        int64 [frame]: their indices in the stack.
    position
        When: the number of projections taken before, so that 0 is before the first and `Scan.count` after the
        last. Interpolate between sets over this.
    level
        The counts of every pixel where the file gives only a number.
    """

    stack: Stack | None
    frames: NDArray[np.int64]
    position: float
    level: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """One tomography scan. It holds paths and indices, no open file, so that it travels to another process.

    Attributes
    ----------
    path
        The scan file.
    layout
        The name of the layout it follows, see ``layouts.toml``.
    entry
        The group it lies in.
    data
        The dataset of its frames.
    projections
        int64 [projection]: indices of the projections among the frames, in the order taken.
    angles
        float64 [projection], radians, as recorded: neither sorted nor wrapped.
    flats, darks
        The sets of flat and dark frames, in the order taken; no darks means that they are taken as zero.
    in_transmission
        Whether the data is already divided by flats.
    pixel_size, pixel_size_y
        Along the rows and along the columns, at the sample, metres; None where unknown.
    energy
        Photon energy, keV; None where unknown, and for neutrons.
    distance
        Sample to detector, metres; None where unknown.
    field_of_view
        "Full", or "Half" for a scan with the axis near the edge; None where not said.
    centre_hint
        The column index of the rotation axis by the motors, (columns - 1) / 2 in the middle; None where not
        said.
    sample, title, start_time, instrument, facility
        As the file has them; None where not said.
    warnings
        What a user should know, a sentence each.
    files
        Every file that is read, the scan file first: for the provenance.
    """

    path: Path
    layout: str
    entry: str
    data: Stack
    projections: NDArray[np.int64]
    angles: NDArray[np.float64]
    flats: tuple[FrameSet, ...]
    darks: tuple[FrameSet, ...]
    in_transmission: bool = False
    pixel_size: float | None = None
    pixel_size_y: float | None = None
    energy: float | None = None
    distance: float | None = None
    field_of_view: str | None = None
    centre_hint: float | None = None
    sample: str | None = None
    title: str | None = None
    start_time: str | None = None
    instrument: str | None = None
    facility: str | None = None
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def count(self) -> int:
        """The number of projections."""
        return len(self.projections)

    @property
    def rows(self) -> int:
        """The number of detector rows, which become slices."""
        return self.data.shape[1]

    @property
    def columns(self) -> int:
        """The number of detector columns."""
        return self.data.shape[2]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the counts as stored."""
        return self.data.dtype

    @property
    def rows_together(self) -> int:
        """How many rows are decoded to read one: all where a chunk is a frame, 1 where contiguous."""
        return 1 if self.data.chunks is None else min(self.data.chunks[1], self.rows)

    @property
    def span(self) -> float:
        """The angle turned through, radians: from the first projection to one step after the last."""
        return turned(self.angles)

    def read_frames(
        self,
        start: int = 0,
        stop: int | None = None,
        rows: slice = slice(None),
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Read projections ``start`` to ``stop``, all their rows or some: counts [angle, row, column]."""
        return self.data.read(self.projections[start:stop], rows, out)

    def read_rows(
        self, row_start: int = 0, row_stop: int | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Read a band of rows of all projections: counts [angle, row, column]."""
        return self.data.read(self.projections, slice(row_start, row_stop), out)

    def read_flats(self, row_start: int = 0, row_stop: int | None = None) -> list[NDArray[Any]]:
        """Read the sets of flats, all rows or some: counts [frame, row, column] each, as in `flats`."""
        return [self._read_set(frames, slice(row_start, row_stop)) for frames in self.flats]

    def read_darks(self, row_start: int = 0, row_stop: int | None = None) -> list[NDArray[Any]]:
        """Read the sets of darks, all rows or some: counts [frame, row, column] each, as in `darks`."""
        return [self._read_set(frames, slice(row_start, row_stop)) for frames in self.darks]

    def _read_set(self, frames: FrameSet, rows: slice) -> NDArray[Any]:
        if frames.stack is not None:
            return frames.stack.read(frames.frames, rows)
        first, last, _ = rows.indices(self.rows)
        return np.full((1, last - first, self.columns), frames.level, np.float32)


def runs(indices: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Give the stretches of neighbours in indices: start, stop, and where in them the stretch begins."""
    if len(indices):
        breaks = np.flatnonzero(np.diff(indices) != 1) + 1
        for place, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(indices)], strict=True):
            yield int(indices[place]), int(indices[end - 1]) + 1, place


def turned(angles: NDArray[np.float64]) -> float:
    """Return the angle from the first projection to one median step after the last, radians."""
    steps = np.abs(np.diff(angles))
    return float(abs(angles[-1] - angles[0]) + np.median(steps))


def hdf5_stack(path: Path, inside: str, *, single: bool = False) -> Stack:
    """Describe a dataset of frames, after making sure that every file it is made of is there.

    Parameters
    ----------
    path, inside
        The file and the dataset's path in it.
    single
        Whether a single frame [row, column] will do.

    Raises
    ------
    BadInput
        If a file it is read from is missing, or it is no dataset of numbers [frame, row, column].
    """
    sources = dataset_sources(path, inside)
    if missing := [source for source in sources if source.missing]:
        problem = _missing(missing, len(sources))
        raise BadInput(problem, file=path, field=inside, remedy="put it there or link it again")
    with open_file(path) as file:
        dataset = member(file, inside)
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "iuf":
            raise BadInput("is no dataset of numbers", file=path, field=inside)
        if dataset.ndim not in ((2, 3) if single else (3,)) or 0 in dataset.shape:
            problem = f"has the shape {dataset.shape}, where [frame, row, column] was expected"
            raise BadInput(problem, file=path, field=inside)
        shape = (1,) * (3 - dataset.ndim) + dataset.shape
        chunks, compressed = _storage(Path(dataset.file.filename), dataset)
        return Stack((path,), inside, shape, dataset.dtype, chunks, compressed)


def _missing(missing: list[Source], among: int) -> str:
    first = missing[0]
    what = f"its data lies in {first.target}"
    if first.found is not None:
        return f"{what} at {first.target_path}, where there is nothing"
    share = f" ({len(missing)} of {among} sources are missing)" if among > 1 else ""
    return f"{what}, which is missing{share}"


def _storage(holder: Path, dataset: h5py.Dataset, depth: int = 0) -> tuple[tuple[int, int, int] | None, bool]:
    """Find how frames are chunked: of a virtual dataset, how its first part is."""
    if dataset.is_virtual and depth < 4:
        for source in dataset.virtual_sources():
            other = locate(source.file_name, holder)
            if other is not None:
                with open_file(other) as file:
                    inner = member(file, source.dset_name)
                    if isinstance(inner, h5py.Dataset):
                        return _storage(other, inner, depth + 1)
    if dataset.chunks is None:
        return None, False
    whole = (1,) * (3 - len(dataset.chunks)) + dataset.chunks[-3:]
    return whole, dataset.id.get_create_plist().get_nfilters() > 0
