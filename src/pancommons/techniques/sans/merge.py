"""Sums over bins made into a curve: intensity and errors, two banks joined, the can taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.kernel import COUNTS, NORM, NORM_VARIANCE, RESOLUTION

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Intensity over bins, 1/cm, float64 of any one shape; NaN where nothing was measured.

    Attributes
    ----------
    intensity, error
        1/cm.
    spread
        Standard deviation of Q in a bin, 1/Angstrom: the resolution.
    """

    intensity: Floats
    error: Floats
    spread: Floats

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Return where there is an intensity."""
        return np.isfinite(self.intensity) & np.isfinite(self.error)


@dataclass(frozen=True)
class Rescale:
    """How the high-angle bank meets the rear one: ``rear = factor (hab + shift)``, `shift` in 1/cm.

    `fitted` says whether data decided, `chi_square` how well (per degree of freedom), over so many `points`.
    """

    factor: float
    shift: float = 0.0
    factor_error: float = 0.0
    fitted: bool = False
    chi_square: float | None = None
    points: int = 0


def curve_of(sums: Floats, scale: float, widths: Floats | float = 0.0) -> Curve:
    """Divide sum by sum.

    Parameters
    ----------
    sums
        float64 [4, ...]: counts, norm, its variance, norm times variance of Q; of shape [5, ...] in the plane.
    scale
        From counts over norm to 1/cm.
    widths
        Of the bins, 1/Angstrom, over which Q is spread as well.

    Notes
    -----
    Where the norm says that counts were possible but none came, the error is that of one count: no error is zero.
    """
    counts, norm = sums[COUNTS], sums[NORM]
    with np.errstate(divide="ignore", invalid="ignore"):
        there = norm > 0
        ratio = np.where(there, counts / norm, np.nan)
        own = np.where(counts > 0, counts, 1.0) / norm**2
        error = np.where(there, np.sqrt(own + ratio**2 * sums[NORM_VARIANCE] / norm**2), np.nan)
        spread = np.where(there, np.sqrt(sums[RESOLUTION] / norm + np.square(widths) / 12), np.nan)
    return Curve(ratio * scale, error * scale, spread)


def less(sample: Curve, can: Curve | None) -> Curve:
    """Take the can away from the sample; the resolution stays the sample's."""
    if can is None:
        return sample
    return Curve(sample.intensity - can.intensity, np.hypot(sample.error, can.error), sample.spread)


def joined(rear: Floats, hab: Floats, rescale: Rescale, shift: float = 0.0) -> Floats:
    """Join the sums of two banks: (C_rear + C_hab + shift N_hab) / (N_rear + N_hab / factor).

    Parameters
    ----------
    rear, hab
        float64 [4, ...].
    rescale
        Whose factor divides the norm of the high-angle bank.
    shift
        In counts over norm; of the sample only.
    """
    factor = rescale.factor
    adjusted = hab.copy()
    adjusted[COUNTS] += shift * hab[NORM]
    adjusted[NORM] /= factor
    adjusted[NORM_VARIANCE] /= factor**2
    adjusted[RESOLUTION:] /= factor
    return rear + adjusted


def factor_error(rear: Floats, hab: Floats, rescale: Rescale) -> Floats:
    """Return the relative error of the joined intensity that the error of the factor brings, float64 [...].

    All bins are wrong together, by as much as their norm is the high-angle bank's.

    Parameters
    ----------
    rear, hab
        float64 [4, ...], of the sample.
    rescale
        How they were joined.
    """
    own = hab[NORM] / rescale.factor
    with np.errstate(invalid="ignore"):
        return np.asarray(own / (rear[NORM] + own) * rescale.factor_error / rescale.factor)


def fitted_rescale(
    rear: Curve, hab: Curve, q_edges: Floats, window: tuple[float, float], *, with_shift: bool = False
) -> Rescale:
    """Find what the high-angle bank is multiplied by to meet the rear one, by least squares.

    Bins whose lower edge lies in the window count, each with the weight 1 / error^2 of the rear bank. The factor's
    error is that of both banks.

    Parameters
    ----------
    rear, hab
        Curves of both banks, float64 [Q], the can taken away.
    q_edges
        float64 [Q + 1], 1/Angstrom.
    window
        Where both are trusted, 1/Angstrom.
    with_shift
        Whether a constant is fitted as well.

    Raises
    ------
    BadInput
        If fewer bins than needed were measured by both.
    """
    low = q_edges[:-1]
    use = (low >= window[0]) & (low <= window[1]) & rear.measured & hab.measured & (rear.error > 0)
    if np.count_nonzero(use) < 2 + with_shift:
        raise BadInput(
            f"the banks share {np.count_nonzero(use)} bins from {window[0]:g} to {window[1]:g} 1/Angstrom, "
            "too few to fit a factor between them",
            field="overlap",
            remedy="choose another range, or give --rescale",
        )
    weights = 1 / rear.error[use]
    columns = [hab.intensity[use]] + ([np.ones(np.count_nonzero(use))] if with_shift else [])
    design = np.stack(columns, axis=1) * weights[:, None]
    target = rear.intensity[use] * weights
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    factor = float(solution[0])
    if not factor > 0:
        raise BadInput(f"the factor between the banks would be {factor:.3g}", field="overlap", remedy="give --rescale")
    both = rear.error[use] ** 2 + (factor * hab.error[use]) ** 2
    pull = np.linalg.pinv(design) * weights
    variance = float(np.sum(pull[0] ** 2 * both))
    difference = rear.intensity[use] - columns[0] * factor - (solution[1] if with_shift else 0.0)
    freedom = max(1, int(np.count_nonzero(use)) - design.shape[1])
    return Rescale(
        factor,
        float(solution[1]) / factor if with_shift else 0.0,
        float(np.sqrt(variance)),
        True,
        float(np.sum(difference**2 / both)) / freedom,
        int(np.count_nonzero(use)),
    )
