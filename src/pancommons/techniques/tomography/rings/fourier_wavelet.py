"""Stripes of any width, by damping what is constant over the angles in each band of widths.

B. Münch, P. Trtik, F. Marone, M. Stampanoni, Stripe and ring artifact removal with combined wavelet-Fourier filtering,
Opt. Express 17, 8567 (2009): the sinogram is taken apart by a two-dimensional wavelet transform; the Fourier
coefficients, along the angles, of each band that is fine across the columns and coarse along the angles are multiplied
by 1 - exp(-k^2 / 2 sigma^2); and the sinogram is put together again.

All of that is linear, and what it takes away lies in a space of few dimensions: some slow waves over the angles for
each band. So the sinogram is projected on these waves, only the projections go through the wavelet transform across
the columns, and the stripes that they make up are subtracted. The result is that of the full transforms (waves whose
weight exp(-k^2 / 2 sigma^2) is below 1e-4 are left out) at a small part of their cost.

Both transforms are periodic. The gap between the last column and the first, and between the last projection and the
first, is filled by the mirror images of both sides, one fading into the other, so that there is no step.

The guarded form looks for stripes only in what is finer than a running mean across the columns, held near the
median of its column (see `guard`).
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.rings import guard
from pancommons.techniques.tomography.rings.medians import mirrored
from pancommons.techniques.tomography.rings.ranks import transpose

_LEAST_WEIGHT = 1e-4
_TILE = 32
FINE = 17
"""Columns of the running mean that guarded stripes are finer than."""


@dataclass(frozen=True)
class Filters:
    """The wavelet's filters and what they act on.

    Attributes
    ----------
    low, high
        float32 [tap], the synthesis filters of an orthogonal wavelet.
    starts
        int64 [band + 1], the first wave of each band, from the finest to the coarsest, and how many there are.
    analysis, synthesis
        float32 [angle, wave], what the sinogram is projected on, and what the stripes are made of.
    period
        Columns with the gap.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    starts: NDArray[np.int64]
    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    period: int


def filters(angles: int, columns: int, *, wavelet: str, levels: int, sigma: float) -> Filters:
    """Return the filters for sinograms of a size.

    Parameters
    ----------
    angles, columns
        Of a sinogram.
    wavelet
        Name of an orthogonal wavelet of PyWavelets.
    levels
        Bands; the coarsest holds stripes of about 2^levels columns.
    sigma
        Standard deviation of the damping, in cycles over the projections (with the gap a quarter more).
    """
    import pywt

    found = pywt.Wavelet(wavelet)
    low, high = np.array(found.rec_lo), np.array(found.rec_hi)
    turn, analysis, synthesis, starts = padded(angles, levels), [], [], [0]
    for level in range(1, levels + 1):
        waves, weights = _waves(turn >> level, sigma)
        for _ in range(level):
            fine = np.zeros((2 * len(waves), waves.shape[1]))
            expand(waves, low, fine)
            waves = fine
        synthesis.append(waves[:angles])
        analysis.append(folded(waves, angles) * weights)
        starts.append(starts[-1] + weights.size)
    return Filters(
        low.astype(np.float32),
        high.astype(np.float32),
        np.array(starts, np.int64),
        np.concatenate(analysis, axis=1).astype(np.float32),
        np.concatenate(synthesis, axis=1).astype(np.float32),
        padded(columns, levels),
    )


def padded(length: int, levels: int) -> int:
    """Return the period of `length` samples and a gap of about a quarter, a multiple of 2^levels."""
    return -(-ceil(1.25 * length) >> levels) << levels


def most_levels(angles: int, columns: int) -> int:
    """Return the most bands that a sinogram can be taken apart into: the gap may not be longer than the sinogram."""
    return max(1, min(angles, columns).bit_length() - 2)


def remove(sinogram: NDArray[np.float32], chosen: Filters, *, guarded: bool) -> None:
    """Remove stripes from a sinogram, float32 [angle, column], in place, with or without the guard."""
    columns = sinogram.shape[1]
    parts = np.zeros((chosen.period, int(chosen.starts[-1])), np.float32)
    _project(_guarded(sinogram) if guarded else sinogram, chosen.analysis, parts)
    parts[columns:] = _bridged(parts[:columns], chosen.period)
    stripes = np.ascontiguousarray(_details(parts, chosen)[:columns].T)
    _subtract(sinogram, chosen.synthesis, stripes)


