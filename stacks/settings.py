"""A stack's configuration, typed: environment variables first, then Pulumi.<stack>.yaml, then the contract."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_schema import TIERS, Tier, Tiers

RETENTION_VARIABLES: Mapping[str, str] = {
    "raw": "RAW_DATA_RETENTION_DAYS",
    "hourly": "HOURLY_SUMMARY_RETENTION_DAYS",
    "daily": "DAILY_SUMMARY_RETENTION_DAYS",
}
DEFAULT_ORGANIZATION = "home_assistant"


class WrongSetting(ValueError):
    """A setting that can't be; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings:
    """What one environment decides. `allow_data_loss` names the buckets that may be shortened or deleted with data."""

    organization: str
    tiers: Tiers
    time_zone: str
    allow_data_loss: frozenset[str]
    protect: bool


def days(text: object, name: str) -> timedelta | None:
    """Whole days; 0 keeps for ever (None). Raises WrongSetting."""
    try:
        number = int(str(text).strip())
    except ValueError:
        number = -1
    if number < 0:
        raise WrongSetting(f"{name} is {text!r}: give whole days, 0 to keep for ever")
    return timedelta(days=number) if number else None


def _tier(tier: Tier, config: Mapping[str, Any], environment: Mapping[str, str]) -> Tier:
    variable = RETENTION_VARIABLES[tier.name]
    retention = tier.retention
    width = tier.shard_group_duration
    configured = config.get("retentionDays") or {}
    widths = config.get("shardGroupDays") or {}
    if environment.get(variable, "").strip():
        retention = days(environment[variable], variable)
    elif tier.name in configured:
        retention = days(configured[tier.name], f"hearthflux:retentionDays.{tier.name}")
    if tier.name in widths:
        chosen = days(widths[tier.name], f"hearthflux:shardGroupDays.{tier.name}")
        if chosen is None:
            raise WrongSetting(f"hearthflux:shardGroupDays.{tier.name} is 0: a shard group covers at least a day")
        width = chosen
    try:
        return dataclasses.replace(tier, retention=retention, shard_group_duration=width)
    except ValueError as error:
        raise WrongSetting(
            f"{error}; set {variable} (or hearthflux:retentionDays.{tier.name}) and "
            f"hearthflux:shardGroupDays.{tier.name} so that they fit"
        ) from None


def time_zone(name: str) -> str:
    """The IANA name itself. Raises WrongSetting where there is no such zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongSetting(f"HOME_TIME_ZONE is {name!r}: give an IANA name such as Europe/Amsterdam") from None
    return name


def load(get: Callable[[str], Any], environment: Mapping[str, str] = os.environ) -> HomeSettings:
    """The settings of a stack; `get` answers a name of the configuration with its value or None."""
    tables = {name: get(name) for name in ("retentionDays", "shardGroupDays")}
    for name, value in tables.items():
        unknown = sorted(set(value or {}) - set(TIERS.names))
        if unknown:
            raise WrongSetting(f"hearthflux:{name} names {', '.join(unknown)}: the tiers are {', '.join(TIERS.names)}")
    tiers = Tiers(_tier(tier, tables, environment) for tier in TIERS)
    allowed = get("allowDataLoss") or []
    buckets = {tier.bucket for tier in tiers}
    if not isinstance(allowed, list) or not set(allowed) <= buckets:
        raise WrongSetting(f"hearthflux:allowDataLoss is {allowed!r}: a list of {', '.join(sorted(buckets))}")
    return HomeSettings(
        organization=str(get("organization") or DEFAULT_ORGANIZATION),
        tiers=tiers,
        time_zone=time_zone(environment.get("HOME_TIME_ZONE", "").strip() or str(get("timeZone") or "UTC")),
        allow_data_loss=frozenset(allowed),
        protect=bool(get("protect")),
    )
