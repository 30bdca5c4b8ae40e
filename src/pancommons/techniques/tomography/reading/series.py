"""TIFF series as scans: the log beside them as PSI writes it, or files of angles, or folders of flats and darks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.reading.angles import FEWEST, remarks
from pancommons.techniques.tomography.reading.references import References, tiff_files, tiff_stack
from pancommons.techniques.tomography.reading.scan import FrameSet, Scan, Stack

SUFFIXES = (".tif", ".tiff")
_LINE = re.compile(r"^\s*(?P<name>[A-Za-z][^:\[]*?)\s*(\[(?P<unit>[^\]]*)\])?\s*:\s*(?P<value>.*?)\s*$")
_FOLDERS = {"flats": ("flats", "flat", "flatfield", "white", "ob"), "darks": ("darks", "dark", "darkfield", "di")}
_ANGLES = ("angles.txt", "angles.csv", "theta.txt", "rotation_angles.txt")


LACKING = References((FrameSet(None, np.zeros(1, np.int64), 0.0, level=1.0),))
"""Flats that stand in while only the size of a scan is wanted."""


@dataclass(frozen=True)
class Log:
    """What the log of a TOMCAT scan says.

    Attributes
    ----------
    projections, flats, darks, inter_flats
        Numbers of frames; inter-flats are those of one interruption.
    every
        Projections between two interruptions for flats; 0 for none.
    first, last
        Angles of the first and the last projection, degrees.
    energy
        keV; None where not said.
    pixel_size, distance
        Metres; None where not said.
    prefix
        What the frames' names begin with; "" where not said.
    """

    projections: int
    flats: int
    darks: int
    inter_flats: int = 0
    every: int = 0
    first: float = 0.0
    last: float = 180.0
    energy: float | None = None
    pixel_size: float | None = None
    distance: float | None = None
    prefix: str = ""


def read_log(path: Path) -> Log:
    """Read a TOMCAT log: lines of ``Name [unit] : value``.

    Raises
    ------
    BadInput
        If it cannot be read, does not say how many projections, flats and darks there are, or says it in no numbers.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path) from None
    lines = [found for line in text.splitlines() if (found := _LINE.match(line))]
    said = {" ".join(line["name"].lower().split()): line["value"] for line in lines}

    def number(name: str, *, needed: bool = False) -> float | None:
        value = said.get(name)
        if value is None and needed:
            raise BadInput("is not said", file=path, field=name, remedy="name a log of a TOMCAT scan")
        try:
            return None if value is None else float(value.split()[0])
        except (ValueError, IndexError):
            if needed:
                raise BadInput(f"is {value!r}, where a number was expected", file=path, field=name) from None
            return None

    def count(name: str, *, needed: bool = False) -> int:
        value = number(name, needed=needed) or 0.0
        if value != int(value) or value < 0:
            raise BadInput(f"is {value:g}, where a number of frames was expected", file=path, field=name)
        return int(value)

    pixel, distance = number("actual pixel size"), number("sample-detector distance")
    return Log(
        projections=count("number of projections", needed=True),
        flats=count("number of flats", needed=True),
        darks=count("number of darks", needed=True),
        inter_flats=count("number of inter-flats"),
        every=count("flat frequency"),
        first=number("rot y min position") or 0.0,
        last=180.0 if (last := number("rot y max position")) is None else last,
        energy=number("beam energy"),
        pixel_size=None if pixel is None else pixel * 1e-6,
        distance=None if distance is None else distance * 1e-3,
        prefix=said.get("file prefix", "").strip(),
    )


def is_series(path: Path) -> bool:
    """Tell whether a path is a scan in TIFF files: a folder, a log, or a TIFF file of several frames."""
    return path.is_dir() or path.suffix.lower() in (".log", *SUFFIXES)


