"""`hearthflux:alerts` of a stack's configuration, typed and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flux_tasks.alerts import AlertSettings, Endpoint
from stacks.wrong_setting import WrongSetting

_LENGTH = re.compile(r"(\d+)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ENTITY = re.compile(r"[a-z0-9_]+\.[^\s]+")
RECORDED_CHECKS = ("tokens", "events", "tasks", "summaries", "spool", "storage", "retention")
LENGTH_RULE = "a length of time such as 30s, 5m, 24h or 2d"

# What an endpoint of each type has, beside its type: the keys of the configuration -> the provider's properties.
ENDPOINTS: Mapping[str, Mapping[str, str]] = {
    "http": {
        "url": "url",
        "method": "method",
        "authMethod": "auth_method",
        "token": "token",
        "username": "username",
        "password": "password",
        "headers": "headers",
    },
    "slack": {"url": "url", "token": "token"},
    "pagerduty": {"routingKey": "routing_key", "clientUrl": "client_url"},
}
NEEDED = {"http": "url", "slack": "url", "pagerduty": "routingKey"}
# A secret that the configuration does not have is taken from here, where the endpoint's type and method want one.
SECRET_VARIABLES = {
    "token": "HEARTHFLUX_ALERT_TOKEN",
    "username": "HEARTHFLUX_ALERT_USERNAME",
    "password": "HEARTHFLUX_ALERT_PASSWORD",
    "routingKey": "HEARTHFLUX_ALERT_ROUTING_KEY",
}
SECRETS_OF_METHOD = {"bearer": ("token",), "basic": ("username", "password")}


def length(value: object, name: str) -> timedelta:
    found = _LENGTH.fullmatch(str(value).strip())
    if found is None or int(found[1]) == 0:
        raise WrongSetting(f"{name} is {value!r}: give {LENGTH_RULE}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def length_or_off(value: object, name: str) -> timedelta | None:
    """None where it is switched off: by `off`, which YAML reads as false, or by 0."""
    if value is False or str(value).strip() in ("0", "off"):
        return None
    try:
        return length(value, name)
    except WrongSetting as error:
        raise WrongSetting(f"{error}, or off") from None


def percent(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        raise WrongSetting(f"{name} is {value!r}: a number of percent above 0, at most 100")
    return float(value)


def count_or_off(value: object, name: str) -> int | None:
    if value is False or value == 0:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise WrongSetting(f"{name} is {value!r}: how many, or off")
    return value


def health_checks(value: object, name: str) -> tuple[str, ...]:
    if value is False:
        return ()
    if not isinstance(value, list) or not set(value) <= set(RECORDED_CHECKS):
        raise WrongSetting(f"{name} is {value!r}: a list of {', '.join(RECORDED_CHECKS)}, or off")
    return tuple(dict.fromkeys(value))


def entities(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WrongSetting(f"{name} is {value!r}: a list of entities such as sensor.kitchen_temperature")
    for one in value:
        if not isinstance(one, str) or _ENTITY.fullmatch(one) is None:
            raise WrongSetting(f"{name} has {one!r}: an entity is named such as sensor.kitchen_temperature")
    return tuple(dict.fromkeys(value))


def _wanted_secrets(table: Mapping[str, Any]) -> tuple[str, ...]:
    if table["type"] == "http":
        return SECRETS_OF_METHOD.get(str(table.get("authMethod")), ())
    return tuple(key for key in ENDPOINTS[table["type"]] if key in SECRET_VARIABLES)


def endpoint(value: object, name: str, environment: Mapping[str, str]) -> Endpoint:
    if not isinstance(value, Mapping) or value.get("type") not in ENDPOINTS:
        shown = value.get("type") if isinstance(value, Mapping) else value
        raise WrongSetting(f"{name} is of type {shown!r}: a table whose type is one of {', '.join(ENDPOINTS)}")
    kind = value["type"]
    known = ENDPOINTS[kind]
    unknown = sorted(str(key) for key in value if key != "type" and key not in known)
    if unknown:
        raise WrongSetting(f"{name}.{unknown[0]} is not known: an endpoint of type {kind} has {', '.join(known)}")
    secrets = {key: environment.get(SECRET_VARIABLES[key], "").strip() for key in _wanted_secrets(value)}
    given = {**{key: secret for key, secret in secrets.items() if secret}, **value}
    if not given.get(NEEDED[kind]):
        variable = SECRET_VARIABLES.get(NEEDED[kind])
        where = f" (or {variable})" if variable else ""
        raise WrongSetting(f"{name}.{NEEDED[kind]}{where} is missing: an endpoint of type {kind} needs it")
    return Endpoint(type=kind, properties={known[key]: entry for key, entry in given.items() if key != "type"})


# Key of the configuration -> attribute of AlertSettings, and how its value is read.
KEYS: Mapping[str, tuple[str, Callable[[Any, str], Any]]] = {
    "every": ("every", length),
    "streamSilence": ("stream_silence", length_or_off),
    "entitySilence": ("entity_silence", length_or_off),
    "entities": ("entities", entities),
    "summariesLate": ("summaries_late", length_or_off),
    "recordSilence": ("record_silence", length_or_off),
    "diskWarn": ("disk_warn", percent),
    "diskCritical": ("disk_critical", percent),
    "deadLetters": ("dead_letters", count_or_off),
    "healthChecks": ("health_checks", health_checks),
    "remindEvery": ("remind_every", length),
}


def alert_settings(
    value: object, name: str = "hearthflux:alerts", environment: Mapping[str, str] = os.environ
) -> AlertSettings | None:
    """The settings, or None where nothing is watched. Raises WrongSetting, which never shows an endpoint's secrets."""
    if value is None or value is False:
        return None
    table = {} if value is True else value
    if not isinstance(table, Mapping):
        raise WrongSetting(
            f"{name} is {value!r}: a table with any of {', '.join(KEYS)}, endpoint; an empty one takes the defaults"
        )
    unknown = sorted(str(key) for key in table if key not in KEYS and key != "endpoint")
    if unknown:
        raise WrongSetting(f"{name}.{unknown[0]} is not a setting: there are {', '.join(KEYS)}, endpoint")
    given = {KEYS[key][0]: KEYS[key][1](entry, f"{name}.{key}") for key, entry in table.items() if key in KEYS}
    if table.get("endpoint") is not None:
        given["endpoint"] = endpoint(table["endpoint"], f"{name}.endpoint", environment)
    settings = AlertSettings(**given)
    if settings.disk_warn > settings.disk_critical:
        raise WrongSetting(
            f"{name}.diskWarn is {settings.disk_warn:g}, above diskCritical {settings.disk_critical:g}: "
            "the warning comes first"
        )
    if settings.remind_every < settings.every:
        raise WrongSetting(f"{name}.remindEvery is shorter than every: a reminder is one of the runs")
    return settings
