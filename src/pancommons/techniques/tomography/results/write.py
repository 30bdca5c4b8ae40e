"""The result: NXtomoproc over the parts without copying; a TIFF stack and OME-Zarr where they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.durable import replacing
from pancommons.nexus.virtual import Part as Piece
from pancommons.nexus.write import Field, create
from pancommons.pipelines.declaration import Found, Outcome
from pancommons.pipelines.job import Job, Part
from pancommons.pipelines.parameters import unit_of
from pancommons.techniques.tomography.results.pyramid import write_ome_zarr
from pancommons.techniques.tomography.run.asked import parameters_of, region_of, row_range, tried_centres
from pancommons.techniques.tomography.run.planning import scan_of
from pancommons.techniques.tomography.run.slices import unit_of_result
from pancommons.techniques.tomography.run.views import view_of


def join(job: Job, parts: list[Part]) -> Outcome:
    """Write ``result.nxs`` as NXtomoproc: a virtual dataset over the parts; slices that failed read as NaN or 0."""
    scan, parameters = scan_of(job), parameters_of(job)
    first, last = row_range(parameters, scan)
    centres = tried_centres(parameters)
    width = view_of(job, scan, centres or [job.value("centre")]).width
    y0, y1, x0, x1 = region_of(parameters, width)
    count = len(centres) or last - first
    pieces = [
        Piece(
            part.file.relative_to(job.directory),
            "slices",
            part.shape("slices"),
            (_place(part, first, centres), 0, 0),
        )
        for part in parts
    ]
    repairs = np.sum([part.read("repairs") for part in parts], axis=0)
    size = job.value("pixel_size")
    scale, length = (1.0, "pixel") if size == "auto" else (float(size), "um")
    middle = (width - 1) / 2
    with create(job.directory / "result.nxs", title=_title(scan.title, scan.sample), definition="NXtomoproc") as nexus:
        nexus.group("instrument", "NXinstrument", name=scan.instrument)
        nexus.group("instrument/source", "NXsource", type="unknown", name=scan.facility or "unknown", probe="x-ray")
        nexus.group("sample", "NXsample", name=scan.sample or "unknown")
        nexus.process("reconstruction", parameters={"raw_file": str(scan.path), **_settings(job)}, units=_units(job))
        signal = Field(
            "data",
            shape=(count, y1 - y0, x1 - x0),
            dtype=np.dtype(parameters.type),
            parts=pieces,
            units=unit_of_result(job),
            long_name=f"attenuation ({unit_of_result(job)})",
            attributes={"interpretation": "image", "transform": "linear", **_mapping(job)},
        )
        if centres:
            slow = Field("centre", np.array(centres), "pixel", long_name="tried rotation centre (pixel)")
        else:
            slow = Field("z", np.arange(first, last) * scale, length)
        y = Field("y", (np.arange(y0, y1) - middle) * scale, length)
        x = Field("x", (np.arange(x0, x1) - middle) * scale, length)
        nexus.data("data", signal=signal, axes=[slow, y, x])
    if parameters.tiff:
        _write_tiff(job.directory / "tiff", parts, first, centres)
    if parameters.zarr:
        write_ome_zarr(
            job.directory / "result.ome.zarr",
            _every(parts, count, (y1 - y0, x1 - x0), first, centres),
            (count, y1 - y0, x1 - x0),
            np.dtype(parameters.type),
            spacing=scale,
            unit="micrometer" if length == "um" else None,
            origin=(0.0 if centres else first * scale, (y0 - middle) * scale, (x0 - middle) * scale),
            name=_title(scan.title, scan.sample),
        )
    values = max(1, int(repairs[0]))
    voxels = count * (y1 - y0) * (x1 - x0)
    found = {"clamped": Found(float(repairs[1] / values), "counted while correcting")}
    if parameters.type == "uint16":
        found["clipped"] = Found(float(repairs[4] / voxels), "counted while converting")
    warnings = []
    if repairs[1] > 0.001 * values:
        warnings.append(
            f"{100 * repairs[1] / values:.2g} % of the transmissions are at or below the least one; "
            "the sample may be opaque there."
        )
    if repairs[2]:
        warnings.append(f"{repairs[2]} counts were not finite; their neighbours stand in for them.")
    sections = {name: _section(parts, name, count, first, centres) for name in ("front", "side")}
    return Outcome(found, sections, tuple(warnings))


def _every(
    parts: list[Part], count: int, shape: tuple[int, int], first: int, centres: list[float]
) -> Iterator[NDArray[Any]]:
    """Give all slices in order; those that failed are NaN, or 0 in integers."""
    place = 0
    for part in parts:
        slices = part.read("slices")
        nothing = np.full(shape, np.nan if slices.dtype.kind == "f" else 0, slices.dtype)
        for _ in range(place, _place(part, first, centres)):
            yield nothing
        yield from slices
        place = _place(part, first, centres) + len(slices)
    for _ in range(place, count):
        yield nothing


def _section(parts: list[Part], name: str, count: int, first: int, centres: list[float]) -> NDArray[np.float32]:
    """Put the middle rows or columns of all slices together; NaN where slices failed."""
    section = np.full((count, parts[0].shape(name)[1]), np.nan, np.float32)
    for part in parts:
        lines = part.read(name)
        place = _place(part, first, centres)
        section[place : place + len(lines)] = lines
    return section


def _place(part: Part, first: int, centres: list[float]) -> int:
    if centres:
        return centres.index(part.span["centres"][0])
    return int(part.span["start"]) - first


def _title(title: str | None, sample: str | None) -> str:
    return f"Reconstruction of {title or sample or 'a tomography scan'}"


def _mapping(job: Job) -> dict[str, float]:
    """Return the attributes that turn stored numbers into attenuation: ``offset + scaling * number``."""
    if parameters_of(job).type == "float32":
        return {"offset": 0.0, "scaling": 1.0}
    low, high = job.value("limits")
    return {"offset": low, "scaling": (high - low) / 65535}


def _settings(job: Job) -> dict[str, object]:
    settings = job.parameters.model_dump(mode="json")
    return settings | {name: found.value for name, found in job.found.items() if name in settings}


def _units(job: Job) -> dict[str, str]:
    fields = type(job.parameters).model_fields
    return {name: unit for name, field in fields.items() if (unit := unit_of(field))}


def _write_tiff(folder: Path, parts: list[Part], first: int, centres: list[float]) -> None:
    import tifffile

    folder.mkdir(exist_ok=True)
    for part in parts:
        place = _place(part, first, centres)
        for index, image in enumerate(part.read("slices")):
            with replacing(folder / f"slice_{place + index:05d}.tif") as beside:
                tifffile.imwrite(beside, image)