def open_series(path: Path, *, given: References | None = None, turn: float = 180.0) -> Scan:
    """Open a scan that lies in TIFF files.

    Parameters
    ----------
    path
        A TOMCAT log beside its frames, a folder with one log, a folder of projections with a file of angles
        (`angles.txt`, a number in degrees a line) or without, or one TIFF file of several frames. Flats and darks lie
        in folders of that name in or beside it, or are given.
    given
        Flats and darks given by the user.
    turn
        What projections without angles are spread over, evenly, in degrees: 180 both ends included, 360 without its
        end.

    Returns
    -------
    The scan. Its frames are read when they are wanted; only the first is looked at here.

    Raises
    ------
    BadInput
        Naming the file and what it lacks.
    """
    log = _log_of(path)
    if log is not None:
        return _psi(path, log, given or References())
    data = tiff_stack(path)
    angles, warnings, files = _angles_of(path, data.shape[0], turn)
    found = References(_beside(path, "flats", data), _beside(path, "darks", data))
    flats = (given.flats if given else ()) or found.flats
    darks = (given.darks if given else ()) or found.darks
    placed = _in_time(flats, data.shape[0])
    return _scan(path, "TIFF files", data, np.arange(data.shape[0]), angles, placed, darks, warnings, files)


def _log_of(path: Path) -> Path | None:
    if path.suffix.lower() == ".log":
        return path
    if not path.is_dir():
        return None
    logs = sorted(file for file in path.iterdir() if file.suffix.lower() == ".log")
    if len(logs) > 1:
        names = ", ".join(log.name for log in logs)
        raise BadInput(f"holds several logs ({names})", file=path, remedy="name the one of the scan")
    return logs[0] if logs else None


