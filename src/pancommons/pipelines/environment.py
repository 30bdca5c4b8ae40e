"""The software and the machine a run was made with, as provenance states them."""

from __future__ import annotations

import getpass
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from pancommons.base import machine


def software_version() -> str:
    """Return the installed version of pancommons."""
    return version("pancommons")


@cache
def packages() -> dict[str, str]:
    """Return the versions of the packages that pancommons itself names and finds installed."""
    names = {"pancommons"}
    for requirement in requires("pancommons") or []:
        if "extra ==" not in requirement:
            names.add(requirement.split(";")[0].split(">")[0].split("=")[0].split("<")[0].split("[")[0].strip())
    found = {}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def processor() -> str:
    """Return the processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def processor_family() -> str:
    """Return what decides whether floating-point results are bitwise equal: vendor, family, vector units."""
    facts: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    except OSError:
        return platform.machine()
    flags = set(facts.get("flags", "").split())
    vector = next((flag for flag in ("avx512f", "avx2", "avx", "sse2") if flag in flags), "")
    parts = (platform.machine(), facts.get("vendor_id", ""), facts.get("cpu family", ""), vector)
    return " ".join(part for part in parts if part)


def facts() -> dict[str, Any]:
    """Return what is stated about machine and software."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "processor_family": processor_family(),
        "cores": machine.cores(),
        "packages": packages(),
    }


def account() -> str:
    """Return the name of the account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
