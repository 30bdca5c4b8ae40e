"""User files in TOML: the same settings as in the old command language, unknown keys refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.user_file import UserFile, parse_user_file
from pancommons.techniques.sans.user_toml import parse_user_toml, read_user_toml

HERE = Path("user.toml")
HEAD = "toml_file_version = 1\n"


def rounded(user: UserFile) -> UserFile:
    """Round lengths that went through metres."""

    def near(pair: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if pair is None else (round(pair[0], 6), round(pair[1], 6))

    return replace(
        user, radius=near(user.radius), centre=near(user.centre), sample_offset=round(user.sample_offset, 6),
        masks=tuple(sorted(user.masks, key=repr)), path=HERE,
    )  # fmt: skip


numbers = some.integers(1, 5000).map(lambda number: number / 100)
pairs = some.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair) + 1))
lines = some.lists(some.tuples(some.integers(0, 60), some.integers(61, 127)), max_size=3)


@given(
    wavelength=pairs, step=numbers, log=some.booleans(), q=pairs, radius=pairs, centre=pairs, offset=numbers,
    gravity=some.booleans(), bank=some.sampled_from(["rear", "front", "merged"]), rows=lines, columns=lines,
    pixels=some.lists(some.integers(3, 17000), max_size=3), tof=some.lists(pairs, max_size=3), prompt=pairs,
    background=pairs, fit=some.sampled_from(["Linear", "Logarithmic", "Polynomial"]), order=some.integers(2, 5),
    overlap=pairs, scale=numbers, phi=pairs, mirror=some.booleans(),
)  # fmt: skip
def test_both_languages_say_the_same(
    wavelength: tuple[float, float], step: float, log: bool, q: tuple[float, float], radius: tuple[float, float],
    centre: tuple[float, float], offset: float, gravity: bool, bank: str, rows: list[tuple[int, int]],
    columns: list[tuple[int, int]], pixels: list[int], tof: list[tuple[float, float]], prompt: tuple[float, float],
    background: tuple[float, float], fit: str, order: int, overlap: tuple[float, float], scale: float,
    phi: tuple[float, float], mirror: bool,
) -> None:  # fmt: skip
    kinds = {"Linear": "LIN", "Logarithmic": "YLOG", "Polynomial": f"POLYNOMIAL{order}"}
    old = "\n".join(
        [
            "LOQ", f"L/WAV {wavelength[0]} {wavelength[1]} {step}/{'LOG' if log else 'LIN'}",
            f"L/Q {q[0]} {q[1]} 0.01/LIN", "L/QXY 0 0.1 .002/LIN", f"L/R {radius[0]} {radius[1]}",
            f"SET CENTRE {centre[0]} {centre[1]}", f"SAMPLE/OFFSET {offset}", f"GRAVITY/{'ON' if gravity else 'OFF'}",
            f"DET/{bank.upper()}", *(f"MASK/REAR H{one}>H{two}" for one, two in rows),
            *(f"MASK V{one}>V{two}" for one, two in columns), *(f"MASK S{one}" for one in pixels),
            *(f"MASK/T {one} {two}" for one, two in tof), f"FIT/MONITOR {prompt[0]} {prompt[1]}",
            f"BACK/MON/TIMES {background[0]} {background[1]}",
            f"FIT/TRANS/{kinds[fit]} {wavelength[0]} {wavelength[1]}",
            f"DET/RESCALE/FIT {overlap[0]} {overlap[1]}", f"SET SCALES {scale} 1.0", "MON/DIRECT=[LOQ]DIRECT.041",
            "MON/HAB=DIRECTHAB.983", "MON/FLAT=FLAT.061", "MON/SPECTRUM=2", "TRANS/TRANSPEC=3", "QRESOL/A1=20",
            f"L/PHI{'' if mirror else '/NOMIRROR'} {phi[0]} {phi[1]}", "MASK/LINE 30 170",
        ]
    )  # fmt: skip
    spacing = "Log" if log else "Lin"
    new = f"""{HEAD}
