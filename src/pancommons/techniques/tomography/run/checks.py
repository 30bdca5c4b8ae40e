"""What is refused before a run begins: what the scan cannot give, and what does not go together."""

from __future__ import annotations

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.geometry.axis import FEWEST_ROWS, STEEPEST
from pancommons.techniques.tomography.geometry.opposite import has_opposite
from pancommons.techniques.tomography.pipeline import TomographyParameters
from pancommons.techniques.tomography.reading.scan import Scan
from pancommons.techniques.tomography.rings import FEWEST
from pancommons.techniques.tomography.run.asked import search_range, tried_centres


def check_light(scan: Scan) -> None:
    """Refuse flats that are not brighter than the darks, judging by one frame of each."""
    frames = next((frames for frames in scan.flats if frames.stack is not None), None)
    if frames is None or frames.stack is None:
        return
    flat = frames.stack.read(frames.frames[:1])[0].astype(np.float64)
    dark = 0.0
    if scan.darks:
        first = scan.darks[0]
        dark = first.level or 0.0 if first.stack is None else first.stack.read(first.frames[:1])[0].astype(np.float64)
    bright = float(np.mean(flat > dark))
    if bright < 0.5:
        raise BadInput(
            f"the flat fields are not above the dark fields in {100 * (1 - bright):.3g} % of the pixels",
            file=frames.stack.files[0],
            field=frames.stack.inside or None,
            remedy="check which frames are flats, or name a file that has good ones with flats=FILE",
        )


def check_centre(parameters: TomographyParameters, scan: Scan) -> None:
    """Refuse centres, given, to try or to search between, that are off the detector."""
    given = [parameters.centre] if isinstance(parameters.centre, float | int) else []
    for centre in [*given, *tried_centres(parameters)]:
        if not 0 <= centre <= scan.columns - 1:
            raise BadInput(
                f"{centre:g} lies outside the detector's columns 0 to {scan.columns - 1}",
                file=scan.path,
                field="try_centres" if parameters.try_centres else "centre",
            )
    if parameters.centre_range != "auto":
        start, stop = search_range(parameters, scan.columns)
        if start is None or stop is None or not 0 <= start < stop <= scan.columns - 1:
            raise BadInput(
                f"{parameters.centre_range!r} lies outside the columns 0:{scan.columns - 1}",
                field="centre_range",
            )


def check_tilt(parameters: TomographyParameters, scan: Scan) -> None:
    """Refuse tilts that are too steep, and to look for one where no projections are half a turn apart."""
    tilt = parameters.tilt
    if tilt != "auto" and not abs(tilt) <= np.rad2deg(STEEPEST):
        raise BadInput(
            f"a tilt of {tilt:g} degrees is more than {np.rad2deg(STEEPEST):.0f} either way", field="tilt",
            remedy="turn the projections before",
        )  # fmt: skip
    if tilt == "auto" and scan.rows < FEWEST_ROWS:
        raise BadInput(
            f"{scan.rows} rows are too few to find a tilt in, {FEWEST_ROWS} are the least",
            file=scan.path,
            field="tilt",
            remedy="give it in degrees",
        )
    if tilt == "auto" and not has_opposite(scan.angles):
        raise BadInput(
            "no two projections lie half a turn apart, which a tilt is found from",
            file=scan.path,
            field="tilt",
            remedy="give it in degrees",
        )


def check_rings(parameters: TomographyParameters, scan: Scan) -> None:
    """Refuse to remove rings where there are too few projections or columns to tell them from the sample."""
    if parameters.rings == "none":
        return
    for count, name in ((scan.count, "projections"), (scan.columns, "columns")):
        if count < FEWEST:
            raise BadInput(
                f"{count} {name} are too few to tell rings from the sample, {FEWEST} are the least",
                file=scan.path,
                field="rings",
                remedy="give none",
            )


def check_tries(parameters: TomographyParameters) -> None:
    """Refuse a volume in several resolutions where slices of one row lie upon each other."""
    if parameters.zarr and parameters.try_centres:
        raise BadInput(
            "slices of one row at several centres are no volume", field="zarr", remedy="leave it out with --try-centres"
        )
