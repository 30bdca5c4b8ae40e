"""What is asked for: the parameters of a run, in numbers that fit the scan."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from pancommons.base.errors import BadInput
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.scan import Scan


def parameters_of(job: Job) -> TomographyParameters:
    """Return a job's parameters as what they are."""
    assert isinstance(job.parameters, TomographyParameters)  # noqa: S101 - the registry made them
    return job.parameters


def row_range(parameters: TomographyParameters, scan: Scan) -> tuple[int, int]:
    """Return the first row and the one after the last."""
    start, _, stop = parameters.rows.partition(":")
    first, last = int(start or 0), int(stop or scan.rows)
    if not 0 <= first < last <= scan.rows:
        raise BadInput(
            f"{parameters.rows!r} lies outside the detector's rows 0:{scan.rows}",
            file=scan.path,
            field="rows",
        )
    return first, last


def region_of(parameters: TomographyParameters, columns: int) -> tuple[int, int, int, int]:
    """Return the part of a slice to keep: y0, y1, x0, x1."""
    if parameters.region is None:
        return 0, columns, 0, columns
    (x0, x1), (y0, y1) = (
        (int(start or 0), int(stop or columns))
        for start, _, stop in (axis.partition(":") for axis in parameters.region.split(","))
    )
    if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= columns):
        raise BadInput(f"{parameters.region!r} lies outside the slices of {columns} x {columns} pixels", field="region")
    return y0, y1, x0, x1


def limits_of(parameters: TomographyParameters) -> tuple[float, float] | None:
    """Return the attenuation at 0 and at 65535 of uint16, or None where the data decide."""
    if parameters.limits == "auto":
        return None
    low, high = (float(value) for value in parameters.limits.split(":"))
    if not -inf < low < high < inf:
        raise BadInput(f"{parameters.limits!r} is no range", field="limits", remedy="write LOW:HIGH, the lower first")
    return low, high


def tried_centres(parameters: TomographyParameters) -> list[float]:
    """Return the centres to try, or none."""
    text = parameters.try_centres
    if text is None:
        return []
    if "," in text or ":" not in text:
        return list(dict.fromkeys(float(value) for value in text.split(",")))
    start, stop, *step = (float(value) for value in text.split(":"))
    width = step[0] if step else 1.0
    count = int((stop - start) / width + 1.0001) if width > 0 else 0
    if not 0 < count <= 200:
        raise BadInput(
            f"{text!r} gives {max(0, count)} centres",
            field="try_centres",
            remedy="write START:STOP:STEP with 1 to 200",
        )
    return list(dict.fromkeys(round(start + index * width, 6) for index in range(count)))


def search_range(parameters: TomographyParameters, columns: int) -> tuple[float | None, float | None]:
    """Return the columns between which to look for the centre; None for where it is usually found."""
    if parameters.centre_range == "auto":
        return None, None
    start, _, stop = parameters.centre_range.partition(":")
    return float(start or 0), float(stop or columns - 1)


def works_on_frames(parameters: TomographyParameters) -> bool:
    """Tell whether a correction needs whole frames, and not just rows."""
    changed = parameters.phase != "none" or parameters.air != "none" or parameters.tilt != 0
    return changed or parameters.zingers > 0


def air_of(parameters: TomographyParameters, scan: Scan, found: str | None = None) -> tuple[int, int, int, int] | None:
    """Return the area of air as x0, x1, y0, y1; None where there is none, or none yet.

    Raises
    ------
    BadInput
        It lies outside the detector.
    """
    text = found or parameters.air
    if text in ("none", "auto"):
        return None
    across, _, down = text.partition(",")
    edges = []
    for span, size in ((across, scan.columns), (down or ":", scan.rows)):
        start, _, stop = span.partition(":")
        edges += [int(start or 0), int(stop or size)]
        if not 0 <= edges[-2] < edges[-1] <= size:
            raise BadInput(
                f"{text!r} lies outside the detector's {scan.columns} columns and {scan.rows} rows",
                file=scan.path,
                field="air",
            )
    return edges[0], edges[1], edges[2], edges[3]


@dataclass(frozen=True)
class Propagation:
    """What Paganin's filter needs: metres, metres, keV, and delta over beta."""

    pixel_size: float
    distance: float
    energy: float
    delta_beta: float


def propagation_of(parameters: TomographyParameters, scan: Scan) -> Propagation | None:
    """Return what phase retrieval is done with, from the parameters and else from the scan; None without any.

    Raises
    ------
    BadInput
        Something is said nowhere.
    """
    if parameters.phase == "none":
        return None
    values = {}
    for name, scale in (("pixel_size", 1e-6), ("distance", 1e-3), ("energy", 1.0)):
        given, read = getattr(parameters, name), getattr(scan, name)
        if given == "auto" and not read:
            raise BadInput(
                f"phase retrieval needs the {name.replace('_', ' ')}, which the scan does not say",
                file=scan.path,
                field=name,
                remedy=f"give --{name.replace('_', '-')}",
            )
        values[name] = read if given == "auto" else given * scale
    return Propagation(delta_beta=parameters.delta_beta, **values)
