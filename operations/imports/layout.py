"""How a point of InfluxDB 1.x becomes a reading: Home Assistant's own layouts, and others by a mapping file.

Home Assistant's integration for InfluxDB 1.x writes one point for every state:

    measurement   the unit, or `measurement_attr` (the entity, domain__device_class), else a default or the entity
    tags          domain, entity_id (the part after the dot), and those of `tags` and `tags_attributes`
    fields        value (the state as a number), state (its text, where it is no number),
                  <attribute> where it is a number, <attribute>_str where it is not

It does not store `unavailable` and `unknown`, nor the text of a number (`21.50` is 21.5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from event_schema import DEFAULT_ATTRIBUTES
from operations.imports.mapping import Mapping1x, MeasurementRule
from operations.imports.reading import Reading

# Attributes that say what an entity is; read for every domain.
DESCRIBING = ("device_class", "friendly_name", "state_class", "unit_of_measurement")
WEATHER = ("temperature", "humidity", "pressure", "temperature_unit", "pressure_unit")
STATE_FIELDS = ("value", "state")
REMEMBERED_ATTRIBUTES = 1_000

NO_ENTITY = "no tags domain and entity_id, and no mapping for its measurement"
NO_STATE = "neither a value nor a state in it"
IGNORED = "ignored by the mapping file"
NOT_KEPT = "attributes that are not on the list of those kept"
NOT_WANTED = "not among --include, or among --exclude"


def entity_of(tags: Mapping[str, str]) -> str | None:
    """`domain.object` of Home Assistant's tags; None where they are not there."""
    domain, name = tags.get("domain"), tags.get("entity_id")
    if not name:
        return None
    if not domain:
        return name if name.partition(".")[2] else None
    return name if name.startswith(f"{domain}.") else f"{domain}.{name}"


def number_text(value: float) -> str:
    """A number as a state's text: 21.5, 21, 1e+20."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def state_text(value: Any) -> str | None:
    """The text of a stored state, None where there is none. Booleans are on and off."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return number_text(value) if math.isfinite(value) else None
    return str(value)


def wanted_attributes(entity_id: str, chosen: Mapping[str, tuple[str, ...]] | None) -> tuple[str, ...]:
    """The attributes to read for an entity, those that describe it first."""
    allowed = DEFAULT_ATTRIBUTES if chosen is None else chosen
    domain = entity_id.partition(".")[0]
    extra = allowed.get(entity_id, allowed.get(domain, ()))
    weather = WEATHER if domain == "weather" else ()
    return tuple(dict.fromkeys((*DESCRIBING, *extra, *weather)))


def wanted_field(name: str, chosen: Mapping[str, tuple[str, ...]] | None) -> bool:
    """Whether any entity could want the field, so that it has to be read at all."""
    allowed = DEFAULT_ATTRIBUTES if chosen is None else chosen
    plain = name.removesuffix("_str")
    return (
        name in STATE_FIELDS
        or plain in DESCRIBING
        or plain in WEATHER
        or any(plain in names for names in allowed.values())
    )


@dataclass(slots=True)
class SeriesPlan:
    """What becomes of the points of one series (measurement and tags)."""

    series: str
    entity_id: str
    given: dict[str, Any]
    fields: dict[str, tuple[str, ...]]  # attribute -> the fields that may hold it, the better one first
    state_fields: tuple[str, ...]
    known: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def columns(self, names: Sequence[str]) -> SeriesReader:
        """A reader of rows whose columns have these names."""
        position = {name: index for index, name in enumerate(names)}
        return SeriesReader(
            self,
            tuple(position[name] for name in self.state_fields if name in position),
            tuple(
                (attribute, tuple(position[name] for name in fields if name in position))
                for attribute, fields in self.fields.items()
                if any(name in position for name in fields)
            ),
        )


