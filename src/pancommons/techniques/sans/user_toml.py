"""User files in TOML, version 1, as Mantid defines them for the SANS instruments of ISIS, read to the same settings.

All lengths of such a file are in metres, where the old command language has millimetres.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import Binning, read_binning
from pancommons.techniques.sans.masks import Arm, Block, Mask
from pancommons.techniques.sans.user_file import Fit, UserFile, Window, file_name

_VERSION = 1
_BANKS = {"rear": "rear", "front": "hab", "merged": "merged", "all": "merged"}
_NOT_USED = (
    r"binning\.1d_reduction\.(radius|wavelength)_cut",
    r"detector\.configuration\.(front_scale|front_centre\.[xy])",
    r"detector\.correction\.(flat\.front_file|tube\.file|position\.\w+_tilt|position\.rear_(y|rot|radius|side))",
    r"instrument\.configuration\.gravity_extra_length",
    r"mask\.mask_files",
    r"normali[sz]ation\.monitor\.\w+\.\w+",
    r"polarization\..+",
    r"q_resolution\.(enabled|moderator_file|delta_r|h1|h2|w1|w2)",
    r"reduction\.events\.type",
    r"reduction\.merged\.merge_range\.(min|max|use_fit)",
    r"transmission\.(ROI\.file|monitor\.\w+\.\w+)",
)
"""Keys of the format that say nothing to this reduction."""


def read_user_toml(path: Path) -> UserFile:
    """Read a user file in TOML.

    Raises
    ------
    BadInput
        If it cannot be read, is no TOML or of another version, or has keys that are unknown or values that make no
        sense.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput(f"cannot be read ({why})", file=path, remedy="check the path") from None
    return parse_user_toml(text, path)


def parse_user_toml(text: str, path: Path) -> UserFile:
    """Take the settings of a user file in TOML."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"is no TOML: {error}", file=path, remedy="correct it") from None
    version = content.pop("toml_file_version", None)
    if version != _VERSION:
        raise BadInput(
            f"is a user file of version {version}" if version is not None else "does not say its version",
            file=path, field="toml_file_version", remedy=f"expected toml_file_version = {_VERSION}",
        )  # fmt: skip
    content.pop("metadata", None)
    if "normalization" in content:
        content.setdefault("normalisation", content.pop("normalization"))
    return _settings(_Keys(path, _flat(content)))


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values by dotted key."""
    leaves: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            leaves |= _flat(value, f"{above}{key}.")
        else:
            leaves[above + key] = value
    return leaves


@dataclass
class _Keys:
    """The keys of a file that are not taken yet."""

    path: Path
    left: dict[str, Any]

    def take(self, key: str, read: Callable[[Any], Any] = float, default: Any = None) -> Any:
        """Take a key's value."""
        if key not in self.left:
            return default
        value = self.left.pop(key)
        try:
            return read(value)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BadInput(f"{value!r} makes no sense here", file=self.path, field=key, remedy="correct it") from None

    def pair(self, key: str, first: str, second: str, scale: float = 1.0) -> Window | None:
        """Take two keys below another."""
        one, two = self.take(f"{key}.{first}"), self.take(f"{key}.{second}")
        if one is None and two is None:
            return None
        if one is None or two is None:
            raise BadInput(f"needs both {first} and {second}", file=self.path, field=key)
        return one * scale, two * scale

    def names(self, pattern: str) -> list[str]:
        """List the keys that a pattern matches."""
        return [key for key in self.left if re.fullmatch(pattern, key)]


