"""The angle of each projection, from whatever a scan file says about it, and whether it can be right."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.nexus.read import number, numbers
from pancommons.techniques.tomography.geometry.angles import MISSING_GAPS, MISSING_RANGE
from pancommons.techniques.tomography.reading.layouts import Match
from pancommons.techniques.tomography.reading.scan import turned

FEWEST = 3
_REMEDY_INTERRUPTED = "the scan was probably interrupted: repair the file or cut it to the frames it has"


def projection_angles(
    path: Path, file: h5py.File, match: Match, projections: NDArray[np.int64], frames: int
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the angle of each projection and what is remarkable about them.

    Parameters
    ----------
    path, file, match
        The scan file, open, and its layout.
    projections
        int64 [projection]: the indices of the projections among the frames.
    frames
        The number of frames, flats and darks included.

    Returns
    -------
    angles
        float64 [projection], radians.
    warnings
        Sentences: an unusual span, a repeated end, angles that had to be assumed.

    Raises
    ------
    BadInput
        If there are no angles and the layout has no rule for that, they do not match the frames, one is no
        number, or there are fewer than three.
    """
    count, place = len(projections), match.find(file, "angles")
    if count < FEWEST:
        raise BadInput(f"has {count} projections, where {FEWEST} are the least", file=path, field=match.entry)
    recorded = _recorded(file, match, place)
    if recorded is None:
        angles, warnings = _assumed(path, file, match, count)
        return angles, warnings + remarks(angles)
    angles, warnings = recorded
    if len(angles) not in (frames, count):
        problem = f"has {len(angles)} angles for {frames} frames with {count} projections"
        raise BadInput(problem, file=path, field=place, remedy=_REMEDY_INTERRUPTED)
    if len(angles) == frames:
        angles = angles[projections]
    if wrong := int((~np.isfinite(angles)).sum()):
        raise BadInput(f"{wrong} of {count} angles are no numbers", file=path, field=place)
    return angles, warnings + remarks(angles)


def _recorded(file: h5py.File, match: Match, place: str | None) -> tuple[NDArray[np.float64], list[str]] | None:
    measured = numbers(file, place, match.layout.units.get("angles", "degree")) if place else None
    if measured is None or measured.values.size == 0:
        return None
    converted = measured.to("radian") if measured.unit else None
    if converted is not None:
        return converted.ravel(), []
    warning = f"The unit of the angles, {measured.unit!r}, is not understood; they are taken as degrees."
    return np.deg2rad(measured.values.ravel()), [warning] if measured.unit else []


def _assumed(path: Path, file: h5py.File, match: Match, count: int) -> tuple[NDArray[np.float64], list[str]]:
    """Space the projections equally: from start and step where the file has these, else over a half turn."""

    def quantity(name: str, unit: str, default: str) -> float | None:
        default = match.layout.units.get(name, default)
        found = (number(file, candidate, unit, default) for candidate in match.candidates(name))
        return next((value for value in found if value is not None), None)

    step, planned = quantity("rotation_step", "radian", "degree"), quantity("rotation_count", "", "")
    if step:
        if planned is not None and round(planned) != count:
            raise BadInput(
                f"plans {round(planned)} angles, but there are {count} projections and no record of theirs",
                file=path,
                field=match.find(file, "rotation_count"),
                remedy="write the angles into the file, in degrees",
            )
        start = quantity("rotation_start", "radian", "degree") or 0.0
        spaced = start + step * np.arange(count, dtype=np.float64)
        return spaced, ["The angles are not recorded; start and step are used."]
    if match.layout.angles_missing == "half turn":
        assumed = "equally spaced from 0 to 180 degrees, both included"
        return np.linspace(0.0, np.pi, count), [f"The angles are not recorded; they are taken as {assumed}."]
    raise BadInput(
        "has no rotation angles",
        file=path,
        field=next(iter(match.candidates("angles")), match.entry),
        remedy="write them there in degrees, or name their place in a layout of the configuration",
    )


def remarks(angles: NDArray[np.float64]) -> list[str]:
    """Say what is unusual about angles: their span, ranges that are missing, repeated ones."""
    steps = np.abs(np.diff(angles))
    step, direct = float(np.median(steps)), abs(float(angles[-1] - angles[0]))
    if step == 0:
        return ["Most projections have the same angle as the one before."]
    found, tolerance = [], max(0.6 * step, np.deg2rad(0.5))
    turn = min((np.pi, 2 * np.pi), key=lambda turn: abs(turned(angles) - turn))
    if min(abs(turned(angles) - turn), abs(direct - turn)) > tolerance:
        guess = " (are the angles in radians?)" if 3.0 < np.rad2deg(direct) < 6.5 else ""
        found.append(f"The projections span {np.rad2deg(direct):.6g} degrees, not 180 or 360{guess}.")
    for start in np.flatnonzero(steps > max(MISSING_GAPS * step, MISSING_RANGE)):
        left, right = np.rad2deg(angles[start : start + 2])
        found.append(f"There are no projections between {left:.6g} and {right:.6g} degrees.")
    if again := int((steps < step / 100).sum()):
        found.append(f"{again} projections have the same angle as the one before.")
    return found
