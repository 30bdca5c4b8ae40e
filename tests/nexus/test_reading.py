"""Opening files and taking values out of them, with the irregularities that real files have."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.nexus.read import attribute, entries, member, number, numbers, nx_class, open_file, read_block, text
from pancommons.nexus.text import as_text


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry1")
        entry.attrs["NX_class"] = np.array([b"NXentry"])
        entry["title"] = np.array([b"first", b""])
        entry["definition"] = np.array([b"NXtomo"])
        entry["name"] = np.bytes_(b"M\xfcller")
        entry["placeholder"] = "NX_CHAR"
        entry["energy"] = np.array([12.4])
        entry["energy"].attrs["units"] = np.bytes_(b"KeV")
        entry["source_energy"] = -1.0
        entry["source_energy"].attrs["units"] = "GeV"
        entry["pixel"] = 6.5
        entry["pixel"].attrs.create("units", np.bytes_(b"\xb5m"))
        entry["bare"] = 7.0
        entry["nothing"] = h5py.Empty("f4")
        entry["lost"] = h5py.SoftLink("/nowhere")
        entry["round"] = h5py.SoftLink("/entry1/again")
        entry["again"] = h5py.SoftLink("/entry1/round")
        entry["outside"] = h5py.ExternalLink("gone.h5", "/data")
        sub = entry.create_group("sub")
        sub.attrs["NX_class"] = "NXsubentry"
        sub["definition"] = "NXfluo"
        file.create_group("unclassed")["definition"] = "NXsas"
    return path


def test_values_from_odd_shapes(odd: Path) -> None:
    with open_file(odd) as file:
        entry = file["entry1"]
        assert nx_class(entry) == "NXentry"
        assert text(entry, "title") == "first"
        assert text(entry, "name") == "Müller"
        assert text(entry, "placeholder") is None
        assert number(entry, "energy", "keV") == pytest.approx(12.4)
        assert number(entry, "pixel", "m") == pytest.approx(6.5e-6)
        assert number(entry, "source_energy", "GeV", positive=True) is None
        assert number(entry, "bare", "m") is None
        assert number(entry, "bare", "m", "mm") == pytest.approx(7e-3)
        for absent in ("nothing", "lost", "round", "outside", "not there", "title"):
            assert numbers(entry, absent) is None
        for dangling in ("lost", "round", "outside"):
            assert member(entry, dangling) is None and text(entry, dangling) is None
        measured = numbers(entry, "energy")
        assert measured is not None and measured.unit == "KeV" and measured.stated


def test_entries_by_class_with_their_subentries(odd: Path) -> None:
    with open_file(odd) as file:
        (entry,) = entries(file)
    assert entry.path == "/entry1"
    assert entry.definitions == ("NXtomo", "NXfluo")
    assert entry.title == "first"
    assert entry.subentries == ("/entry1/sub",)


def test_entries_by_cansas_class_and_by_what_they_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "sas.h5", "w") as file:
        file.create_group("sasentry01").attrs["canSAS_class"] = "SASentry"
        file.create_group("other")["data"] = 1
    with open_file(tmp_path / "sas.h5") as file:
        assert [entry.path for entry in entries(file)] == ["/sasentry01"]
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.create_group("scan").create_group("instrument")
        file["scan/definition"] = "NXentry"
        file.create_group("notes")
    with open_file(tmp_path / "plain.h5") as file:
        (entry,) = entries(file)
    assert (entry.path, entry.definitions) == ("/scan", ())


def _cut(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(100_000)
    path.write_bytes(path.read_bytes()[:50_000])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("<HTML>404</HTML>"), "is no HDF5 file"),
        (_cut, "is cut short"),
    ],
)
def test_a_file_that_cannot_be_opened_gets_one_sentence(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "scan.nxs"
    make(path)  # type: ignore[operator]
    with pytest.raises(BadInput, match=words) as caught:
        open_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_data_that_cannot_be_decoded_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("data", (4, 64, 64), "u2", chunks=(1, 64, 64), compression="gzip")
        dataset[:] = 1
        dataset.id.write_direct_chunk((2, 0, 0), b"this is not deflated")
    with open_file(path) as file:
        assert read_block(file["data"], np.s_[1]).sum() == 64 * 64
        with pytest.raises(BadInput, match="/data: the data cannot be read"):
            read_block(file["data"], np.s_[2])


def test_an_attribute_that_is_no_utf8_is_no_error(odd: Path) -> None:
    with h5py.File(odd, "a") as file:
        file.attrs.create("odd", np.array(b"\xb5\xff", "S3"), dtype=h5py.string_dtype("utf-8", 3))
    with open_file(odd) as file:
        assert as_text(attribute(file, "odd")) == "µÿ"
        assert attribute(file, "absent") is None
