"""The folder of a demonstration: its configuration, catalogue, data and runs, apart from everything else."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MARK = "# Written by pan demo, which makes the folder anew each time.\n"


@dataclass(frozen=True)
class Place:
    """A folder, and where what lies in it.

    Attributes
    ----------
    folder
        Of the demonstration.
    real
        The folder of real data; None where there is none.
    """

    folder: Path
    real: Path | None

    @property
    def configuration(self) -> Path:
        """Return the configuration file."""
        return self.folder / "pancommons.toml"

    @property
    def data(self) -> Path:
        """Return where simulated data lie."""
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """Return what a program of ours needs to work in this folder."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PANCOMMONS_")}
        kept = {name: os.environ[name] for name in ("PANCOMMONS_HOME",) if name in os.environ}
        return {**own, **kept, "PANCOMMONS_CONFIG": str(self.configuration)}

    def make(self) -> None:
        """Make the folder, in the place of one of an earlier demonstration.

        Raises
        ------
        BadInput
            If there is a folder that is none of a demonstration.
        """
        from pancommons.base.errors import BadInput

        if self.folder.exists():
            if any(self.folder.iterdir()) and not self._is_ours():
                raise BadInput(
                    "this folder holds something else", file=self.folder, field="--out", remedy="name another one"
                )
            shutil.rmtree(self.folder)
        self.data.mkdir(parents=True)
        roots = {"demo": self.data} | ({"real": self.real} if self.real else {})
        lines = [
            _MARK,
            f"database = {json.dumps(f'sqlite:///{self.folder}/pancommons.db')}",
            "[site]",
            'publisher = "PaN Commons, a demonstration"',
            "[data_roots]",
            *(f"{name} = {json.dumps(str(root))}" for name, root in roots.items()),
            "[runs]",
            f"folder = {json.dumps(str(self.folder / 'runs'))}",
            "at_a_time = 2",
            "at_a_time_each = 2",
        ]
        self.configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _is_ours(self) -> bool:
        try:
            return self.configuration.read_text(encoding="utf-8").startswith(_MARK)
        except OSError:
            return False
