"""Images of one wavelength: NXsas files, and plain TIFF or EDF images with what their headers say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import entries, groups, member, number, nx_class, open_file, read_block, text

PLAIN = (".tif", ".tiff", ".edf")
_EDF_TYPES = {
    "unsignedbyte": "u1", "signedbyte": "i1", "unsignedshort": "u2", "signedshort": "i2", "unsignedinteger": "u4",
    "signedinteger": "i4", "unsignedlong": "u4", "signedlong": "i4", "unsigned64": "u8", "signed64": "i8",
    "floatvalue": "f4", "float": "f4", "doublevalue": "f8", "double": "f8",
}  # fmt: skip
_MOST_HEADER = 1 << 20


@dataclass(frozen=True)
class Image:
    """Counts of a detector at one wavelength, and what its file says of them; None where it does not.

    Attributes
    ----------
    path
        The file.
    counts
        [frame, row, column], of the type in the file.
    wavelength, spread
        Angstrom, and its full width at half maximum relative to it.
    distance
        From sample to detector, m.
    pixel
        Width and height of a pixel, mm.
    centre
        Where the beam meets the detector, mm from the outer corner of the first pixel along columns and rows.
    monitor
        Counts of the monitor, or the like, that say how much beam there was.
    transmission
        Of the sample.
    thickness
        Of the sample, mm.
    title, start, instrument
        As the file says.
    """

    path: Path
    counts: NDArray[Any]
    wavelength: float | None = None
    spread: float | None = None
    distance: float | None = None
    pixel: tuple[float, float] | None = None
    centre: tuple[float, float] | None = None
    monitor: float | None = None
    transmission: float | None = None
    thickness: float | None = None
    title: str = ""
    start: str | None = None
    instrument: str = ""


def is_image(path: Path) -> bool:
    """Say whether a file is an image of one wavelength: a plain one, or an entry with an image and no times."""
    if path.suffix.lower() in PLAIN:
        return True
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_file(path) as file:
        return member(file, "raw_data_1") is None and _detector(file) is not None


def read_image(path: Path) -> Image:
    """Read an image.

    Raises
    ------
    BadInput
        If it is missing, empty, cut short or of another kind.
    """
    if not path.is_file():
        raise BadInput("is no file, an image was expected", file=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise BadInput("is empty", file=path, remedy="copy it again from its source")
    suffix = path.suffix.lower()
    image = _tiff(path) if suffix in (".tif", ".tiff") else _edf(path) if suffix == ".edf" else _nexus(path)
    counts = image.counts[None] if image.counts.ndim == 2 else image.counts
    if counts.ndim != 3 or min(counts.shape) == 0 or not (np.issubdtype(counts.dtype, np.number)):
        raise BadInput(
            f"holds an array of shape {counts.shape}", file=path, remedy="give one image, or a stack of them"
        )
    return replace(image, counts=counts)


def _tiff(path: Path) -> Image:
    try:
        return Image(path, np.asarray(tifffile.imread(path)))
    except (tifffile.TiffFileError, ValueError, OSError, KeyError) as error:
        raise BadInput(f"is cut short or no TIFF ({error})", file=path, remedy="copy it again") from None


def _edf(path: Path) -> Image:
    """Read the first image of an EDF file: a header in braces, a multiple of 512 bytes long, then the pixels."""
    content = path.read_bytes()
    end = content[:_MOST_HEADER].find(b"}")
    if not content.lstrip().startswith(b"{") or end < 0:
        raise BadInput("has no EDF header", file=path, remedy="copy it again from its source")
    found = re.findall(r"([^=;{}\s][^=;{}]*?)\s*=\s*([^;{}]*?)\s*;", content[:end].decode("latin-1"))
    header = {key.lower(): value for key, value in found}
    begin = end + 1 + (1 if content[end + 1 : end + 2] == b"\n" else 2 if content[end + 1 : end + 3] == b"\r\n" else 0)
    try:
        kind = _EDF_TYPES[header["datatype"].lower()]
        shape = int(header["dim_2"]), int(header["dim_1"])
        order = ">" if header.get("byteorder", "LowByteFirst").lower().startswith("high") else "<"
        counts = np.frombuffer(content, order + kind, shape[0] * shape[1], begin).reshape(shape)
    except KeyError as error:
        raise BadInput(f"has an EDF header without a usable {error}", file=path) from None
    except ValueError:
        raise BadInput("is cut short", file=path, remedy="copy it again from its source") from None

    def said(name: str, scale: float) -> float | None:
        try:
            value = float(header[name].split()[0]) * scale
        except (KeyError, ValueError, IndexError):
            return None
        return value if np.isfinite(value) else None

    pixel = said("psize_1", 1e3), said("psize_2", 1e3)
    place = said("center_1", 1.0), said("center_2", 1.0)
    size = None if pixel[0] is None or pixel[1] is None else (pixel[0], pixel[1])
    return Image(
        path, counts.astype(counts.dtype.newbyteorder("=")), wavelength=said("wavelength", 1e10),
        distance=said("sampledistance", 1.0), pixel=size, title=header.get("title", ""),
        centre=None if size is None or place[0] is None or place[1] is None
        else (place[0] * size[0], place[1] * size[1]),
    )  # fmt: skip


def _detector(file: h5py.File) -> tuple[h5py.Group, h5py.Group, h5py.Group] | None:
    """Return entry, instrument and detector of the first detector with an image and no times of flight."""
    for entry in entries(file):
        group = file[entry.path]
        for _, instrument in groups(group):
            if nx_class(instrument) != "NXinstrument":
                continue
            for _, detector in groups(instrument):
                data = member(detector, "data")
                image = isinstance(data, h5py.Dataset) and data.ndim in (2, 3)
                if nx_class(detector) == "NXdetector" and image and member(detector, "time_of_flight") is None:
                    return group, instrument, detector
    return None


def _nexus(path: Path) -> Image:
    if not h5py.is_hdf5(path):
        raise BadInput("is no image", file=path, remedy="give an NXsas file, a TIFF or an EDF image")
    with open_file(path) as file:
        found = _detector(file)
        if found is None:
            raise BadInput("holds no detector's image", file=path, remedy="expected the layout of NXsas")
        entry, instrument, detector = found
        wide, high = (number(detector, f"{axis}_pixel_size", "mm", "m", positive=True) for axis in "xy")
        x, y = (number(detector, f"beam_center_{axis}", "mm", "mm") for axis in "xy")
        chromator = next((group for _, group in groups(instrument) if nx_class(group) == "NXmonochromator"), None)
        source = chromator if chromator is not None else entry
        wavelength = number(source, "wavelength", "angstrom", "angstrom", positive=True) or number(
            instrument, "beam/incident_wavelength", "angstrom", "angstrom", positive=True
        )
        return Image(
            path,
            read_block(detector["data"]),
            wavelength=wavelength,
            spread=number(source, "wavelength_spread", "", ""),
            distance=number(detector, "distance", "m", "m", positive=True),
            pixel=None if wide is None or high is None else (wide, high),
            centre=None if x is None or y is None else (x, y),
            monitor=number(entry, "control/integral", "", "", positive=True),
            transmission=number(entry, "sample/transmission", "", "", positive=True),
            thickness=number(entry, "sample/thickness", "mm", "mm", positive=True),
            title=(text(entry, "title") or "").strip(),
            start=text(entry, "start_time"),
            instrument=(text(instrument, "name") or "").strip(),
        )
