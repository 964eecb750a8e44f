"""A stack's configuration, typed: which homes it has, and what each of them decides.

A home's own entry in `hearthflux:homes` comes first, then the environment variables, then the stack's configuration,
then the contract in event_schema.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_schema import TIERS, Tier, Tiers
from event_schema.operations_records import OPERATIONS_BUCKET
from flux_tasks.alerts import AlertSettings
from flux_tasks.specs import LATE_HORIZON, LONGEST_HORIZON, OFFSETS
from stacks.alert_settings import alert_settings
from stacks.wrong_setting import WrongSetting as WrongSetting

RETENTION_VARIABLES: Mapping[str, str] = {
    "raw": "RAW_DATA_RETENTION_DAYS",
    "hourly": "HOURLY_SUMMARY_RETENTION_DAYS",
    "daily": "DAILY_SUMMARY_RETENTION_DAYS",
}
DEFAULT_ORGANIZATION = "home_assistant"
_HOME_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_PREFIX = re.compile(r"([a-z][a-z0-9_-]*)?")

TIER_TABLES: Mapping[str, Sequence[str]] = {
    "retentionDays": TIERS.names,
    "shardGroupDays": TIERS.names,
    "offsetMinutes": tuple(OFFSETS),
}
# What the stack decides for all of its homes, and what a home may decide for itself.
HOME_KEYS = ("name", "prefix", "organization", "timeZone", *TIER_TABLES, "lateHours", "allowDataLoss", "alerts")
STACK_KEYS = ("organization", "timeZone", *TIER_TABLES, "lateHours", "allowDataLoss", "protect", "alerts", "homes")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings:
    """What one home decides. `prefix` stands before the names of its buckets, tasks and tokens.

    `allow_data_loss` names the buckets that may be shortened or deleted with data. With `protect` no bucket may be
    deleted or replaced at all. `alerts` says what is watched, None: nothing.
    """

    name: str
    prefix: str
    organization: str
    tiers: Tiers
    offsets: Mapping[str, timedelta]
    horizon: timedelta
    time_zone: str
    allow_data_loss: frozenset[str]
    protect: bool
    alerts: AlertSettings | None = None

    def named(self, name: str) -> str:
        """The name of one of this home's buckets, tasks or tokens."""
        return self.prefix + name

    @property
    def buckets(self) -> tuple[str, ...]:
        """The names of the buckets of its tiers."""
        return tuple(tier.bucket for tier in self.tiers)

    @property
    def operations_bucket(self) -> str:
        """The name of the bucket for what hearthflux records about itself."""
        return self.named(OPERATIONS_BUCKET)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What one environment decides. `several`: its homes are listed, so its outputs are by home."""

    homes: tuple[HomeSettings, ...]
    organization: str
    several: bool
    protect: bool

    @property
    def organizations(self) -> tuple[str, ...]:
        """The organizations of its homes, each once, the stack's own first where a home is in it."""
        named = dict.fromkeys(home.organization for home in self.homes)
        return tuple(sorted(named, key=lambda name: name != self.organization))


def whole_number(text: object, name: str, what: str) -> int:
    try:
        number = int(str(text).strip())
    except ValueError:
        number = -1
    if number < 0:
        raise WrongSetting(f"{name} is {text!r}: give {what}")
    return number


def days(text: object, name: str) -> timedelta | None:
    """Whole days; 0 keeps for ever (None). Raises WrongSetting."""
    number = whole_number(text, name, "whole days, 0 to keep for ever")
    return timedelta(days=number) if number else None