def _millimetres(value: Any) -> float:
    return 1000.0 * float(value)


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _settings(keys: _Keys) -> UserFile:
    take = keys.take
    radius = keys.pair("detector.radius_limit", "min", "max", 1000.0)
    user = UserFile(
        keys.path,
        instrument=take("instrument.name", str.upper),
        gravity=take("instrument.configuration.gravity_enabled", _yes, False),
        sample_offset=take("instrument.configuration.sample_offset", _millimetres, 0.0),
        sample_aperture=take("instrument.configuration.sample_aperture_diameter", _millimetres),
        collimation=take("instrument.configuration.collimation_length"),
        source_aperture=take("q_resolution.source_aperture", _millimetres),
        bank=take("detector.configuration.selected_detector", _BANKS.__getitem__, "rear"),
        scale=take("detector.configuration.rear_scale", float, 1.0),
        radius=None if radius is None else (radius[0], radius[1] if radius[1] > 0 else float("inf")),
        direct_rear=take("detector.correction.direct.rear_file", file_name),
        direct_hab=take("detector.correction.direct.front_file", file_name),
        flat_cell=take("detector.correction.flat.rear_file", file_name),
        q=take("binning.1d_reduction.binning", read_binning),
        event_times=take("reduction.events.binning", _event_times),
        monitor_prompt=keys.pair("mask.prompt_peak", "start", "stop"),
        phi=keys.pair("mask.phi", "start", "stop"),
        phi_mirror=take("mask.phi.mirror", _yes, True),
        masked_times=take("mask.time.tof", _windows, ()),
        masked_spectra=tuple((number, number) for number in _pixels(keys)),
    )
    all_of, rear = (keys.pair(f"detector.configuration.{name}_centre", "x", "y", 1000.0) for name in ("all", "rear"))
    fit = _fit(keys)
    rescale, shift = _joined(keys, "rescale"), _joined(keys, "shift")
    user = replace(
        user,
        centre=rear or all_of,
        wavelength=_wavelength(keys),
        qxy=_plane(keys),
        sample_fit=fit,
        can_fit=fit,
        rescale=rescale[0], rescale_fit=rescale[1], shift=shift[0], shift_fit=shift[1],
        incident_monitor=_monitor(keys, "normalisation", "norm_monitor"),
        transmission_monitor=_monitor(keys, "transmission", "trans_monitor"),
        masks=_masks(keys),
        corrections=_corrections(keys),
    )  # fmt: skip
    user = replace(user, monitor_background=_background(keys, user.incident_monitor))
    return replace(user, ignored=_rest(keys))


def _corrections(keys: _Keys) -> dict[str, float]:
    """Read what is added to the logs of where the banks are; lengths become mm, the rotation stays in degrees."""
    above, found = "detector.correction.position.", {}
    for key in keys.names(r"detector\.correction\.position\.(rear_[xz]|front_(x|y|z|rot|radius|side))"):
        bank, what = key.removeprefix(above).split("_")
        value = keys.take(key, float if what == "rot" else _millimetres)
        found[f"{_BANKS[bank]}_{what}"] = value
    return found


def _event_times(text: str) -> tuple[float, ...]:
    return tuple(float(edge) for edge in read_binning(text).edges())


def _windows(given: list[Mapping[str, float]]) -> tuple[Window, ...]:
    return tuple((float(one["start"]), float(one["stop"])) for one in given)


def _pixels(keys: _Keys) -> list[int]:
    found: list[int] = []
    for key in ("mask.mask_pixels", "mask.spatial.mask_pixels"):
        found += keys.take(key, lambda given: [int(number) for number in given], [])
    return found


def _wavelength(keys: _Keys) -> Binning | None:
    kind = keys.take("binning.wavelength.type", str, "Lin")
    if kind not in ("Lin", "Log", "RangeLin", "RangeLog"):
        raise BadInput(f"{kind!r} makes no sense here", file=keys.path, field="binning.wavelength.type")
    step, limits = keys.take("binning.wavelength.step"), keys.pair("binning.wavelength", "start", "stop")
    ranges = keys.take("binning.wavelength.binning", _ranges)
    if kind.startswith("Range") and ranges is not None:
        if len(ranges) > 1:
            raise BadInput(
                f"asks for {len(ranges)} ranges of wavelength", file=keys.path, field="binning.wavelength.binning",
                remedy="give one, and --wavelength-bands",
            )  # fmt: skip
        limits = ranges[0]
    if limits is None and step is None:
        return None
    if limits is None or step is None or not 0 < limits[0] < limits[1] or step <= 0:
        raise BadInput("makes no bins", file=keys.path, field="binning.wavelength", remedy="give start, stop and step")
    return Binning(limits[0], limits[1], step, kind.endswith("Log"))


def _ranges(text: str) -> list[Window]:
    """Read ``2.0-7.0, 7.0-14.0``, with commas between ranges."""
    found = [part.split("-") for part in text.split(",")]
    return [(float(low), float(high)) for low, high in found]


def _plane(keys: _Keys) -> Binning | None:
    stop, step = keys.take("binning.2d_reduction.stop"), keys.take("binning.2d_reduction.step")
    kind = keys.take("binning.2d_reduction.type", str, "Lin")
    if stop is None and step is None:
        return None
    if stop is None or step is None or not 0 < step < stop:
        raise BadInput("makes no bins", file=keys.path, field="binning.2d_reduction", remedy="give stop and step")
    return Binning(0.0, stop, step, kind == "Log")


