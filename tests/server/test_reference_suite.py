"""The public tests of the reference search API, run against ours; their code stays where it was fetched to.

Set ``PANCOMMONS_REFERENCE_SUITE`` to a checkout of panosc-eu/search-api in which ``npm install`` has run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.base.settings import Server, Settings
from pancommons.store.engine import Database
from tests.catalogue.search.demo import load_demo
from tests.server.conftest import listening

SUITE = os.environ.get("PANCOMMONS_REFERENCE_SUITE")
FILES = ("dataset", "document", "instrument")


@pytest.mark.skipif(not SUITE, reason="PANCOMMONS_REFERENCE_SUITE names no checkout of panosc-eu/search-api")
def test_all_of_it_passes(database: Database, shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    suite = Path(str(SUITE))
    shutil.copytree(suite / "test", tmp_path / "test")
    (tmp_path / "node_modules").symlink_to(suite / "node_modules")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "server.js").write_text("module.exports = process.env.TARGET;\n")
    load_demo(database, shared_data("panosc-search-demo/db.json"))
    with listening(database, Settings(server=Server(search_prefix="/api"))) as address:
        done = subprocess.run(
            ["node", "node_modules/mocha/bin/mocha", "--exit", *(f"test/{name}.test.js" for name in FILES)],
            cwd=tmp_path, env={**os.environ, "TARGET": address}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    print(done.stdout)
    passing = re.search(r"(\d+) passing", done.stdout)
    assert done.returncode == 0 and passing is not None and int(passing[1]) == 18, done.stdout + done.stderr