def time_zone(name: str, setting: str = "HOME_TIME_ZONE") -> str:
    """The IANA name itself. Raises WrongSetting where there is no such zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongSetting(f"{setting} is {name!r}: give an IANA name such as Europe/Amsterdam") from None
    return name


@dataclass(frozen=True, slots=True)
class _Layer:
    """One table of settings, and what stands before its keys in a sentence."""

    values: Mapping[str, Any]
    called: str

    def __post_init__(self) -> None:
        for key, tiers in TIER_TABLES.items():
            table = self.values.get(key)
            if table is None:
                continue
            if not isinstance(table, Mapping):
                raise WrongSetting(f"{self.called}{key} is {table!r}: give a table by {', '.join(tiers)}")
            unknown = sorted(str(name) for name in table if name not in tiers)
            if unknown:
                raise WrongSetting(f"{self.called}{key} names {', '.join(unknown)}: the tiers are {', '.join(tiers)}")

    def tier(self, key: str, tier: str) -> _Found | None:
        """One entry of a table by tier."""
        table = self.values.get(key) or {}
        return _Found(table[tier], f"{self.called}{key}.{tier}") if tier in table else None

    def text(self, key: str) -> _Found | None:
        value = self.values.get(key)
        return None if value in (None, "") else _Found(str(value), f"{self.called}{key}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A value and the name of the setting it comes from."""

    value: Any
    called: str


def _variable(environment: Mapping[str, str], name: str) -> _Found | None:
    value = environment.get(name, "").strip()
    return _Found(value, name) if value else None


def _tier(tier: Tier, prefix: str, home: _Layer, stack: _Layer, environment: Mapping[str, str]) -> Tier:
    variable = RETENTION_VARIABLES[tier.name]
    kept = (
        home.tier("retentionDays", tier.name)
        or _variable(environment, variable)
        or stack.tier("retentionDays", tier.name)
    )
    wide = home.tier("shardGroupDays", tier.name) or stack.tier("shardGroupDays", tier.name)
    retention = tier.retention if kept is None else days(kept.value, kept.called)
    width = tier.shard_group_duration if wide is None else days(wide.value, wide.called)
    if width is None:
        raise WrongSetting(f"{wide and wide.called} is 0: a shard group covers at least a day")
    try:
        return dataclasses.replace(tier, bucket=prefix + tier.bucket, retention=retention, shard_group_duration=width)
    except ValueError as error:
        settings = (
            f"{variable} or hearthflux:retentionDays.{tier.name}" if kept is None else kept.called,
            f"hearthflux:shardGroupDays.{tier.name}" if wide is None else wide.called,
        )
        raise WrongSetting(f"{error}; set {settings[0]} and {settings[1]} so that they fit") from None


def _offset(tier: str, home: _Layer, stack: _Layer) -> timedelta:
    found = home.tier("offsetMinutes", tier) or stack.tier("offsetMinutes", tier)
    if found is None:
        return OFFSETS[tier]
    offset = timedelta(minutes=whole_number(found.value, found.called, "whole minutes"))
    every = TIERS[tier].every
    if every is not None and offset >= every:
        raise WrongSetting(
            f"{found.called} is {found.value}: a task's offset has to be shorter than its cadence, which is "
            f"{every // timedelta(minutes=1)} minutes"
        )
    return offset


def _horizon(found: _Found | None) -> timedelta:
    if found is None:
        return LATE_HORIZON
    hours = whole_number(found.value, found.called, "whole hours")
    if not 1 <= hours <= LONGEST_HORIZON // timedelta(hours=1):
        raise WrongSetting(f"{found.called} is {found.value}: from 1 to {LONGEST_HORIZON // timedelta(hours=1)} hours")
    return timedelta(hours=hours)


def _allowed(layer: _Layer, buckets: Sequence[str]) -> frozenset[str]:
    allowed = layer.values.get("allowDataLoss") or []
    if not isinstance(allowed, list) or not set(map(str, allowed)) <= set(buckets):
        raise WrongSetting(f"{layer.called}allowDataLoss is {allowed!r}: a list of {', '.join(sorted(buckets))}")
    return frozenset(map(str, allowed))


def _alerts(home: _Layer, stack: _Layer, environment: Mapping[str, str]) -> AlertSettings | None:
    layer = home if home.values.get("alerts") is not None else stack
    return alert_settings(layer.values.get("alerts"), f"{layer.called}alerts", environment)


