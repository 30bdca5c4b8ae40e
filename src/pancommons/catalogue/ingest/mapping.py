"""The mapping: which paths of a file hold which metadata. One comes with the package, others go before it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property, lru_cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from pancommons.base.errors import BadInput

_OWN = "pancommons.yaml"
_STEP = r"[^/@]+"
_PATH = re.compile(rf"/?(?:{_STEP}(?:/{_STEP})*(?:/?@[^/@]+)?|@[^/@]+)")


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no path: write it as NXinstrument/name or instrument/name@short_name")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression ({error})") from None
    return text


Paths = tuple[Annotated[str, AfterValidator(_path)], ...]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Part(BaseModel):
    """A part of a mapping: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class When(Part):
    """Which files a mapping is for: all that is given must hold; patterns with ``*``, whatever the case."""

    path: tuple[str, ...] = ()
    instrument: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()
    creator: tuple[str, ...] = ()


class Identifier(Part):
    """Where the facility's own identifiers of a measurement are."""

    uuid: Paths = ()
    experiment: Paths = ()
    run: Paths = ()


class InstrumentPaths(Part):
    """Where the names of instrument and facility are."""

    name: Paths = ()
    facility: Paths = ()


class SamplePaths(Part):
    """Where the sample is described."""

    name: Paths = ()
    identifier: Paths = ()
    description: Paths = ()


class MemberPaths(Part):
    """Which groups describe people, and where in them; ``public`` lists the roles whose holders' names all may see."""

    groups: Paths = ()
    name: Paths = ()
    role: Paths = ()
    orcid: Paths = ()
    account: Paths = ()
    affiliation: Paths = ()
    public: tuple[str, ...] = ()


class Kind(Part):
    """What makes a dataset simulated or processed: paths that are there, or definitions; else it is raw."""

    simulated: Paths = ()
    processed: Paths = ()
    processed_definitions: tuple[str, ...] = ()


class Probe(Part):
    """Texts that tell the probe, and the regular expressions that find it in them."""

    paths: Paths = ()
    words: dict[str, tuple[Pattern, ...]] = {}


class Techniques(Part):
    """Texts that tell the technique, and what they stand for: by probe, or ``any``."""

    paths: Paths = ()
    always: tuple[str, ...] = ()
    names: dict[str, dict[str, str]] = {}


class ParameterRule(Part):
    """How one parameter is found; see the reference of the mapping."""

    name: str
    paths: Paths
    unit: str | None = None
    take: Literal["one", "span", "count", "text"] = "one"
    above: float | None = None
    probe: str | None = None


class Site(Part):
    """What is so for all files where they do not say it themselves."""

    facility: str | None = None
    instrument: str | None = None
    time_zone: str | None = None


class Mapping(Part):
    """Where the metadata of a file lie."""

    when: When = When()
    site: Site = Site()
    entries: Literal["each", "default"] = "each"
    title: Paths = ()
    summary: Paths = ()
    start: Paths = ()
    end: Paths = ()
    identifier: Identifier = Identifier()
    instrument: InstrumentPaths = InstrumentPaths()
    sample: SamplePaths = SamplePaths()
    members: MemberPaths = MemberPaths()
    kind: Kind = Kind()
    probe: Probe = Probe()
    techniques: Techniques = Techniques()
    parameters: tuple[ParameterRule, ...] = ()
    placeholders: tuple[str, ...] = ()
    facilities: dict[str, tuple[str, ...]] = {}

    def facility_called(self, name: str) -> str:
        """Return the name we use for a facility."""
        folded = name.casefold()
        for known, others in self.facilities.items():
            if folded in (known.casefold(), *(other.casefold() for other in others)):
                return known
        return name


@dataclass(frozen=True)
class Mappings:
    """The mappings of an installation.

    Attributes
    ----------
    default
        For files that no other is for.
    others
        Each already joined with the default; of those that fit a file the first counts.
    """

    default: Mapping
    others: tuple[Mapping, ...] = ()

    def choose(
        self, path: str, instrument: str | None = None, facility: str | None = None, creator: str | None = None
    ) -> Mapping:
        """Return the mapping for a file, by its path, what it says of instrument and facility, and who wrote it."""
        for one in self.others:
            when = one.when
            wanted = (
                (when.path, path),
                (when.instrument, instrument),
                (when.facility, facility),
                (when.creator, creator),
            )
            if all(_fits(patterns, value) for patterns, value in wanted if patterns):
                return one
        return self.default

    @cached_property
    def digest(self) -> str:
        """Return what differs as soon as any mapping does."""
        told = [one.model_dump(mode="json") for one in (self.default, *self.others)]
        return blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


def read_mappings(paths: Sequence[str | Path] = (), site: Site | None = None) -> Mappings:
    """Read mappings from YAML files, each to be tried before the one of the package.

    A file need only say what differs. Its paths and rules are tried before those of the default; ``null`` in
    place of a value takes the default's away.

    Parameters
    ----------
    paths
        The files, the first that fits a file counts.
    site
        What holds where neither a file nor a mapping says otherwise.

    Raises
    ------
    BadInput
        Naming the file and the key.
    """
    told = _shipped("default.yaml")
    if site is not None:
        told = told | {"site": site.model_dump(exclude_none=True)}
    others = [_other(_read(Path(path)), str(path), told) for path in paths]
    return Mappings(_mapping(told, "default.yaml"), (*others, _other(_shipped(_OWN), _OWN, told)))


@lru_cache(maxsize=2)
def _shipped(name: str) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((files(__package__) / name).read_text(encoding="utf-8"))
    return told


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"cannot be read as YAML ({' '.join(str(error).split())})", file=path) from None


def _other(told: Any, path: str, default: dict[str, Any]) -> Mapping:
    if not isinstance(told, dict) or not told.get("when"):
        raise BadInput("expected a mapping that says when it holds", file=path, field="when",
                       remedy="give when: with path, instrument, facility or creator")  # fmt: skip
    return _mapping(_joined(told, default), path)


def _joined(own: Any, inherited: Any) -> Any:
    """Put one's own before what is inherited; None takes the inherited away."""
    if own is None:
        return None
    if isinstance(own, dict) and isinstance(inherited, dict):
        both = {key: _joined(own[key], inherited.get(key)) if key in own else value for key, value in inherited.items()}
        both |= {key: value for key, value in own.items() if key not in inherited}
        return {key: value for key, value in both.items() if value is not None}
    if isinstance(own, list) and isinstance(inherited, list):
        return own + [one for one in inherited if one not in own]
    return own


def _mapping(told: dict[str, Any], name: str) -> Mapping:
    try:
        return Mapping.model_validate(_renamed(told))
    except ValidationError as error:
        first = error.errors()[0]
        said = "there is no such key" if first["type"] == "extra_forbidden" else str(first["msg"])
        raise BadInput(said, file=name, field=".".join(map(str, first["loc"]))) from None


def _renamed(told: dict[str, Any]) -> dict[str, Any]:
    """Read ``from`` as ``paths``: one is the better word in the file, the other no word of Python's."""
    return {
        key: {"paths" if name == "from" else name: one for name, one in value.items()}
        if key in ("probe", "techniques") and isinstance(value, dict)
        else value
        for key, value in told.items()
    }


def _fits(patterns: tuple[str, ...], value: str | None) -> bool:
    return value is not None and any(fnmatch(value.casefold(), pattern.casefold()) for pattern in patterns)