def _fit(keys: _Keys) -> Fit:
    above = "transmission.fitting"
    limits = keys.pair(f"{above}.parameters", "lambda_min", "lambda_max")
    order = keys.take(f"{above}.polynomial_order", int, 2)
    kind = keys.take(f"{above}.function", str.capitalize, "Logarithmic")
    if not keys.take(f"{above}.enabled", _yes, True):
        return Fit("none", 0, limits)
    known = {
        "Linear": Fit("polynomial", 1, limits), "Logarithmic": Fit("log", 1, limits),
        "Polynomial": Fit("polynomial", order, limits),
    }  # fmt: skip
    if kind not in known:
        raise BadInput(f"{kind!r} makes no sense here", file=keys.path, field=f"{above}.function",
            remedy=f"expected {', '.join(known)}",
        )  # fmt: skip
    return known[kind]


def _joined(keys: _Keys, name: str) -> tuple[float | None, Window | None]:
    """Return a number given to join the banks, or where it is fitted."""
    above = f"reduction.merged.{name}"
    factor, limits = keys.take(f"{above}.factor"), keys.pair(above, "min", "max")
    fitted = keys.take(f"{above}.use_fit", _yes, limits is not None)
    return (None, limits) if fitted else (factor, None)


def _monitor(keys: _Keys, section: str, setting: str) -> int | None:
    """Return the spectrum of the monitor that is chosen by name, ``M2`` or one with a spectrum_number of its own."""
    name = keys.take(f"{section}.selected_monitor", str) or keys.take(f"instrument.configuration.{setting}", str)
    if name is None:
        return None
    numbered = keys.take(f"{section}.monitor.{name}.spectrum_number", int)
    if numbered is not None:
        return int(numbered)
    if not re.fullmatch(r"M\d+", name):
        raise BadInput(
            f"{name!r} is a monitor without spectrum_number", file=keys.path, field=f"{section}.monitor.{name}"
        )
    return int(name[1:])


def _background(keys: _Keys, incident: int | None) -> Window | None:
    """Return the window of the incident monitor's own background, else of all monitors."""

    def window(given: Any) -> Window:
        low, high = (float(time) for time in given)
        if low > high:
            raise ValueError(given)
        return low, high

    shared: Window | None = keys.take("normalisation.all_monitors.background", window)
    if not keys.take("normalisation.all_monitors.enabled", _yes, True):
        shared = None
    own = f"normalisation.monitor.M{incident}"
    mine: Window | None = keys.take(f"{own}.background", window)
    return mine if mine is not None and keys.take(f"{own}.use_own_background", _yes, True) else shared


def _masks(keys: _Keys) -> tuple[Mask, ...]:
    def spans(given: Any) -> list[tuple[int, int]]:
        return [(min(one), max(one)) for one in ([int(end) for end in pair] for pair in given) if len(one) == 2]

    def lines(given: Any) -> list[tuple[int, int]]:
        return [(int(line), int(line)) for line in given]

    found: list[Mask] = []
    for name in ("rear", "front"):
        above, bank = f"mask.spatial.{name}.detector_", _BANKS[name]
        rows = keys.take(f"{above}rows", lines, []) + keys.take(f"{above}row_ranges", spans, [])
        columns = keys.take(f"{above}columns", lines, []) + keys.take(f"{above}column_ranges", spans, [])
        found += [Block(span, None, bank) for span in rows] + [Block(None, span, bank) for span in columns]
    for above in ("mask.spatial.beamstop_shadow", "mask.beamstop_shadow"):
        width, angle = keys.take(f"{above}.width", _millimetres), keys.take(f"{above}.angle")
        x, y = (keys.take(f"{above}.{axis}_pos", _millimetres, 0.0) for axis in "xy")
        if width is not None and angle is not None:
            found.append(Arm(width, angle, x, y))
    return tuple(found)


def _rest(keys: _Keys) -> tuple[str, ...]:
    """Return the keys of the format that are not used; refuse those that it does not have."""
    unused = [key for pattern in _NOT_USED for key in keys.names(pattern)]
    unknown = sorted(set(keys.left) - set(unused))
    if unknown:
        count = "a key" if len(unknown) == 1 else f"{len(unknown)} keys"
        raise BadInput(
            f"has {count} that version {_VERSION} of the format does not have: "
            f"{', '.join(unknown[:6])}{', ...' if len(unknown) > 6 else ''}",
            file=keys.path, remedy="correct or remove them",
        )  # fmt: skip
    return tuple(sorted(key for key in unused if _says_something(keys.left[key])))


def _says_something(value: Any) -> bool:
    return value not in (0, 0.0, "", [], False)
