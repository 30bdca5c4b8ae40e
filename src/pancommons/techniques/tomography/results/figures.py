"""What a reconstruction shows of itself: sinograms, evidence for the centre, slices, histogram, figures of merit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from pancommons.nexus.read import open_file
from pancommons.pipelines.declaration import Figure, Findings
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.quality.truth import inside, psnr, scale_to
from pancommons.techniques.tomography.results.curves import convergence_figure, resolution_figure
from pancommons.techniques.tomography.run.asked import parameters_of, tried_centres, works_on_frames
from pancommons.techniques.tomography.run.planning import scan_of
from pancommons.techniques.tomography.run.slices import unit_of_result

_SAMPLE = 16
_MOST_PIXELS = 1000


def report(job: Job) -> Findings:
    """Draw the figures and work out the figures of merit."""
    folder = job.directory / "figures"
    with open_file(job.directory / "result.nxs") as file:
        volume = file["entry/data/data"]
        mapping = (float(volume.attrs["offset"]), float(volume.attrs["scaling"]))
        look = _Volume(volume, *mapping)
        figures = [_sinograms(job, folder)]
        if tried_centres(parameters_of(job)):
            figures.append(_strip(job, look, folder))
        else:
            figures.insert(0, _sections(job, look, folder))
            figures += _evidence(job, folder)
            figures += [*convergence_figure(job, folder), *resolution_figure(job, folder)]
            figures.append(_histogram(job, look, folder))
        merits = _merits(job, look)
    return Findings(tuple(figures), merits)


class _Volume:
    """The result, read slice by slice as attenuation."""

    def __init__(self, volume: h5py.Dataset, offset: float, scaling: float) -> None:
        self._volume, self._offset, self._scaling = volume, offset, scaling
        self.shape: tuple[int, int, int] = volume.shape

    def __getitem__(self, what: Any) -> NDArray[np.float32]:
        return np.asarray(self._volume[what], np.float32) * np.float32(self._scaling) + np.float32(self._offset)

    def sample(self) -> NDArray[np.float32]:
        """Return evenly spaced slices, thinned: float32 [slice, y, x]."""
        step = max(1, -(-max(self.shape[1:]) // _MOST_PIXELS))
        chosen = np.unique(np.linspace(0, self.shape[0] - 1, min(_SAMPLE, self.shape[0])).round().astype(int))
        return np.stack([self[index][::step, ::step] for index in chosen])


def _sections(job: Job, volume: _Volume, folder: Path) -> Figure:
    """Three orthogonal slices through the middle."""
    depth, height, width = volume.shape
    level = volume[depth // 2]
    step = max(1, max(volume.shape) // _MOST_PIXELS)
    front, side = (job.arrays[name][::step, ::step] for name in ("front", "side"))
    level = level[::step, ::step]
    low, high = _range(level, front, side)
    drawing = Drawing(figsize=(11, 5.6), layout="constrained")
    axes = drawing.subplot_mosaic([["xy", "xz"], ["xy", "yz"]], width_ratios=(1.15, 1))
    thin = depth < max(height, width) / 8
    for name, image in (("xy", level), ("xz", front), ("yz", side)):
        aspect: Literal["auto", "equal"] = "auto" if thin and name != "xy" else "equal"
        extent = (0, width if name[0] == "x" else height, height if name == "xy" else depth, 0)
        shown = axes[name].imshow(
            image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased", aspect=aspect, extent=extent
        )
        stretched = " (z stretched)" if aspect == "auto" else ""
        axes[name].set(
            xlabel=f"{name[0]} (pixel)",
            ylabel=f"{name[1]} (pixel)",
            title=f"{name} through the middle{stretched}",
        )
    drawing.colorbar(shown, ax=list(axes.values()), shrink=0.8, label=f"attenuation ({unit_of_result(job)})")
    drawing.savefig(folder / "slices.png", dpi=120)
    return Figure(
        "slices.png",
        "Orthogonal slices",
        f"Three slices through the middle of {depth} x {height} x {width} voxels.",
        f"Grey-scale slices of the sample; attenuation from {low:.3g} to {high:.3g} {unit_of_result(job)}.",
    )


def _strip(job: Job, volume: _Volume, folder: Path) -> Figure:
    """The same slice at each centre tried."""
    centres = tried_centres(parameters_of(job))
    columns = min(4, len(centres))
    lines = -(-len(centres) // columns)
    drawing = Drawing(figsize=(3.2 * columns, 3.4 * lines), layout="constrained")
    grid = drawing.subplots(lines, columns, squeeze=False).ravel()
    low, high = _range(volume[len(centres) // 2], volume.sample())
    sharpest = int(np.argmax([_sharpness(volume[index]) for index in range(len(centres))]))
    for axis in grid:
        axis.axis("off")
    for index, centre in enumerate(centres):
        grid[index].imshow(volume[index], cmap="gray", vmin=low, vmax=high)
        grid[index].set_title(f"{centre:g}" + (" (sharpest)" if index == sharpest else ""))
    drawing.savefig(folder / "centres.png", dpi=110)
    return Figure(
        "centres.png",
        "The same slice at each centre",
        "Choose the one without double edges or arcs, and give it as --centre.",
        f"{len(centres)} slices at centres {centres[0]:g} to {centres[-1]:g}; {centres[sharpest]:g} is the sharpest.",
    )


def _range(*images: NDArray[np.float32]) -> tuple[float, float]:
    """Return the attenuation from black to white: by the first image that is there, not a gap of failed slices."""
    for image in images:
        if np.isfinite(image).any():
            low, high = np.nanpercentile(image, [0.5, 99.7])
            return float(low), float(high)
    return 0.0, 1.0


def _sharpness(image: NDArray[np.float32]) -> float:
    """Return the variance inside the field: it is greatest where edges are not doubled."""
    where = inside(min(image.shape), 0.9) if image.shape[0] == image.shape[1] else np.ones(image.shape, bool)
    return float(np.nanvar(image[where])) if np.isfinite(image[where]).any() else 0.0


def _sinograms(job: Job, folder: Path) -> Figure:
    """The middle row's sinogram before and after correction."""
    drawing = Drawing(figsize=(11, 4.2), layout="constrained")
    for axis, (name, title, label) in zip(
        drawing.subplots(1, 2),
        (_measured(job), ("sinogram", "Corrected", "line integral")),
        strict=True,
    ):
        image = job.arrays[name]
        low, high = np.percentile(image, [0.2, 99.8])
        extent = (0, scan_of(job).columns, scan_of(job).count, 0)
        shown = axis.imshow(image, cmap="gray", aspect="auto", vmin=low, vmax=high, extent=extent)
        axis.set(title=title, xlabel="column (pixel)", ylabel="projection")
        drawing.colorbar(shown, ax=axis, label=label)
    drawing.savefig(folder / "sinograms.png", dpi=110)
    return Figure(
        "sinograms.png",
        "Sinogram before and after",
        "A row in the middle, as measured and as corrected line integrals. Vertical lines that stay become rings.",
        "Two sinograms side by side: raw counts, and line integrals with the flat field's structure gone.",
    )


