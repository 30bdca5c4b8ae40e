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
from matplotlib.figure import Figure
from PIL import Image

import pancommons
from pancommons.pipelines import registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography import phantom
from pancommons.techniques.tomography.fourier import reconstruct
from pancommons.techniques.tomography.iterative import reconstruct_iteratively
from pancommons.techniques.tomography.quality import psnr

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


def scattering(space: Path) -> None:
    """Keep figures of simulated spheres and of a simulated THz run."""
    raw, truth = simulated(space / "spheres.nxs", "sans")
    run = pancommons.run("sans", raw, truth=truth, model="sphere", out=space / "spheres")
    kept(run.path / "figures" / "curve.png", "sans-curve.png")
    kept(run.path / "figures" / "distances.png", "sans-distances.png")
    raw, truth = simulated(space / "run.nxs", "thz")
    run = pancommons.run("thz", raw, truth=truth, out=space / "thz")
    kept(run.path / "figures" / "arrivals.png", "thz-arrivals.png")
    kept(run.path / "figures" / "trace.png", "thz-trace.png")


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


def kept(source: Path, name: str, width: int = 1000) -> None:
    """Copy a figure of a run, no wider than a page."""
    image = Image.open(source).convert("RGB")
    image.thumbnail((width, width))
    image.quantize(64).save(HERE / name, optimize=True)


def saved(drawing: Figure, name: str, *, dpi: int, colours: int = 128) -> None:
    drawing.savefig(HERE / name, dpi=dpi)
    Image.open(HERE / name).convert("RGB").quantize(colours).save(HERE / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
