"""Files that try to get out of their folder, to fill memory, or to go on for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CANARY = b"CANARY-of-what-must-not-be-sent!"


def _plain(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["v"] = values
        file.create_group("g")["v"] = values
    return path


def _layout(name: str | Path, inside: str = "v", length: int = 1) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((length,), f"S{len(CANARY)}")
    layout[:] = h5py.VirtualSource(str(name), inside, (length,), f"S{len(CANARY)}")
    return layout


def _unlimited(file: h5py.File, name: str, source: str, count: int) -> None:
    """Make a virtual dataset whose extent depends on the source: by its length, or by how many sources there are."""
    whole = h5py.h5s.create_simple((1,), (h5py.h5s.UNLIMITED,))
    whole.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), block=(1,))
    part = h5py.h5s.create_simple((1,), (h5py.h5s.UNLIMITED,))
    part.select_hyperslab((0,), (count,), block=(1,))
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_virtual(whole, source.encode(), b"v", part)
    kind = h5py.h5t.py_create(np.dtype(f"S{len(CANARY)}"))
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((1,), (h5py.h5s.UNLIMITED,)), created)


def make_escapes(folder: Path) -> Path:
    """Make a root beside a secret, and in the root a file that tries each way out; return that file."""
    root, out = folder / "root", folder / "outside"
    secret = _plain(out / "secret.h5", np.array([CANARY]))
    _plain(out / "secret0.h5", np.array([CANARY]))
    (out / "secret.bin").write_bytes(CANARY)
    inner = _plain(root / "in" / "good.h5", np.array([b"allowed"]))
    (root / "link.h5").symlink_to(secret)
    (root / "linked").symlink_to(out)
    os.link(inner, root / "in" / "again.h5")
    relative = f"../{out.name}/secret.h5"
    with h5py.File(root / "hop.h5", "w") as file:
        file["v"] = h5py.ExternalLink(relative, "v")
        file.create_virtual_dataset("vds", _layout(relative))
        file.create_dataset("raw", (1,), f"S{len(CANARY)}", external=[(str(out / "secret.bin"), 0, len(CANARY))])
    with h5py.File(root / "evil.h5", "w") as file:
        file.attrs["title"] = "evil"
        file["good"] = h5py.ExternalLink("in/good.h5", "v")
        file["absolute"] = h5py.ExternalLink(str(secret), "v")
        file["relative"] = h5py.ExternalLink(relative, "v")
        file["group"] = h5py.ExternalLink(relative, "/g")
        file["root"] = h5py.ExternalLink(relative, "/")
        file["soft"] = h5py.SoftLink("/relative")
        file["softer"] = h5py.SoftLink("/root/v")
        file["symlink"] = h5py.ExternalLink("link.h5", "v")
        file["folder"] = h5py.ExternalLink("linked/secret.h5", "v")
        file["hop"] = h5py.ExternalLink("hop.h5", "v")
        file["hop_vds"] = h5py.ExternalLink("hop.h5", "vds")
        file["hop_raw"] = h5py.ExternalLink("hop.h5", "raw")
        for name, source, inside in (
            ("vds", relative, "v"),
            ("vds_absolute", secret, "v"),
            ("vds_symlink", "link.h5", "v"),
            ("vds_folder", "linked/secret.h5", "v"),
            ("vds_through_link", "hop.h5", "v"),
            ("vds_of_vds", "hop.h5", "vds"),
            ("vds_of_raw", "hop.h5", "raw"),
            ("vds_of_own_link", ".", "relative"),
        ):
            file.create_virtual_dataset(name, _layout(source, inside))
        _unlimited(file, "vds_growing", relative, h5py.h5s.UNLIMITED)
        _unlimited(file, "vds_by_pattern", f"../{out.name}/secret%b.h5", 1)
        file.create_dataset("raw", (1,), f"S{len(CANARY)}", external=[(str(out / "secret.bin"), 0, len(CANARY))])
        file.create_dataset("raw_near", (1,), f"S{len(CANARY)}", external=[("linked/secret.bin", 0, len(CANARY))])
    return root / "evil.h5"


def make_chain(folder: Path, length: int) -> Path:
    """Make files of which each links to the next."""
    for index in range(length):
        with h5py.File(folder / f"chain-{index}.h5", "w") as file:
            file["v"] = h5py.ExternalLink(f"chain-{index + 1}.h5", "v")
    _plain(folder / f"chain-{length}.h5", np.arange(3))
    return folder / "chain-0.h5"


def make_loops(path: Path) -> Path:
    """Make a file whose links and groups go in circles."""
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["self"] = h5py.ExternalLink(path.name, "self")
        file["grows"] = h5py.SoftLink("grows/x/x")
        group = file.create_group("group")
        group["round"] = group
        group["up"] = file["/"]
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(".", "vds", (3,), "f8")
        file.create_virtual_dataset("vds", layout)
        file["fine"] = np.arange(3)
    return path


def make_large(path: Path) -> Path:
    """Make a small file of which each part is large once it is read."""
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("huge", (1 << 40,), "f8", chunks=(1 << 20,))
        file.create_dataset("square", (30_000, 30_000), "f8", chunks=(1000, 1000), compression="gzip")
        file.create_dataset("chunk", (1 << 28,), "f8", chunks=(1 << 28,), compression="gzip")
        file.create_dataset("deep", (20_000, 100_000), "u1", chunks=(1, 100_000), compression="gzip")
        words = file.create_dataset("words", (2_000_000,), h5py.string_dtype())
        words[:3] = ["a", "b", "c"]
        file.create_dataset("long", (400,), h5py.string_dtype(), data=["x" * 100_000] * 400)
        file.create_dataset("empty", data=h5py.Empty("f8"))
        file.create_dataset("none", (0, 5), "f4")
        file.attrs.create("large", np.zeros(60_000))
        file.create_group("dense").attrs["gigantic"] = np.zeros(1 << 20)
        file.attrs["small"] = 1
        many = file.create_group("many")
        for index in range(20_000):
            many.create_group(f"child-{index:05}")
    return path


def make_types(path: Path) -> Path:
    """Make a file with values of every type."""
    with h5py.File(path, "w") as file:
        file["scalar"], file["numbers"] = 3.5, np.arange(6.0).reshape(2, 3)
        file["big_endian"], file["half"] = np.arange(4, dtype=">i4"), np.arange(4, dtype="f2")
        file["wide"], file["complex"] = np.arange(3, dtype="f16"), np.array([1 + 2j, np.nan])
        file["bools"], file["not_finite"] = np.array([True, False]), np.array([np.nan, np.inf, -np.inf, 1.0])
        file["text"], file["bytes"] = "µm", np.array([b"a\xb5", b"b"])
        file["texts"] = np.array(["ä", "b"], dtype=h5py.string_dtype())
        file["compound"] = np.array([(1, 2.5, b"\xff")], dtype=[("i", "i4"), ("f", ">f8"), ("s", "S3")])
        file["opaque"] = np.array([b"\x00\x01\xff"], dtype="V3")
        file["ragged"] = np.array([np.arange(2), np.arange(3)], dtype=object).astype(h5py.vlen_dtype("i4"))
        file["enum"] = np.array([0, 1], dtype=h5py.enum_dtype({"off": 0, "on": 1}, "i1"))
        file["array"] = np.zeros(2, dtype=[("a", "f4", (2, 2))])
        references = file.create_dataset("references", (2,), h5py.ref_dtype)
        references[0] = file["numbers"].ref
        file.create_dataset("regions", (1,), h5py.regionref_dtype)[0] = file["numbers"].regionref[0]
        file["type"] = np.dtype("f8")
        file.attrs["latin"] = np.bytes_("Château".encode("latin-1"))
        file.attrs.create("broken", b"\xe9t\xe9", dtype=h5py.string_dtype())
        file.attrs["reference"], file.attrs["empty"] = file["numbers"].ref, h5py.Empty("f4")
        number = h5py.h5a.create(file.id, b"\xe9t\xe9", h5py.h5t.NATIVE_INT32, h5py.h5s.create(h5py.h5s.SCALAR))
        number.write(np.array(1, "i4"))
    return path


def make_broken(folder: Path) -> dict[str, Path]:
    """Make what is no HDF5 file, or was one."""
    whole = _plain(folder / "whole.h5", np.arange(100_000)).read_bytes()
    made = {
        "text": b"not HDF5 at all\n" * 100,
        "empty": b"",
        "signature": b"\x89HDF\r\n\x1a\n",
        "truncated": whole[: len(whole) // 2],
    }
    generator = np.random.default_rng(7)
    for index in range(12):
        noisy = bytearray(whole)
        for place in generator.integers(0, 4000, 30):
            noisy[place] = int(generator.integers(0, 256))
        made[f"noisy-{index}"] = bytes(noisy)
    for name, content in made.items():
        (folder / f"{name}.h5").write_bytes(content)
    return {name: folder / f"{name}.h5" for name in made}


def make_plots(folder: Path) -> Path:
    """Make a root beside a secret, and in the root a file whose plots take each part from outside; return it."""
    root, out = folder / "root", folder / "outside"
    root.mkdir(parents=True, exist_ok=True)
    out.mkdir(exist_ok=True)
    with h5py.File(out / "numbers.h5", "w") as file:
        file["v"], file["axis"], file["title"] = np.arange(10.0), np.linspace(5, 6, 10), CANARY.decode()
        file["v"].attrs["long_name"] = file["axis"].attrs["long_name"] = CANARY.decode()
        file.create_group("data").attrs["NX_class"] = "NXdata"
        file["data"].attrs["signal"], file["data/v"] = "v", np.arange(10.0)
    other = f"../{out.name}/numbers.h5"
    with h5py.File(root / "plots.h5", "w") as file:
        file["ground"] = np.arange(10.0)
        for name, outside in {
            "signal": ["signal"], "axis": ["axis"], "errors": ["signal_errors"], "title": ["title"],
            "auxiliary": ["more"], "all": ["signal", "axis", "signal_errors", "title", "more"],
        }.items():  # fmt: skip
            group = file.create_group(f"{name}/data")
            group.parent.attrs["NX_class"], group.attrs["NX_class"] = "NXentry", "NXdata"
            group.attrs["signal"], group.attrs["axes"], group.attrs["auxiliary_signals"] = "signal", ["axis"], ["more"]
            for part in ("signal", "axis", "signal_errors", "more"):
                layout = h5py.VirtualLayout((10,), "f8")
                layout[:] = h5py.VirtualSource(other, "v", (10,), "f8")
                if part not in outside:
                    group[part] = np.arange(1.0, 11.0)
                elif part == "signal_errors":
                    group.create_virtual_dataset(part, layout)
                else:
                    group[part] = h5py.ExternalLink(other, "axis" if part == "axis" else "v")
            group["title"] = h5py.ExternalLink(other, "title") if "title" in outside else "own"
        file["linked"] = h5py.ExternalLink(other, "/data")
        file.create_group("led").attrs["default"] = "../linked"
        loop = file.create_group("loop")
        loop["again"], loop.attrs["default"] = h5py.SoftLink("/loop"), "again"
        odd = file.create_group("odd")
        odd.attrs["NX_class"], odd.attrs["signal"], odd.attrs["axes"] = (
            "NXdata",
            np.bytes_(b"v\x00\xff"),
            [b"\xff", b"."],
        )
        odd.attrs["SILX_style"], odd["v"] = "{" * 1000, np.full((3, 4), np.nan)
        loud = file.create_group("loud")
        loud.attrs["NX_class"], loud.attrs["signal"] = "NXdata", "v"
        loud["v"] = np.array([1e308, -1e308, np.inf, 0])
        loud["v"].attrs["long_name"], loud["title"] = "$\\frac{" * 5000, "\x01\n$x_{$" * 500
        large = file.create_group("large")
        large.attrs["NX_class"], large.attrs["signal"] = "NXdata", "v"
        large.create_dataset("v", (1 << 40,), "f8", chunks=(1 << 20,))
        crowd = file.create_group("crowd")
        for index in range(1000):
            crowd.create_group(f"g{index}/h").attrs["NX_class"] = "NXdata"
    return root / "plots.h5"