def _measured(job: Job) -> tuple[str, str, str]:
    """Return the array, title and unit of what came before the logarithm."""
    if works_on_frames(parameters_of(job)):
        return "sinogram_counts", "After the corrections of whole frames", "transmission"
    return "sinogram_counts", "As measured", "counts"


def _evidence(job: Job, folder: Path) -> list[Figure]:
    """The curves by which the centre was found."""
    looks = {name: job.arrays[name] for name in job.arrays if name.startswith("look_")}
    found = job.found.get("centre")
    if not looks or found is None:
        return []
    drawing = Drawing(figsize=(11, 3.4), layout="constrained")
    grid = drawing.subplots(1, len(looks), squeeze=False).ravel()
    for axis, (name, (candidates, metric)) in zip(grid, looks.items(), strict=True):
        axis.plot(candidates, metric, color="#1f5f99", lw=1.2)
        axis.axvline(found.value, color="#b3401f", lw=1.2, ls="--")
        axis.set(title=name.split("_", 2)[2].replace("_", " "), xlabel="centre (pixel)", ylabel="lower is better")
        axis.grid(alpha=0.3)
    drawing.savefig(folder / "centre.png", dpi=110)
    return [
        Figure(
            "centre.png",
            "Evidence for the rotation centre",
            f"Each curve judges every centre; the dashed line is the one taken, {found.value:.2f}.",
            f"{len(looks)} curves with a minimum near column {found.value:.2f}; confidence {found.confidence:.2f}.",
        )
    ]


