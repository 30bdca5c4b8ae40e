"""The declaration of full-field tomography."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

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

HERE = "pancommons.techniques.tomography"

SPAN = r"^[0-9]*:[0-9]*$"
_NUMBER = r"-?[0-9]+(\.[0-9]+)?"
CENTRES = rf"^{_NUMBER}:{_NUMBER}(:[0-9]+(\.[0-9]+)?)?$|^{_NUMBER}(,{_NUMBER})*$"
AIR = r"^none$|^auto$|^[0-9]*:[0-9]*(,[0-9]*:[0-9]*)?$"
REGION = r"^[0-9]*:[0-9]*,[0-9]*:[0-9]*$"
_ANY_NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
LIMITS = rf"^auto$|^{_ANY_NUMBER}:{_ANY_NUMBER}$"


class TomographyParameters(Parameters):
    """What can be set for a reconstruction."""

    rows: str = parameter(
        ":", "detector rows to reconstruct, as START:STOP, counted from 0", group="Data", pattern=SPAN
    )
    pixel_size: PositiveFloat | Auto = parameter(
        "auto", "pixel size at the sample; gives the result in 1/cm", unit="um", group="Data"
    )
    turn: Literal["180", "360"] = parameter(
        "180", "what projections in TIFF files without angles are spread over", unit="degree", group="Data"
    )
    references: Literal["mean", "median", "interpolated"] = parameter(
        "mean", "how flat fields are joined; interpolated follows their drift in time", group="Correction"
    )
    air: str = parameter(
        "none",
        "area without sample that every projection's beam is measured in, as X0:X1 or X0:X1,Y0:Y1 in pixels; "
        "auto takes an edge that stays empty",
        group="Correction",
        pattern=AIR,
    )
    zingers: float = parameter(
        0.0,
        "transmission by which hot pixels and zingers exceed the median of the 5 x 5 pixels around, "
        "which then replaces them; 0 for none",
        group="Correction",
        ge=0,
    )
    minimum_transmission: float = parameter(
        1e-4, "transmission below this counts as this before the logarithm", group="Correction", gt=0, lt=1
    )
    rings: Literal["none", "fourier-wavelet", "titarenko", "sorting", "all"] = parameter(
        "none",
        "removal of rings: sorting for a few wrong pixels, fourier-wavelet or titarenko for stripes in all of them, "
        "all for dead and large ones too",
        group="Correction",
    )
    phase: Literal["none", "paganin"] = parameter(
        "none", "phase retrieval from one distance, for a sample of about one material", group="Phase"
    )
    delta_beta: PositiveFloat = parameter(
        1000.0, "decrement of the sample's refractive index over its absorption index", group="Phase"
    )
    distance: PositiveFloat | Auto = parameter("auto", "from the sample to the detector", unit="mm", group="Phase")
    energy: PositiveFloat | Auto = parameter("auto", "of the photons", unit="keV", group="Phase")
    centre: float | Auto = parameter(
        "auto", "rotation axis, as the index of a detector column from 0", unit="pixel", group="Centre"
    )
    tilt: float | Auto = parameter(
        0.0,
        "by which the axis leans to higher columns at higher rows; auto finds it from projections half a turn apart",
        unit="degree",
        group="Centre",
    )
    field_of_view: Literal["auto", "full", "half"] = parameter(
        "auto",
        "half joins the two halves of a full turn about an axis near the edge to a field twice as wide",
        group="Centre",
    )
    centre_range: str = parameter(
        "auto",
        "columns the automatic search looks at, as START:STOP",
        group="Centre",
        pattern=r"^auto$|" + SPAN,
    )
    try_centres: str | None = parameter(
        None,
        "reconstruct one slice at each of these centres instead, as START:STOP:STEP or A,B,C",
        group="Centre",
        pattern=CENTRES,
    )
    method: Literal["fourier", "cgls", "sirt", "tv"] = parameter(
        "fourier",
        "filtered back-projection; or for few angles or noise least squares by conjugate gradients (cgls) or step by "
        "step (sirt), or with little total variation (tv)",
        group="Reconstruction",
    )
    iterations: Annotated[int, Field(ge=2, le=10000)] | Auto = parameter(
        "auto", "of cgls, sirt and tv at most; auto takes 30, 200 and 100", group="Reconstruction"
    )
    non_negative: bool = parameter(True, "hold cgls, sirt and tv at attenuations above zero", group="Reconstruction")
    tv_weight: PositiveFloat | Auto = parameter(
        "auto",
        "weight of the total variation against the measurement; auto judges by the noise",
        unit="1/pixel",
        group="Reconstruction",
    )
    filter: Literal["ramp", "shepp", "cosine", "hann", "hamming", "parzen", "butterworth"] = parameter(
        "ramp", "window on the ramp filter", group="Reconstruction"
    )
    padding: Literal["zeros", "edge"] = parameter(
        "zeros",
        "what the filter sees beside the field: nothing, or its edges repeated for a sample that is wider",
        group="Reconstruction",
    )
    mask: float = parameter(
        1.0,
        "radius of the circular mask as a fraction of the field; 0 for none",
        group="Reconstruction",
        ge=0,
        le=1,
    )
    region: str | None = parameter(
        None, "part of each slice to keep, as X0:X1,Y0:Y1 in pixels", group="Reconstruction", pattern=REGION
    )
    resolution: bool = parameter(
        True, "estimate the resolution from slices of the odd and of the even projections", group="Output"
    )
    type: Literal["float32", "uint16"] = parameter("float32", "number type of the result", group="Output")
    limits: str = parameter(
        "auto",
        "attenuation at 0 and at 65535 of uint16, as LOW:HIGH in the result's unit",
        group="Output",
        pattern=LIMITS,
    )
    tiff: bool = parameter(False, "write the slices as a TIFF stack as well", group="Output")
    zarr: bool = parameter(
        False, "write the volume as OME-Zarr as well, in several resolutions (needs pancommons[zarr])", group="Output"
    )


class SimulationParameters(Parameters):
    """What can be set for a simulated scan."""

    columns: int = parameter(256, "detector columns", unit="pixel", group="Scan", ge=16)
    rows: int = parameter(32, "detector rows", unit="pixel", group="Scan", ge=1)
    angles: int = parameter(361, "projections", group="Scan", ge=3)
    turn: Literal["180", "360"] = parameter("180", "rotation of the scan", unit="degree", group="Scan")
    centre_shift: float = parameter(
        3.25, "how far the axis is from the middle of the detector", unit="pixel", group="Scan"
    )
    field_of_view: Literal["full", "half"] = parameter(
        "full", "half puts the axis near the right edge, with an overlap of an eighth; it wants turn 360", group="Scan"
    )
    tilt: float = parameter(0.0, "of the axis in the plane of the detector", unit="degree", group="Scan", ge=-10, le=10)
    missing: float = parameter(
        0.0, "wedge without projections at the end of the turn", unit="degree", group="Scan", ge=0, le=150
    )
    pixel_size: float = parameter(1.625, "pixel size at the sample", unit="um", group="Scan", gt=0)
    flats: int = parameter(20, "flat fields before and after the scan, each", group="Scan", ge=1)
    darks: int = parameter(20, "dark fields", group="Scan", ge=1)
    phantom: Literal["grains", "disc"] = parameter(
        "grains", "a Shepp-Logan head with grains, or one uniform cylinder", group="Sample"
    )
    absorption: float = parameter(2.0, "largest line integral through the sample", group="Sample", gt=0, le=10)
    delta_beta: float = parameter(
        0.0,
        "delta over beta of the sample, whose fringes are then simulated; 0 for none",
        group="Phase",
        ge=0,
    )
    distance: float = parameter(100.0, "from the sample to the detector", unit="mm", group="Phase", gt=0)
    energy: float = parameter(25.0, "of the photons", unit="keV", group="Phase", gt=0)
    counts: int = parameter(20000, "photons a pixel sees in a flat field", group="Detector", ge=10, le=60000)
    noise: bool = parameter(True, "Poisson noise of the photons", group="Detector")
    stripes: float = parameter(
        0.0,
        "spread of the pixels' gain between flats and scan, which makes rings",
        group="Detector",
        ge=0,
        le=0.5,
    )
    drift: float = parameter(
        0.02,
        "change of the beam's intensity from the first flats to the last",
        group="Detector",
        ge=-0.5,
        le=0.5,
    )
    flicker: float = parameter(
        0.0, "spread of the beam's intensity from projection to projection", group="Detector", ge=0, le=0.5
    )
    zingers: float = parameter(
        0.0, "pixels of a projection, on average, that are hit by a stray photon", group="Detector", ge=0, le=10000
    )
    compression: Literal["bitshuffle-lz4", "none"] = parameter(
        "bitshuffle-lz4", "how frames are stored, one a chunk", group="Detector"
    )
    seed: int = parameter(1, "of the random numbers", group="Detector", ge=0)


PIPELINE = Pipeline(
    name="tomography",
    version="1.0",
    title="Full-field tomography",
    description="Flat-field correction, rotation centre and Fourier filtered back-projection of a parallel-beam scan.",
    technique=Technique("PaNET01207", "x-ray tomography"),
    roles=(
        Role("scan", "raw scan: NXtomo, Data Exchange, a PSI log beside its TIFF series, or a folder of TIFF files"),
        Role("flats", "flat fields, where they are in another file", required=False),
        Role("darks", "dark fields, where they are in another file", required=False),
        Role("truth", "a simulation's truth, to score the result against", required=False),
    ),
    parameters=TomographyParameters,
    inspect=f"{HERE}.run.planning:inspect",
    preview=f"{HERE}.run.planning:preview",
    plan=f"{HERE}.run.planning:plan",
    warm=f"{HERE}.run.look:warm",
    prepare=f"{HERE}.run.look:prepare",
    stages=(
        Stage(
            "frames",
            "Reading frames",
            "frames",
            process=f"{HERE}.run.frames:process",
            combine=f"{HERE}.run.look:look",
            keep=False,
        ),
        Stage(
            "slices",
            "Reconstructing slices",
            "slices",
            process=f"{HERE}.run.slices:process",
            combine=f"{HERE}.results.write:join",
        ),
    ),
    report=f"{HERE}.results.figures:report",
    presets={
        "smooth": {"filter": "parzen"},
        # The notebook of PSI and ExPaNDS on lungs, doi:10.16907/d699e1f7-e822-4396-8c64-34ed405f07b7;
        # its alpha of 1e-4 is in cycles: delta over beta is 1 / (4 pi^2 alpha).
        "tomcat-expands": {
            "references": "mean",
            "phase": "paganin",
            "pixel_size": 1.6,
            "distance": 190.0,
            "energy": 21.0,
            "delta_beta": 253.3,
            "padding": "edge",
            "filter": "parzen",
            "mask": 0.95,
        },
        "small": {"type": "uint16", "mask": 0.95},
    },
    merits=(
        Merit("centre", "Rotation centre", "pixel", "index of the detector column that the axis projects to"),
        Merit(
            "centre_confidence",
            "Confidence of the centre",
            "",
            "from 0 to 1; none where the centre was given",
            expected=(0.5, 1.0),
        ),
        Merit("centre_error", "Error of the centre", "pixel", "distance from the truth"),
        Merit("tilt", "Tilt of the axis", "degree", "in the plane of the detector, to higher columns at higher rows"),
        Merit("slices", "Slices", "", "slices reconstructed"),
        Merit("resolution", "Resolution", "pixel", "where slices of the odd and the even projections cease to agree"),
        Merit("contrast_to_noise", "Contrast to noise", "", "range of the values over the noise of the finest detail"),
        Merit("clamped", "Clamped pixels", "", "fraction of transmissions outside what the logarithm allows"),
        Merit("zingers", "Zingers", "", "fraction of pixels replaced as hot or as hit by a zinger"),
        Merit("clipped", "Clipped voxels", "", "fraction of voxels outside the limits of uint16"),
        Merit("psnr", "PSNR against the truth", "dB", "inside 0.95 of the field, after sub-pixel registration"),
        Merit("scale", "Scale against the truth", "", "fitted slope of result over truth; 1 is right"),
    ),
    citations=(
        Citation(
            "Kak A C, Slaney M. Principles of Computerized Tomographic Imaging. IEEE Press, 1988.",
            "10.1137/1.9780898719277",
        ),
        Citation(
            "Marone F, Stampanoni M. Regridding reconstruction algorithm for real-time tomographic imaging. "
            "J. Synchrotron Rad. 19, 1029 (2012).",
            "10.1107/S0909049512032864",
        ),
        Citation(
            "Vo N T, Drakopoulos M, Atwood R C, Reinhard C. Reliable method for calculating the center of rotation in "
            "parallel-beam tomography. Opt. Express 22, 19078 (2014).",
            "10.1364/OE.22.019078",
        ),
        Citation(
            "Paganin D, Mayo S C, Gureyev T E, Miller P R, Wilkins S W. Simultaneous phase and amplitude extraction "
            "from a single defocused image of a homogeneous object. J. Microsc. 206, 33 (2002).",
            "10.1046/j.1365-2818.2002.01010.x",
        ),
        Citation(
            "Münch B, Trtik P, Marone F, Stampanoni M. Stripe and ring artifact removal with combined wavelet-Fourier "
            "filtering. Opt. Express 17, 8567 (2009).",
            "10.1364/OE.17.008567",
        ),
        Citation(
            "Miqueles E X, Rinkel J, O'Dowd F, Bermúdez J S V. Generalized Titarenko's algorithm for ring artefacts "
            "reduction. J. Synchrotron Rad. 21, 1333 (2014).",
            "10.1107/S1600577514016919",
        ),
        Citation(
            "Vo N T, Atwood R C, Drakopoulos M. Superior techniques for eliminating ring artifacts in X-ray "
            "micro-tomography. Opt. Express 26, 28396 (2018).",
            "10.1364/OE.26.028396",
        ),
        Citation(
            "van Heel M, Schatz M. Fourier shell correlation threshold criteria. J. Struct. Biol. 151, 250 (2005).",
            "10.1016/j.jsb.2005.05.009",
        ),
        Citation(
            "Beck A, Teboulle M. Fast gradient-based algorithms for constrained total variation image denoising and "
            "deblurring problems. IEEE Trans. Image Process. 18, 2419 (2009).",
            "10.1109/TIP.2009.2028250",
        ),
    ),
    tolerance=1e-4,
    examples=(
        "pan run tomography scan.nxs",
        "pan run tomography scan.nxs --preview",
        "pan run tomography scan.nxs --try-centres 505:520:1",
        "pan run tomography scan.h5 flats=flats.h5 darks=darks.h5 --centre 512.3 --filter hann",
    ),
    simulator=Simulator(
        SimulationParameters,
        f"{HERE}.simulation.simulate:simulate",
        "scan.nxs",
        slow={"method": "tv", "iterations": 10000},
    ),
    samples=(Sample("tomography/tooth.h5", "a tooth, measured at APS"),),
)
