"""What of the sample a scan sees, and about which line it turned: full or half field, upright or leaning axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.geometry.opposite import looks_half
from pancommons.techniques.tomography.geometry.stitching import extent
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.scan import Scan

_WHOLE_TURN = 1.9 * np.pi
_OFF = 0.125


@dataclass(frozen=True)
class View:
    """The field that slices are made of.

    Attributes
    ----------
    half
        Whether the two halves of a full turn are joined to it.
    begin
        Columns that it has before the detector's first.
    width
        Columns of it, and rows and columns of a slice.
    """

    half: bool
    begin: int
    width: int


def field_of_view(parameters: TomographyParameters, scan: Scan) -> Literal["full", "half"]:
    """Decide between a full and a half acquisition: as told, as the file says, by the centre, by the projections.

    Raises
    ------
    BadInput
        Half is wanted of less than a full turn.
    """
    given = parameters.field_of_view
    if scan.span < _WHOLE_TURN:
        if given == "half":
            raise BadInput(
                f"a half acquisition turns through 360 degrees, this scan through {np.rad2deg(scan.span):.4g}",
                file=scan.path,
                field="field_of_view",
                remedy="give full",
            )
        return "full"
    if given != "auto":
        return given
    if scan.field_of_view is not None:
        return "half" if scan.field_of_view == "Half" else "full"
    centre = parameters.centre if parameters.centre != "auto" else scan.centre_hint
    if centre is not None:
        return "half" if abs(centre - (scan.columns - 1) / 2) > _OFF * scan.columns else "full"
    return "half" if looks_half(scan) else "full"


def widest(half: bool, columns: int) -> int:
    """Return the largest width that a slice can have."""
    return 2 * columns if half else columns


def view_of(job: Job, scan: Scan, centres: list[float]) -> View:
    """Return the field about one axis, or one that suits several."""
    if job.facts.get("field_of_view") != "half":
        return View(False, 0, scan.columns)
    aside = abs(float(shifts_of(job, scan, [0])[0]))
    begin, width = extent(scan.columns, min(centres) - aside, max(centres) + aside)
    return View(True, begin, width)


def tilt_of(job: Job) -> float:
    """Return the tilt of the axis, radians; 0 while it is not found yet."""
    tilt: Any = job.value("tilt")
    return 0.0 if tilt == "auto" else float(np.deg2rad(tilt))


def shifts_of(job: Job, scan: Scan, rows: ArrayLike) -> NDArray[np.float64]:
    """Return float64 [row]: how far right of its column in the middle row the axis lies, pixels."""
    shifts: NDArray[np.float64] = (np.asarray(rows, np.float64) - (scan.rows - 1) / 2) * np.tan(tilt_of(job))
    return shifts
