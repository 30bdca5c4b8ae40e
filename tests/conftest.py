"""Fixtures that every test may use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.load_profile("ci")  # as there, everywhere: seeded, and no example is timed
os.environ["PANCOMMONS_HOME"] = tempfile.mkdtemp(prefix="pancommons-test-home-")
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".venv" / "numba-cache")

SHARED = Path(os.environ.get("PANCOMMONS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the path of a file of real data; skip where it is absent, but fail in CI."""

    def path(name: str) -> Path:
        found = SHARED / name
        if not found.exists():
            message = f"real data {name} is not there; set PANCOMMONS_TEST_DATA to the folder that holds it"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return found

    return path
