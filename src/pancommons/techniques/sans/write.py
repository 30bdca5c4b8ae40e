"""The result: NXcanSAS with all curves, and canSAS 1-D XML with the merged ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from pancommons.base.durable import replacing
from pancommons.nexus.write import Field, Writer, create
from pancommons.pipelines.job import Job
from pancommons.techniques.sans.analysis import Curves, Law
from pancommons.techniques.sans.curves import Reduced
from pancommons.techniques.sans.merge import Curve
from pancommons.techniques.sans.planning import Measurement, measurement_of
from pancommons.techniques.sans.write_laws import write_laws

Floats = NDArray[np.float64]
_NAMESPACE = "urn:cansas1d:1.1"
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_TITLES = {"total": "", "rear": "rear detector alone", "hab": "high-angle bank alone"}


def write_nexus(job: Job, results: list[Reduced], laws: Mapping[int, Mapping[str, Law]]) -> None:
    """Write ``result.nxs``, which opens with the first period's curve on logarithmic axes.

    A group ``sasdata01`` is the curve of period 1; ``sasdata01_rear``, ``_hab``, ``_band_1`` and so on are parts of it,
    ``sasdata01_plane`` is its pattern in Qx and Qy. ``analysis01`` holds what was found in it, given in `laws` by
    period, counted from 0.
    """
    made = measurement_of(job)
    sample = made.sample
    with create(
        job.directory / "result.nxs", title=title_of(made), definition="NXcanSAS", start_time=sample.start
    ) as nexus:
        nexus.entry.attrs["canSAS_class"] = "SASentry"
        nexus.entry.attrs["version"] = "1.1"
        nexus.entry["run"] = str(sample.number)
        for reduced in results:
            _write_curves(nexus, made, reduced)
        _write_transmissions(nexus, job)
        _write_circumstances(nexus, job, made)
        for period, found in laws.items():
            reduced = next(one for one in results if one.period == period)
            write_laws(nexus, f"analysis{period + 1:02d}", found, _points(reduced))


def _points(reduced: Reduced) -> Curves:
    edges, curve = reduced.q_edges, reduced.curves["total"]
    return Curves.of(np.stack([edges[:-1], edges[1:], curve.intensity, curve.error, curve.spread]))


def title_of(made: Measurement) -> str:
    """Return what stands above the curve: the run's own title, else its number."""
    return made.sample.title or f"run {made.sample.number}"


def _write_curves(nexus: Writer, made: Measurement, reduced: Reduced) -> None:
    middle = (reduced.q_edges[1:] + reduced.q_edges[:-1]) / 2
    name = f"sasdata{reduced.period + 1:02d}"
    period = f", {made.sample.label(reduced.period)}" if made.sample.periods > 1 else ""
    for part, curve in reduced.curves.items():
        what = _TITLES.get(part, part.replace("_", " "))
        group = f"{name}_{part}" if part != "total" else name
        _write_curve(nexus, group, middle, curve, title_of(made) + period + (f", {what}" if what else ""))
    for plane, curve in reduced.planes.items():
        _write_plane(nexus, f"{name}_plane", made, curve, reduced.plane_across[plane], title_of(made) + period)


def _write_curve(nexus: Writer, name: str, q: Floats, curve: Curve, title: str) -> None:
    """Write an NXdata that is a SASdata; bins in which nothing was measured are left out."""
    use = curve.measured
    if not use.any():
        return
    group = nexus.data(
        name,
        signal=Field(
            "I", curve.intensity[use], "1/cm", long_name="I (1/cm)", attributes={"uncertainties": "Idev"}
        ),
        axes=[
            Field(
                "Q", q[use], "1/angstrom", long_name="Q (1/angstrom)",
                attributes={"resolutions": "Qdev", "resolutions_description": "Gaussian"},
            )
        ],
        title=title,
        log=True,
        log_axes=True,
    )  # fmt: skip
    group.attrs["canSAS_class"] = "SASdata"
    group.attrs["I_axes"] = "Q"
    group.attrs["mask"] = "mask"
    nexus.field(group, Field("mask", np.zeros(np.count_nonzero(use), np.int8)))
    nexus.field(group, Field("Idev", curve.error[use], "1/cm"))
    nexus.field(group, Field("Qdev", curve.spread[use], "1/angstrom"))
    nexus.field(group, Field("I_errors", link=f"{group.name}/Idev"))


