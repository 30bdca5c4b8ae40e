"""User files of LOQ: how a measurement is to be reduced, in the instrument's old command language.

A line is a command with qualifiers after slashes and values after blanks; case does not count, ``!`` begins a comment.
File names may be those of VMS, ``LOQ$DISK0:[LOQ]DIRECT.041``: what stands after the last bracket counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import Binning, Binnings, read_binning
from pancommons.techniques.sans.masks import Arm, Block, Mask

Window = tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """How a transmission is fitted: ``log`` (straight line to its logarithm), ``polynomial`` or ``none``."""

    method: str
    order: int = 1
    range: Window | None = None


@dataclass(frozen=True)
class UserFile:
    """What a user file says; what it does not say is None or empty.

    Lengths are in mm as in the file, times in us, wavelengths in Angstrom, Q in 1/Angstrom, angles in degrees.
    `corrections` are added to what a run's logs say of where banks are, by bank and coordinate: ``hab_x``.
    """

    path: Path
    instrument: str | None = None
    radius: Window | None = None
    wavelength: Binning | None = None
    q: Binning | Binnings | None = None
    qxy: Binning | None = None
    phi: Window | None = None
    phi_mirror: bool = True
    monitor_background: Window | None = None
    monitor_prompt: Window | None = None
    sample_fit: Fit = field(default_factory=lambda: Fit("log"))
    can_fit: Fit = field(default_factory=lambda: Fit("log"))
    direct_rear: str | None = None
    direct_hab: str | None = None
    flat_cell: str | None = None
    masks: tuple[Mask, ...] = ()
    masked_spectra: tuple[tuple[int, int], ...] = ()
    masked_times: tuple[Window, ...] = ()
    sample_offset: float = 0.0
    centre: Window | None = None
    scale: float = 1.0
    bank: str = "rear"
    rescale: float | None = None
    rescale_fit: Window | None = None
    shift: float | None = None
    shift_fit: Window | None = None
    gravity: bool = False
    incident_monitor: int | None = None
    transmission_monitor: int | None = None
    source_aperture: float | None = None
    sample_aperture: float | None = None
    collimation: float | None = None
    event_times: tuple[float, ...] | None = None
    corrections: Mapping[str, float] = field(default_factory=dict)
    monitor_backgrounds: Mapping[int, Window] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read_user_file(path: Path) -> UserFile:
    """Read a user file.

    One whose name ends in ``.toml`` is taken for Mantid's newer format, see `user_toml`.

    Raises
    ------
    BadInput
        If it cannot be read, holds no command that is known, or a command's values make no sense.
    """
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the path") from None
    return parse_user_file(text, path)


def parse_user_file(text: str, path: Path) -> UserFile:
    """Take the commands of a user file one by one, the later over the earlier."""
    user = UserFile(path)
    understood = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("!")[0].strip()
        if not line:
            continue
        command = _known(line.upper())
        if command is None:
            user = replace(user, ignored=(*user.ignored, line))
            continue
        pattern, act = command
        match = re.match(pattern, line, re.IGNORECASE)
        assert match is not None  # noqa: S101 - it matched in upper case
        try:
            user = act(user, line[match.end() :].strip(" ="), match)
        except (ValueError, IndexError):
            raise BadInput(
                f"line {number} cannot be understood: {line!r}", file=path, remedy="correct it, or remove it"
            ) from None
        understood += 1
    if understood == 0:
        raise BadInput(
            "holds no command of a LOQ user file", file=path, remedy="expected lines such as L/WAV 2.2 10.0 .035/LOG"
        )
    return user


def file_name(vms: str) -> str:
    """Return the bare name of a file given as VMS or any other system does.

    >>> file_name("LOQ$DISK0:[LOQMGR.EFFIC]DIRECT.041")
    'DIRECT.041'
    """
    return re.split(r"[\]:/\\]", vms.strip())[-1]


_Action = Callable[[UserFile, str, "re.Match[str]"], UserFile]


def _numbers(values: str, count: int) -> list[float]:
    found = [float(word) for word in values.split()[:count]]
    if len(found) < count:
        raise ValueError(values)
    return found


def _window(values: str, scale: float = 1.0) -> Window:
    low, high = _numbers(values, 2)
    if low > high:
        raise ValueError(values)
    return low * scale, high * scale


def _bins(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    """Read the bins of Q in any of their three ways of writing."""
    kind = match.group("kind")
    if "," in values:
        return replace(user, q=read_binning(values))
    return replace(user, q=_binning(f"{values}/{kind}" if kind else values))


def _event_times(values: str) -> tuple[float, ...]:
    return tuple(float(edge) for edge in read_binning(values).edges())


def _binning(values: str) -> Binning:
    """Read ``2.2 10.0 .035/LOG``: the step is a width, or with LOG the growth."""
    match = re.match(r"(\S+)\s+(\S+)\s+([^\s/]+)(?:\s*/\s*(\w+))?", values)
    if match is None:
        raise ValueError(values)
    low, high, step = (float(match.group(index)) for index in (1, 2, 3))
    log = (match.group(4) or "LIN").upper().startswith("LOG")
    if not low < high or step <= 0 or (log and low <= 0):
        raise ValueError(values)
    return Binning(low, high, step, log)


def _radius(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    low, high = _numbers(values, 2)
    return replace(user, radius=(low, high if high > 0 else float("inf")))


def _phi(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    low, high = _numbers(values, 2)
    return replace(user, phi=(low, high), phi_mirror=match.group("mirror") is None)


def _fit(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    kind = match.group("kind").upper()
    words = values.split()
    limits = (float(words[0]), float(words[1])) if len(words) >= 2 else None
    if kind in ("OFF", "CLEAR"):
        fit = Fit("none", 0, limits)
    elif kind.startswith("POLY"):
        fit = Fit("polynomial", int(re.sub(r"\D", "", kind) or "2"), limits)
    elif kind in ("LIN", "LINEAR", "STRAIGHT"):
        fit = Fit("polynomial", 1, limits)
    else:
        fit = Fit("log", 1, limits)
    whose = (match.group("whose") or "").upper()
    return replace(
        user,
        sample_fit=user.sample_fit if whose == "CAN" else fit,
        can_fit=user.can_fit if whose == "SAMPLE" else fit,
    )


_BANKS = {None: "rear", "REAR": "rear", "MAIN": "rear", "FRONT": "hab", "HAB": "hab"}


def _span(first: str, last: str | None) -> tuple[int, int]:
    low, high = sorted((int(first), int(last or first)))
    return low, high


def _mask(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    """Read ``H126>H127``, ``V3``, ``S16641``, or rows and columns together, ``H57>H66+V134>V141``."""
    bank = _BANKS[(match.group("bank") or "").upper() or None]
    rows = columns = None
    for part in match.group("what").split("+"):
        found = re.fullmatch(r"\s*([HVS])(\d+)\s*(?:>\s*[HVS]?(\d+))?\s*", part, re.IGNORECASE)
        if found is None:
            raise ValueError(part)
        kind, span = found.group(1).upper(), _span(found.group(2), found.group(3))
        if kind == "S":
            user = replace(user, masked_spectra=(*user.masked_spectra, span))
        elif kind == "H":
            rows = span
        else:
            columns = span
    if rows is None and columns is None:
        return user
    return replace(user, masks=(*user.masks, Block(rows, columns, bank)))


def _arm(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    words = [float(word) for word in values.split()]
    if len(words) not in (2, 4) or words[0] <= 0:
        raise ValueError(values)
    x, y = words[2:] or (0.0, 0.0)
    bank = _BANKS[(match.group("bank") or "").upper() or None]
    return replace(user, masks=(*user.masks, Arm(words[0], words[1], x * 1e3, y * 1e3, bank)))


def _clear(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    if match.group("time"):
        return replace(user, masked_times=())
    return replace(user, masks=(), masked_spectra=())


def _centre(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    x, y = _numbers(values, 2)
    return replace(user, centre=(x, y))


def _file(name: str) -> _Action:
    return lambda user, values, match: replace(user, **{name: file_name(values) or None})  # type: ignore[arg-type]


def _set(name: str, read: Callable[[str], object]) -> _Action:
    return lambda user, values, match: replace(user, **{name: read(values)})  # type: ignore[arg-type]


def _first(values: str) -> float:
    return _numbers(values, 1)[0]


def _correction(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    name = f"{_BANKS[match.group('bank').upper()]}_{match.group('what').lower()}"
    return replace(user, corrections={**user.corrections, name: _first(values)})


def _background(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    return replace(user, monitor_backgrounds={**user.monitor_backgrounds, int(match.group("number")): _window(values)})


def _monitor(name: str) -> _Action:
    """Read the number of a monitor's spectrum; that its spectrum is to be interpolated is ignored, and said."""

    def act(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
        number, _, how = values.partition("/")
        if how.strip() and not how.strip().upper().startswith("INTERPOLATE"):
            raise ValueError(values)
        ignored = (*user.ignored, match.string.strip()) if how else user.ignored
        return replace(user, **{name: int(number)}, ignored=ignored)  # type: ignore[arg-type]

    return act


def _bank(name: str) -> _Action:
    return lambda user, values, match: replace(user, bank=name)


def _same(user: UserFile, values: str, match: re.Match[str]) -> UserFile:
    return user


_COMMANDS: tuple[tuple[str, _Action], ...] = (
    (r"L/R(AD)?(?=\s)", _radius),
    (r"L/WAV\w*", _set("wavelength", _binning)),
    (r"L/QXY", _set("qxy", _binning)),
    (r"L/Q(/(?P<kind>LIN|LOG))?(?=\s)", _bins),
    (r"L/EVENTSTIME", _set("event_times", _event_times)),
    (r"L/PHI(?P<mirror>/NOMIRROR)?", _phi),
    (r"BACK/MON(/TIMES?)?", _set("monitor_background", _window)),
    (r"BACK/M(?P<number>\d)(/TIMES?)?(?=\s)", _background),
    (r"FIT/MON\w*(/TIMES?)?", _set("monitor_prompt", _window)),
    (r"FIT/TRANS(/(?P<whose>SAMPLE|CAN))?/(?P<kind>[A-Z]+\d*)", _fit),
    (r"MON/(DIRECT|REAR)", _file("direct_rear")),
    (r"MON/HAB(?=[\s=])", _file("direct_hab")),
    (r"MON/FLAT", _file("flat_cell")),
    (r"MASK/CLEAR(?P<time>/T(IME)?)?$", _clear),
    (r"MASK/T(IME)?(?=\s)", lambda user, values, match: replace(
        user, masked_times=(*user.masked_times, _window(values)))),
    (r"MASK(/(?P<bank>REAR|MAIN|FRONT|HAB))?/LINE(?=\s)", _arm),
    (r"MASK(/(?P<bank>REAR|MAIN|FRONT|HAB))?\s+(?P<what>[HVS]\d.*)", _mask),
    (r"MON/SPECTRUM\s*(?==)", _monitor("incident_monitor")),
    (r"TRANS/TRANSPEC\s*(?==)", _monitor("transmission_monitor")),
    (r"QRESOL/A1\s*(?==)", _set("source_aperture", _first)),
    (r"QRESOL/A2\s*(?==)", _set("sample_aperture", _first)),
    (r"QRESOL/LCOLLIM\s*(?==)", _set("collimation", _first)),
    (r"QRESOL/ON$", _same),
    (r"SAMPLE/OFFSET", _set("sample_offset", _first)),
    (r"SET\s+CENTRE(?=\s)", _centre),
    (r"SET\s+SCALES?", _set("scale", _first)),
    (r"DET/RESCALE/FIT", _set("rescale_fit", _window)),
    (r"DET/RESCALE(?=\s)", _set("rescale", _first)),
    (r"DET/SHIFT/FIT", _set("shift_fit", _window)),
    (r"DET/SHIFT(?=\s)", _set("shift", _first)),
    (r"DET/CORR[\s/]+(?P<bank>REAR|FRONT|HAB)[\s/]+(?P<what>X|Y|Z|ROT|RADIUS|SIDE)(?=\s)", _correction),
    (r"DET/(MERGED?|BOTH)", _bank("merged")),
    (r"DET/(REAR|MAIN)$", _bank("rear")),
    (r"DET/(FRONT|HAB)$", _bank("hab")),
    (r"GRAVITY[/\s]ON", _set("gravity", lambda values: True)),
    (r"GRAVITY[/\s]OFF", _set("gravity", lambda values: False)),
    (r"PRINT\b", _same),
    (r"(?P<name>LOQ|SANS2D)$", lambda user, values, match: replace(user, instrument=match.group("name").upper())),
)  # fmt: skip


def _known(line: str) -> tuple[str, _Action] | None:
    return next(((pattern, act) for pattern, act in _COMMANDS if re.match(pattern, line)), None)
