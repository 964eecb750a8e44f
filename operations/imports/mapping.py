"""The mapping file: how measurements that Home Assistant did not write become entities, and which were renamed.

default_measurements = ["state"]        # measurements that are no unit

[rename]                                # an entity's earlier id -> its present one
"sensor.old_name" = "sensor.new_name"

[[measurement]]
match = "environment"                   # a measurement, or a glob; the first that fits counts
entity_id = "sensor.{room}_temperature" # tags in braces
state = ["temperature"]                 # the field that holds the state (the first that has a value)
unit_of_measurement = "°C"
device_class = "temperature"
friendly_name = "{room}"
attributes = { hum = "humidity" }       # field -> attribute

[[measurement]]
match = "cpu*"
ignore = true
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from operations.errors import UserError

_BRACES = re.compile(r"\{([^{}]*)\}")
TEXTS = ("entity_id", "unit_of_measurement", "device_class", "state_class", "friendly_name")
KNOWN = frozenset({"match", "ignore", "state", "attributes", *TEXTS})
_ENTITY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRule:
    """What becomes of the measurements that `match` fits."""

    match: str
    ignore: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    state: tuple[str, ...] = ("value",)
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.state, *self.attributes)

    @property
    def tags(self) -> set[str]:
        """Those that its texts name."""
        return {tag for text in self.texts.values() for tag in _BRACES.findall(text)}

    def fill(self, measurement: str, tags: Mapping[str, str]) -> dict[str, str] | str:
        """The texts with the tags put in, or why that does not work."""
        filled = {}
        for name, text in self.texts.items():
            for tag in _BRACES.findall(text):
                if tag != "measurement" and not tags.get(tag):
                    return f"the mapping's {name} needs the tag {tag}"
            filled[name] = _BRACES.sub(lambda found: measurement if found[1] == "measurement" else tags[found[1]], text)
        entity = re.sub(r"[^a-z0-9_.]", "_", filled["entity_id"].lower())
        if _ENTITY.match(entity) is None:
            return f"the mapping makes {entity!r} of it, which is no entity id"
        filled["entity_id"] = entity
        return filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping1x:
    """A whole mapping file; empty for Home Assistant's own layouts."""

    rules: tuple[MeasurementRule, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    default_measurements: tuple[str, ...] = ()

    def rule(self, measurement: str) -> MeasurementRule | None:
        for one in self.rules:
            if fnmatchcase(measurement, one.match):
                return one
        return None


def _rule(path: Path, number: int, table: Any) -> MeasurementRule:
    where = f"{path}, measurement {number}"
    if not isinstance(table, dict) or not isinstance(table.get("match"), str):
        raise UserError(f'{where}: match is missing: the measurement it is for, such as match = "temperature"')
    if unknown := sorted(set(table) - KNOWN):
        raise UserError(f"{where}: {', '.join(unknown)} is not known; there are {', '.join(sorted(KNOWN))}")
    if table.get("ignore") is True:
        return MeasurementRule(match=table["match"], ignore=True)
    if "entity_id" not in table:
        raise UserError(f'{where}: entity_id is missing, such as entity_id = "sensor.{{room}}_temperature"')
    for name in TEXTS:
        if not isinstance(table.get(name, ""), str):
            raise UserError(f"{where}: {name} {table[name]!r} is not a text")
    state = table.get("state", "value")
    state = [state] if isinstance(state, str) else state
    attributes = table.get("attributes", {})
    if not isinstance(state, list) or not state or not all(isinstance(one, str) for one in state):
        raise UserError(f"{where}: state {state!r}: the name of a field, or a list of names")
    if not isinstance(attributes, dict) or not all(isinstance(one, str) for one in attributes.values()):
        raise UserError(f"{where}: attributes {attributes!r}: fields and the attribute that each becomes")
    return MeasurementRule(
        match=table["match"],
        texts={name: table[name] for name in TEXTS if name in table},
        state=tuple(state),
        attributes=attributes,
    )


def read_mapping(path: Path | None) -> Mapping1x:
    """The mapping of a file; the empty one without a file. Raises UserError naming file, place and what is right."""
    if path is None:
        return Mapping1x()
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"The mapping {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The mapping {path} is not TOML: {error}.") from None
    if unknown := sorted(set(content) - {"default_measurements", "rename", "measurement"}):
        raise UserError(
            f"{path}: {', '.join(unknown)} is not known; there are default_measurements, measurement, rename"
        )
    rename = content.get("rename", {})
    if not isinstance(rename, dict) or not all(isinstance(one, str) and "." in one for one in rename.values()):
        raise UserError(f'{path}: rename: lines such as "sensor.old" = "sensor.new"')
    defaults = content.get("default_measurements", [])
    if not isinstance(defaults, list) or not all(isinstance(one, str) for one in defaults):
        raise UserError(f"{path}: default_measurements: a list of names")
    tables = content.get("measurement", [])
    if not isinstance(tables, list):
        raise UserError(f"{path}: write [[measurement]] with two brackets: there may be several")
    return Mapping1x(
        rules=tuple(_rule(path, number, table) for number, table in enumerate(tables, 1)),
        rename=rename,
        default_measurements=tuple(defaults),
    )