def _write_plane(nexus: Writer, name: str, made: Measurement, curve: Curve, across: Floats, title: str) -> None:
    """Write the pattern; cells that were not measured are NaN and masked.

    ``Qxdev`` is the standard deviation of Q along its direction and ``Qydev`` that across, as SasView takes them.
    """
    edges = made.recipe.qxy_edges
    assert edges is not None  # noqa: S101 - there is a pattern
    middle = (edges[1:] + edges[:-1]) / 2
    qx, qy = np.meshgrid(middle, middle)
    resolutions = {"resolutions": "Qxdev,Qydev"}
    group = nexus.data(
        name,
        signal=Field(
            "I", curve.intensity, "1/cm", long_name="I (1/cm)",
            attributes={"uncertainties": "Idev", "interpretation": "image"},
        ),
        axes=[Field("qy", middle, "1/angstrom"), Field("qx", middle, "1/angstrom")],
        title=f"{title}, pattern",
        log=True,
    )  # fmt: skip
    group.attrs["canSAS_class"] = "SASdata"
    group.attrs["I_axes"] = "Qx,Qy"
    group.attrs["Q_indices"] = np.array([0, 1])
    group.attrs["mask"] = "mask"
    fields = (
        Field("Q", np.hypot(qx, qy), "1/angstrom"),
        Field("Qx", qx, "1/angstrom", attributes=resolutions),
        Field("Qy", qy, "1/angstrom", attributes=resolutions),
        Field("Idev", curve.error, "1/cm"),
        Field("Qxdev", curve.spread, "1/angstrom"),
        Field("Qydev", across, "1/angstrom"),
        Field("mask", (~curve.measured).astype(np.int8)),
    )
    for field in fields:
        nexus.field(group, field)


def _write_transmissions(nexus: Writer, job: Job) -> None:
    for index, (name, rows) in enumerate(_transmissions(job), 1):
        low, high, values, error, fit, fit_error = rows
        use = np.isfinite(values) & np.isfinite(error)
        group = nexus.group(
            f"sastransmission_spectrum{index:02d}",
            "NXdata",
            T=Field("T", values[use], attributes={"uncertainties": "Tdev"}),
            Tdev=error[use],
            **{"lambda": ((low[use] + high[use]) / 2, "angstrom")},
            fit=fit[use],
            fit_error=fit_error[use],
        )
        group.attrs["canSAS_class"] = "SAStransmission_spectrum"
        group.attrs["signal"] = "T"
        group.attrs["T_axes"] = "T"  # the only value that NXcanSAS allows; "axes" names the wavelength
        group.attrs["axes"] = ["lambda"]
        group.attrs["name"] = name
        if start := measurement_of(job).sample.start:
            group.attrs["timestamp"] = start


def _transmissions(job: Job) -> Iterator[tuple[str, Floats]]:
    for name in ("sample", "can"):
        if f"transmission_{name}" in job.arrays:
            yield name, job.arrays[f"transmission_{name}"]


def _write_circumstances(nexus: Writer, job: Job, made: Measurement) -> None:
    sample, instrument, recipe = made.sample, made.recipe.instrument, made.recipe
    kind = None if instrument.monochromatic else "Spallation Neutron Source"
    classes = {
        nexus.group("instrument", "NXinstrument", name=instrument.name): "SASinstrument",
        nexus.group(
            "instrument/source", "NXsource", name=instrument.facility or None, type=kind,
            probe="neutron", radiation=kind, beam_shape="disc",
            wavelength_min=(recipe.wavelengths[0], "angstrom"), wavelength_max=(recipe.wavelengths[-1], "angstrom"),
        ): "SASsource",
        nexus.group(
            "instrument/collimator", "NXcollimator", length=(recipe.collimation.length, "m"),
            distance=(recipe.collimation.length, "m"),
        ): "SAScollimation",
        nexus.group(
            "sample", "NXsample", name=title_of(made), ID=f"{instrument.name}{sample.number}",
            thickness=(sample.shape.thickness, "mm"),
            transmission=job.value("transmission_sample") if "transmission_sample" in job.found else None,
        ): "SASsample",
    }  # fmt: skip
    for name in made.banks:
        bank = instrument.banks[name]
        group = nexus.group(
            f"instrument/{name}", "NXdetector", name=bank.title,
            SDD=(bank.z - instrument.sample_z - recipe.user.sample_offset / 1e3, "m"),
            x_pixel_size=(bank.size[0] * 1e3, "mm"), y_pixel_size=(bank.size[1] * 1e3, "mm"),
        )  # fmt: skip
        classes[group] = "SASdetector"
    process = nexus.process(
        "sasprocess01", parameters=_settings(job), name="SANS reduction",
        description="masks, monitors, transmission, direct beam, flat cell, solid angle, absolute scale, can, merge",
        term="; ".join(f"{role} = {run.path.name}" for role, run in made.runs.items()),
    )  # fmt: skip
    for group, name in {**classes, process: "SASprocess"}.items():
        group.attrs["canSAS_class"] = name


