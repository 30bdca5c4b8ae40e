"""Finding where the beam meets the detector: scattering on opposite sides of the beam must be the same.

The rear bank is cut into quarters to the right and left of the beam, above and below it. For a trial centre, I(Q) of
opposite quarters is compared bin by bin. There are two ways to go on from there.

`find_centre` with "fit" weights each squared difference by its variance, which makes the sum a chi square, and goes to
the bottom of a paraboloid through looks some millimetres wide. Pixels are large (5 mm): as the centre moves they jump
from bin to bin and from quarter to quarter, and the sum is ragged on the scale of a tenth of a millimetre. A paraboloid
that is wider than that is what finds the centre of known scattering, and its curvature is the standard error.

With "walk" it does what the instrument's users know from Mantid: differences of the curves, the can taken away, are
squared and added without weights over the user file's bins of Q, in the ring of the detector and with the first step
that the instrument's published parameters give; both coordinates take a step at once, and each turns round with half
the step when its own sum grew, until both steps are an eighth of a millimetre. The sum is that of a few bins at low Q,
where the scattering is strongest, and the walk ends in one of its ragged hollows; so its result is that of Mantid on
the same run, and no better than some tenths of a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.detector import Sector, pixels_of
from pancommons.techniques.sans.merge import Curve, curve_of, less
from pancommons.techniques.sans.planning import Measurement
from pancommons.techniques.sans.reduction import reduce_run, weigh_pixels, weigh_wavelengths
from pancommons.techniques.sans.transmission import fitted

Floats = NDArray[np.float64]
_OPPOSITE = ((-45.0, 135.0), (45.0, 225.0))
_RINGS = 40
_ROUNDS = 12
_FIRST_STEP = 4.0
_LAST_STEP = 0.1251
_MOST_STEPS = 10
_WHOLE = 0.98
"""Part of the distance from the beam to the nearest edge of the bank within which a quarter is seen whole."""


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


def find_centre(made: Measurement, how: str = "fit") -> BeamCentre:
    """Find the beam's centre on the rear bank from the sample's run, starting from the user file's centre.

    Parameters
    ----------
    made
        The measurement; its can counts for "walk" only.
    how
        ``fit`` or ``walk``, see above.

    Raises
    ------
    BadInput
        If the rear bank is not reduced, or the search runs away.
    """
    look = _Look(made)
    start = np.array(made.recipe.centre or made.recipe.instrument.centre_origin, np.float64)
    if how == "walk":
        at = _walk(look, start)
        method = f"opposite quarters of the rear bank, unweighted, in steps of {_LAST_STEP:.3f} mm at last"
        return _described(look, at, method, least_error=_LAST_STEP)
    return _described(look, _bottom(look, start), "opposite quarters of the rear bank agree")


def _bottom(look: _Look, start: Floats) -> Floats:
    at: Floats = start
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
        _near(at, start)
        step = max(_FIRST_STEP / 2, step / 2)
        if np.all(np.abs(move) < 1e-3):
            break
    return at


def _walk(look: _Look, start: Floats) -> Floats:
    step = np.full(2, look.first_step)
    before = look.residue(start)
    at: Floats = start + step
    for _ in range(_MOST_STEPS):
        now = look.residue(at)
        step = np.where(now > before, -step / 2, step)
        if np.all(np.abs(step) < _LAST_STEP):
            break
        before, at = now, at + step
        _near(at, start)
    return at


def _near(at: Floats, start: Floats) -> None:
    if np.any(np.abs(at - start) > 40):
        raise BadInput(
            "the search for the beam's centre ran away from the user file's", field="centre", remedy="give X,Y"
        )


def _described(look: _Look, at: Floats, method: str, least_error: float = 0.0) -> BeamCentre:
    offsets = np.linspace(-3, 3, 13)
    rows, errors, noises = [], [], []
    for axis in (0, 1):
        misfits = np.array([look.misfit(at + offset * np.eye(2)[axis])[axis] for offset in offsets])
        bend = np.polyfit(offsets, misfits, 2)[0]
        errors.append(max(least_error, float(np.sqrt(1 / max(bend, 1e-12)))))
        noises.append(float(misfits[6] / look.freedom[axis]))
        rows += [at[axis] + offsets, misfits / look.freedom[axis]]
    sharpness = 1 / (1 + max(errors) / 0.5)
    agreement = 1 / (1 + max(0.0, max(noises) - 1) / 10)
    return BeamCentre(
        (float(at[0]), float(at[1])),
        float(sharpness * agreement),
        (errors[0], errors[1]),
        method,
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
        self.first_step = made.recipe.instrument.centre_step
        self._beams = {role: self._beam(role) for role in made.runs if role in ("sample", "can")}
        low, high = self._rings()
        self._q = np.geomspace(low, high, _RINGS + 1)
        self.freedom = [1, 1]

    def _beam(self, role: str) -> tuple[Floats, Floats]:
        made = self._made
        measured = made.transmissions.get(role)
        through = None if measured is None else fitted(measured, made.fits[role], made.recipe.wavelengths)
        return weigh_wavelengths(made.runs[role], 0, made.recipe, made.direct["rear"], through)

    def _rings(self) -> tuple[float, float]:
        """Return the Q between which a quarter of the bank is seen whole at the middle wavelength."""
        recipe = self._made.recipe
        wavelength = float(np.median(recipe.wavelengths))
        pixels = pixels_of(self._bank, recipe.instrument, recipe.centre, recipe.user.sample_offset)
        edges = (-pixels.x.min(), pixels.x.max(), -pixels.y.min(), pixels.y.max())
        inner, outer = recipe.user.radius or (40.0, np.inf)
        scale = 2 * np.pi / wavelength / float(np.mean(pixels.z))
        low, high = (inner + 15.0) / 1e3, min(_WHOLE * min(edges), outer / 1e3)
        if not low < high:
            raise BadInput("leaves no ring around the beam to find its centre by", field="centre", remedy="give X,Y")
        return low * scale, high * scale

    def misfit(self, centre: Floats) -> tuple[float, float]:
        """Return the squared differences over their variance, right to left and above to below."""
        totals = []
        for axis, opposite in enumerate(_OPPOSITE):
            curves = [self._quarter(centre, start, "sample", self._q) for start in opposite]
            use = curves[0].measured & curves[1].measured
            error = np.hypot(curves[0].error, curves[1].error)
            self.freedom[axis] = max(1, int(np.count_nonzero(use)))
            totals.append(float(np.sum(((curves[0].intensity - curves[1].intensity) / error)[use] ** 2)))
        return totals[0], totals[1]

    def residue(self, centre: Floats) -> Floats:
        """Return the plain squared differences, float64 [2], 1/cm2: right to left, above to below."""
        recipe = self._made.recipe
        totals = np.zeros(2)
        for axis, opposite in enumerate(_OPPOSITE):
            quarters = []
            for start in opposite:
                curves = [
                    self._quarter(centre, start, role, recipe.q_edges, recipe.instrument.centre_radius)
                    for role in self._beams
                ]
                quarters.append(np.nan_to_num(less(curves[0], curves[1] if curves[1:] else None).intensity))
            totals[axis] = np.sum((quarters[0] - quarters[1]) ** 2)
        return totals

    def _quarter(
        self, centre: Floats, start: float, role: str, q_edges: Floats, radius: tuple[float, float] | None = None
    ) -> Curve:
        made = self._made
        recipe = replace(
            made.recipe,
            user=made.recipe.user if radius is None else replace(made.recipe.user, radius=radius),
            centre=(float(centre[0]), float(centre[1])),
            sector=Sector(start, start + 90, mirror=False),
            q_edges=q_edges,
            band=np.zeros_like(made.recipe.band),
        )
        weighted = weigh_pixels(self._bank, recipe, made.flat_cell)
        sums = reduce_run(made.runs[role], 0, self._bank, recipe, weighted, self._beams[role])
        return curve_of(sums[:, 0], 1.0)
