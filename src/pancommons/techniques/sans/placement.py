"""Where an instrument's movable parts stood in a run: banks and guides, from its logs and the user file's corrections.

The logs of SANS2D are encoders in mm. A bank's distance is counted from the sample's place. The front bank stands
beside the rear one by the difference of their encoders across the beam, and turns about an axis behind its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from pancommons.base.errors import BadInput
from pancommons.nexus.read import member, numbers, open_file
from pancommons.techniques.sans.instrument import Bank, Drive, Guides, Instrument
from pancommons.techniques.sans.run import Run


def placed(found: Instrument, run: Run, corrections: Mapping[str, float]) -> Instrument:
    """Return the instrument as it stood in a run.

    Parameters
    ----------
    found
        The instrument; one without movable parts is returned as it is.
    run
        Whose logs say where they were.
    corrections
        Of the user file, mm and degrees, by bank and coordinate: ``rear_z``, ``hab_rot``.

    Raises
    ------
    BadInput
        If the run does not say where a bank was, or is older than the instrument's table of spectra.
    """
    if run.number and run.number < found.first_run:
        raise BadInput(
            f"is run {run.number} of {found.name}, whose spectra were in another order before run {found.first_run}",
            file=run.path, remedy="give a later run",
        )  # fmt: skip
    drives = [bank.drive for bank in found.banks.values() if bank.drive is not None]
    wanted = {name for drive in drives for name in drive.logs}
    if not wanted:
        return found
    logs = read_logs(run, [*sorted(wanted), *(found.guides.logs if found.guides is not None else ())])
    missing = sorted(wanted - logs.keys())
    if missing:
        raise BadInput(
            f"does not say where the banks of {found.name} were: it lacks the logs {', '.join(missing)}", file=run.path,
            remedy="give a NeXus run with its logs, or put the .log file of a RAW run beside it",
        )  # fmt: skip
    banks = {
        name: bank if bank.drive is None else _moved(bank, bank.drive, logs, corrections)
        for name, bank in found.banks.items()
    }
    return replace(found, banks=banks, collimation=_collimation(found, found.guides, logs))


def read_logs(run: Run, names: list[str]) -> dict[str, float]:
    """Return the last values of a run's logs, as they are; what it does not have is left out.

    Those of a NeXus run are in ``selog`` or ``runlog``, those of a RAW run in a text file ``.log`` beside it, of which
    each line has a time, a name and a value.
    """
    if h5py.is_hdf5(run.path):
        with open_file(run.path) as file:
            group = member(file, run.entry or "raw_data_1")
            found = {}
            for name in names:
                for place in (f"selog/{name}/value", f"selog/{name}/value_log/value", f"runlog/{name}/value"):
                    known = numbers(group, place) if isinstance(group, h5py.Group) else None
                    if known is not None and known.values.size:
                        found[name] = float(known.values.flat[-1])
                        break
            return found
    return _from_text(run.path.with_suffix(".log"), names)


def _from_text(path: Path, names: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    if not path.exists():
        return found
    upper = {name.upper(): name for name in names}
    for line in path.read_text(encoding="latin-1").splitlines():
        words = line.split("\t")
        if len(words) >= 3 and words[1].strip().upper() in upper:
            try:
                found[upper[words[1].strip().upper()]] = float(words[2])
            except ValueError:
                continue
    return found


def _moved(bank: Bank, drive: Drive, logs: Mapping[str, float], corrections: Mapping[str, float]) -> Bank:
    """Move a bank by its encoders; the beam's centre, which shifts it as well, comes later."""

    def corrected(what: str, log: str | None = None) -> float:
        return (logs[log] if log is not None else 0.0) + corrections.get(f"{bank.name}_{what}", 0.0)

    turn = np.deg2rad(corrected("rot", drive.turn)) if drive.turn is not None else 0.0
    radius, side = drive.axis + corrected("radius"), corrected("side")
    towards, across = radius * (1 - np.cos(turn)) - side * np.sin(turn), 0.0
    if drive.x is not None:
        other = (logs[drive.against] if drive.against is not None else 0.0) + corrections.get("rear_x", 0.0)
        across = other - corrected("x", drive.x) - side * (1 - np.cos(turn)) + radius * np.sin(turn)
    return replace(
        bank,
        x=bank.x * np.cos(turn) + across / 1e3,
        y=bank.y + (corrected("y") / 1e3 if drive.x is not None else 0.0),
        z=bank.z + (corrected("z", drive.z) + towards) / 1e3,
        behind=bank.x * np.sin(turn),
        turn=-float(turn),
    )


def _collimation(found: Instrument, guides: Guides | None, logs: Mapping[str, float]) -> float:
    if guides is None:
        return found.collimation
    out = sum(
        (logs[name] > guides.cutoff) == (number % 2 == 1) for number, name in enumerate(guides.logs, 1) if name in logs
    )
    return guides.shortest + out * guides.length