def _settings(job: Job) -> dict[str, object]:
    settings = job.parameters.model_dump(mode="json")
    user = measurement_of(job).recipe.user
    return settings | {"user_file": user.path.name} | {name: found.value for name, found in job.found.items()}


def write_xml(job: Job, results: list[Reduced]) -> None:
    """Write ``curve.xml`` as canSAS 1-D: an entry for each period, its parts in the order that validators want."""
    made = measurement_of(job)
    ElementTree.register_namespace("", _NAMESPACE)
    ElementTree.register_namespace("xsi", _SCHEMA_INSTANCE)
    place = {f"{{{_SCHEMA_INSTANCE}}}schemaLocation": f"{_NAMESPACE} http://www.cansas.org/formats/1.1/cansas1d.xsd"}
    root = ElementTree.Element(_tag("SASroot"), {"version": "1.1", **place})
    for reduced in results:
        entry = _element(root, "SASentry")
        _element(entry, "Title", title_of(made))
        _element(entry, "Run", str(made.sample.number))
        data = _element(entry, "SASdata", name=made.sample.label(reduced.period))
        _write_points(data, reduced)
        for name, rows in _transmissions(job):
            _write_spectrum(entry, name, rows)
        sample = _element(entry, "SASsample")
        _element(sample, "ID", f"{made.sample.instrument}{made.sample.number} {title_of(made)}")
        _element(sample, "thickness", repr(made.sample.shape.thickness), unit="mm")
        if "transmission_sample" in job.found:
            _element(sample, "transmission", repr(float(job.value("transmission_sample"))))
        instrument = _element(entry, "SASinstrument")
        _element(instrument, "name", made.recipe.instrument.name)
        _element(_element(instrument, "SASsource"), "radiation", "neutron")
        _element(instrument, "SAScollimation")
        for name in made.banks:
            _element(_element(instrument, "SASdetector"), "name", made.recipe.instrument.banks[name].title)
        process = _element(entry, "SASprocess")
        _element(process, "name", "pancommons")
        _element(process, "date", datetime.now(UTC).isoformat(timespec="seconds"))
        for name, value in _settings(job).items():
            _element(process, "term", str(value), name=name)
        _element(process, "SASprocessnote")
        _element(entry, "SASnote")
    with replacing(job.directory / "curve.xml") as beside:
        ElementTree.indent(root, " ")
        ElementTree.ElementTree(root).write(beside, encoding="utf-8", xml_declaration=True)


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _element(
    parent: ElementTree.Element, kind: str, text: str | None = None, /, **attributes: str
) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, _tag(kind), attributes)
    made.text = text
    return made


def _write_points(data: ElementTree.Element, reduced: Reduced) -> None:
    curve = reduced.curves["total"]
    middle = (reduced.q_edges[1:] + reduced.q_edges[:-1]) / 2
    use = curve.measured
    columns = (
        ("Q", middle, "1/A"),
        ("I", curve.intensity, "1/cm"),
        ("Idev", curve.error, "1/cm"),
        ("Qdev", curve.spread, "1/A"),
    )
    for index in np.flatnonzero(use):
        point = _element(data, "Idata")
        for name, values, unit in columns:
            _element(point, name, repr(float(values[index])), unit=unit)


def _write_spectrum(entry: ElementTree.Element, name: str, rows: Floats) -> None:
    spectrum = _element(entry, "SAStransmission_spectrum", name=name)
    for low, high, value, error, *_ in rows.T:
        if np.isfinite(value) and np.isfinite(error):
            point = _element(spectrum, "Tdata")
            _element(point, "Lambda", repr(float(low + high) / 2), unit="A")
            _element(point, "T", repr(float(value)), unit="none")
            _element(point, "Tdev", repr(float(error)), unit="none")