def _psi(path: Path, file: Path, given: References) -> Scan:
    log = read_log(file)
    data = tiff_stack(file.parent, prefix=log.prefix)
    pauses = (log.projections - 1) // log.every if log.every and log.inter_flats else 0
    first = log.darks + log.flats
    between = pauses * log.inter_flats
    expected = first + log.projections + between
    extra = data.shape[0] - expected
    if extra not in (0, log.flats):
        raise BadInput(
            f"says {log.darks} darks, {log.flats} flats and {log.projections} projections"
            + (f" with {between} flats in between" if between else "")
            + f", but there are {data.shape[0]} frames",
            file=file,
            field="Number of projections",
            remedy="the series was probably interrupted or copied in part: complete it or correct the log",
        )
    if log.projections < FEWEST:
        raise BadInput(f"has {log.projections} projections, where {FEWEST} are the least", file=file)
    block = log.every + log.inter_flats if pauses else log.projections
    after = np.arange(expected - first)
    place, within = (after // block, after % block) if pauses else (np.zeros_like(after), after)
    is_projection = within < log.every if pauses else np.ones(after.size, bool)
    is_projection |= place >= pauses
    projections = first + after[is_projection]
    sets = [(np.arange(log.darks, first), 0.0)] if log.flats else []
    sets += [
        (first + after[~is_projection & (place == pause)], float((pause + 1) * log.every)) for pause in range(pauses)
    ]
    if extra:
        sets.append((np.arange(expected, expected + extra), float(log.projections)))
    flats = given.flats or tuple(FrameSet(data, frames, when) for frames, when in sets)
    darks = given.darks or ((FrameSet(data, np.arange(log.darks), 0.0),) if log.darks else ())
    angles = np.deg2rad(np.linspace(log.first, log.last, log.projections))
    return _scan(
        path, "PSI TIFF series", data, projections, angles, flats, darks, list(given.warnings), (file,),
        energy=log.energy, pixel_size=log.pixel_size, distance=log.distance, facility="Swiss Light Source",
        sample=log.prefix.strip("_") or None,
    )  # fmt: skip


def _scan(
    path: Path,
    layout: str,
    data: Stack,
    projections: NDArray[np.int64],
    angles: NDArray[np.float64],
    flats: tuple[FrameSet, ...],
    darks: tuple[FrameSet, ...],
    warnings: list[str],
    files: tuple[Path, ...],
    *,
    energy: float | None = None,
    pixel_size: float | None = None,
    distance: float | None = None,
    facility: str | None = None,
    sample: str | None = None,
) -> Scan:
    if not flats:
        raise BadInput(
            "has no flat fields", file=path, remedy="name them with flats=FOLDER, or put them into a folder flats in it"
        )
    if not darks:
        warnings.append("There are no dark fields: they are taken as zero; darks=FILE names a file with them.")
    used = [stack.stack for stack in (*flats, *darks) if stack.stack is not None and stack.stack is not data]
    read = [path, *files, *data.files, *(file for stack in used for file in stack.files)]
    return Scan(
        path=path,
        layout=layout,
        entry="",
        data=data,
        projections=projections,
        angles=angles,
        flats=flats,
        darks=darks,
        pixel_size=pixel_size,
        pixel_size_y=pixel_size,
        energy=energy,
        distance=distance,
        facility=facility,
        sample=sample,
        warnings=tuple(warnings + remarks(angles)),
        files=tuple(dict.fromkeys(read)),
    )


def _angles_of(path: Path, count: int, turn: float) -> tuple[NDArray[np.float64], list[str], tuple[Path, ...]]:
    """Read the angles beside the frames, or spread them evenly."""
    if count < FEWEST:
        raise BadInput(f"has {count} projections, where {FEWEST} are the least", file=path)
    folder = path if path.is_dir() else path.parent
    file = next((folder / name for name in _ANGLES if (folder / name).is_file()), None)
    if file is None:
        spread = np.linspace(0, turn, count, endpoint=turn < 270)
        ends = "both included" if turn < 270 else "the end left out"
        warning = f"There is no file of angles; they are taken as equally spaced from 0 to {turn:g} degrees, {ends}."
        return np.deg2rad(spread), [warning], ()
    words = file.read_text(encoding="utf-8", errors="replace").replace(",", " ").replace(";", " ").split()
    try:
        angles = np.array([float(word) for word in words])
    except ValueError:
        raise BadInput("holds something else than numbers", file=file, remedy="write one angle a line") from None
    if angles.size != count or not np.isfinite(angles).all():
        raise BadInput(
            f"holds {int(np.isfinite(angles).sum())} angles for {count} projections",
            file=file,
            remedy="write one angle in degrees for each",
        )
    return np.deg2rad(angles), [], (file,)


def _beside(path: Path, kind: str, data: Stack) -> tuple[FrameSet, ...]:
    """Take the frames of folders named for what they hold, in the folder of projections or beside it.

    A folder of such a name without TIFF files is something else.
    """
    folder = path if path.is_dir() else path.parent
    for above in (folder, folder.parent) if path.is_dir() else (folder,):
        named = sorted(
            child
            for child in above.iterdir()
            if child.is_dir() and child != folder and re.sub(r"[-_0-9]", "", child.name.lower()) in _FOLDERS[kind]
        )
        sets = []
        for child in named:
            if not tiff_files(child):
                continue
            own = tiff_stack(child)
            if own.shape[1:] != data.shape[1:]:
                raise BadInput(
                    f"has frames of {own.shape[1]} x {own.shape[2]} pixels, the projections have"
                    f" {data.shape[1]} x {data.shape[2]}",
                    file=child,
                )
            sets.append(FrameSet(own, np.arange(own.shape[0]), 0.0))
        if sets:
            return tuple(sets)
    return ()


def _in_time(sets: tuple[FrameSet, ...], count: int) -> tuple[FrameSet, ...]:
    """Place several sets of flats, in the order of their names, evenly from before to after the projections."""
    if len(sets) < 2:
        return sets
    steps = np.linspace(0, count, len(sets))
    return tuple(FrameSet(one.stack, one.frames, float(when), one.level) for one, when in zip(sets, steps, strict=True))
