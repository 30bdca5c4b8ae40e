"""How runs are reduced: what the parameters say, and where they say nothing, the user file and the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import Binning
from pancommons.techniques.sans.detector import Sector
from pancommons.techniques.sans.instrument import Instrument
from pancommons.techniques.sans.pipeline import SansParameters
from pancommons.techniques.sans.reduction import Recipe, absolute_scale
from pancommons.techniques.sans.resolution import Collimation
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.user_file import Fit, UserFile


def banks_of(parameters: SansParameters, user: UserFile) -> tuple[str, ...]:
    """Return the names of the banks to reduce."""
    wanted = user.bank if parameters.bank == "auto" else parameters.bank
    return ("rear", "hab") if wanted == "merged" else (wanted,)


def recipe_of(parameters: SansParameters, user: UserFile, geometry: Instrument, sample: Run) -> Recipe:
    """Settle how runs are reduced.

    Raises
    ------
    BadInput
        If neither says the wavelengths or the bins, or what they say makes no sense.
    """
    wavelength = user.wavelength
    if wavelength is None:
        raise BadInput("does not say the wavelengths", file=user.path, remedy="add a line L/WAV LOW HIGH STEP/LOG")
    if parameters.wavelength_range != "auto" and not geometry.monochromatic:
        low, high = ordered(parameters.wavelength_range, "wavelength-range")
        if low <= 0:
            raise BadInput(f"{parameters.wavelength_range!r} begins at 0", field="wavelength-range")
        wavelength = replace(wavelength, low=low, high=high)
    edges = wavelength.edges()
    bands = parameters.wavelength_bands
    if bands > edges.size - 1:
        raise BadInput(f"there are {edges.size - 1} wavelengths, too few for {bands} bands", field="wavelength-bands")
    q = user.q if parameters.q_binning == "auto" else _bins(parameters.q_binning)
    if q is None:
        raise BadInput("does not say the bins of Q", file=user.path, remedy="add a line L/Q, or give --q-binning")
    if parameters.radius_range != "auto":
        user = replace(user, radius=ordered(parameters.radius_range, "radius-range"))
    return Recipe(
        user=user,
        instrument=geometry,
        wavelengths=edges,
        band=np.arange(edges.size - 1) * bands // (edges.size - 1),
        q_edges=q.edges(),
        qxy_edges=_plane(parameters, user),
        centre=_centre(parameters, user),
        gravity=(user.gravity if parameters.gravity == "auto" else parameters.gravity == "on")
        and not geometry.monochromatic,
        sector=_sector(parameters, user),
        collimation=_collimation(parameters, user, geometry, sample),
    )


def ordered(text: str, field: str) -> tuple[float, float]:
    """Read ``LOW:HIGH``, the lower first, or refuse it in the name of a parameter."""
    low, high = (float(part) for part in text.split(":"))
    if not low < high:
        raise BadInput(f"{text!r} is no range", field=field, remedy="write LOW:HIGH, the lower first")
    return low, high


def _bins(text: str) -> Binning:
    low, high, step = (float(part) for part in text.rstrip("%").split(":"))
    log = text.endswith("%")
    if not low < high or step <= 0 or (log and low <= 0) or (high - low) / step > 1e5:
        raise BadInput(f"{text!r} makes no bins", field="q-binning", remedy="write LOW:HIGH:WIDTH or LOW:HIGH:GROWTH%")
    return Binning(low, high, step / 100 if log else step, log)


def _plane(parameters: SansParameters, user: UserFile) -> np.ndarray | None:
    if parameters.qxy_binning == "none":
        return None
    if parameters.qxy_binning == "auto":
        if user.qxy is None:
            raise BadInput("does not say the cells in Qx and Qy", file=user.path, remedy="add a line L/QXY")
        high, step = user.qxy.high, user.qxy.step
    else:
        high, step = (float(part) for part in parameters.qxy_binning.split(":"))
    half = round(high / step) if step > 0 else 0
    if not 1 <= half <= 1000:
        raise BadInput(
            f"{high:g} in cells of {step:g} makes no pattern", field="qxy-binning", remedy="write HIGH:WIDTH"
        )
    return np.arange(-half, half + 1) * step


def _centre(parameters: SansParameters, user: UserFile) -> tuple[float, float] | None:
    if parameters.centre in ("auto", "find"):
        return user.centre
    x, y = (float(part) for part in parameters.centre.split(","))
    return x, y


def _sector(parameters: SansParameters, user: UserFile) -> Sector | None:
    if parameters.sector == "all" or (parameters.sector == "auto" and user.phi is None):
        return None
    if parameters.sector == "auto":
        assert user.phi is not None  # noqa: S101 - see above
        return Sector(*user.phi, user.phi_mirror)
    start, stop = (float(part) for part in parameters.sector.split(":"))
    return Sector(start, stop, parameters.mirror_sector)


def _collimation(parameters: SansParameters, user: UserFile, geometry: Instrument, sample: Run) -> Collimation:
    def chosen(given: float | str, users: float | None, usual: float) -> float:
        return given if not isinstance(given, str) else usual if users is None else users

    shape = sample.shape
    own = 2 * float(np.sqrt(shape.area / np.pi)) if shape.area > 0 else 0.0 if geometry.monochromatic else 10.0
    return Collimation(
        source=chosen(parameters.source_aperture, user.source_aperture, geometry.source_aperture) / 1e3,
        sample=chosen(parameters.sample_aperture, user.sample_aperture, own) / 1e3,
        length=chosen(parameters.collimation, user.collimation, geometry.collimation),
        moderator=chosen(parameters.moderator_spread, None, geometry.moderator_spread) / 1e6,
    )


def fit_of(text: str, user: Fit) -> Fit:
    """Return the fit of a transmission that a parameter names; the user file's where it is auto."""
    if text == "auto":
        return user
    if text.startswith("polynomial"):
        return Fit("polynomial", int(text[-1]), user.range)
    return Fit("polynomial", 1, user.range) if text == "linear" else Fit(text, 1, user.range)


def scale_of(parameters: SansParameters, user: UserFile, geometry: Instrument, sample: Run) -> float:
    """Return what counts over norm are multiplied by to give 1/cm; `sample` says its size where no parameter does."""
    sizes = {}
    for name, own, unit in (("area", sample.shape.area, "mm^2"), ("thickness", sample.shape.thickness, "mm")):
        given = getattr(parameters, name)
        sizes[name] = own if given == "auto" else float(given)
        if not sizes[name] > 0:
            raise BadInput(
                f"the run does not say the {name} of the sample", file=sample.path, remedy=f"give --{name} in {unit}"
            )
    return absolute_scale(
        user.scale if parameters.scale == "auto" else float(parameters.scale), **sizes, over_pi=geometry.scale_over_pi
    )
