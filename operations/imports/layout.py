"""How a point of InfluxDB 1.x becomes a reading: Home Assistant's own layouts, and others by a mapping file.

Home Assistant's integration for InfluxDB 1.x writes one point for every state:

    measurement   the unit, or `measurement_attr` (the entity, domain__device_class), else a default or the entity
    tags          domain, entity_id (the part after the dot), and those of `tags` and `tags_attributes`
    fields        value (the state as a number), state (its text, where it is no number),
                  <attribute> where it is a number, <attribute>_str where it is not, and then <attribute> too with
                  the digits of the text, if it has any: `(255, 80, 0)` is also 255800

It does not store `unavailable` and `unknown`, nor the text of a number (`21.50` is 21.5). A unit that is the
measurement is no field, and of `domain__device_class` the class is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, cast

from event_schema import DEFAULT_ATTRIBUTES
from operations.imports.mapping import Mapping1x, MeasurementRule
from operations.imports.reading import Run
from operations.imports.units import UNITS

# Attributes that say what an entity is; read for every domain.
DESCRIBING = ("device_class", "friendly_name", "state_class", "unit_of_measurement")
WEATHER = ("temperature", "humidity", "pressure", "temperature_unit", "pressure_unit")
STATE_FIELDS = ("value", "state")
OWN_TAGS = frozenset({"domain", "entity_id"})
# Of a measurement that is a unit, no point has one of these.
NO_UNITS_FIELDS = ("state", "unit_of_measurement_str")
# How Home Assistant writes an attribute, or a tag, that says nothing.
NOTHING = (None, "", "None")
REMEMBERED_ATTRIBUTES = 1_000
REMEMBERED_STATES = 10_000

NO_ENTITY = "no tags domain and entity_id, and no mapping for its measurement"
NO_STATE = "neither a value nor a state in it"
NO_STATES = "no field in it that is a state's, or an attribute's that is kept"
IGNORED = "ignored by the mapping file"
NOT_KEPT = "attributes that are not on the list of those kept"
TAG_NOT_KEPT = "a tag that says nothing of its entity"
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


def holds_texts(values: Sequence[Any]) -> bool:
    return isinstance(next((value for value in values if value is not None), None), str)


class StateTexts(dict[Any, str | None]):
    """`state_text` by value, remembered: a home says the same again and again. True would be the same key as 1."""

    def __missing__(self, value: Any) -> str | None:
        text = state_text(value)
        if len(self) >= REMEMBERED_STATES:
            self.clear()
        self[value] = text
        return text

    def of(self, values: Sequence[Any]) -> list[str | None]:
        if bool in map(type, values):
            return [state_text(one) for one in values]
        return list(map(self.__getitem__, values))


def holds_no_unit(measurement: str, field: str) -> bool:
    """Whether a measurement with such a field is no unit: a default, or one that `override_measurement` names."""
    return field in NO_UNITS_FIELDS and measurement not in UNITS


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
    # The one of them that is a state only where it is a text; a number is an attribute of that name.
    text_field: str = ""
    known: dict[tuple[str, ...], dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    texts: StateTexts = field(default_factory=StateTexts)

    def run(self, times: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> tuple[Run, list[int]]:
        """The readings of points at these times, in order, whose fields are `columns` (None where a point lacks one);
        and the times of points that hold no state. At least one point."""
        states = self._states(len(times), columns)
        attributes = self._attributes(len(times), columns)
        if None not in states:
            return Run(self.entity_id, self.series, list(times), cast("list[str]", states), attributes), []
        whole = [row for row in zip(times, states, attributes, strict=True) if row[1] is not None]
        stateless = [time_ns for time_ns, state in zip(times, states, strict=True) if state is None]
        if not whole:
            return Run(self.entity_id, self.series, [], [], []), stateless
        kept, texts, given = zip(*whole, strict=True)
        return Run(self.entity_id, self.series, list(kept), cast("list[str]", list(texts)), given), stateless

    def _states(self, count: int, columns: Mapping[str, Sequence[Any]]) -> list[str | None]:
        states: list[str | None] = [None] * count
        for name in reversed(self.state_fields):
            if name in columns and (name != self.text_field or holds_texts(columns[name])):
                better = self.texts.of(columns[name])
                if None in better:
                    better = [one if one is not None else other for one, other in zip(better, states, strict=True)]
                states = better
        return states

    def _attributes(self, count: int, columns: Mapping[str, Sequence[Any]]) -> Sequence[Mapping[str, Any]]:
        """The same object as long as they are the same."""
        names = tuple(name for fields in self.fields.values() for name in fields if name in columns)
        known = self.known.setdefault(names, {})
        chosen = [columns[name] for name in names]
        if all(one.count(one[0]) == count for one in chosen):
            rows: Iterable[tuple[Any, ...]] = [tuple(one[0] for one in chosen)]
        else:
            rows = zip(*chosen, strict=True)
        found = []
        for row in rows:
            attributes = known.get(row)
            if attributes is None:
                if len(known) >= REMEMBERED_ATTRIBUTES:
                    known.clear()
                attributes = known[row] = self._given(dict(zip(names, row, strict=True)))
            found.append(attributes)
        return found if len(found) == count else found * count

    def _given(self, point: Mapping[str, Any]) -> dict[str, Any]:
        attributes = dict(self.given)
        for attribute, fields in self.fields.items():
            value = next((point[name] for name in fields if point.get(name) not in NOTHING), None)
            if value is not None:
                # A name that is a number was stored as one.
                attributes[attribute] = state_text(value) if attribute in DESCRIBING else value
        return attributes


class Layout:
    """Plans for series.

    `defaults` are the measurements that are no unit, as a field of theirs shows. `used`: the fields of each measurement
    that any of its series wanted.
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
        self._unused_tags: set[str] = set()

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
            self._unused_tags.update(tags.keys() - OWN_TAGS - found.given.keys() - (rule.tags if rule else set()))
        return found

    def left_out(self) -> dict[str, str]:
        """What no plan uses, and why."""
        return {f"tag {name}": TAG_NOT_KEPT for name in self._unused_tags}

    def _own(self, measurement: str, tags: Mapping[str, str]) -> SeriesPlan | str:
        source_id = entity_of(tags)
        if source_id is None:
            return NO_ENTITY
        entity_id = self.mapping.rename.get(source_id, source_id)
        names = wanted_attributes(entity_id, self.attributes)
        # What `tags_attributes` made a tag is an attribute as well.
        given: dict[str, Any] = {name: tags[name] for name in names if tags.get(name) not in NOTHING}
        domain = source_id.partition(".")[0]
        if measurement.startswith(f"{domain}__"):
            given.setdefault("device_class", measurement.removeprefix(f"{domain}__"))
        elif measurement not in (source_id, domain) and measurement not in self.defaults:
            given.setdefault("unit_of_measurement", measurement)
        return SeriesPlan(
            series=measurement,
            entity_id=entity_id,
            given=given,
            # The text says more than the number that Home Assistant made of it.
            fields={name: (f"{name}_str", name) for name in names},
            state_fields=("state", "value"),
            text_field="state",
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
