"""What the tests of the client share: a portal, and a home without anybody's tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.portal import portal

__all__ = ["portal"]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let every test keep its tokens in a folder of its own."""
    home = tmp_path / "my-home"
    monkeypatch.setenv("PANCOMMONS_HOME", str(home))
    return home
