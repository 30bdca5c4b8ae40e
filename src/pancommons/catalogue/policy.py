"""The data policy: how long data are kept to their team, who may change that, under which licence they open."""

from __future__ import annotations

import calendar
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.audit import record
from pancommons.catalogue.ledger import policies


class DataClass(BaseModel):
    """What holds for one class of data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embargo: int | None = Field(None, ge=0, le=1200, description="months; the team's until released when not given")
    maximum: int | None = Field(None, ge=0, le=1200, description="months an embargo may be extended to; no end if none")
    metadata_public: bool = Field(True, description="whether anybody may find it before it opens")
    license: str | None = Field(None, description="SPDX identifier")

    @model_validator(mode="after")
    def _within(self) -> DataClass:
        if self.maximum is not None and self.embargo is not None and self.embargo > self.maximum:
            raise ValueError("the embargo is longer than its maximum")
        if self.maximum is not None and self.embargo is None:
            raise ValueError("a maximum needs an embargo")
        return self


class Changes(BaseModel):
    """Which roles may change what the policy has set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shorten: tuple[Role, ...] = ()
    extend: tuple[Role, ...] = ()
    lift: tuple[Role, ...] = ()


class Policy(BaseModel):
    """One version of the data policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(min_length=1, max_length=100)
    metadata_license: str = "CC0-1.0"
    classes: dict[str, DataClass]
    changes: Changes = Changes()

    def of(self, data_class: str) -> DataClass:
        """Return what holds for a class.

        Raises
        ------
        BadInput
            If the policy is silent about it.
        """
        try:
            return self.classes[data_class]
        except KeyError:
            raise BadInput(
                f"the data policy {self.version} says nothing about {data_class} data",
                field="data_class",
                remedy=f"it knows {', '.join(self.classes)}",
            ) from None

    def opening(self, data_class: str, measured: datetime) -> Opening:
        """Say when data measured at a moment open, and when their metadata do."""
        rule = self.of(data_class)
        open_from = None if rule.embargo is None else months_later(measured, rule.embargo)
        return Opening(open_from, measured if rule.metadata_public else open_from)

    def latest(self, data_class: str, measured: datetime) -> datetime | None:
        """Return the last moment an embargo may be extended to; None if there is none."""
        maximum = self.of(data_class).maximum
        return None if maximum is None else months_later(measured, maximum)


@dataclass(frozen=True)
class Opening:
    """From when on anybody may have the data, and the metadata; None for never."""

    open_from: datetime | None
    discoverable_from: datetime | None


def months_later(moment: datetime, months: int) -> datetime:
    """Return the same day and hour so many months later, or the month's last day if it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def read_policy(file: Path | None = None) -> Policy:
    """Read a policy; the one that comes with the program when no file is given.

    Raises
    ------
    BadInput
        Naming the file and the key.
    """
    if file is None:
        return _parse((files("pancommons.catalogue") / "policy.toml").read_text(), "policy.toml")
    try:
        return _parse(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read ({error})", file=file) from None


def adopt(connection: Connection, policy: Policy, by: Principal, at: datetime) -> None:
    """Keep a version of the policy, as records refer to it; again is no change.

    Raises
    ------
    BadInput
        If that version is known with other rules.
    """
    content = policy.model_dump_json()
    known = connection.execute(sa.select(policies.c.content).where(policies.c.version == policy.version)).scalar()
    if known is None:
        connection.execute(sa.insert(policies).values(version=policy.version, content=content, adopted_at=at))
        record(connection, by, "adopt", at, facts={"policy": policy.version})
    elif known != content:
        raise BadInput(
            f"the data policy {policy.version} is in use with other rules",
            field="version",
            remedy="give the changed policy a new version",
        )


def policy_of(connection: Connection, version: str) -> Policy:
    """Return an adopted version of the policy."""
    content = connection.execute(sa.select(policies.c.content).where(policies.c.version == version)).scalar()
    if content is None:
        raise BadInput(f"no data policy {version} was adopted", field="policy")
    return _stored(content)


@lru_cache(maxsize=32)
def _stored(content: str) -> Policy:
    return Policy.model_validate_json(content)


def _parse(text: str, name: str) -> Policy:
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"cannot be read as TOML ({error})", file=name) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(str(first["msg"]), file=name, field=".".join(map(str, first["loc"]))) from None
