"""Configuration: one TOML file, the environment above it, and the folder where everything kept lies."""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from pancommons.base.errors import BadInput
from pancommons.base.home import config_file

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Names of this machine itself."""


class Agent(BaseModel):
    """Who runs the analysis, as written into the provenance."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, description="full name; the account's name when not given")
    orcid: str | None = Field(None, pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$", description="ORCID iD, digits only")
    affiliation: str | None = Field(None, description="the institute's name")


class Site(BaseModel):
    """Who publishes, as harvesters and citations name it."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/]+(/[^\s]*[^\s/])?$",
        description="where the portal is reached, without a slash at its end",
    )
    publisher: str = Field(
        "this installation", min_length=1, description="the facility or institute that keeps the data"
    )
    ror: str | None = Field(None, pattern=r"^https://ror\.org/0[a-z0-9]{6}\d{2}$", description="its identifier in ROR")
    email: str = Field(
        "nobody@localhost.invalid", pattern=r"^\S+@(\S+\.)+\S+$", description="of the administrator, for harvesters"
    )
    security_contact: str | None = Field(
        None,
        pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\+[0-9-]+)$",
        description="whom to tell of a vulnerability, as mailto:security@facility.example; not published if not given",
    )
    facility: str | None = Field(
        None, min_length=1, description="whose instruments wrote files that do not say so themselves"
    )
    time_zone: str = Field("UTC", description="of times in files that name none, as Europe/Berlin")


class Server(BaseModel):
    """How ``pan serve`` listens."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for any that is free")
    processes: int = Field(1, ge=1, le=64, description="how many answer; one for each core that is to be used")
    search_prefix: str = Field(
        "/search-api", pattern=r"^(/[\w.-]+)+$", description="path under which the PaNOSC search API answers"
    )
    root_path: str = Field(
        "", pattern=r"^((/[\w.-]+)+)?$", description="path under which a proxy passes requests on, as /commons"
    )
    proxies: list[str] = Field(
        default_factory=list, description="addresses of proxies whose X-Forwarded-For and -Proto are believed"
    )


