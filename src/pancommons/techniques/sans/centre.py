"""Finding where the beam meets the detector: scattering on opposite sides of the beam must be the same.

The rear bank is cut into quarters to the right and left of the beam, above and below it. For a trial centre, I(Q) of
opposite quarters is compared bin by bin; the centre is where the sum of squared differences is least, first along x and
y on a grid that gets finer, then at the bottom of a paraboloid through the last looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.detector import Sector
from pancommons.techniques.sans.merge import Curve, curve_of
from pancommons.techniques.sans.planning import Measurement
from pancommons.techniques.sans.reduction import reduce_run, weigh_pixels, weigh_wavelengths
from pancommons.techniques.sans.transmission import fitted

Floats = NDArray[np.float64]
_RINGS = 40
_ROUNDS = 12
_FIRST_STEP = 4.0
_OUTER = 240.0
"""Radius, mm, up to which all quarters lie on the detector."""


@dataclass(frozen=True)
class BeamCentre:
    """Where the beam was found.

    Attributes
    ----------
    centre
        In the user file's coordinates, mm.
    confidence
        From 0 to 1.
    error
        Standard errors of both, mm.
    method
        How it was found.
    looks
        float64 [4, look]: trial x, misfit, trial y, misfit, through the centre found.
    """

    centre: tuple[float, float]
    confidence: float
    error: tuple[float, float]
    method: str
    looks: Floats


def find_centre(made: Measurement) -> BeamCentre:
    """Find the beam's centre on the rear bank from the sample's run, starting from the user file's centre.

    Raises
    ------
    BadInput
        If the rear bank is not reduced, or the search runs away.
    """
    look = _Look(made)
    start = made.recipe.centre or made.recipe.instrument.centre_origin
    at = np.array(start, np.float64)
    step = _FIRST_STEP
    for _ in range(_ROUNDS):
        move = np.zeros(2)
        for axis in (0, 1):
            trial = [at + sign * step * np.eye(2)[axis] for sign in (-1, 0, 1)]
            low, middle, high = (look.misfit(one)[axis] for one in trial)
            bend = low - 2 * middle + high
            move[axis] = (
                float(np.clip(0.5 * (low - high) / bend, -1, 1)) * step if bend > 0 else (-step if low < high else step)
            )
        at = at + move
        if np.any(np.abs(at - start) > 40):
            raise BadInput(
                "the search for the beam's centre ran away from the user file's", field="centre", remedy="give X,Y"
            )
        step = max(0.25, step / 2)
        if np.all(np.abs(move) < 1e-3) and step <= 0.25:
            break
    return _described(look, at)


def _described(look: _Look, at: Floats) -> BeamCentre:
    offsets = np.linspace(-3, 3, 13)
    rows, errors, noises = [], [], []
    for axis in (0, 1):
        misfits = np.array([look.misfit(at + offset * np.eye(2)[axis])[axis] for offset in offsets])
        bend = np.polyfit(offsets[4:9], misfits[4:9], 2)[0]
        errors.append(float(np.sqrt(1 / max(bend, 1e-12))))
        noises.append(float(misfits[6] / look.freedom[axis]))
        rows += [at[axis] + offsets, misfits / look.freedom[axis]]
    sharpness = 1 / (1 + max(errors) / 0.5)
    agreement = 1 / (1 + max(0.0, max(noises) - 1) / 10)
    return BeamCentre(
        (float(at[0]), float(at[1])),
        float(sharpness * agreement),
        (errors[0], errors[1]),
        "opposite quarters of the rear bank agree",
        np.stack(rows),
    )


class _Look:
    """Compares opposite quarters of the rear bank for trial centres."""

    def __init__(self, made: Measurement) -> None:
        if "rear" not in made.banks:
            raise BadInput(
                "the beam's centre is found on the rear bank, which is not reduced", field="centre",
                remedy="use --bank rear or merged",
            )  # fmt: skip
        self._made, self._bank = made, made.recipe.instrument.banks["rear"]
        measured = made.transmissions.get("sample")
        through = None if measured is None else fitted(measured, made.fits["sample"], made.recipe.wavelengths)
        self._beam = weigh_wavelengths(made.sample, 0, made.recipe, made.direct["rear"], through)
        low, high = self._rings()
        self._q = np.geomspace(low, high, _RINGS + 1)
        self.freedom = [1, 1]

    def _rings(self) -> tuple[float, float]:
        """Return the Q between which a quarter of the bank is seen whole at the middle wavelength."""
        recipe = self._made.recipe
        wavelength = float(np.median(recipe.wavelengths))
        distance = self._bank.z - recipe.instrument.sample_z
        inner = (recipe.user.radius[0] if recipe.user.radius else 40.0) + 15.0
        scale = 2 * np.pi / wavelength / 1e3 / distance
        return inner * scale, _OUTER * scale

    def misfit(self, centre: Floats) -> tuple[float, float]:
        """Return the squared differences over their variance, right to left and above to below."""
        totals = []
        for axis, opposite in enumerate(((-45.0, 135.0), (45.0, 225.0))):
            curves = [self._quarter(centre, start) for start in opposite]
            use = curves[0].measured & curves[1].measured
            error = np.hypot(curves[0].error, curves[1].error)
            self.freedom[axis] = max(1, int(np.count_nonzero(use)))
            totals.append(float(np.sum(((curves[0].intensity - curves[1].intensity) / error)[use] ** 2)))
        return totals[0], totals[1]

    def _quarter(self, centre: Floats, start: float) -> Curve:
        made = self._made
        recipe = replace(
            made.recipe,
            centre=(float(centre[0]), float(centre[1])),
            sector=Sector(start, start + 90, mirror=False),
            q_edges=self._q,
            band=np.zeros_like(made.recipe.band),
        )
        weighted = weigh_pixels(self._bank, recipe, made.flat_cell)
        sums = reduce_run(made.sample, 0, self._bank, recipe, weighted, self._beam)
        return curve_of(sums[:, 0], 1.0)
