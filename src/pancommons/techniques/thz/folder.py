"""A run folder as TELBE writes it.

In a folder ``NNN_..._dd.mm.yyyy_HHMM_SS`` there are, for each position of the delay stage, a folder of TIFF images with
one spectrum a row and a file ``...Experiment..._<position>mm...`` of big-endian float32 ADC samples; and one text file
``..._BG_...`` whose first line is the spectrum without a pulse. The position is the last ``_<number>mm`` of a name:
``2mmZnTe`` matches as well.

Source: the notebook of https://github.com/hzdr/TELBE-raw-data-evaluation.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.thz.measurement import Block, Measurement
from pancommons.techniques.thz.tiff import DamagedImage, Image, look

_STAGE = re.compile(r"_([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))mm")
_DATE = re.compile(r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}_[0-9]{4}_[0-9]{2}")
_RATE = re.compile(r"_([0-9]+)Hz")
_IMAGES = {".tif", ".tiff"}
_ROWS = 256
"""Rows that are read at a time: about a megabyte, which stays in the cache."""


def open_folder(path: Path, background: Path | None = None) -> Measurement:
    """Look through a run folder; images and traces are read when they are needed.

    Raises
    ------
    BadInput
        If there are no positions, none of them can be used, or there is no background.
    """
    names = sorted(path.iterdir(), key=lambda one: one.name)
    folders = [one for one in names if one.is_dir() and _STAGE.search(one.name) and not _positions_in(one)]
    if not folders:
        raise BadInput(
            "holds no run: there is no folder named after a stage position, such as ..._51.10mm...",
            file=path,
            remedy=_deeper(path) or "name the folder of one run, as the beamline wrote it",
        )
    files = [one for one in names if one.is_file()]
    pairs, warnings = _paired(folders, files)
    spectrum = read_background(background or _background_of(path, files))
    positions = []
    for folder, traces in pairs:
        position = FolderPosition(folder, traces, len(spectrum))
        if position.spectra_count == 0:
            warnings += position.warnings or (f"{folder.name} holds no images; the position is left out.",)
        elif position.pixels != len(spectrum):
            warnings.append(
                f"{folder.name}: spectra have {position.pixels} pixels, the background has {len(spectrum)}; "
                "the position is left out."
            )
        else:
            positions.append(position)
    if not positions:
        raise BadInput(
            f"none of its {len(folders)} positions can be used ({warnings[0].rstrip('.') if warnings else 'empty'})",
            file=path,
            remedy="check that the folder was copied whole",
        )
    rate = _RATE.search(positions[0].folder.name)
    return Measurement(
        path=path,
        positions=tuple(positions),
        background=spectrum,
        title=path.name,
        start_time=_started(path.name),
        repetition_rate=float(rate[1]) if rate else None,
        warnings=tuple(warnings),
    )


def read_background(path: Path) -> NDArray[np.float64]:
    """Read the first line of a background file: float64 [pixel], counts.

    Raises
    ------
    BadInput
        If it holds no numbers.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.strip() and not line.startswith("#")), "")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the path") from None
    words = line.split()
    if not any("." in word for word in words):
        words = [word.replace(",", ".") for word in words]
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.empty(0)
    if values.size == 0 or not np.isfinite(values).all():
        raise BadInput(
            "its first line is no spectrum: a number for each pixel was expected",
            file=path,
            remedy="name another file with background=FILE",
        )
    return values


