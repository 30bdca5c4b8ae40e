"""The old command language: what is read, what is ignored, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import Binning, Binnings
from pancommons.techniques.sans.instrument import instrument
from pancommons.techniques.sans.masks import Arm, Block
from pancommons.techniques.sans.user_file import Fit, file_name, parse_user_file, read_user_file

HERE = Path("user.txt")


def test_corrections_monitors_and_their_backgrounds() -> None:
    user = parse_user_file(
        "SANS2D\nDET/CORR FRONT X -44.0\nDET/CORR REAR Z 47.0\nDET/CORR/FRONT/RADIUS 1.0\nDET/CORR FRONT ROT 0.5\n"
        "DET/FRONT\nBACK/M1 35000 65000\nBACK/M2/TIMES 85000 98000\nMON/SPECTRUM=1/INTERPOLATE\nTRANS/TRANSPEC=3",
        HERE,
    )
    assert user.corrections == {"hab_x": -44.0, "rear_z": 47.0, "hab_radius": 1.0, "hab_rot": 0.5}
    assert (user.instrument, user.bank) == ("SANS2D", "hab")
    assert user.monitor_backgrounds == {1: (35000.0, 65000.0), 2: (85000.0, 98000.0)}
    assert (user.incident_monitor, user.transmission_monitor) == (1, 3)
    assert user.ignored == ("MON/SPECTRUM=1/INTERPOLATE",)
    with pytest.raises(BadInput, match="cannot be understood"):
        parse_user_file("TRANS/TRANSPEC=4/SHIFT=-70", HERE)


def test_commands_are_free_of_case_and_comments() -> None:
    user = parse_user_file(
        "! a comment\nl/wav 2.2 10.0 .035/log ! growth\nL/Q .01 .3 .002/lin\nset centre 324.6 327.9 5 5\n"
        "mask h126>h127\nMASK S16641\nmask/time 19711.5 21228.5\nMON/DIRECT=LOQ$DISK0:[LOQMGR.EFFIC]DIRECT.041\n"
        "FIT/TRANS/CAN/POLYNOMIAL4 2.2 10\nSample/Offset -8.0\nDET/RESCALE/FIT .13 .25\nGRAVITY ON\nDET/MERGE",
        HERE,
    )
    assert user.wavelength == Binning(2.2, 10.0, 0.035, True)
    assert user.q == Binning(0.01, 0.3, 0.002)
    assert user.centre == (324.6, 327.9)
    assert user.masks == (Block(rows=(126, 127)),)
    assert user.masked_spectra == ((16641, 16641),)
    assert user.masked_times == ((19711.5, 21228.5),)
    assert user.direct_rear == "DIRECT.041"
    assert user.can_fit == Fit("polynomial", 4, (2.2, 10.0))
    assert user.sample_fit == Fit("log")
    assert user.sample_offset == -8
    assert user.rescale_fit == (0.13, 0.25)
    assert user.gravity
    assert user.bank == "merged"
    assert not user.ignored


def test_masks_of_every_kind() -> None:
    user = parse_user_file(
        "MASK V4\nmask h57>h66+v134>v141\nMASK/FRONT H0\nmask S12>S10\nmask 0 40 600.5 650\nMASK/LINE 30 170\n"
        "mask/front/line 12 19 0.3 -0.1\nMASK/TIME 1 2",
        HERE,
    )
    assert user.masks == (
        Block(columns=(4, 4)),
        Block(rows=(57, 66), columns=(134, 141)),
        Block(rows=(0, 0), bank="hab"),
        Arm(30, 170),
        Arm(12, 19, 300, -100, "hab"),
    )
    assert user.masked_spectra == ((10, 12),)
    assert user.ignored == ("mask 0 40 600.5 650",)
    cleared = parse_user_file("MASK V4\nMASK/T 1 2\nMASK/CLEAR\nMASK H3\n", HERE)
    assert cleared.masks == (Block(rows=(3, 3)),)
    assert cleared.masked_times == ((1, 2),)


def test_a_mask_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="line 1 cannot be understood"):
        parse_user_file("MASK H3>Q7\n", HERE)


def test_bins_monitors_and_apertures() -> None:
    user = parse_user_file(
        "SANS2D\nL/Q .02,.05,.5,-.1,10\nL/EVENTSTIME 7000.0,500.0,8000.0\nMON/SPECTRUM=1\nTRANS/TRANSPEC=4\n"
        "QRESOL/A1=30\nQRESOL/A2=10\nQRESOL/ON",
        HERE,
    )
    assert user.instrument == "SANS2D"
    assert user.q == Binnings((Binning(0.02, 0.5, 0.05), Binning(0.5, 10, 0.1, True)))
    assert user.event_times == (7000, 7500, 8000)
    assert (user.incident_monitor, user.transmission_monitor) == (1, 4)
    assert (user.source_aperture, user.sample_aperture) == (30, 10)
    assert parse_user_file("L/Q/LOG .01 .3 .05", HERE).q == Binning(0.01, 0.3, 0.05, True)
    assert not user.ignored


def test_unknown_lines_are_kept_to_be_told() -> None:
    user = parse_user_file("L/R 35 750 3\nSPY ON\n", HERE)
    assert user.radius == (35, 750)
    assert user.ignored == ("SPY ON",)


@pytest.mark.parametrize("text", ["L/WAV 10 2.2 .035/LOG", "L/Q .01", "SET CENTRE here there", "BACK/MON/TIMES 2 1"])
def test_a_command_that_makes_no_sense_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(BadInput, match="line 2 cannot be understood"):
        parse_user_file(f"L/R 35 750\n{text}", HERE)


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="holds no command"):
        parse_user_file("dear colleague\n", HERE)


@pytest.mark.parametrize("name", ["LOQ$DISK0:[LOQ]A.1", "/usr/A.1", r"C:\data\A.1", "A.1", " A.1 "])
def test_file_names_of_any_system(name: str) -> None:
    assert file_name(name) == "A.1"


def test_the_real_ones(shared_data: Callable[[str], Path]) -> None:
    user = read_user_file(shared_data("sans-loq/54431/MASK.094AA"))
    assert user.flat_cell == "FLAT_CELL.061"
    assert user.monitor_prompt == (19900, 20500)
    assert user.scale == 1.495
    assert user.bank == "rear"
    assert not read_user_file(shared_data("sans-loq/74044/MaskLOQData.txt")).ignored


def test_masks_cover_what_they_say() -> None:
    bank = instrument("LOQ", None).banks["rear"]
    block = Block((126, 127), (0, 9)).covers(bank, bank.x, bank.y)
    assert set(bank.spectra[block]) == {3 + row * 128 + column for row in (126, 127) for column in range(10)}
    arm = Arm(30, 90, 10.0, 20.0).covers(bank, bank.x, bank.y)
    np.testing.assert_array_equal(arm, (np.abs(bank.x - 0.01) <= 0.015) & (bank.y >= 0.02))
    other = instrument("LOQ", None).banks["hab"]
    assert not Arm(30, 90).covers(other, other.x, other.y).any()
