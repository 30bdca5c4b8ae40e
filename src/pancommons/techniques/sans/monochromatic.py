"""Images of one wavelength as runs of time of flight with a single bin, so that all further steps serve both.

Everything flies as far as a neutron of 1 Angstrom comes in 1 us, so that times in us are wavelengths in Angstrom. The
one bin is as wide as makes its variance that of the wavelength: a triangle of full width w at half maximum has w^2 / 6,
a bin of width b has b^2 / 12. The beam's counts are taken to be exact; its centre is measured where it fell to, so that
gravity is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.job import Job
from pancommons.techniques.sans.binning import PLANCK_OVER_NEUTRON_MASS, Binning
from pancommons.techniques.sans.image import Image, read_image
from pancommons.techniques.sans.instrument import Bank, Instrument
from pancommons.techniques.sans.pipeline import SansParameters
from pancommons.techniques.sans.rkh import Curve
from pancommons.techniques.sans.run import Run, SampleShape
from pancommons.techniques.sans.transmission import Transmission, not_above_one
from pancommons.techniques.sans.user_file import Fit, UserFile, read_user_file
from pancommons.techniques.sans.user_toml import read_user_toml

Floats = NDArray[np.float64]
FLIGHT = PLANCK_OVER_NEUTRON_MASS * 1e-6
"""Metres that a neutron of 1 Angstrom flies in 1 us."""
_NARROWEST = 1e-6
_POINTS = 120
_THICKNESS = 10.0


@dataclass(frozen=True)
class Monochromatic:
    """What images and parameters give for a reduction; see `planning.Measurement`."""

    runs: dict[str, Run]
    instrument: Instrument
    user: UserFile
    direct: Curve
    flat_cell: Curve
    transmissions: dict[str, Transmission]
    fit: Fit
    scale: float
    warnings: tuple[str, ...]


def monochromatic(job: Job, parameters: SansParameters) -> Monochromatic:
    """Read the images of a job's roles.

    Raises
    ------
    BadInput
        If neither a file nor a parameter says what has to be known, or images do not fit together.
    """
    path = job.path("sample") or job.input
    sample = _completed(read_image(path), parameters)
    images = {"sample": sample}
    for role in ("can", "sample_transmission", "can_transmission", "direct"):
        given = job.path(role)
        if given is not None:
            images[role] = replace(
                read_image(given), wavelength=sample.wavelength, pixel=sample.pixel, distance=sample.distance
            )
            if images[role].counts.shape[1:] != sample.counts.shape[1:]:
                raise BadInput(
                    f"is an image of {_size(images[role])} pixels, the sample's has {_size(sample)}",
                    file=given, field=role, remedy="give images of one detector",
                )  # fmt: skip
    for role in ("direct_beam", "direct_beam_hab"):
        if job.path(role) is not None:
            raise BadInput("is of no use for images of one wavelength", file=job.path(role), field=role)
    if parameters.time_slices != "none" or parameters.bank not in ("auto", "rear"):
        what = "time slices" if parameters.time_slices != "none" else f"the bank {parameters.bank}"
        raise BadInput(f"an image of one wavelength has not {what}", file=path, remedy="leave that parameter out")
    warnings: list[str] = []
    if sample.monitor is None:
        warnings.append("No monitor was counted; the intensity is relative.")
    if parameters.thickness == "auto" and sample.thickness is None:
        warnings.append(f"No thickness of the sample is known; {_THICKNESS:g} mm is taken.")
    if sample.monitor is not None and any(images[role].monitor is None for role in images):
        raise BadInput(
            "has no counts of the monitor, the sample's image has", field="control/integral",
            file=next(image.path for image in images.values() if image.monitor is None),
            remedy="give images that all have them",
        )  # fmt: skip
    wavelength, edges = float(sample.wavelength or 0), _edges(sample)
    runs = {role: _run(image, edges) for role, image in images.items() if role in ("sample", "can")}
    thickness = sample.thickness or _THICKNESS if parameters.thickness == "auto" else float(parameters.thickness)
    user = _user(job, sample, parameters)
    return Monochromatic(
        runs=runs,
        instrument=_instrument(sample),
        user=replace(
            user, wavelength=Binning(float(edges[0]), float(edges[1]), float(edges[1] - edges[0])), gravity=False
        ),
        direct=Curve(wavelength * np.array([0.5, 1.0, 1.5]), np.ones(3), np.zeros(3)),
        flat_cell=_flat_cell(job, sample),
        transmissions=_transmissions(images, parameters, edges, warnings),
        fit=Fit("none", 0),
        scale=(user.scale if parameters.scale == "auto" else float(parameters.scale)) * 10 / thickness,
        warnings=tuple(warnings),
    )


def _size(image: Image) -> str:
    return " x ".join(str(size) for size in image.counts.shape[:0:-1])


def _completed(image: Image, parameters: SansParameters) -> Image:
    """Put parameters over what the file says, and make sure that nothing is missing."""
    if parameters.wavelength != "auto":
        image = replace(image, wavelength=float(parameters.wavelength))
    if parameters.wavelength_spread != "auto":
        image = replace(image, spread=float(parameters.wavelength_spread))
    if parameters.distance != "auto":
        image = replace(image, distance=float(parameters.distance))
    if parameters.pixel_size != "auto":
        words = [float(word) for word in parameters.pixel_size.split(",")]
        image = replace(image, pixel=(words[0], words[-1]))
    if parameters.centre not in ("auto", "find"):
        x, y = (float(word) for word in parameters.centre.split(","))
        image = replace(image, centre=(x, y))
    lacking = {
        "wavelength": (image.wavelength, "Angstrom"),
        "distance": (image.distance, "m"),
        "pixel-size": (image.pixel and min(image.pixel), "mm"),
    }
    for name, (value, unit) in lacking.items():
        if not value or value <= 0:
            raise BadInput(
                f"does not say the {name.replace('-', ' ')}", file=image.path, remedy=f"give --{name} in {unit}"
            )
    if image.centre is None:
        if parameters.centre == "find":
            assert image.pixel is not None  # noqa: S101 - see above
            rows, columns = image.counts.shape[1:]
            return replace(image, centre=(columns * image.pixel[0] / 2, rows * image.pixel[1] / 2))
        raise BadInput(
            "does not say where the beam meets the detector", file=image.path,
            remedy="give --centre X,Y in mm from the outer corner of the first pixel, or find",
        )  # fmt: skip
    return image


def _edges(image: Image) -> Floats:
    wavelength = float(image.wavelength or 0)
    half = max(_NARROWEST, (image.spread or 0.0) / np.sqrt(2)) * wavelength
    return np.array([wavelength - half, wavelength + half])


def _run(image: Image, edges: Floats) -> Run:
    frames, rows, columns = image.counts.shape
    whole = np.issubdtype(image.counts.dtype, np.integer)
    beam = 1.0 if image.monitor is None else image.monitor

    def read(frame: int) -> NDArray[np.int32]:
        pixels = image.counts[frame].reshape(-1, 1)
        kept = np.where(_broken(pixels), 0, pixels)
        return kept.astype(np.int32) if whole else kept.astype(np.float64)

    number = "".join(digit for digit in image.path.stem if digit.isdigit())
    return Run(
        path=image.path, entry="", instrument=image.instrument, number=int(number[-9:] or 0), title=image.title,
        start=image.start, edges=edges, periods=frames, monitors={1: np.full((frames, 1), beam / frames)},
        spectra=np.arange(1, rows * columns + 1), read=read,
        shape=SampleShape(0, image.thickness or 0.0, 0.0, 0.0), charge=None,
    )  # fmt: skip


def _broken(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where detectors write no counts but a mark: below zero, not a number, or the largest there is."""
    if np.issubdtype(pixels.dtype, np.integer):
        return np.asarray((pixels < 0) | (pixels >= min(np.iinfo(pixels.dtype).max, np.iinfo(np.int32).max)))
    return np.asarray(~np.isfinite(pixels.astype(np.float64)))