class OpenIDProvider(BaseModel):
    """Who says who somebody is: an OpenID Connect provider."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="in addresses, as: facility")
    title: str = Field(min_length=1, description="on the button, as: Example Light Source account")
    issuer: str = Field(pattern=r"^https?://[^\s?#]+$", description="exactly as the provider names itself")
    client_id: str = Field(min_length=1, description="under which this portal is registered there")
    client_secret: str | None = Field(None, min_length=1, description="of a confidential client; none if not given")
    client_secret_file: str | None = Field(None, min_length=1, description="file that holds it instead")
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "profile", "email"], description="asked for, openid among them"
    )
    admin_acr: list[str] = Field(
        default_factory=list, description="how whoever changes something under /admin signed in: acr is one of these"
    )

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        """Let a provider be asked without TLS only on this machine."""
        parts = urlsplit(value)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("write https://, or the provider could be anybody")
        return value

    @field_validator("scopes")
    @classmethod
    def _is_openid(cls, value: list[str]) -> list[str]:
        """Ask for an identity in any case."""
        if "openid" not in value:
            raise ValueError("openid must be among them")
        return value


class Entitled(BaseModel):
    """What an entitlement gives: a role everywhere, in a proposal or at an instrument."""

    model_config = ConfigDict(extra="forbid")

    entitlement: str = Field(
        min_length=1,
        description="as AARC-G069 has it, without #authority; {proposal} or {instrument} stands for one element",
    )
    role: str = Field(min_length=1, description="member, principal investigator, instrument scientist, ...")


class SignIn(BaseModel):
    """How people sign in; nobody does where no provider is named, and only this machine is served."""

    model_config = ConfigDict(extra="forbid")

    providers: list[OpenIDProvider] = Field(
        default_factory=list, max_length=16, description="OpenID Connect providers, tables of their own"
    )
    entitled: list[Entitled] = Field(default_factory=list, description="roles that entitlements give")
    idle_minutes: int = Field(480, ge=5, description="a session ends after this time without a request")
    longest_hours: int = Field(168, ge=1, description="a session ends after this time whatever happens")
    token_days: int = Field(90, ge=1, le=3650, description="the longest life of a personal token")
    entitled_days: int = Field(
        30, ge=1, description="what entitlements give holds for this time after they were read, for tokens too"
    )
    refresh_hours: int = Field(
        12, ge=1, le=168, description="entitlements older than this are read anew when a session is used"
    )
    admin_minutes: int = Field(
        15, ge=1, le=1440, description="whoever changes something under /admin signed in within this time"
    )

    @field_validator("providers")
    @classmethod
    def _are_distinct(cls, value: list[OpenIDProvider]) -> list[OpenIDProvider]:
        """Refuse two providers of one name or of one issuer."""
        for names in ([one.name for one in value], [one.issuer for one in value]):
            if len(set(names)) < len(names):
                raise ValueError("two providers have the same name or issuer")
        return value


class Runs(BaseModel):
    """How runs that are asked for over HTTP are carried out."""

    model_config = ConfigDict(extra="forbid")

    folder: str | None = Field(None, description="where run folders are made; runs under PANCOMMONS_HOME if not given")
    at_a_time: int = Field(1, ge=1, le=1000, description="runs that go at a time")
    at_a_time_each: int = Field(1, ge=1, le=1000, description="of one person")
    waiting_each: int = Field(20, ge=1, le=10_000, description="runs of one person that may wait")
    workers: int | None = Field(None, ge=1, description="units at a time of a run; the cores allowed if not given")
    memory: str | None = Field(
        None, description="memory of a run, as 8G; its share of half of what is free if not given"
    )
    hours: float = Field(24.0, gt=0, description="a run is stopped after this time")
    accounts: dict[str, str] = Field(
        default_factory=dict, description="Unix users that people's runs go as, by person; the server's if not given"
    )
    keep_days: int | None = Field(
        None, ge=1, description="finished runs are removed after this time; never if not given"
    )
    keep_preview_days: int = Field(2, ge=1, description="previews are removed after this time")
    webhooks: list[str] = Field(
        default_factory=list, description="patterns of addresses that may be told when a run ends, as https://host/*"
    )
    mail: str | None = Field(
        None,
        pattern=r"^smtps?://[^\s/]+$",
        description="server that takes mail, as smtp://localhost:25; none if not given",
    )


class Audit(BaseModel):
    """How long the audit keeps what."""

    model_config = ConfigDict(extra="forbid")

    seen_days: int = Field(
        365, ge=1, description="who saw protected data is forgotten after this time; changes are kept for good"
    )


class Rate(BaseModel):
    """How often something may be asked for: so much at once, and so much a second for as long as one likes."""

    model_config = ConfigDict(extra="forbid")

    a_second: float = Field(gt=0, le=1e6, description="requests a second, in the long run")
    at_once: int = Field(ge=1, le=10_000_000, description="requests that may come all at once")


class Limits(BaseModel):
    """What one visitor may ask of each server: a person who signed in, else an address."""

    model_config = ConfigDict(extra="forbid")

    signin: Rate = Field(Rate(a_second=0.5, at_once=120), description="signing in, people and programs")
    search: Rate = Field(Rate(a_second=20, at_once=400), description="searches, exports, harvesting")
    reading: Rate = Field(Rate(a_second=100, at_once=2000), description="looks into HDF5 files")
    runs: Rate = Field(Rate(a_second=1, at_once=60), description="asking for runs, and what they would take")
    streams: int = Field(20, ge=1, le=100_000, description="runs followed at the same time")


class Provider(BaseModel):
    """Another catalogue, asked together with this one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._()-]{0,63}$", description="how answers name it")
    url: str = Field(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*[^\s/?#])?$",
        description="of its search API, up to where /Datasets follows",
    )
    kind: Literal["pancommons", "panosc", "scicat"] = Field(
        "panosc", description="what serves it: pancommons, panosc (the reference server, ICAT), scicat"
    )
    timeout: float = Field(5.0, gt=0, le=60, description="seconds it has to answer")
    honours_order: bool | None = Field(
        None, description="whether it sorts as asked; by its kind when not given: pancommons does"
    )


class Settings(BaseSettings):
    """The settings of this installation: ``pancommons.toml``, overridden by ``PANCOMMONS_...``."""

    model_config = SettingsConfigDict(env_prefix="PANCOMMONS_", env_nested_delimiter="__", extra="forbid")

    on: str = Field("threads", description="where units run: threads, processes, dask or dask:ADDRESS")
    workers: int | None = Field(None, ge=1, description="units at a time; the cores allowed when not given")
    memory: str | None = Field(None, description="memory a run may use, as 4G; half of what is free when not given")
    database: str | None = Field(
        None,
        description="URL of the database, sqlite or postgresql; pancommons.db under PANCOMMONS_HOME when not given",
    )
    agent: Agent = Field(default_factory=Agent, description="who runs the analysis")
    site: Site = Field(default_factory=Site, description="who publishes")
    server: Server = Field(default_factory=Server, description="how pan serve listens")
    signin: SignIn = Field(default_factory=SignIn, description="how people sign in")
    runs: Runs = Field(default_factory=Runs, description="how runs asked for over HTTP are carried out")
    limits: Limits = Field(default_factory=Limits, description="what one visitor may ask of each server")
    audit: Audit = Field(default_factory=Audit, description="how long the audit keeps what")
    providers: list[Provider] = Field(
        default_factory=list, max_length=64, description="other catalogues that a federated search asks"
    )
    data_roots: dict[str, str] = Field(
        default_factory=dict, description="folders whose files the catalogue knows, each by a name that stays"
    )
    mappings: list[str] = Field(
        default_factory=list, description="YAML files that say where metadata lie, tried before the package's own"
    )
    nexus_definitions: str | None = Field(
        None, description="folder of the NeXus definitions; those of an installed package when not given"
    )
    techniques: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="a table per technique, read by that technique alone"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and arguments over both."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file()))


def settings() -> Settings:
    """Read the settings.

    Raises
    ------
    BadInput
        If the file is no TOML or a value does not fit; the sentence names the file and the key.
    """
    return _settings(str(config_file()), tuple(sorted(_own(os.environ).items())))


@lru_cache(maxsize=4)
def _settings(file: str, environment: tuple[tuple[str, str], ...]) -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            "there is no such setting" if first["type"] == "extra_forbidden" else str(first["msg"]),
            file=file,
            field=key,
            remedy="correct it there or in the environment variable PANCOMMONS_...",
        ) from None
    except SettingsError as error:
        field = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise BadInput(
            "expected a table, written as JSON", file="the environment", field=f"PANCOMMONS_{field.upper()}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"cannot be read as TOML ({error})", file=file) from None


def _own(environment: os._Environ[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("PANCOMMONS_")}
