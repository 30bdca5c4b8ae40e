"""Make the pictures of the documentation from real runs.

    .venv/bin/python docs/images/make.py REAL-DATA

REAL-DATA is the folder that holds ``tomography/tooth.h5``. The screenshot of the report needs ``chromium``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import tifffile
from matplotlib.figure import Figure
from PIL import Image

import pancommons
from pancommons.pipelines import registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.fourier import reconstruct
from pancommons.techniques.tomography.geometry.axis import find_overlap
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.geometry.stitching import extent, stitched
from pancommons.techniques.tomography.iterative import reconstruct_iteratively
from pancommons.techniques.tomography.phase import paganin, propagated
from pancommons.techniques.tomography.quality.truth import psnr
from pancommons.techniques.tomography.rings import METHODS, remove_rings
from pancommons.techniques.tomography.rings.amplitude import ring_amplitude
from pancommons.techniques.tomography.simulation import phantom

HERE = Path(__file__).parent
INK, ACCENT = "#1c2126", "#b3401f"
CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def main(data: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        space = Path(name)
        scan, truth = simulated(space / "scan.nxs", columns=512, rows=64, angles=721)
        scanned = pancommons.run("tomography", scan, truth=truth, out=space / "scan")
        tooth = pancommons.run("tomography", data / "tomography" / "tooth.h5", out=space / "tooth")
        front(tooth, scanned, space)
        first, known = simulated(space / "first.nxs")
        run = pancommons.run("tomography", first, truth=known, out=space / "first")
        against_truth(run, known)
        tried = pancommons.run("tomography", first, try_centres="127:134:1", out=space / "tried")
        kept(run.path / "figures" / "centre.png", "first-centre.png")
        kept(run.path / "figures" / "slices.png", "first-slices.png")
        kept(tried.path / "figures" / "centres.png", "tried-centres.png", width=800)
        scattering(space)
    missing_wedge()
    rings(data)
    phase()
    half_acquisition()


def scattering(space: Path) -> None:
    """Keep figures of simulated spheres and of a simulated THz run."""
    raw, truth = simulated(space / "spheres.nxs", "sans")
    run = pancommons.run("sans", raw, truth=truth, model="sphere", out=space / "spheres")
    kept(run.path / "figures" / "curve.png", "sans-curve.png", colours=256)
    kept(run.path / "figures" / "distances.png", "sans-distances.png", colours=256)
    raw, truth = simulated(space / "run.nxs", "thz")
    run = pancommons.run("thz", raw, truth=truth, out=space / "thz")
    kept(run.path / "figures" / "arrivals.png", "thz-arrivals.png", colours=256)
    kept(run.path / "figures" / "trace.png", "thz-trace.png", colours=256)


def simulated(raw: Path, name: str = "tomography", **given: int) -> tuple[Path, Path]:
    pipeline = registry.load(name)
    return simulate(pipeline, pipeline.simulator.parameters(**given), raw)


def front(tooth: pancommons.Run, scanned: pancommons.Run, space: Path) -> None:
    """Put slices of the tooth and of a simulated scan beside the top of the tooth's report."""
    with tooth.open() as file, scanned.open() as simulation:
        image, phantom = file["entry/data/data"][0], simulation["entry/data/data"][32]
    page = space / "page.png"
    command = [*CHROMIUM, f"--user-data-dir={space / 'browser'}", f"--screenshot={page}", "--window-size=1000,1000"]
    subprocess.run([*command, (tooth.path / "report.html").as_uri()], check=True, capture_output=True, timeout=120)
    drawing = Figure(figsize=(15, 5.3), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    at, half = (image.shape[0] - 1) // 2 + 15, 165
    part = image[at - half : at + half, at - half : at + half]
    left.imshow(part, cmap="gray", vmin=-0.0008, vmax=0.0098)
    middle.imshow(phantom[6:506, 6:506], cmap="gray", vmin=-2, vmax=50)
    right.imshow(np.asarray(Image.open(page).convert("RGB")))
    titles = (
        "A tooth, as reconstructed",
        f"A simulated scan: PSNR {scanned.merits['psnr']:.1f} dB",
        "The tooth's report",
    )
    for axis, title in zip((left, middle, right), titles, strict=True):
        axis.set_title(title, color=INK, fontsize=13, loc="left")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(color="#c8c8c4")
    saved(drawing, "tooth-and-report.png", dpi=76, colours=96)


def against_truth(run: pancommons.Run, truth: Path) -> None:
    """Draw result, truth, and a profile of both."""
    with run.open() as file, h5py.File(truth) as known:
        row = int(known["entry/truth/row"][4])
        ours, theirs = file["entry/data/data"][row], known["entry/truth/slices"][4]
    drawing = Figure(figsize=(12, 3.9), layout="constrained")
    one, other, profile = drawing.subplots(1, 3, width_ratios=[1, 1, 1.5])
    for axis, image, title in ((one, ours, "reconstructed"), (other, theirs, "truth")):
        axis.imshow(image, cmap="gray", vmin=-5, vmax=100)
        axis.set(title=f"{title}, row {row}", xticks=[], yticks=[])
        axis.axhline(100, color=ACCENT, lw=0.8)
    profile.plot(theirs[100], color=INK, lw=1.0, label="truth")
    profile.plot(ours[100], color=ACCENT, lw=0.9, label="reconstructed")
    profile.set(xlabel="x (pixel)", ylabel="attenuation (1/cm)", title="along the line", xlim=(0, 255))
    profile.legend(frameon=False)
    profile.grid(alpha=0.3)
    saved(drawing, "first-truth.png", dpi=90)


def missing_wedge() -> None:
    """Draw a phantom without a range of angles, reconstructed by three methods."""
    width, angles = 256, np.deg2rad(np.arange(30, 150))
    ellipses = phantom.cross_section(phantom.shepp_logan(0), 0, 1, width)
    truth, sinogram = phantom.image(ellipses, width), phantom.sinogram(ellipses, angles, width)[None]
    found = {"filtered back-projection": reconstruct(sinogram, angles)[0]}
    for name, method in (("CGLS, not negative", "cgls"), ("total variation", "tv")):
        found[name] = reconstruct_iteratively(sinogram, angles, method=method, iterations=200).slices[0]
    drawing = Figure(figsize=(14, 3.9), layout="constrained")
    axes = drawing.subplots(1, 4)
    shown = [("truth", truth)] + [(f"{name}, {psnr(image, truth):.1f} dB", image) for name, image in found.items()]
    for axis, (title, image) in zip(axes, shown, strict=True):
        axis.imshow(image, cmap="gray", vmin=-0.1, vmax=0.6)
        axis.set_title(title, color=INK, fontsize=12, loc="left")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(color="#c8c8c4")
    saved(drawing, "missing-wedge.png", dpi=76, colours=96)


def phase() -> None:
    """Draw a projection with fringes and the slice made of it, before and after phase retrieval."""
    width, rows, angles = 256, 64, np.arange(300) * np.pi / 300
    optics = {"pixel_size": 1.6e-6, "distance": 0.06, "energy": 21.0, "delta_beta": 250.0}
    places = np.random.default_rng(5).uniform(-0.4, 0.4, (12, 2))
    bodies = [phantom.Ellipsoid(1.0, 0.75, 0.6, c=1.5)]
    bodies += [phantom.Ellipsoid(-0.8, 0.06, 0.09, x, y, 0.3, 0.3) for x, y in places]
    frames = []
    for angle in angles:
        fine = phantom.projections(bodies, [angle], (rows, width), points=(2, 2))
        frames.append(propagated(fine * np.float32(8e-4), **optics, supersampling=2)[0])
    light = np.random.default_rng(1).poisson(20000 * np.array(frames)) / 20000
    retrieved = paganin(light, **optics)
    drawing = Figure(figsize=(12, 4.2), layout="constrained")
    axes = drawing.subplots(1, 3, width_ratios=(1.25, 1, 1))
    axes[0].plot(light[0, 32], color=ACCENT, lw=0.9, label="measured")
    axes[0].plot(retrieved[0, 32], color=INK, lw=1.2, label="after Paganin's filter")
    axes[0].set(xlabel="column (pixel)", ylabel="transmission")
    axes[0].legend(frameon=False, loc="upper center", fontsize=9)
    axes[0].set_title("A row of a projection", color=INK, loc="left")
    for axis, stack, title in ((axes[1], light, "Slice without"), (axes[2], retrieved, "Slice with phase retrieval")):
        sinogram = -np.log(stack[:, 32]).astype(np.float32)
        image = reconstruct(sinogram[None], angles)[0]
        low, high = np.percentile(image, [0.5, 99.5])
        axis.imshow(image, cmap="gray", vmin=low, vmax=high)
        axis.set_title(title, color=INK, loc="left")
        axis.set(xticks=[], yticks=[])
    saved(drawing, "phase.png", dpi=80, colours=96)


def half_acquisition() -> None:
    """Draw a sinogram of a full turn about an axis near the edge, what it is joined to, and the slice."""
    columns, centre = 256, 237.3
    angles = np.arange(720) * np.pi / 360
    begin, width = extent(columns, centre, centre)
    ellipses = phantom.cross_section(phantom.shepp_logan(3), 0, 1, width)
    sinogram = phantom.sinogram(ellipses, angles, columns, centre=centre, scale=width)[None]
    found = find_overlap(sinogram, angles).value
    joined, half = stitched(sinogram, angles, found, field=(begin, width))
    image = reconstruct(joined, half, centre=found + begin)[0]
    score = psnr(image, phantom.image(ellipses, width))
    drawing = Figure(figsize=(12, 4.2), layout="constrained")
    axes = drawing.subplots(1, 3, width_ratios=(0.6, 1, 1))
    axes[0].imshow(sinogram[0], cmap="gray", aspect="auto", extent=(0, columns, 360, 0))
    axes[0].set(title="360 degrees, half a field", xlabel="column (pixel)", ylabel="angle (degree)")
    axes[1].imshow(joined[0], cmap="gray", aspect="auto", extent=(0, width, 180, 0))
    axes[1].set(title="180 degrees, all of it", xlabel="column (pixel)")
    for axis in axes[:2]:
        axis.axvline(found + 0.5, color=ACCENT, lw=1, ls="--")
    axes[2].imshow(image, cmap="gray", vmin=0, vmax=0.5 * float(np.percentile(image, 99.9)))
    axes[2].set(title=f"The slice: PSNR {score:.1f} dB", xticks=[], yticks=[])
    saved(drawing, "half-acquisition.png", dpi=80, colours=96)


def rings(data: Path) -> None:
    """Draw a simulated slice with stripes of four kinds and a real neutron slice, before and after ring removal."""
    width, count = 512, 480
    random, angles = np.random.default_rng(2), np.arange(count) * np.pi / count
    clean = phantom.sinogram(phantom.cross_section(phantom.shepp_logan(0), 0, 1, width), angles, width)
    light = random.poisson(20000 * np.exp(-2 / clean.max() * clean.astype(np.float64))) / 20000
    without = -np.log(light)
    light *= np.exp(random.normal(0, 0.02, width))
    light[:, 150:155] *= 0.8
    light[:, 330] *= np.exp(random.normal(0, 0.3, count))
    simulated_one = -np.log(np.maximum(light, 1e-4)).astype(np.float32)
    light = tifffile.imread(data / "tomography" / "sinogram_360_neutron.tif").astype(np.float32)
    real = -np.log(np.maximum(light / np.percentile(light, 99), 1e-4))
    turn = np.arange(len(real)) * 2 * np.pi / (len(real) - 1)
    drawing = Figure(figsize=(15, 6.3), layout="constrained")
    middle, axis_of_turn = (width - 1) / 2, find_centre(real, turn).value
    cases = (
        (simulated_one, without, angles, middle, 0.08, 0.92),
        (real, np.zeros_like(real), turn, axis_of_turn, 0.15, 0.8),
    )
    for line, (sinogram, known, theta, centre, first, last) in zip(drawing.subplots(2, 5), cases, strict=True):
        tried = [sinogram[None]] + [remove_rings(sinogram[None], method) for method in METHODS]
        *slices, base = reconstruct(np.concatenate([*tried, known[None]]), theta, centre=centre, padding="edge")
        low, high = np.percentile(slices[1], [1, 99.7])
        for axis, name, image in zip(line, ("none", *METHODS), slices, strict=True):
            part = slice(int(first * len(image)), int(last * len(image)))
            axis.imshow(image[part, part], cmap="gray", vmin=low, vmax=high)
            share = ring_amplitude(image - base) / ring_amplitude(slices[0] - base)
            axis.set_title(f"{name}: {100 * share:.0f} %", color=INK, fontsize=13, loc="left")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(color="#c8c8c4")
    saved(drawing, "rings.png", dpi=80, colours=96)


def kept(source: Path, name: str, width: int = 1000, colours: int = 64) -> None:
    """Copy a figure of a run, no wider than a page."""
    image = Image.open(source).convert("RGB")
    image.thumbnail((width, width))
    image.quantize(colours).save(HERE / name, optimize=True)


def saved(drawing: Figure, name: str, *, dpi: int, colours: int = 128) -> None:
    drawing.savefig(HERE / name, dpi=dpi)
    Image.open(HERE / name).convert("RGB").quantize(colours).save(HERE / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