def _instrument(image: Image) -> Instrument:
    assert image.pixel is not None  # noqa: S101 - `_completed` looked
    assert image.distance is not None  # noqa: S101
    rows, columns = image.counts.shape[1:]
    row, column = np.divmod(np.arange(rows * columns), columns)
    wide, high = image.pixel[0] / 1e3, image.pixel[1] / 1e3
    bank = Bank(
        name="rear", title="detector", spectra=np.arange(1, rows * columns + 1), x=(column + 0.5) * wide,
        y=(row + 0.5) * high, z=image.distance, size=(wide, high, 0.0), moves=True, has_flat_cell=True,
        columns=columns, rows=rows,
    )  # fmt: skip
    side = min(rows * high, columns * wide) * 1e3
    return Instrument(
        name=image.instrument or "unnamed", facility="", sample_z=0.0, monitors={1: FLIGHT}, incident_monitor=1,
        transmission_monitor=1, most_transmission_spectra=0, monitor_prompt=None, centre_origin=(0.0, 0.0),
        centre_step=1.0, centre_radius=(side / 12, side / 2.5), collimation=1.0, source_aperture=0.0,
        moderator_spread=0.0, banks={"rear": bank}, monochromatic=True,
    )  # fmt: skip


def _user(job: Job, image: Image, parameters: SansParameters) -> UserFile:
    """Read masks and bins from a user file where there is one; its centre gives way to the image's."""
    path = job.path("user_file")
    user = UserFile(image.path)
    if path is not None:
        user = read_user_toml(path) if path.suffix.lower() == ".toml" else read_user_file(path)
    return replace(user, centre=image.centre, bank="rear", q=user.q or _bins(image, user, parameters))