[metadata]
weather = "sunny"
[instrument]
name = "LOQ"
[instrument.configuration]
gravity_enabled = {str(gravity).lower()}
sample_offset = {offset / 1000!r}
norm_monitor = "M2"
trans_monitor = "M3"
[detector]
radius_limit = {{min = {radius[0] / 1000!r}, max = {radius[1] / 1000!r}}}
[detector.configuration]
selected_detector = "{bank}"
rear_scale = {scale!r}
all_centre = {{x = {centre[0] / 1000!r}, y = {centre[1] / 1000!r}}}
[detector.correction.direct]
rear_file = "DIRECT.041"
front_file = "DIRECTHAB.983"
[detector.correction.flat]
rear_file = "FLAT.061"
[binning]
wavelength = {{start = {wavelength[0]!r}, step = {step!r}, stop = {wavelength[1]!r}, type = "{spacing}"}}
[binning.1d_reduction]
binning = "{q[0]},0.01,{q[1]}"
[binning.2d_reduction]
step = 0.002
stop = 0.1
type = "Lin"
[reduction.merged.rescale]
min = {overlap[0]!r}
max = {overlap[1]!r}
use_fit = true
[q_resolution]
source_aperture = 0.02
[normalisation.all_monitors]
background = [{background[0]!r}, {background[1]!r}]
enabled = true
[transmission.fitting]
enabled = true
function = "{fit}"
polynomial_order = {order}
parameters = {{lambda_min = {wavelength[0]!r}, lambda_max = {wavelength[1]!r}}}
[mask]
prompt_peak = {{start = {prompt[0]!r}, stop = {prompt[1]!r}}}
mask_pixels = {pixels}
[mask.phi]
mirror = {str(mirror).lower()}
start = {phi[0]!r}
stop = {phi[1]!r}
[mask.time]
tof = [{", ".join(f"{{start = {one!r}, stop = {two!r}}}" for one, two in tof)}]
[mask.spatial]
beamstop_shadow = {{width = 0.03, angle = 170.0}}
[mask.spatial.rear]
detector_row_ranges = {[list(pair) for pair in rows]}
detector_column_ranges = {[list(pair) for pair in columns]}
"""
    first, second = parse_user_file(old, HERE), parse_user_toml(new, HERE)
    assert first.ignored == second.ignored == ()
    assert rounded(first) == rounded(second)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not say its version"),
        ("toml_file_version = 2\n", "user file of version 2"),
        (HEAD + "[mask\n", "is no TOML"),
        (HEAD + "[mask]\nsquare = 3\n[colour]\nred = 1\n", "2 keys that .* not have: colour.red, mask.square"),
        (HEAD + '[detector.configuration]\nselected_detector = "left"\n', "selected_detector: 'left' makes no sense"),
        (HEAD + '[instrument.configuration]\ngravity_enabled = "yes"\n', "gravity_enabled: 'yes' makes no sense"),
        (HEAD + "[binning]\nwavelength = {start = 2.0, type = 'Lin'}\n", "needs both start and stop"),
        (HEAD + "[binning]\nwavelength = {start = 9.0, stop = 2.0, step = 0.1, type = 'Lin'}\n", "makes no bins"),
        (HEAD + "[instrument.configuration]\nnorm_monitor = 'F7'\n", "'F7' is a monitor without spectrum_number"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_key(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_user_toml(text, HERE)


def test_keys_that_are_not_used_are_told() -> None:
    text = HEAD + "[mask]\nmask_files = ['a.xml']\n[detector.correction.position]\nrear_side = 0.1\nrear_y = 0.0\n"
    assert parse_user_toml(text, HERE).ignored == ("detector.correction.position.rear_side", "mask.mask_files")


def test_corrections_of_where_banks_are() -> None:
    text = HEAD + "[detector.correction.position]\nrear_z = 0.047\nfront_x = -0.044\nfront_rot = 0.5\n"
    assert parse_user_toml(text, HERE).corrections == pytest.approx({"rear_z": 47.0, "hab_x": -44.0, "hab_rot": 0.5})


def test_a_monitor_of_its_own_name_and_background() -> None:
    user = parse_user_toml(
        HEAD + "[normalisation]\nselected_monitor = 'near'\n[normalisation.monitor.near]\nspectrum_number = 2\n"
        "[normalisation.monitor.M2]\nbackground = [3000.0, 4000.0]\nuse_own_background = true\n"
        "[normalisation.all_monitors]\nbackground = [1.0, 2.0]\nenabled = true\n",
        HERE,
    )
    assert user.incident_monitor == 2
    assert user.monitor_background == (3000, 4000)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_user_toml(tmp_path / "none.toml")
