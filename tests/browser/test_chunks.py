"""Stored chunks undone in the browser: the same bits as h5py reads, and what the viewer takes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from pancommons.base.settings import Settings
from pancommons.server.pages import frame
from pancommons.store.engine import Database
from tests.browser.conftest import Complaints, missing
from tests.browser.test_look import register
from tests.server.conftest import listening, sqlite_database

__all__ = ["sqlite_database"]

BUILT = Path(frame.__file__).parents[1] / "static" / "built" / "assets"
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deflate": {"compression": "gzip"},
    "shuffled": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4-small": dict(hdf5plugin.LZ4(nbytes=1000)),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle-lz4-64": dict(hdf5plugin.Bitshuffle(nelems=64, cname="lz4")),
    "bitshuffle-zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    **{
        f"blosc-{codec}-{shuffle}": dict(hdf5plugin.Blosc(cname=codec, shuffle=shuffle))
        for codec in ("lz4", "lz4hc", "blosclz", "zlib", "zstd")
        for shuffle in (0, 1, 2)
    },
}
SHAPES = {"even": ((3, 50, 72), (1, 50, 72)), "odd": ((5, 33, 29), (2, 17, 13))}
SELECTIONS = ("", "1", "::2, 3:20:3, 5")

_DECODE = """async ([worker, asked]) => {
  const made = new Worker(worker, { type: "module" });
  const out = [];
  for (const [id, [url, selection]] of asked.entries()) {
    out.push(await new Promise((resolve) => {
      made.onmessage = ({ data }) => {
        if (!data.values) return resolve(data.problem);
        const bytes = new Uint8Array(data.values.buffer);
        let text = "";
        for (const byte of bytes) text += String.fromCharCode(byte);
        resolve(`${data.values.constructor.name} ${btoa(text)}`);
      };
      made.postMessage({ id, url: new URL(url, location.href).href, selection: selection || undefined });
    }));
  }
  return out;
}"""


def _worker() -> str:
    found = sorted(BUILT.glob("worker-*.js")) if BUILT.is_dir() else []
    if not found:
        missing("the viewer is not built (make install, with npm)")
    return f"/static/built/assets/{found[0].name}"


@pytest.mark.parametrize(
    "dtype", ["u2", "f4", *(pytest.param(name, marks=pytest.mark.soak) for name in ("u1", "i4", "f8", "i8"))]
)
def test_every_filter_is_undone_bit_for_bit(page: Page, sqlite_database: Database, tmp_path: Path, dtype: str) -> None:
    worker, rng = _worker(), np.random.default_rng(1)
    asked, wanted = [], []
    with h5py.File(tmp_path / "v.h5", "w") as file:
        for name, options in KINDS.items():
            for size, (shape, chunks) in SHAPES.items():
                values = rng.poisson(5, shape).astype(dtype)
                file.create_dataset(f"{name} {size}", data=values, chunks=chunks, **options)
                for selection in SELECTIONS:
                    asked.append((f"{name} {size}", selection))
                    wanted.append(values[_index(selection)].tobytes())
    ids = register(sqlite_database, {"v.h5": "v.h5"})
    with listening(sqlite_database, Settings(data_roots={"data": str(tmp_path)})) as address:
        page.goto(f"{address}/about")
        told = [
            (f"/hdf5/{ids['v.h5']}/chunks?path=/{name}" + (f"&selection={selection}" if selection else ""), selection)
            for name, selection in asked
        ]
        got = page.evaluate(_DECODE, [worker, told])
    arrays = {"u1": "Uint8", "u2": "Uint16", "i4": "Int32", "f4": "Float32", "f8": "Float64", "i8": "BigInt64"}
    for what, answer, bytes_ in zip(asked, got, wanted, strict=True):
        kind, _, body = answer.partition(" ")
        assert kind == f"{arrays[dtype]}Array", f"{what}: {answer}"
        assert base64.b64decode(body) == bytes_, what


def _index(selection: str) -> Any:
    if not selection:
        return ()
    return tuple(
        slice(*[int(part) if part.strip() else None for part in member.split(":")]) if ":" in member else int(member)
        for member in selection.split(",")
    )


def test_the_viewer_takes_frames_as_they_are_stored(
    page: Page, sqlite_database: Database, tmp_path: Path, complaints: Complaints
) -> None:
    """It shows the frame, fetches the next one ahead, and takes the plain way where the filter is unknown to it."""
    _worker()
    frames = np.random.default_rng(0).poisson(3, (4, 512, 600)).astype("u2")
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("known", data=frames, chunks=(1, 512, 600), **hdf5plugin.Bitshuffle(cname="lz4"))
        file.create_dataset("unknown", data=frames, chunks=(1, 512, 600), **hdf5plugin.BZip2())
    ids = register(sqlite_database, {"v.h5": "v.h5"})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    with listening(sqlite_database, Settings(data_roots={"data": str(tmp_path)})) as address:
        page.goto(f"{address}/look/{ids['v.h5']}?path=/known")
        expect(page.locator("#viewer canvas").first).to_be_visible()
        page.wait_for_timeout(1000)
        of_chunks = [url for url in requests if "/chunks?" in url]
        assert any("selection=0%2C" in url for url in of_chunks) and any("selection=1%2C" in url for url in of_chunks)
        assert not [url for url in requests if "/data?" in url and "known" in url and "unknown" not in url]
        requests.clear()
        page.goto(f"{address}/look/{ids['v.h5']}?path=/unknown")
        expect(page.locator("#viewer canvas").first).to_be_visible()
        assert [url for url in requests if "/data?" in url] and not [url for url in requests if "/chunks?" in url]
    assert not complaints.told