@dataclass(frozen=True)
class FolderPosition:
    """One position of a run folder."""

    folder: Path
    traces_file: Path
    expected_pixels: int
    _found: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def stage(self) -> float:
        """Return the position of the stage in mm."""
        return float(stage_text(self.folder.name) or "nan")

    @property
    def label(self) -> str:
        """Return what names the position in messages."""
        return self.folder.name

    @cached_property
    def _images(self) -> tuple[tuple[int, Image], ...]:
        """Return the images with the index of their first pulse, as far as that is known."""
        images: list[tuple[int, Image]] = []
        warnings = []
        start = 0
        files = sorted(one for one in self.folder.iterdir() if one.suffix.lower() in _IMAGES)
        for number, file in enumerate(files):
            try:
                image = look(file)
            except DamagedImage as damage:
                left = len(files) - number - 1
                also = f", and so are the {left} after it, whose pulses cannot be counted" if left else ""
                warnings.append(f"{self.folder.name}/{file.name} {damage}; its pulses are left out{also}.")
                break
            if images and image.columns != images[0][1].columns:
                warnings.append(
                    f"{self.folder.name}/{file.name} has {image.columns} columns, those before it "
                    f"{images[0][1].columns}; it is left out with all after it."
                )
                break
            if image.whole_rows < image.rows:
                warnings.append(
                    f"{self.folder.name}/{file.name} is cut short: {image.whole_rows} of {image.rows} spectra are "
                    "there; the others are left out."
                )
            images.append((start, image))
            start += image.rows
        self._found["warnings"] = tuple(warnings)
        return tuple(images)

    @property
    def pixels(self) -> int:
        """Return the pixels of a spectrum."""
        return self._images[0][1].columns if self._images else self.expected_pixels

    @property
    def spectra_count(self) -> int:
        """Return the number of spectra, those of missing rows included."""
        return self._images[-1][0] + self._images[-1][1].rows if self._images else 0

    @cached_property
    def trace_values(self) -> int:
        """Return the number of ADC samples of all traces together."""
        return self.traces_file.stat().st_size // 4

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is wrong with the images."""
        _ = self._images
        return self._found["warnings"]

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Give the spectra of pulses ``first`` to ``last``, a part of an image at a time."""
        for start, image in self._images:
            begin, end = max(first - start, 0), min(last - start, image.whole_rows)
            if begin >= end:
                continue
            try:
                flagged = any(bool(rows[0, 0] & 0x8000) for _, rows in image.blocks(0, 1, 1))
                for row, rows in image.blocks(begin, end, _ROWS):
                    yield Block(start + row, rows, flagged)
            except DamagedImage as damage:
                raise BadInput(str(damage), file=image.path, remedy="copy it again from its source") from None

    def traces(self, first: int, last: int, samples: int) -> NDArray[np.float32]:
        """Return the ADC traces of pulses ``first`` to ``last``: float32 [pulse, sample], arbitrary units."""
        count = max(0, last - first) * samples
        try:
            values = np.fromfile(self.traces_file, ">f4", count, offset=4 * first * samples)
        except OSError as error:
            raise BadInput(f"cannot be read ({error.strerror})", file=self.traces_file) from None
        return values[: len(values) // samples * samples].astype(np.float32).reshape(-1, samples)


def stage_text(name: str) -> str | None:
    """Return the stage position in a name as it is written there: the last ``_<number>mm``."""
    found = _STAGE.findall(name)
    return found[-1] if found else None


def _paired(folders: list[Path], files: list[Path]) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Pair folders of images with files of traces by their position; several of one position in their order."""
    traces = defaultdict(list)
    for file in files:
        text = stage_text(file.name)
        if "Experiment" in file.name and text:
            traces[float(text)].append(file)
    pairs, warnings = [], []
    for folder in folders:
        at = float(stage_text(folder.name) or "nan")
        if traces[at]:
            pairs.append((folder, traces[at].pop(0)))
        else:
            warnings.append(f"{folder.name} has no file of ADC traces (...Experiment...); the position is left out.")
    warnings += [f"{file.name} has no folder of images; it is left out." for rest in traces.values() for file in rest]
    return pairs, warnings


def _background_of(path: Path, files: list[Path]) -> Path:
    for file in files:
        if "_BG_" in file.name:
            return file
    raise BadInput(
        "there is no background: no file has _BG_ in its name",
        file=path,
        remedy="name one with background=FILE",
    )


def _deeper(path: Path) -> str | None:
    """Say which folder may have been meant where it is one further down."""
    inside = sorted(one for one in path.iterdir() if one.is_dir() and _positions_in(one))
    return f"perhaps {inside[0].name} in it was meant" if inside else None


def _positions_in(path: Path) -> bool:
    """Tell whether a folder holds folders of positions: it is a run then, which may have ``_2mm`` in its own name."""
    return any(one.is_dir() and _STAGE.search(one.name) for one in path.iterdir())


def _started(name: str) -> str | None:
    found = _DATE.search(name)
    try:
        return datetime.strptime(found[0], "%d.%m.%Y_%H%M_%S").isoformat() if found else None
    except ValueError:
        return None