def _histogram(job: Job, volume: _Volume, folder: Path) -> Figure:
    """How often each attenuation occurs."""
    values = volume.sample()
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        values = np.zeros(1, np.float32)
    low, high = np.percentile(values, [0.01, 99.99])
    width = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)  # never too narrow for its bins
    counts, edges = np.histogram(values, bins=256, range=(low, low + width))
    drawing = Drawing(figsize=(11, 3.2), layout="constrained")
    axis = drawing.subplots()
    axis.stairs(np.maximum(counts, 0.5), edges, fill=True, color="#1f5f99", alpha=0.8)
    axis.set(yscale="log", xlabel=f"attenuation ({unit_of_result(job)})", ylabel="voxels")
    axis.grid(alpha=0.3)
    drawing.savefig(folder / "histogram.png", dpi=110)
    return Figure(
        "histogram.png",
        "Histogram",
        f"Attenuation in a sample of {min(_SAMPLE, volume.shape[0])} slices, on a logarithmic scale.",
        f"Histogram from {low:.3g} to {high:.3g} {unit_of_result(job)}.",
    )


def _merits(job: Job, volume: _Volume) -> dict[str, float | None]:
    found = job.found
    centre = job.value("centre")
    merits: dict[str, float | None] = {
        "centre": float(centre) if isinstance(centre, float | int) else None,
        "centre_confidence": found["centre"].confidence if "centre" in found else None,
        "tilt": float(job.value("tilt")),
        "slices": float(volume.shape[0]),
        "resolution": found["resolution"].value if "resolution" in found else None,
        "contrast_to_noise": _contrast_to_noise(volume.sample()),
        "clamped": found["clamped"].value,
        "zingers": found["zingers"].value if "zingers" in found else None,
        "clipped": found["clipped"].value if "clipped" in found else None,
    }
    truth = job.path("truth")
    if truth is not None and not tried_centres(parameters_of(job)):
        merits |= _against(truth, job, volume)
    return merits


def _contrast_to_noise(slices: NDArray[np.float32]) -> float | None:
    """Return the range of values over the noise.

    The noise is estimated from differences that smooth structure cancels from (J. Immerkaer, Computer Vision and
    Image Understanding 64, 300 (1996)), robustly: by the median of their magnitude.
    """
    if min(slices.shape[1:]) < 3:
        return None
    low, high = np.nanpercentile(slices, [1, 99])
    detail = slices[:, 1:-1, 1:-1] * 4
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        detail -= 2 * slices[:, down : down + detail.shape[1], right : right + detail.shape[2]]
    for down, right in ((0, 0), (0, 2), (2, 0), (2, 2)):
        detail += slices[:, down : down + detail.shape[1], right : right + detail.shape[2]]
    detail = detail[np.isfinite(detail) & (detail != 0)]
    noise = 1.4826 * float(np.median(np.abs(detail))) / 6 if detail.size else 0.0
    return float(high - low) / noise if noise > 0 else None


def _against(truth: Path, job: Job, volume: _Volume) -> dict[str, float | None]:
    """Score the slices whose truth is known: the mean over them."""
    first = int(job.facts["first_row"])
    with open_file(truth) as file:
        rows, slices = file["entry/truth/row"][()], file["entry/truth/slices"]
        true_centre = float(file["entry/phantom/centre"][()])
        if parameters_of(job).region is not None or abs(slices.shape[1] - volume.shape[1]) > 1:
            return {}
        width = min(slices.shape[1], volume.shape[1])  # that of a half acquisition follows from its centre
        scores = []
        for index, row in enumerate(rows):
            if 0 <= row - first < volume.shape[0]:
                known = slices[index, :width, :width].astype(np.float32)
                ours = volume[int(row) - first][:width, :width]
                failed = not np.isfinite(ours).all() or np.ptp(ours) == 0
                if failed or np.ptp(known[inside(len(known))]) == 0:  # or one without sample
                    continue
                scores.append((psnr(ours, known), scale_to(ours, known)))
    if not scores:
        return {}
    return {
        "centre_error": abs(float(job.value("centre")) - true_centre),
        "psnr": float(np.mean([score[0] for score in scores])),
        "scale": float(np.mean([score[1] for score in scores])),
    }
