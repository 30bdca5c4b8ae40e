"""Where the NeXus definitions are taken from: a folder that was named, or the data of an installed package.

This package carries no copy of them. A package that does is found without being imported.
"""

from __future__ import annotations

import re
from importlib import metadata, util
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.base.settings import settings
from pancommons.nexus.validation.nxdl import Definition, read_definition

VARIABLE = "PANCOMMONS_NEXUS_DEFINITIONS"
HOW_TO_GET_THEM = (
    "install the package that carries the NeXus definitions (pip install nexusformat), or name a folder that holds "
    f"base_classes and applications with --definitions or {VARIABLE}"
)

_SUBFOLDERS = ("applications", "base_classes", "contributed_definitions")
_PACKAGES = ("nexusformat", "pynxtools", "nxvalidate")
_NAME = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_MOST_ANCESTORS = 16


class Definitions:
    """The definitions of one folder, each read when it is first asked for.

    Attributes
    ----------
    folder
        The folder that holds ``base_classes``, ``applications`` and perhaps ``contributed_definitions``.
    version
        Which they are, such as ``v2026.01``; "unknown" where the folder does not say.
    source
        Who provides them, for people: the package with its version, or "a folder".
    """

    def __init__(self, folder: Path, source: str = "a folder") -> None:
        self.folder, self.source = folder, source
        self.version = _version(folder)
        self._read: dict[str, Definition | None] = {}
        self._lineages: dict[str, tuple[Definition, ...]] = {}

    def get(self, name: str) -> Definition | None:
        """Return a definition by its name, or None where there is none of that name.

        Raises
        ------
        BadInput
            If its file cannot be used.
        """
        if name not in self._read:
            self._read[name] = self._find(name)
        return self._read[name]

    def _find(self, name: str) -> Definition | None:
        if not _NAME.fullmatch(name):
            return None
        for subfolder in _SUBFOLDERS:
            path = self.folder / subfolder / f"{name}.nxdl.xml"
            if path.is_file():
                return read_definition(path)
        return None

    def lineage(self, name: str) -> tuple[Definition, ...]:
        """List a definition and those it extends, the nearest first; empty where there is none of that name."""
        if name not in self._lineages:
            found: dict[str, Definition] = {}
            next_name = name
            while next_name not in found and len(found) < _MOST_ANCESTORS:
                definition = self.get(next_name)
                if definition is None:
                    break
                found[next_name] = definition
                next_name = definition.extends
            self._lineages[name] = tuple(found.values())
        return self._lineages[name]

    def is_a(self, name: str, other: str) -> bool:
        """Say whether a class is another one, or extends it."""
        return name == other or other == "NXobject" or any(one.name == other for one in self.lineage(name))

    def names(self) -> list[str]:
        """List the names of the application definitions, the contributed ones last."""
        files = [path for sub in _SUBFOLDERS[::2] for path in sorted((self.folder / sub).glob("NX*.nxdl.xml"))]
        return [path.name.removesuffix(".nxdl.xml") for path in files]


def find_definitions(folder: str | Path | None = None) -> Definitions | None:
    """Find the NeXus definitions.

    Taken are, in this order, the folder given, the one of the settings (``nexus_definitions`` or
    ``PANCOMMONS_NEXUS_DEFINITIONS``), and the data of an installed package.

    Returns
    -------
    Definitions or None
        None where there are none; `HOW_TO_GET_THEM` says what to do then.

    Raises
    ------
    BadInput
        If a folder was named that holds no definitions.
    """
    named = folder or settings().nexus_definitions
    if named:
        place = Path(named).expanduser()
        if not (place / "base_classes").is_dir():
            raise BadInput(
                "holds no NeXus definitions", file=place,
                remedy="name the folder that holds base_classes and applications",
            )  # fmt: skip
        return Definitions(place)
    return next((found for package in _PACKAGES if (found := _within(package)) is not None), None)


def _within(package: str) -> Definitions | None:
    try:
        spec = util.find_spec(package)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "definitions"
        if (folder / "base_classes").is_dir():
            return Definitions(folder, _distribution(package))
    return None


def _distribution(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _version(folder: Path) -> str:
    try:
        return (folder / "NXDL_VERSION").read_text(encoding="utf-8", errors="replace").strip()[:40] or "unknown"
    except OSError:
        return "unknown"