class SeriesReader:
    """Rows of one series to readings."""

    __slots__ = ("_all", "_attributes", "_plan", "_states")

    def __init__(
        self, plan: SeriesPlan, states: tuple[int, ...], attributes: tuple[tuple[str, tuple[int, ...]], ...]
    ) -> None:
        self._plan = plan
        self._states = states
        self._attributes = attributes
        self._all = tuple(position for _, positions in attributes for position in positions)

    def reading(self, time_ns: int, row: Sequence[Any]) -> Reading | None:
        """None where the row has no state."""
        state = None
        for position in self._states:
            state = state_text(row[position])
            if state is not None:
                break
        if state is None:
            return None
        plan = self._plan
        key = tuple([row[position] for position in self._all])
        attributes = plan.known.get(key)
        if attributes is None:
            attributes = dict(plan.given)
            for name, positions in self._attributes:
                value = next((row[position] for position in positions if row[position] not in (None, "")), None)
                if value is not None:
                    attributes[name] = value
            if len(plan.known) >= REMEMBERED_ATTRIBUTES:
                plan.known.clear()
            plan.known[key] = attributes
        return Reading(time_ns, plan.entity_id, state, attributes, None, plan.series)


class Layout:
    """Plans for series.

    `defaults` are the measurements that are no unit: they hold texts. `used`: the fields of each measurement that any
    of its series wanted.
    """

    def __init__(
        self,
        mapping: Mapping1x,
        *,
        attributes: Mapping[str, tuple[str, ...]] | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self.mapping = mapping
        self.attributes = attributes
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self.defaults: set[str] = set(mapping.default_measurements)
        self.used: dict[str, set[str]] = {}

    def wants(self, entity_id: str) -> bool:
        if any(fnmatchcase(entity_id, one) for one in self._exclude):
            return False
        return not self._include or any(fnmatchcase(entity_id, one) for one in self._include)

    def wants_field(self, measurement: str, name: str) -> bool:
        rule = self.mapping.rule(measurement)
        if rule is not None:
            return name in rule.fields
        return wanted_field(name, self.attributes)

    def plan(self, measurement: str, tags: Mapping[str, str]) -> SeriesPlan | str:
        """The plan of a series, or why it has none."""
        rule = self.mapping.rule(measurement)
        if rule is not None and rule.ignore:
            return IGNORED
        found = self._own(measurement, tags) if rule is None else self._mapped(rule, measurement, tags)
        if isinstance(found, SeriesPlan):
            if not self.wants(found.entity_id):
                return NOT_WANTED
            used = self.used.setdefault(measurement, set())
            used.update(found.state_fields)
            used.update(name for fields in found.fields.values() for name in fields)
        return found

    def _own(self, measurement: str, tags: Mapping[str, str]) -> SeriesPlan | str:
        source_id = entity_of(tags)
        if source_id is None:
            return NO_ENTITY
        entity_id = self.mapping.rename.get(source_id, source_id)
        names = wanted_attributes(entity_id, self.attributes)
        # What `tags_attributes` made a tag is an attribute as well.
        given: dict[str, Any] = {name: tags[name] for name in names if tags.get(name)}
        domain = source_id.partition(".")[0]
        if measurement.startswith(f"{domain}__"):
            given.setdefault("device_class", measurement.removeprefix(f"{domain}__"))
        elif measurement not in (source_id, domain) and measurement not in self.defaults:
            given.setdefault("unit_of_measurement", measurement)
        return SeriesPlan(
            series=measurement,
            entity_id=entity_id,
            given=given,
            fields={name: (name, f"{name}_str") if name not in DESCRIBING else (f"{name}_str", name) for name in names},
            # The text says more than the number that Home Assistant made of it.
            state_fields=("state", "value"),
        )

    def _mapped(self, rule: MeasurementRule, measurement: str, tags: Mapping[str, str]) -> SeriesPlan | str:
        filled = rule.fill(measurement, tags)
        if isinstance(filled, str):
            return filled
        entity_id = self.mapping.rename.get(filled["entity_id"], filled["entity_id"])
        given = {name: value for name, value in filled.items() if name != "entity_id" and value}
        return SeriesPlan(
            series=measurement,
            entity_id=entity_id,
            given=given,
            fields={attribute: (name,) for name, attribute in rule.attributes.items()},
            state_fields=rule.state,
        )