def _bins(image: Image, user: UserFile, parameters: SansParameters) -> Binning:
    """Return bins from the first pixel beside the beam, or the inner radius, to the farthest corner."""
    assert image.pixel is not None  # noqa: S101 - `_completed` looked
    assert image.centre is not None  # noqa: S101
    rows, columns = image.counts.shape[1:]
    far = np.hypot(*(
        max(abs(place), abs(size - place))
        for place, size in zip(image.centre, (columns * image.pixel[0], rows * image.pixel[1]), strict=True)
    ))  # fmt: skip
    near = max(image.pixel[0], user.radius[0] if user.radius else 0.0)
    if parameters.radius_range != "auto":
        low, high = (float(word) for word in parameters.radius_range.split(":"))
        near, far = max(near, low), min(far, high)
    low, high = (
        4 * np.pi / float(image.wavelength or 1) * np.sin(np.arctan(radius / 1e3 / float(image.distance or 1)) / 2)
        for radius in (near, far)
    )
    if not low < high:
        raise BadInput("leaves no pixel between its radii", file=image.path, field="radius-range")
    return Binning(float(low), float(high), float((high / low) ** (1 / _POINTS) - 1), log=True)


def _flat_cell(job: Job, sample: Image) -> Curve:
    """Return the relative efficiency by pixel, 0 where a pixel is broken: from an image, or the same everywhere."""
    path = job.path("flat_cell")
    values = np.ones(sample.counts[0].size)
    error = np.zeros(values.size)
    if path is not None:
        flat = read_image(path)
        if flat.counts.shape[1:] != sample.counts.shape[1:]:
            raise BadInput(
                f"is an image of {_size(flat)} pixels, the sample's has {_size(sample)}", file=path, field="flat_cell",
                remedy="give images of one detector",
            )  # fmt: skip
        total = np.where(_broken(flat.counts), 0, flat.counts).sum(axis=0, dtype=np.float64).ravel()
        mean = float(total[total > 0].mean()) if np.any(total > 0) else 0.0
        if mean <= 0:
            raise BadInput("holds no counts", file=path, field="flat_cell", remedy="give an image of a flat scatterer")
        values, error = total / mean, np.sqrt(np.maximum(total, 0)) / mean
    values = np.where(_broken(sample.counts).any(axis=0).ravel(), 0.0, values)
    return Curve(np.arange(1.0, values.size + 1), values, error)


def _transmissions(
    images: dict[str, Image], parameters: SansParameters, edges: Floats, warnings: list[str]
) -> dict[str, Transmission]:
    found = {}
    numbers = {"sample": parameters.transmission_value, "can": parameters.can_transmission_value}
    for name, given in numbers.items():
        if name not in images:
            continue
        through, direct = images.get(f"{name}_transmission"), images.get("direct")
        if given != "auto":
            value, error = float(given), 0.0
        elif through is not None:
            if direct is None:
                raise BadInput(
                    "the input 'direct' is missing, against which a transmission is measured", file=through.path,
                    remedy="give direct=PATH, the image of the beam without sample or can",
                )  # fmt: skip
            value, error = _measured(through, direct)
        elif images[name].transmission is not None:
            value, error = float(images[name].transmission or 0), 0.0
        else:
            warnings.append(f"No transmission of the {name} was given; it is taken to be 1.")
            continue
        not_above_one(value, error, images[name].path if through is None else through.path, "the direct beam")
        found[name] = Transmission(edges, np.array([value]), np.array([max(error, 1e-9) ** 2]))
    return found


def _measured(through: Image, direct: Image) -> tuple[float, float]:
    """Return the transmission, beam with sample over beam without, per monitor count, and its standard error."""
    counts = [float(np.where(_broken(one.counts), 0, one.counts).sum(dtype=np.float64)) for one in (through, direct)]
    for total, image in zip(counts, (through, direct), strict=True):
        if total <= 0:
            raise BadInput("holds no counts", file=image.path, remedy="give an image of the beam")
    value = counts[0] / counts[1] * (direct.monitor or 1.0) / (through.monitor or 1.0)
    return value, value * float(np.sqrt(1 / counts[0] + 1 / counts[1]))
