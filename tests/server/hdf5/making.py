"""Valid HDF5 files of many kinds, made from a seed, and bytes of them damaged.

They are made by a process of their own, ``python -m tests.server.hdf5.making``, since not every filter survives what
it is given.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import hdf5plugin
import numpy as np

_OUTSIDE = ("../outside/secret.h5", "linked/secret.h5", "link.h5", "hop.h5", "embargoed.h5", "nowhere.h5", "in/good.h5",
            "evil.h5", ".", "", "/etc/passwd", "../outside/secret%b.h5")  # fmt: skip
_INSIDE = ("/v", "v", "/g/v", "/secret", "secret", "/", "/vds", "/raw", "/nothing", "../v")
_DTYPES = ("u1", "i1", "<u2", ">u2", "<i4", ">i4", "u8", "<f2", "<f4", ">f4", "<f8", ">f8", "f16", "c8", "c16", "?",
           "S5", "S32", "V3")  # fmt: skip
_FILTERS = [
    made
    for name, made in sorted(inspect.getmembers(hdf5plugin, inspect.isclass))
    if issubclass(made, h5py.filters.FilterRefBase) and name != "FilterBase"
]
_SIGNATURES = (b"HEAP", b"GCOL", b"TREE", b"SNOD", b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF",
               b"FADB", b"FAHD", b"EAHD", b"EAIB", b"\x89HDF")  # fmt: skip


class Maker:
    """The process that makes files, in a folder; started anew where it ended over one.

    Parameters
    ----------
    root
        The folder of data, beside which something is that must not be read.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.file = folder / "fuzzed.h5"
        self._root = root
        self._process: subprocess.Popen[str] | None = None

    def make(self, seed: int) -> list[str] | None:
        """Make the file of a seed, most often damaged; return its paths, None if it cannot be made."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.server.hdf5.making", str(self.file), str(self._root)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{seed}\n")
            self._process.stdin.flush()
            told = self._process.stdout.readline()
        except BrokenPipeError:
            told = ""
        if not told:
            self.close()
            return None
        names: list[str] | None = json.loads(told)
        return names

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _serve(path: Path, root: Path) -> None:
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # some filters print what they think
    for line in sys.stdin:
        chance = Random(int(line))
        names: list[str] | None = ["/"]
        try:
            make(path, chance, root)
            with h5py.File(path) as file:
                file.visit_links(lambda name: names.append(f"/{name}"))  # noqa: B023
            path.write_bytes(damaged(path.read_bytes(), chance))
        except Exception:  # a filter that refuses at the end
            names = None
        print(json.dumps(names), file=told, flush=True)


def make(path: Path, chance: Random, root: Path) -> None:
    """Write a valid file of some of all kinds.

    Parameters
    ----------
    root
        The folder of data, beside which something is that must not be read.
    """
    libver = chance.choice([None, "latest", ("earliest", "v110"), "v108"])
    block = chance.choice([0, 0, 0, 512])
    with h5py.File(path, "w", libver=libver, userblock_size=block, track_order=chance.random() < 0.2) as file:
        file["theirs"] = h5py.ExternalLink("embargoed.h5", "/secret")
        file["outside"] = h5py.ExternalLink("../outside/secret.h5", "/v")
        for index in range(chance.randint(3, 12)):
            holder = file if chance.random() < 0.7 else file.require_group(f"g{chance.randint(0, 3)}/inner")
            kind = chance.choice(_KINDS)
            try:
                kind(holder, f"{kind.__name__.strip('_')}{index}", chance, root)
            except (ValueError, TypeError, OSError, RuntimeError, KeyError, NotImplementedError):
                continue  # not every filter takes every type


def _values(chance: Random, dtype: Any, shape: tuple[int, ...]) -> Any:
    raw = np.random.default_rng(chance.getrandbits(32)).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    if np.dtype(dtype).kind == "b":
        raw &= 1
    return raw.view(dtype).reshape(shape)


def _shape(chance: Random) -> tuple[int, ...]:
    return tuple(chance.choice([0, 1, 1, 2, 3, 7, 33]) for _ in range(chance.randint(0, 4)))


def _numbers(holder: Any, name: str, chance: Random, root: Path) -> None:
    shape, dtype = _shape(chance), chance.choice(_DTYPES)
    data = holder.create_dataset(name, data=_values(chance, dtype, shape))
    data.attrs["units"], data.attrs["long_name"] = (
        chance.choice(["mm", "", "\x01", "$x_{$"]),
        "µ" * chance.randint(0, 9),
    )


def _chunked(holder: Any, name: str, chance: Random, root: Path) -> None:
    shape = tuple(chance.choice([1, 5, 16, 40]) for _ in range(chance.randint(1, 3)))
    chunks = tuple(chance.randint(1, edge) for edge in shape)
    filters: dict[str, Any] = chance.choice(
        [{}, {"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True, "compression": "gzip"},
         {"fletcher32": True}, {"scaleoffset": 0}, *({"compression": one()} for one in _FILTERS)]
    )  # fmt: skip
    dtype = chance.choice(("u1", "<u2", "<i4", "<f4", "<f8", ">f8", "S4"))
    holder.create_dataset(
        name, data=_values(chance, dtype, shape), chunks=chunks, maxshape=chance.choice([None, (None,) * len(shape)]),
        fillvalue=None if dtype == "S4" else chance.choice([None, 0, 7]), **filters,
    )  # fmt: skip


def _sparse(holder: Any, name: str, chance: Random, root: Path) -> None:
    edge = chance.choice([1000, 1 << 20, 1 << 40])
    holder.create_dataset(name, (edge, chance.choice([1, 3])), "f4", chunks=(min(edge, 1 << 16), 1), compression="gzip")


def _link(holder: Any, name: str, chance: Random, root: Path) -> None:
    target = chance.choice([*_INSIDE, f"/{name}", f"{name}/x/x", "/chunked0", "/" * 50, "x" * 3000])
    holder[name] = h5py.SoftLink(target)
    if chance.random() < 0.3:
        holder[f"{name}-round"] = holder


def _external(holder: Any, name: str, chance: Random, root: Path) -> None:
    absolute = str(root.parent / "outside" / "secret.h5")
    holder[name] = h5py.ExternalLink(chance.choice([*_OUTSIDE, absolute]), chance.choice(_INSIDE))


def _virtual(holder: Any, name: str, chance: Random, root: Path) -> None:
    absolute = str(root.parent / "outside" / "secret.h5")
    source, inside = chance.choice([*_OUTSIDE, absolute]), chance.choice(_INSIDE)
    dtype = chance.choice(["S32", "S18", "S1", "u1", "f8"])
    layout = h5py.VirtualLayout((2,), dtype)
    layout[0:1] = h5py.VirtualSource(source, inside, (1,), dtype)
    if chance.random() < 0.5:
        layout[1:2] = h5py.VirtualSource(chance.choice(_OUTSIDE), chance.choice(_INSIDE), (1,), dtype)
    holder.create_virtual_dataset(name, layout)


def _raw(holder: Any, name: str, chance: Random, root: Path) -> None:
    place = chance.choice([str(root.parent / "outside" / "secret.bin"), "linked/secret.bin", "embargoed.h5"])
    holder.create_dataset(name, (4096,), chance.choice(["u1", "S1"]), external=[(place, 0, 4096)])


def _table(holder: Any, name: str, chance: Random, root: Path) -> None:
    fields: list[Any] = [("i", "<i4"), ("f", ">f8"), ("s", "S3"), ("a", "<f4", (2, 2)), ("é", "u1")]
    if chance.random() < 0.4:
        fields.append(("t", h5py.string_dtype()))
    if chance.random() < 0.4:
        fields.append(("inner", [("x", "u2"), ("y", h5py.enum_dtype({"off": 0, "on": 1}))]))
    holder.create_dataset(name, (chance.randint(0, 5),), np.dtype(fields))


def _ragged(holder: Any, name: str, chance: Random, root: Path) -> None:
    kind = chance.choice(
        [h5py.vlen_dtype("i4"), h5py.string_dtype(), h5py.vlen_dtype("S3"), h5py.string_dtype("ascii")]
    )
    data = holder.create_dataset(name, (4,), kind, chunks=chance.choice([None, (2,)]))
    if h5py.check_string_dtype(kind):
        data[:] = ["x" * chance.randint(0, 200) for _ in range(4)]
    else:
        data[0] = np.arange(chance.randint(0, 9)).astype(h5py.check_vlen_dtype(kind))


def _references(holder: Any, name: str, chance: Random, root: Path) -> None:
    if chance.random() < 0.5:
        holder.create_dataset(name, (2,), h5py.ref_dtype)[0] = holder.ref
    else:
        other = holder.create_dataset(f"{name}-of", data=np.arange(5))
        holder.create_dataset(name, (1,), h5py.regionref_dtype)[0] = other.regionref[1:3]


def _odd(holder: Any, name: str, chance: Random, root: Path) -> None:
    odd: list[Callable[[], Any]] = [
        lambda: h5py.Empty("f8"), lambda: np.dtype("f8"), lambda: "µm" * 50, lambda: b"\xff\xfe", lambda: 3,
        lambda: np.array([np.nan, np.inf, -np.inf]), lambda: np.array([True, False]),
        lambda: np.array([0, 1], dtype=h5py.enum_dtype({"off": 0, "on": 1, "µ": 2})),
        lambda: np.dtype([("a", "i4"), ("b", [("c", "f8", (3,))])]),
    ]  # fmt: skip
    holder[name] = chance.choice(odd)()


def _attributes(holder: Any, name: str, chance: Random, root: Path) -> None:
    group = holder.create_group(name)
    for index in range(chance.choice([1, 5, 40])):
        value = chance.choice(
            [1, 2.5, "text", b"\xff", np.arange(chance.choice([3, 3000, 60_000])), h5py.Empty("f4"), holder.ref,
             ["a", "ä"], np.zeros(2, dtype=[("a", "f4"), ("b", "S2")]), "x" * 30_000]
        )  # fmt: skip
        group.attrs.create(f"{index}é", value) if isinstance(value, bytes) else group.attrs.__setitem__(
            str(index), value
        )


def _crowd(holder: Any, name: str, chance: Random, root: Path) -> None:
    group = holder.create_group(name)
    for index in range(chance.choice([10, 500])):
        group.create_group(f"c{index}")


def _plot(holder: Any, name: str, chance: Random, root: Path) -> None:
    entry = holder.create_group(name)
    entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "data"
    data = entry.create_group("data")
    data.attrs["NX_class"], data.attrs["signal"] = "NXdata", chance.choice(["v", "nothing", b"\xff", "", "../v", "."])
    shape = chance.choice([(5,), (5, 6), (2, 5, 6), (0,), (), (1, 1)])
    data["v"] = _values(chance, chance.choice(["<f4", "<f8", "u2", "i8"]), shape)
    data.attrs["axes"] = chance.choice([["x"], [".", "x"], ["x", "y", "z", "w"], [], "x", [b"\xff"]])
    if chance.random() < 0.5:
        _external(data, "x", chance, root)
    else:
        data["x"] = np.linspace(0, 1, chance.choice([4, 5, 6]))
    if chance.random() < 0.3:
        _virtual(data, "v_errors", chance, root)
    data["v"].attrs["long_name"] = chance.choice(["counts", "$\\frac{", "\x01\n", "_{" * 500])
    if chance.random() < 0.3:
        entry["title"] = h5py.ExternalLink(chance.choice(_OUTSIDE), chance.choice(_INSIDE))


_KINDS = (_numbers, _chunked, _chunked, _sparse, _link, _external, _virtual, _raw, _table, _ragged, _references, _odd,
          _attributes, _crowd, _plot)  # fmt: skip


def damaged(content: bytes, chance: Random) -> bytes:
    """Damage a file here and there, or leave it as it is."""
    told = bytearray(content)
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        told = bytearray(chance.choice(_DAMAGES)(told, chance)) or bytearray(b"\x00")
    return bytes(told)


def _flips(content: bytearray, chance: Random) -> bytes:
    first = chance.choice([len(content), min(len(content), 4096), min(len(content), 512)])
    for _ in range(chance.choice([1, 3, 30])):
        content[chance.randrange(first)] = chance.randrange(256)
    return content


def _cut(content: bytearray, chance: Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _swapped(content: bytearray, chance: Random) -> bytes:
    size = chance.choice([8, 64, 512])
    one, other = (chance.randrange(max(1, len(content) // size)) * size for _ in range(2))
    content[one : one + size], content[other : other + size] = content[other : other + size], content[one : one + size]
    return content


def _extreme(content: bytearray, chance: Random) -> bytes:
    """Put the largest numbers, or those of a place in the file, where lengths and addresses may be."""
    place = chance.randrange(max(1, len(content) // 8)) * 8
    value = chance.choice([0, 1, (1 << 64) - 1, 1 << 63, (1 << 32) - 1, chance.randrange(len(content))])
    content[place : place + 8] = value.to_bytes(8, "little")
    return content


def _fields(content: bytearray, chance: Random) -> bytes:
    """Change what follows a signature: of the superblock, a heap, a tree, an object header."""
    places = [at for sign in _SIGNATURES if (at := content.find(sign, chance.randrange(len(content)))) >= 0]
    if places:
        place = chance.choice(places) + chance.randint(4, 40)
        size = chance.choice([1, 2, 4, 8])
        value = chance.choice([0, 1, (1 << 8 * size) - 1, chance.getrandbits(8 * size)])
        content[place : place + size] = value.to_bytes(size, "little")
    return content


def _zeros(content: bytearray, chance: Random) -> bytes:
    place = chance.randrange(len(content))
    size = chance.choice([4, 100, 1000])
    content[place : place + size] = bytes(len(content[place : place + size]))
    return content


def _more(content: bytearray, chance: Random) -> bytes:
    return content + chance.randbytes(chance.choice([1, 100, 5000]))


_DAMAGES = (_flips, _flips, _cut, _swapped, _extreme, _fields, _fields, _zeros, _more)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
