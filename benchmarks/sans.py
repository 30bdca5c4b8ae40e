"""SANS against scipp: from time of flight to wavelength to Q on LOQ's rear bank, and the whole reduction of 74044.

The same counts, pixels, masks and bins for both, one thread, compiled before the clock starts. scipp transforms
coordinates, rebins and makes a histogram of the counts; ours makes the norm, its variance, the masked fractions and the
resolution as well in the same pass. Where real data is not there, counts are drawn at random and the reduction is left
out; where scipp is not installed, only our time is given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Row, cpu_seconds
from pancommons.techniques.sans import kernel, reduction, resolution
from pancommons.techniques.sans.binning import PLANCK_OVER_NEUTRON_MASS, Binning
from pancommons.techniques.sans.detector import kept_pixels, masked_times, pixels_of, solid_angles
from pancommons.techniques.sans.instrument import instrument
from pancommons.techniques.sans.user_file import parse_user_file

DATA = Path(os.environ.get("PANCOMMONS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
FOLDER = DATA / "sans-loq" / "74044"
USER = "L/R 35 750\nMASK H126>H127\nMASK/T 19711.5 21228.5\nMASK/T 39354.5 41348.5\nSET CENTRE 324.46 330.99\n"


def measure() -> Iterator[Row]:
    """Return the rows for SANS."""
    yield from _core()
    if FOLDER.exists():
        yield from _reduction()


@dataclass(frozen=True)
class _Case:
    """The rear bank with everything that is not measured."""

    times: Any
    counts: Any
    masked: Any
    pixels: Any
    wavelengths: Any
    q: Any


def _case() -> _Case:
    loq = instrument("LOQ", "2012-10-22")
    user = parse_user_file(USER, Path("user.txt"))
    pixels = pixels_of(loq.banks["rear"], loq, user.centre, -8.0)
    pixels = pixels.chosen(kept_pixels(loq.banks["rear"], pixels, user))
    if FOLDER.exists():
        from pancommons.techniques.sans.read import open_run

        run = open_run(FOLDER / "LOQ74044.nxs")
        times, counts = run.edges, np.ascontiguousarray(run.read(0)[run.places(pixels.spectra)])
    else:
        times = np.geomspace(3500, 43500, 103)
        counts = np.random.default_rng(1).poisson(1.3, (pixels.x.size, 102)).astype(np.int32)
    masked = masked_times(times, user.masked_times)
    wavelengths, q = Binning(2.2, 10, 0.035, True).edges(), Binning(0.008, 1.5, 0.06, True).edges()
    return _Case(times, counts, masked, pixels, wavelengths, q)


def _core() -> Iterator[Row]:
    case = _case()
    pixels, waves = case.pixels, case.wavelengths.size - 1
    weights, rows = solid_angles(pixels), np.arange(pixels.x.size)
    beam, spread = np.ones(waves), resolution.wavelength_variance(case.wavelengths, 15.15, 5e-5)
    angles = resolution.angle_variance(pixels, resolution.Collimation(0.02, 0.01, 4.2, 5e-5))

    def ours() -> Any:
        sums = np.zeros((4, 1, case.q.size - 1))
        kernel.sum_in_q(
            case.counts, rows, case.times, case.masked, pixels.x, pixels.y, pixels.z, pixels.flight, weights,
            weights * 0, case.wavelengths, beam, beam * 0, angles, spread, np.zeros(waves, np.int64), case.q, False,
            sums,
        )  # fmt: skip
        return sums[0, 0]

    own = ours()
    seconds = cpu_seconds(ours, 15)
    try:
        import scipp as sc
    except ImportError:
        print(f"  scipp is not installed: no ratio; ours takes {seconds * 1e3:.2f} ms")
        return
    theirs, peer = _scipp(sc, case)
    difference = float(np.max(np.abs(own - peer) / np.maximum(peer, 1)))
    yield Row(
        "rear bank to Q, times faster than scipp", theirs / seconds, 2,
        detail=f"{seconds * 1e3:.2f} ms and {theirs * 1e3:.1f} ms (scipp {sc.__version__}, counts and variance only)",
    )  # fmt: skip
    yield Row("sums of counts, largest relative difference", difference, 1e-9, at_least=False)


def _scipp(sc: Any, case: _Case) -> tuple[float, Any]:
    """Return scipp's CPU seconds and its counts in bins of Q."""
    pixels = case.pixels
    length = np.sqrt(pixels.x**2 + pixels.y**2 + pixels.z**2)
    counts = np.where(case.masked, 0, case.counts).astype(float)
    array = sc.DataArray(
        sc.array(dims=["pixel", "tof"], values=counts, variances=counts, unit="counts"),
        coords={
            "tof": sc.array(dims=["tof"], values=case.times, unit="us"),
            "slowness": sc.array(
                dims=["pixel"], values=1e-6 * PLANCK_OVER_NEUTRON_MASS / pixels.flight, unit="angstrom/us"
            ),
            "angle": sc.array(
                dims=["pixel"], values=4 * np.pi * np.sin(np.arccos(pixels.z / length) / 2), unit="dimensionless"
            ),
        },
    )
    waves = sc.array(dims=["wavelength"], values=case.wavelengths, unit="angstrom")
    bins = sc.array(dims=["Q"], values=case.q, unit="1/angstrom")
    middle = sc.midpoints(waves)

    def work() -> Any:
        by_wavelength = array.transform_coords(["wavelength"], graph={"wavelength": _product}, quiet=True)
        rebinned = by_wavelength.rebin(wavelength=waves)
        rebinned.coords["wavelength"] = middle
        in_q = rebinned.transform_coords(["Q"], graph={"Q": _over}, quiet=True)
        return in_q.hist(Q=bins)

    found = work()
    return cpu_seconds(work, 7), found.values


def _product(tof: Any, slowness: Any) -> Any:
    return tof * slowness


def _over(angle: Any, wavelength: Any) -> Any:
    return angle / wavelength


def _reduction() -> Iterator[Row]:
    """Read five runs and the calibration, and reduce both banks of sample and can; the report is not counted."""
    from pancommons.pipelines.job import Allowance, Job
    from pancommons.techniques.sans import isis_nexus, planning, read
    from pancommons.techniques.sans.pipeline import SansParameters
    from pancommons.techniques.sans.steps import beam_transmission

    names = {
        "sample": "LOQ74044.nxs", "sample_transmission": "LOQ74024.nxs", "can": "LOQ74019.nxs",
        "can_transmission": "LOQ74020.nxs", "direct": "LOQ74014.nxs", "user_file": "MaskLOQData.txt",
    }  # fmt: skip
    inputs = {role: (FOLDER / name,) for role, name in names.items()}
    job = Job(inputs=inputs, parameters=SansParameters(), allowance=Allowance(1, 1 << 30))

    def whole() -> Any:
        read._opened.cache_clear()
        isis_nexus._counts.cache_clear()
        made = planning._measurement(job)
        sums = {}
        for bank in made.banks:
            place = made.recipe.instrument.banks[bank]
            weighted = reduction.weigh_pixels(place, made.recipe, made.flat_cell)
            for role in ("sample", "can"):
                beam = reduction.weigh_wavelengths(
                    made.runs[role], 0, made.recipe, made.direct[bank], beam_transmission(made, role)
                )
                sums[role, bank] = reduction.reduce_run(made.runs[role], 0, place, made.recipe, weighted, beam)
        return sums

    whole()
    seconds = cpu_seconds(whole, 5)
    yield Row("74044 read and reduced, both banks, sample and can, s", seconds, 0.4, at_least=False)