def _home(name: str, prefix: str, home: _Layer, stack: _Layer, environment: Mapping[str, str]) -> HomeSettings:
    zone = (
        home.text("timeZone")
        or _variable(environment, "HOME_TIME_ZONE")
        or stack.text("timeZone")
        or _Found("UTC", "HOME_TIME_ZONE")
    )
    organization = home.text("organization") or stack.text("organization")
    made = HomeSettings(
        name=name,
        prefix=prefix,
        organization=organization.value if organization else DEFAULT_ORGANIZATION,
        tiers=Tiers(_tier(tier, prefix, home, stack, environment) for tier in TIERS),
        offsets={tier: _offset(tier, home, stack) for tier in OFFSETS},
        horizon=_horizon(home.text("lateHours") or stack.text("lateHours")),
        time_zone=time_zone(zone.value, zone.called),
        allow_data_loss=frozenset(),
        protect=bool(stack.values.get("protect")),
        alerts=_alerts(home, stack, environment),
    )
    return dataclasses.replace(made, allow_data_loss=_allowed(home, made.buckets))


def _entry(position: int, entry: Any) -> tuple[str, str, _Layer]:
    """Name, prefix and settings of one entry of hearthflux:homes. A bare text is a name."""
    where = f"hearthflux:homes[{position}]"
    table = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping) or not table.get("name"):
        raise WrongSetting(f"{where} is {entry!r}: give a name, or a table with {', '.join(HOME_KEYS)}")
    name = str(table["name"])
    if _HOME_NAME.fullmatch(name) is None:
        raise WrongSetting(
            f"{where}.name is {name!r}: lower-case letters, digits, - and _, a letter first, at most 40 of them"
        )
    unknown = sorted(str(key) for key in table if key not in HOME_KEYS)
    if unknown:
        raise WrongSetting(f"{where} ({name}) has {', '.join(unknown)}: a home has {', '.join(HOME_KEYS)}")
    prefix = table.get("prefix")
    prefix = f"{name}_" if prefix is None else str(prefix)
    if _PREFIX.fullmatch(prefix) is None:
        raise WrongSetting(
            f"{where}.prefix is {prefix!r}: lower-case letters, digits, - and _, a letter first; empty for none"
        )
    return name, prefix, _Layer(table, f"{where} ({name}): ")


def _check_unique(homes: Sequence[HomeSettings]) -> None:
    for what, names in (
        ("the name", [home.name for home in homes]),
        ("the prefix", [home.prefix for home in homes]),
        ("the bucket", [bucket for home in homes for bucket in home.buckets]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise WrongSetting(f"hearthflux:homes gives {what} {twice[0]!r} to two homes: each has its own")


def load(config: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> StackSettings:
    """The settings of a stack from its configuration (the names after `hearthflux:`). Raises WrongSetting."""
    unknown = sorted(name for name in config if name not in STACK_KEYS)
    if unknown:
        raise WrongSetting(f"hearthflux:{unknown[0]} is not a setting: there are {', '.join(STACK_KEYS)}")
    if not isinstance(config.get("protect", False), bool):
        raise WrongSetting(f"hearthflux:protect is {config['protect']!r}: true or false")
    stack = _Layer(config, "hearthflux:")
    listed = config.get("homes")
    if listed is None:
        homes = [_home("home", "", _Layer({}, ""), stack, environment)]
    elif not isinstance(listed, list) or not listed:
        raise WrongSetting(f"hearthflux:homes is {listed!r}: give a list of homes, or leave it out for a single one")
    else:
        homes = [
            _home(name, prefix, layer, stack, environment)
            for name, prefix, layer in (_entry(position, entry) for position, entry in enumerate(listed))
        ]
        _check_unique(homes)
    allowed = _allowed(stack, [bucket for home in homes for bucket in home.buckets])
    organization = stack.text("organization")
    return StackSettings(
        homes=tuple(
            dataclasses.replace(home, allow_data_loss=home.allow_data_loss | (allowed & set(home.buckets)))
            for home in homes
        ),
        organization=organization.value if organization else DEFAULT_ORGANIZATION,
        several=listed is not None,
        protect=bool(config.get("protect")),
    )
