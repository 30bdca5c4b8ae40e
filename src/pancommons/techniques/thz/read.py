"""Opening a run, whether it is a folder of the beamline or one file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.techniques.thz.archive import open_archive
from pancommons.techniques.thz.folder import open_folder
from pancommons.techniques.thz.measurement import Measurement

USUAL_SAMPLES = 96


def open_measurement(path: str | Path, background: str | Path | None = None) -> Measurement:
    """Open a run; nothing but names, headers and the background is read.

    Parameters
    ----------
    path
        A run folder as TELBE writes it, or a file of this pipeline's layout.
    background
        A text file whose first line is the spectrum without a pulse, in place of the run's own.

    Raises
    ------
    BadInput
        In one sentence, for anything that cannot be read or does not fit together.
    """
    path = Path(path)
    if not path.exists():
        raise BadInput("there is no such folder or file", file=path, remedy="check the name")
    opened = open_folder if path.is_dir() else open_archive
    return opened(path, Path(background) if background is not None else None)


def samples_of(run: Measurement) -> int | None:
    """Return the ADC samples of one pulse: as the file says, else as most sizes of files have it that fit, else None.

    A size fits where it gives a whole, even number of samples for each spectrum of its position.
    """
    if run.samples is not None:
        return run.samples
    found = Counter(
        position.trace_values // position.spectra_count
        for position in run.positions
        if position.trace_values and position.trace_values % (2 * position.spectra_count) == 0
    )
    samples, votes = found.most_common(1)[0] if found else (0, 0)
    return samples if 2 * votes > found.total() else None
