"""The declaration of small-angle neutron scattering by time of flight."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from pancommons.pipelines.declaration import (
    Auto,
    Citation,
    Merit,
    Parameters,
    Pipeline,
    Role,
    Sample,
    Simulator,
    Stage,
    Technique,
    parameter,
)

HERE = "pancommons.techniques.sans"

_NUMBER = r"[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?"
_SIGNED = rf"[-+]?{_NUMBER}"
RANGE = rf"^auto$|^{_NUMBER}:{_NUMBER}$"
RANGE_OR_NONE = rf"^auto$|^none$|^{_NUMBER}:{_NUMBER}$"
BINS = rf"^auto$|^{_NUMBER}:{_NUMBER}:{_NUMBER}%?$"
SLICES = rf"^none$|^[0-9]+$|^{_NUMBER}:{_NUMBER}:{_NUMBER}$"
PIXEL = rf"^auto$|^{_NUMBER}(,{_NUMBER})?$"
PLANE = rf"^auto$|^none$|^{_NUMBER}:{_NUMBER}$"
POINT = rf"^auto$|^find$|^{_SIGNED},{_SIGNED}$"
ANGLES = rf"^auto$|^all$|^{_SIGNED}:{_SIGNED}$"
FIT = r"^auto$|^none$|^log$|^linear$|^polynomial[2-6]$"


class SansParameters(Parameters):
    """What can be set for a reduction; "auto" takes what the user file says."""

    period: PositiveInt | Literal["all"] = parameter("all", "period to reduce, from 1, or all of them", group="Data")
    time_slices: str = parameter(
        "none",
        "slices of the clock to cut a run in event mode into: how many, or START:STOP:WIDTH from its start",
        unit="s",
        group="Data",
        pattern=SLICES,
    )
    bank: Literal["auto", "rear", "hab", "merged"] = parameter(
        "auto", "detector bank to reduce, or both merged into one curve", group="Data"
    )
    wavelength_range: str = parameter(
        "auto", "wavelengths to use, as LOW:HIGH", unit="angstrom", group="Wavelength", pattern=RANGE
    )
    wavelength_bands: int = parameter(
        1, "bands of wavelength to give curves for as well, to see whether they agree", group="Wavelength", ge=1, le=20
    )
    q_binning: str = parameter(
        "auto",
        "bins of Q, as LOW:HIGH:WIDTH, or LOW:HIGH:GROWTH% where each is wider than the one before",
        unit="1/angstrom",
        group="Q",
        pattern=BINS,
    )
    qxy_binning: str = parameter(
        "none",
        "cells of the pattern in Qx and Qy, as HIGH:WIDTH; auto for the user file's, none for no pattern",
        unit="1/angstrom",
        group="Q",
        pattern=PLANE,
    )
    wavelength: PositiveFloat | Auto = parameter(
        "auto", "of an image of one wavelength; auto as in its file", unit="angstrom", group="Image"
    )
    wavelength_spread: NonNegativeFloat | Auto = parameter(
        "auto", "full width at half maximum over the wavelength; auto as in the file, or 0", group="Image"
    )
    distance: PositiveFloat | Auto = parameter(
        "auto", "from sample to detector; auto as in the image's file", unit="m", group="Image"
    )
    pixel_size: str = parameter(
        "auto", "width and height of a pixel, as X,Y or one number; auto as in the image's file", unit="mm",
        group="Image", pattern=PIXEL,
    )  # fmt: skip
    transmission_value: PositiveFloat | Auto = parameter(
        "auto", "transmission of the sample in an image; auto as in its file, or measured", group="Image"
    )
    can_transmission_value: PositiveFloat | Auto = parameter(
        "auto", "transmission of the can in an image, likewise", group="Image"
    )
    radius_range: str = parameter(
        "auto", "distances from the beam that count, as LOW:HIGH; auto as in the user file", unit="mm", group="Q",
        pattern=RANGE,
    )  # fmt: skip
    sector: str = parameter(
        "auto",
        "directions about the beam that count, as START:STOP from x towards y, or all",
        unit="degree",
        group="Q",
        pattern=ANGLES,
    )
    mirror_sector: bool = parameter(True, "count the opposite directions as well", group="Q")
    gravity: Literal["auto", "on", "off"] = parameter("auto", "let neutrons fall on their way", group="Correction")
    centre: str = parameter(
        "auto",
        "where the beam meets the detector, as X,Y in the user file's coordinates; find to find it from the data",
        unit="mm",
        group="Correction",
        pattern=POINT,
    )
    centre_finder: Literal["fit", "walk"] = parameter(
        "fit",
        "how the centre is found: fit, least misfit of opposite quarters weighted by their errors; walk, the halved "
        "steps of ISIS's own search, to compare with it",
        group="Correction",
    )
    transmission_fit: str = parameter(
        "auto", "curve through the sample's transmission: log, linear, polynomial2 to 6, none", group="Correction",
        pattern=FIT,
    )  # fmt: skip
    can_transmission_fit: str = parameter(
        "auto", "curve through the can's transmission, likewise", group="Correction", pattern=FIT
    )
    thickness: PositiveFloat | Auto = parameter("auto", "of the sample; auto as in its run", unit="mm", group="Scale")
    area: PositiveFloat | Auto = parameter(
        "auto", "of the sample in the beam; auto as in its run", unit="mm^2", group="Scale"
    )
    scale: PositiveFloat | Auto = parameter("auto", "the instrument's factor to absolute units", group="Scale")
    rescale: PositiveFloat | Auto = parameter(
        "auto", "what the high-angle bank is multiplied by to meet the rear one", group="Merging"
    )
    shift: float | Auto = parameter(
        "auto", "what is added to the high-angle bank before that", unit="1/cm", group="Merging"
    )
    overlap: str = parameter(
        "auto", "where the banks are fitted to each other, as LOW:HIGH", unit="1/angstrom", group="Merging",
        pattern=RANGE,
    )  # fmt: skip
    source_aperture: PositiveFloat | Auto = parameter(
        "auto", "diameter of the aperture at the guide's end; auto as usual for the instrument", unit="mm",
        group="Resolution",
    )  # fmt: skip
    sample_aperture: PositiveFloat | Auto = parameter(
        "auto", "diameter of the aperture at the sample; auto that of the sample", unit="mm", group="Resolution"
    )
    collimation: PositiveFloat | Auto = parameter(
        "auto", "distance between the apertures; auto as usual for the instrument", unit="m", group="Resolution"
    )
    moderator_spread: NonNegativeFloat | Auto = parameter(
        "auto", "standard deviation of the moderator's pulse; auto as usual for the instrument", unit="us",
        group="Resolution",
    )  # fmt: skip
    guinier_range: str = parameter(
        "auto", "Q to which Guinier's law is fitted, as LOW:HIGH; auto up to Q Rg = 1 or 1.3", unit="1/angstrom",
        group="Analysis", pattern=RANGE_OR_NONE,
    )  # fmt: skip
    porod_range: str = parameter(
        "auto", "Q to which Porod's law is fitted, as LOW:HIGH; auto beyond Q Rg = 4", unit="1/angstrom",
        group="Analysis", pattern=RANGE_OR_NONE,
    )  # fmt: skip
    dmax: PositiveFloat | Literal["auto", "none"] = parameter(
        "auto", "largest distance of p(r); auto for the most probable, none for no p(r)", unit="angstrom",
        group="Analysis",
    )  # fmt: skip
    contrast: PositiveFloat | Literal["none"] = parameter(
        "none", "difference of the scattering length densities, for specific surface and volume fraction",
        unit="1/angstrom^2", group="Analysis",
    )  # fmt: skip
    model: Literal["none", "debye", "sphere"] = parameter(
        "none", "model fitted to the curve: a Gaussian coil (Debye), spheres", group="Analysis"
    )
    fit: str = parameter(
        "none", "model of the sasmodels library fitted to the curve, such as cylinder or sphere@hardsphere",
        group="Analysis", pattern=r"^[A-Za-z][A-Za-z0-9_]*([@+*][A-Za-z][A-Za-z0-9_]*)*$",
    )  # fmt: skip
    fit_parameters: str = parameter(
        "auto", "its parameters: NAME=VALUE to keep one, NAME=LOW:HIGH or NAME=START:LOW:HIGH to fit it, with commas",
        group="Analysis",
    )  # fmt: skip
    model_range: str = parameter(
        "auto", "Q to which models and p(r) are fitted, as LOW:HIGH", unit="1/angstrom", group="Analysis",
        pattern=RANGE,
    )  # fmt: skip


class SimulationParameters(Parameters):
    """What can be set for a simulated measurement on LOQ."""

    sample: Literal["spheres", "coils", "flat"] = parameter(
        "spheres", "spheres in a solvent, Gaussian coils (Debye), or a scatterer without structure", group="Sample"
    )
    radius: float = parameter(45.0, "of the spheres", unit="angstrom", group="Sample", gt=1, le=300)
    gyration_radius: float = parameter(74.0, "of the coils", unit="angstrom", group="Sample", gt=1, le=500)
    intensity: float = parameter(60.0, "coherent scattering at Q = 0", unit="1/cm", group="Sample", gt=0)
    background: float = parameter(0.08, "incoherent scattering", unit="1/cm", group="Sample", ge=0)
    thickness: float = parameter(1.0, "of the sample", unit="mm", group="Sample", gt=0)
    diameter: float = parameter(8.0, "of the sample and of the aperture before it", unit="mm", group="Sample", gt=0)
    counts: float = parameter(4e6, "neutrons scattered onto the detector, about", group="Measurement", gt=1e3, le=1e9)
    centre_x: float = parameter(324.6, "where the beam meets the detector", unit="mm", group="Measurement")
    centre_y: float = parameter(328.0, "where the beam meets the detector", unit="mm", group="Measurement")
    gravity: bool = parameter(True, "let neutrons fall on their way", group="Measurement")
    smearing: bool = parameter(True, "apertures, pixels and the moderator's pulse of finite size", group="Measurement")
    mode: Literal["histogram", "events"] = parameter(
        "histogram", "how the scattering runs are written: counts in bins, or neutron by neutron", group="Measurement"
    )
    duration: float = parameter(
        600.0, "how long a run in event mode takes", unit="s", group="Measurement", gt=0, le=100_000
    )
    growth: float = parameter(
        0.0,
        "how much the sample's scattering grows while it is measured in event mode, evenly, relative to its mean; "
        "0.5 goes from 0.75 to 1.25",
        group="Measurement",
        ge=-2,
        le=2,
    )
    noise: bool = parameter(True, "Poisson noise of the counts", group="Measurement")
    seed: int = parameter(1, "of the random numbers", group="Measurement", ge=0)


PIPELINE = Pipeline(
    name="sans",
    version="1.0",
    title="Small-angle neutron scattering",
    description="Reduction of time-of-flight runs of LOQ and SANS2D: masks, monitors, transmission, absolute scale, "
    "can, banks.",
    technique=Technique("PaNET01277", "time of flight small angle neutron scattering"),
    roles=(
        Role("sample", "scattering run of the sample: ISIS NeXus or RAW, a simulated measurement, or an image"),
        Role("sample_transmission", "transmission run of the sample", required=False),
        Role("can", "scattering run of the empty can", required=False),
        Role("can_transmission", "transmission run of the empty can", required=False),
        Role("direct", "transmission run without sample or can", required=False),
        Role("user_file", "user file that says how to reduce; needed for runs of ISIS", required=False),
        Role("flat_cell", "flat cell; that named in the user file, beside it, when not given", required=False),
        Role("direct_beam", "direct beam of the rear bank; likewise", required=False),
        Role("direct_beam_hab", "direct beam of the high-angle bank; likewise", required=False),
        Role("truth", "a simulation's truth, to score the result against", required=False),
    ),
    parameters=SansParameters,
    inspect=f"{HERE}.planning:inspect",
    plan=f"{HERE}.planning:plan",
    warm=f"{HERE}.steps:warm",
    prepare=f"{HERE}.steps:prepare",
    stages=(
        Stage(
            "banks",
            "Reducing banks",
            "banks",
            process=f"{HERE}.steps:reduce_bank",
            combine=f"{HERE}.steps:join",
        ),
        Stage(
            "analysis",
            "Analysing curves",
            "curves",
            process=f"{HERE}.evaluation:analyse",
            combine=f"{HERE}.evaluation:conclude",
        ),
    ),
    report=f"{HERE}.figures:report",
    merits=(
        Merit("points", "Points", "", "bins of Q in which the sample was measured"),
        Merit("q_low", "Lowest Q", "1/angstrom", "middle of the first bin"),
        Merit("q_high", "Highest Q", "1/angstrom", "middle of the last bin"),
        Merit(
            "transmission",
            "Transmission of the sample",
            "",
            "mean over wavelengths, against the direct beam",
            expected=(0.0, 1.0),
        ),
        Merit(
            "can_transmission",
            "Transmission of the can",
            "",
            "mean over wavelengths, against the direct beam",
            expected=(0.0, 1.0),
        ),
        Merit(
            "rescale",
            "Factor of the high-angle bank",
            "",
            "what it is multiplied by to meet the rear one",
            uncertainty="rescale_error",
        ),
        Merit("rescale_error", "Its error", "", "one standard deviation"),
        Merit(
            "overlap_chi_square",
            "Misfit in the overlap",
            "",
            "chi square per degree of freedom; 1 is right",
            expected=(None, 3.0),
        ),
        Merit("relative_error", "Median relative error", "", "error of I(Q) over I(Q)"),
        Merit("resolution", "Median resolution", "", "standard deviation of Q over Q"),
        Merit("centre_x", "Beam centre, x", "mm", "in the user file's coordinates"),
        Merit("centre_y", "Beam centre, y", "mm", "in the user file's coordinates"),
        Merit("centre_confidence", "Confidence of the centre", "", "from 0 to 1; none where it was given"),
        Merit("invariant", "Invariant", "1/(cm angstrom^3)", "integral of Q^2 I(Q) over what was measured"),
        Merit(
            "guinier_radius",
            "Radius of gyration (Guinier)",
            "angstrom",
            "from low Q",
            uncertainty="guinier_radius_error",
        ),
        Merit("guinier_radius_error", "Its error", "angstrom", "one standard deviation"),
        Merit("guinier_intensity", "Intensity at Q = 0 (Guinier)", "1/cm", "from low Q"),
        Merit(
            "pair_radius",
            "Radius of gyration (p(r))",
            "angstrom",
            "from the distribution of distances",
            uncertainty="pair_radius_error",
        ),
        Merit("pair_radius_error", "Its error", "angstrom", "one standard deviation"),
        Merit("pair_intensity", "Intensity at Q = 0 (p(r))", "1/cm", "from the distribution of distances"),
        Merit(
            "largest_distance",
            "Largest distance",
            "angstrom",
            "where the distribution of distances ends",
            uncertainty="largest_distance_error",
        ),
        Merit("largest_distance_error", "Its error", "angstrom", "one standard deviation"),
        Merit("pair_chi_square", "Misfit of p(r)", "", "chi square per degree of freedom", expected=(None, 3.0)),
        Merit("porod_exponent", "Exponent at high Q", "", "where it is free; 4 of smooth surfaces"),
        Merit("porod_constant", "Porod's constant", "1/(cm angstrom^4)", "Q^4 (I - background) at high Q"),
        Merit("surface_to_volume", "Surface over volume", "1/angstrom", "of the bodies, if they are dilute"),
        Merit("size", "Radius fitted", "angstrom", "of gyration, or of spheres", uncertainty="size_error"),
        Merit("size_error", "Error of that radius", "angstrom", "one standard deviation"),
        Merit("fit_chi_square", "Misfit of the model", "", "chi square per degree of freedom", expected=(None, 3.0)),
        Merit(
            "deviation",
            "Deviation from the truth",
            "",
            "median of |I - truth| / error, the factor's included; 0.67 is right",
        ),
    ),
    citations=(
        Citation(
            "Heenan R K, Penfold J, King S M. SANS at Pulsed Neutron Sources: Present and Future Prospects. "
            "J. Appl. Cryst. 30, 1140 (1997).",
            "10.1107/S0021889897002173",
        ),
        Citation(
            "Hansen S. Bayesian estimation of hyperparameters for indirect Fourier transformation in small-angle "
            "scattering. J. Appl. Cryst. 33, 1415 (2000).",
            "10.1107/S0021889800012930",
        ),
        Citation(
            "Mildner D F R, Carpenter J M. Optimization of the experimental resolution for small-angle scattering. "
            "J. Appl. Cryst. 17, 249 (1984).",
            "10.1107/S0021889884011468",
        ),
    ),
    tolerance=1e-6,
    examples=(
        "pan run sans sample=LOQ74044.nxs sample_transmission=LOQ74024.nxs can=LOQ74019.nxs "
        "can_transmission=LOQ74020.nxs direct=LOQ74014.nxs user_file=MaskLOQData.txt",
        "pan run sans sample=LOQ54431.raw sample_transmission=LOQ54435.raw direct=LOQ54433.raw "
        "user_file=MASK.094AA --gravity on --wavelength-range 3:9 --model debye",
        "pan simulate sans spheres.nxs && pan run sans spheres.nxs --model sphere",
    ),
    simulator=Simulator(SimulationParameters, f"{HERE}.simulate:simulate", "spheres.nxs"),
    samples=(
        Sample(
            "sans-loq/74044/LOQ74044.nxs",
            "run 74044 of LOQ",
            inputs={
                "sample_transmission": "sans-loq/74044/LOQ74024.nxs",
                "can": "sans-loq/74044/LOQ74019.nxs",
                "can_transmission": "sans-loq/74044/LOQ74020.nxs",
                "direct": "sans-loq/74044/LOQ74014.nxs",
                "user_file": "sans-loq/74044/MaskLOQData.txt",
            },
        ),
    ),
)
