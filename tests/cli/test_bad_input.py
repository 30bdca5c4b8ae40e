"""Whatever is wrong with an input: one sentence that helps, exit code 2, nothing written, no traceback."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.cli.conftest import Command, Said

DATA = "entry/instrument/detector/data"
KEYS = "entry/instrument/detector/image_key"
ANGLES = "entry/sample/rotation_angle"


def refused(said: Said, here: Path, *words: str, before: set[Path]) -> None:
    """Expect one sentence with certain words, and nothing new in the folder."""
    assert said.code == 2, said
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith("Warning: ")]
    assert len(lines) == 1, said.err
    assert lines[0].endswith(".") and len(lines[0]) < 500
    for word in words:
        assert word.lower() in lines[0].lower(), said.err
    assert set(here.rglob("*")) == before


def check(pan: Command, here: Path, *arguments: str | Path, says: tuple[str, ...] = ()) -> None:
    before = set(here.rglob("*"))
    refused(pan("run", "tomography", *arguments, "--out", "r"), here, *says, before=before)


def test_no_such_file(pan: Command, here: Path) -> None:
    check(pan, here, "nowhere.nxs", says=("nowhere.nxs", "No such file", "check the path"))


def test_folder(pan: Command, here: Path) -> None:
    (here / "folder").mkdir()
    check(pan, here, "folder", says=("folder", "holds no TIFF files"))


def test_empty_file(pan: Command, here: Path) -> None:
    (here / "empty.nxs").touch()
    check(pan, here, "empty.nxs", says=("empty.nxs", "is empty"))


def test_text_file(pan: Command, here: Path) -> None:
    (here / "text.nxs").write_text("These are not the frames you are looking for.\n" * 50)
    check(pan, here, "text.nxs", says=("text.nxs", "no HDF5 file"))


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.2, 0.5, 0.9, 0.999])
def test_cut_file(pan: Command, here: Path, scan: Path, share: float) -> None:
    content = scan.read_bytes()
    (here / "cut.nxs").write_bytes(content[: int(share * len(content))])
    check(pan, here, "cut.nxs", says=("cut.nxs",))


@pytest.mark.parametrize("seed", range(4))
def test_file_with_flipped_bytes_never_ends_in_a_traceback(pan: Command, here: Path, scan: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(scan.read_bytes())
    for _ in range(200):
        content[chance.randrange(len(content))] = chance.randrange(256)
    scan.write_bytes(content)
    said = pan("run", "tomography", scan, "--dry-run")
    assert said.code in {0, 2}, said
    assert said.code == 0 or len(said.err.splitlines()) <= 3


def test_hdf5_without_tomography(pan: Command, here: Path) -> None:
    with h5py.File(here / "other.h5", "w") as file:
        file["entry/data/data"] = np.zeros(3)
    check(pan, here, "other.h5", says=("other.h5", "[frame, row, column]"))


def test_hdf5_of_another_kind(pan: Command, here: Path) -> None:
    with h5py.File(here / "other.h5", "w") as file:
        file["results/table"] = np.zeros((3, 3))
    check(pan, here, "other.h5", says=("other.h5", "no tomography data"))


def test_pipe(pan: Command, here: Path) -> None:
    os.mkfifo(here / "pipe.nxs")
    check(pan, here, "pipe.nxs", says=("pipe.nxs", "neither a file nor a folder"))


def test_circular_link(pan: Command, here: Path) -> None:
    (here / "loop.nxs").symlink_to("loop.nxs")
    check(pan, here, "loop.nxs", says=("loop.nxs",))


def test_name_that_is_not_utf8(pan: Command, here: Path, scan: Path) -> None:
    shutil.copy(scan, here / "sc\udce4n.nxs")
    check(pan, here, "sc\udce4n.nxs", says=("not UTF-8", "rename"))


def test_name_too_long(pan: Command, here: Path) -> None:
    check(pan, here, "n" * 300, says=("too long",))


def angles(file: h5py.File, change: str) -> None:
    values = file[ANGLES][()]
    if change == "nan":
        values[12] = np.nan
    elif change == "fewer":
        values = values[:20]
    elif change == "none":
        values = None
    del file[ANGLES], file["entry/data/rotation_angle"]
    if values is not None:
        file[ANGLES] = values


@pytest.mark.parametrize(
    ("change", "words"),
    [("nan", ("1 of 31 angles",)), ("fewer", ("20 angles", "interrupted")), ("none", ("rotation angles",))],
)
def test_angles(pan: Command, here: Path, scan: Path, change: str, words: tuple[str, ...]) -> None:
    with h5py.File(scan, "r+") as file:
        angles(file, change)
    check(pan, here, "scan.nxs", says=("scan.nxs", "rotation_angle", *words))


def test_two_projections(pan: Command, here: Path, scan: Path) -> None:
    with h5py.File(scan, "r+") as file:
        keys = file[KEYS][()]
        keys[np.flatnonzero(keys == 0)[2:]] = 3
        file[KEYS][...] = keys
    check(pan, here, "scan.nxs", says=("2 projections", "3 are the least"))


def test_keys_that_do_not_match_the_frames(pan: Command, here: Path, scan: Path) -> None:
    with h5py.File(scan, "r+") as file:
        keys = file[KEYS][()]
        del file[KEYS]
        file[KEYS] = keys[:-2]
    check(pan, here, "scan.nxs", says=("image keys", "frames"))


def test_no_flats(pan: Command, here: Path, scan: Path) -> None:
    with h5py.File(scan, "r+") as file:
        keys = file[KEYS][()]
        file[KEYS][...] = np.where(keys == 1, 3, keys)
    check(pan, here, "scan.nxs", says=("no flat fields", "flats="))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--centre", "nan", ("centre", "finite")),
        ("--centre", "31.5", ("centre", "columns 0 to 31", "scan.nxs")),
        ("--centre", "-1", ("centre", "columns 0 to 31")),
        ("--centre", "middle", ("centre", "number", '"auto"')),
        ("--centre", "3 kg", ("centre", "cannot be expressed in pixel")),
        ("--rows", "0:7", ("rows", "0:6", "scan.nxs")),
        ("--rows", "3:3", ("rows", "0:6")),
        ("--rows", "3:1", ("rows", "0:6")),
        ("--rows", "2", ("rows", "START:STOP")),
        ("--rows", "-1:2", ("rows", "START:STOP")),
        ("--rows", "٠:٢", ("rows", "START:STOP")),
        ("--rows", f"0:{10**30}", ("rows", "0:6")),
        ("--region", "0:33,0:32", ("region", "32 x 32")),
        ("--region", "5:5,0:32", ("region", "32 x 32")),
        ("--region", "0:5", ("region", "X0:X1,Y0:Y1")),
        ("--pixel-size", "inf", ("pixel_size", "finite")),
        ("--pixel-size", "0", ("pixel_size", "greater than 0")),
        ("--pixel-size", "1 keV", ("pixel_size", "um")),
        ("--limits", "1.2.3:4", ("limits", "LOW:HIGH")),
        ("--limits", "2:1", ("limits", "LOW:HIGH")),
        ("--limits", "1:1", ("limits", "LOW:HIGH")),
        ("--limits", "0:1e999", ("limits", "LOW:HIGH")),
        ("--limits", ".:.", ("limits", "LOW:HIGH")),
        ("--try-centres", "10:20:0", ("try_centres", "1 to 200")),
        ("--try-centres", "20:10", ("try_centres", "1 to 200")),
        ("--try-centres", "0:31:0.001", ("try_centres", "1 to 200")),
        ("--try-centres", "10,99", ("try_centres", "0 to 31")),
        ("--try-centres", "1,,2", ("try_centres", "START:STOP:STEP")),
        ("--centre-range", "20:10", ("centre_range", "0:31")),
        ("--centre-range", "0:99", ("centre_range", "0:31")),
        ("--mask", "1.01", ("mask", "less than or equal to 1")),
        ("--minimum-transmission", "0", ("minimum_transmission", "greater than 0")),
        ("--filter", "Ramp", ("filter", "'ramp'", "'parzen'")),
        ("--type", "uint8", ("type", "'uint16'")),
        ("--memory", "lots", ("memory", "such as 4G")),
        ("--memory", "100K", ("memory", "are allowed")),
        ("--preset", "smal", ("preset", "small", "smooth")),
        ("--params", "nowhere.toml", ("nowhere.toml", "No such file")),
        ("--on", "cloud", ("--on", "threads, processes, dask")),
        ("--on", "threads:4", ("--on", "threads, processes, dask")),
    ],
)
def test_parameter(pan: Command, here: Path, scan: Path, option: str, value: str, words: tuple[str, ...]) -> None:
    check(pan, here, "scan.nxs", option, value, says=words)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.toml", "pixl_size = 3", ("pixl_size", "did you mean pixel_size?")),
        ("p.toml", "pixel-size = 3", ("pixel-size", "did you mean pixel_size?")),
        ("p.toml", "zzz = 3", ("zzz", "known are")),
        ("p.toml", "centre = [1, 2]", ("centre", "number")),
        ("p.toml", "= 3", ("p.toml", "TOML")),
        ("p.toml", "centre = 2026-01-01", ("centre",)),
        ("p.json", "[1]", ("p.json", "table")),
        ("p.json", "{", ("p.json", "JSON")),
        ("p.json", '{"centre": NaN}', ("centre",)),
        ("p.json", '{"tiff": "perhaps"}', ("tiff",)),
        ("p.json", "\udcff", ("p.json",)),
    ],
)
def test_parameter_file(pan: Command, here: Path, scan: Path, name: str, content: str, words: tuple[str, ...]) -> None:
    (here / name).write_bytes(os.fsencode(content))
    check(pan, here, "scan.nxs", "--params", name, says=words)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (("flat=scan.nxs",), ("flat=scan.nxs", "scan, flats, darks, truth")),
        (("flats=nowhere.nxs",), ("nowhere.nxs", "No such file")),
        (("flats=scan.nxs", "flats=scan.nxs"), ("flats", "takes one path")),
    ],
)
def test_roles(pan: Command, here: Path, scan: Path, inputs: tuple[str, ...], words: tuple[str, ...]) -> None:
    check(pan, here, "scan.nxs", *inputs, says=words)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("full", ("full", "--out", "not empty")),
        ("scan.nxs", ("--out", "cannot be made")),
        ("scan.nxs/in/it", ("--out", "cannot be made")),
        ("x" * 300, ("--out", "too long")),
        ("dangling", ("--out", "cannot be made")),
    ],
)
def test_out(pan: Command, here: Path, scan: Path, out: str, words: tuple[str, ...]) -> None:
    (here / "full").mkdir()
    (here / "full" / "precious").touch()
    (here / "dangling").symlink_to("nowhere")
    before = set(here.rglob("*"))
    said = pan("run", "tomography", "scan.nxs", "--out", out)
    assert said.code == 2
    last = said.err.splitlines()[-1]
    assert all(word in last for word in words), said.err
    assert set(here.rglob("*")) == before


def test_scan_that_may_not_be_read(here: Path, scan: Path) -> None:
    if os.geteuid() == 0 and not os.access("/usr/bin/setpriv", os.X_OK):
        pytest.skip("root may read everything")
    scan.chmod(0)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-m", "pancommons", "run", "tomography", "scan.nxs", "--out", "r"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "setpriv:" in done.stderr:
        pytest.skip("root cannot give up its rights here")
    assert done.returncode == 2, done.stderr
    assert "scan.nxs" in done.stderr and "Permission denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (here / "r").exists()


@pytest.mark.parametrize("command", ["resume", "status", "stop", "report"])
def test_folder_that_is_no_run(pan: Command, here: Path, scan: Path, command: str) -> None:
    for place in (".", "scan.nxs", "nowhere"):
        said = pan(command, place)
        assert said.code == 2 and len(said.err.splitlines()) == 1, said
        assert "run folder" in said.err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff", b'{"format": 99}'])
def test_folder_with_a_damaged_request(pan: Command, here: Path, content: bytes) -> None:
    (here / "r").mkdir()
    (here / "r" / "run.json").write_bytes(content)
    said = pan("status", "r")
    assert said.code == 2 and len(said.err.splitlines()) == 1, said
    if b"99" in content:
        assert "newer pancommons" in said.err