def _guarded(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what stripes are looked for in."""
    fine = np.empty_like(sinogram)
    _finer(sinogram, min(FINE, sinogram.shape[1] | 1), fine)
    columns = np.empty(sinogram.shape[::-1], np.float32)
    transpose(fine, columns)
    low, high = guard.limits(columns)
    np.clip(fine, low, high, out=fine)
    return fine


@njit(nogil=True, cache=True, error_model="numpy")
def _finer(sinogram, width, fine):  # type: ignore[no-untyped-def]
    """Fill `fine` with a sinogram less its running mean across the columns, taken twice; the edges are mirrored."""
    angles, columns = sinogram.shape
    half = width // 2
    line, smooth = np.empty(columns + 2 * half), np.empty(columns)
    for i in range(angles):
        for x in range(columns):
            smooth[x] = sinogram[i, x]
        for _ in range(2):
            for x in range(-half, columns + half):
                line[x + half] = smooth[mirrored(x, columns)]
            total = 0.0
            for x in range(width - 1):
                total += line[x]
            for x in range(columns):
                total += line[x + width - 1]
                smooth[x] = total / width
                total -= line[x]
        for x in range(columns):
            fine[i, x] = np.float32(sinogram[i, x] - smooth[x])


def scratch_bytes(angles: int, columns: int, levels: int, sigma: float) -> int:
    """Return the bytes that the filters and `remove` need beside the sinogram, at most."""
    waves = levels * (2 * _highest(sigma) + 1)
    turn, period = padded(angles, levels), padded(columns, levels)
    return 8 * waves * (2 * angles + 2 * period) + 8 * (2 * _highest(sigma) + 1) * 4 * turn


def _highest(sigma: float) -> int:
    return int(sigma * sqrt(-2 * log(_LEAST_WEIGHT)))


def _waves(length: int, sigma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the orthonormal slow waves of a period [sample, wave], and their weights [wave]."""
    phase = 2 * np.pi * np.arange(length) / length
    waves, weights = [], []
    for k in range(min(_highest(sigma), length // 2) + 1):
        weight = float(np.exp(-(k**2) / (2 * sigma**2)))
        single = k == 0 or 2 * k == length
        for wave in [np.cos(k * phase)] if single else [np.cos(k * phase), np.sin(k * phase)]:
            waves.append(wave * sqrt((1 if single else 2) / length))
            weights.append(weight)
    return np.stack(waves, axis=1), np.array(weights)


def _fading(gap: int) -> NDArray[np.float64]:
    """Return the share [sample of the gap] of what comes after the gap."""
    return (np.arange(gap) + 0.5) / gap


def folded(waves: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return what gives the same products with `length` samples as the waves give with these and the gap filled."""
    result, gap = waves[:length].copy(), len(waves) - length
    share = _fading(gap)[:, None]
    result[length - gap :] += ((1 - share) * waves[length:])[::-1]
    result[:gap] += (share * waves[length:])[::-1]
    return result


def _bridged(samples: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """Return what fills the gap after samples [sample, wave] up to a period."""
    gap = period - len(samples)
    share = _fading(gap)[:, None].astype(np.float32)
    return (1 - share) * samples[len(samples) - gap :][::-1] + share * samples[:gap][::-1]


def _details(parts: NDArray[np.float32], chosen: Filters) -> NDArray[np.float32]:
    """Return of each wave [column, wave] the band across the columns that it belongs to."""
    bands: list[NDArray[np.float32]] = []
    rest, starts = parts, chosen.starts
    for level, first in enumerate(starts[:-1]):
        here = int(starts[level + 1] - first)
        half = len(rest) // 2
        detail = np.zeros((half, here), np.float32)
        contract(rest[:, :here], chosen.high, detail)
        coarse = np.zeros((half, rest.shape[1] - here), np.float32)
        contract(rest[:, here:], chosen.low, coarse)
        bands.append(detail)
        rest = coarse
    for detail in reversed(bands):
        fine = np.zeros((2 * len(detail), detail.shape[1] + rest.shape[1]), np.float32)
        expand(detail, chosen.high, fine[:, : detail.shape[1]])
        expand(rest, chosen.low, fine[:, detail.shape[1] :])
        rest = fine
    return rest


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def contract(fine, taps, coarse):  # type: ignore[no-untyped-def]
    """Add to `coarse` [sample, wave] what a filter makes of every other of the samples `fine`, a period."""
    length, first = fine.shape[0], 1 - taps.size // 2
    for i in range(coarse.shape[0]):
        target = coarse[i]
        for k in range(taps.size):
            source, tap = fine[(2 * i + first + k) % length], taps[k]
            for w in range(target.size):
                target[w] += tap * source[w]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def expand(coarse, taps, fine):  # type: ignore[no-untyped-def]
    """Add to `fine` [sample, wave], a period, what a filter makes of the samples `coarse`."""
    length, first = fine.shape[0], 1 - taps.size // 2
    for i in range(coarse.shape[0]):
        source = coarse[i]
        for k in range(taps.size):
            target, tap = fine[(2 * i + first + k) % length], taps[k]
            for w in range(source.size):
                target[w] += tap * source[w]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _project(sinogram, analysis, parts):  # type: ignore[no-untyped-def]
    """Fill `parts` [column, wave] with the products of a sinogram's columns and the waves `analysis` [angle, wave]."""
    angles, columns = sinogram.shape
    whole = angles - angles % 4
    for left in range(0, columns, _TILE):
        right = min(left + _TILE, columns)
        for i in range(0, whole, 4):
            a, b, c, d = analysis[i], analysis[i + 1], analysis[i + 2], analysis[i + 3]
            for x in range(left, right):
                p, q, r, s = sinogram[i, x], sinogram[i + 1, x], sinogram[i + 2, x], sinogram[i + 3, x]
                target = parts[x]
                for w in range(target.size):
                    target[w] += (p * a[w] + q * b[w]) + (r * c[w] + s * d[w])
        for i in range(whole, angles):
            for x in range(left, right):
                p, a, target = sinogram[i, x], analysis[i], parts[x]
                for w in range(target.size):
                    target[w] += p * a[w]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _subtract(sinogram, synthesis, stripes):  # type: ignore[no-untyped-def]
    """Take the stripes [wave, column] of all waves `synthesis` [angle, wave] off a sinogram."""
    waves, columns = stripes.shape
    whole = waves - waves % 4
    for i in range(sinogram.shape[0]):
        target, factors = sinogram[i], synthesis[i]
        for w in range(0, whole, 4):
            p, q, r, s = factors[w], factors[w + 1], factors[w + 2], factors[w + 3]
            a, b, c, d = stripes[w], stripes[w + 1], stripes[w + 2], stripes[w + 3]
            for x in range(columns):
                target[x] -= (p * a[x] + q * b[x]) + (r * c[x] + s * d[x])
        for w in range(whole, waves):
            p, a = factors[w], stripes[w]
            for x in range(columns):
                target[x] -= p * a[x]
