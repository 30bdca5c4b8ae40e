"""The processes that look at data: what they know, and how they are held."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from pancommons.base.errors import BadInput
from pancommons.base.settings import Agent, Settings, SignIn
from pancommons.runs.environment import environment
from pancommons.runs.examiners import Examiners
from tests.runs.world import PLUGIN


@pytest.fixture
def vector(tmp_path: Path) -> Path:
    file = tmp_path / "raw" / "vector.npy"
    file.parent.mkdir()
    np.save(file, np.arange(64.0))
    return file


@pytest.fixture
def accidents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inspecting have the accident that a vector is named after."""
    plugin = tmp_path / "plugin"
    for file in PLUGIN.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            copy = plugin / file.relative_to(PLUGIN)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    source = (plugin / "strips.py").read_text()
    actions = """    from pathlib import Path
    what = job.input.stem
    if what == "slow":
        time.sleep(600)
    if what == "crash":
        os.abort()
    if what == "memory":
        np.ones(1 << 40, np.uint8)
    if what == "outside":
        Path("/etc/passwd").read_bytes()
    if what == "forge":
        import socket
        from pancommons.nexus.serving import wire
        for number in range(3, 64):
            try:
                wire.send(socket.socket(fileno=os.dup(number)), {"problem": "forged"})
            except OSError:
                pass
    if what == "write":
        job.input.with_name("made").write_bytes(b"x")
"""
    (plugin / "strips.py").write_text(
        source.replace(
            "    try:\n        vector = np.load(job.input)", f"{actions}    try:\n        vector = np.load(job.input)"
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(plugin))


def told(file: Path, **more: object) -> dict[str, object]:
    return {
        "pipeline": "strips", "inputs": {"vector": [str(file)]}, "parameters": {}, "preset": None, "preview": False,
        "workers": 2, "memory": 1 << 30, "roots": [str(file.parent)], **more,
    }  # fmt: skip


def test_a_process_ahead_answers_the_next_request(vector: Path) -> None:
    examiners = Examiners(Settings())
    answer = examiners.ask(told(vector))
    assert answer["record"]["inputs"]["vector"][0]["path"] == str(vector)
    assert answer["touched"] == [str(vector)] and answer["estimate"]["seconds"] > 0
    [kept] = examiners._spare
    assert examiners.ask(told(vector, parameters={"pause": -1}))["field"] == "pause"
    assert examiners._spare == [kept] and kept.process.poll() is None, "the next request need not wait for imports"
    examiners.close()
    assert kept.process.poll() is not None


def test_nothing_of_a_request_is_left_for_the_next(vector: Path, tmp_path: Path) -> None:
    examiners = Examiners(Settings())
    other = tmp_path / "other" / "vector.npy"
    other.parent.mkdir()
    np.save(other, np.arange(8.0))
    assert "record" in examiners.ask(told(vector))
    [kept] = examiners._spare
    assert "problem" in examiners.ask(told(other, roots=[str(vector.parent)])), "this kernel has no Landlock"
    assert "record" in examiners.ask(told(other)), "what one request may not read, the next may"
    assert "problem" in examiners.ask(told(vector, roots=[str(other.parent)])), "and the other way round"
    assert examiners._spare == [kept]
    examiners.close()


@pytest.mark.usefixtures("accidents")
def test_no_look_answers_for_another(vector: Path) -> None:
    examiners = Examiners(Settings())
    other = vector.with_name("other.npy")
    np.save(other, np.arange(8.0))
    assert examiners.ask(told(vector.rename(vector.with_name("forge.npy")))) == {"problem": "forged"}
    [kept] = examiners._spare
    for _ in range(2):
        assert examiners.ask(told(other))["touched"] == [str(other)]
    assert examiners._spare == [kept]
    examiners.close()


@pytest.mark.usefixtures("accidents")
def test_a_look_that_is_given_up_leaves_no_process_behind(vector: Path) -> None:
    examiners = Examiners(Settings())
    examiners.ask(told(vector))
    [spare] = examiners._spare
    slow = told(vector.rename(vector.with_name("slow.npy")))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(examiners.ask, slow)
        while not (looking := psutil.Process(spare.process.pid).children()):
            time.sleep(0.01)
        spare.process.kill()
        with pytest.raises(BadInput):
            asked.result()
    assert not psutil.wait_procs(looking, 10)[1], "what looked at the data goes on"
    examiners.close()


@pytest.mark.usefixtures("accidents")
def test_a_look_that_takes_too_long_or_crashes_is_ended(vector: Path) -> None:
    examiners = Examiners(Settings(), seconds=3.0)
    examiners.get_ready()
    time.sleep(0.1)
    for name, says in (("slow", "took longer than 3 s"), ("crash", "looking at the data failed")):
        with pytest.raises(BadInput, match=says):
            examiners.ask(told(vector.rename(vector.with_name(f"{name}.npy"))))
        vector.with_name(f"{name}.npy").rename(vector)
    assert "memory" in examiners.ask(told(vector.rename(vector.with_name("memory.npy"))))["problem"]
    vector.with_name("memory.npy").rename(vector)
    for name in ("outside", "write"):
        answer = examiners.ask(told(vector.rename(vector.with_name(f"{name}.npy"))))
        vector.with_name(f"{name}.npy").rename(vector)
        assert "problem" in answer, f"{name}: this kernel has no Landlock" if "record" in answer else ""
    assert not vector.with_name("made").exists()
    examiners.close()


def test_no_secret_of_the_server_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANCOMMONS_DATABASE", "postgresql://user:hunter2@host/name")
    monkeypatch.setenv("PANCOMMONS_SIGNIN", "{}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    told = Settings(techniques={"sans": {"x": 1}}, agent=Agent(name="Facility"), signin=SignIn())
    for made in (environment(told), environment(told, "Ada", "nobody")):
        assert not any("hunter2" in value for value in made.values())
        assert made["PANCOMMONS_CONFIG"] == os.devnull
        assert {name for name in made if name.startswith("PANCOMMONS_")} <= {
            "PANCOMMONS_CONFIG", "PANCOMMONS_HOME", "PANCOMMONS_ON", "PANCOMMONS_AGENT", "PANCOMMONS_TECHNIQUES",
        }  # fmt: skip
    assert "Facility" in environment(told)["PANCOMMONS_AGENT"] and "Ada" in environment(told, "Ada")["PANCOMMONS_AGENT"]
    assert "PANCOMMONS_HOME" not in environment(told, "Ada", "nobody"), "what a user keeps lies in their own home"
