"""One event of a home, and what makes it invalid. Its names come from the declaration in `home_assistant`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

from event_schema.home_assistant import HOME_ASSISTANT_EVENTS

try:
    from event_schema._variants import Variants
except ImportError:  # not built: see hatch_build.py
    Variants = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from datetime import tzinfo

    from event_schema.conversion import EnergyMeters, Placement

AttributeValue = float | int | str | bool

NAMES = HOME_ASSISTANT_EVENTS.tag_names + HOME_ASSISTANT_EVENTS.field_names
SLOTS = ("attributes", "time_ns", *NAMES)


class InvalidEvent(ValueError):
    """An event that cannot be stored: which field, its value, and the rule that it breaks."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        shown = repr(value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        super().__init__(f"{field} {shown}: {rule}")
        self.field = field
        self.value = value
        self.rule = rule


class Event:
    """A point of `home_assistant_events`, not yet encoded.

    Keyword arguments: `time_ns` (nanoseconds since 1970 in UTC), `entity_id`, and any tag or field of the
    declaration; None leaves one out. `attributes` holds chosen attributes by their plain name; they become
    fields `attribute_<name>`. `domain` defaults to the part of entity_id before the dot. Values are checked
    when the event is written, not here.
    """

    __slots__ = SLOTS
    __hash__ = None  # type: ignore[assignment]

    if TYPE_CHECKING:
        time_ns: int
        attributes: Mapping[str, AttributeValue] | None

        def __init__(
            self,
            *,
            time_ns: int,
            entity_id: str,
            attributes: Mapping[str, AttributeValue] | None = None,
            **tags_and_fields: Any,
        ) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in ("time_ns", *NAMES, "attributes"))
        return f"Event({', '.join(f'{name}={value!r}' for name, value in values if value is not None)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in ("time_ns", "attributes", *NAMES))

    @classmethod
    def from_home_assistant(
        cls,
        message: Mapping[str, Any],
        *,
        registry: Mapping[str, Placement | Mapping[str, Any]] | None = None,
        zone: tzinfo | str | None = None,
        meters: EnergyMeters | None = None,
        weather: Mapping[str, Any] | None = None,
        attributes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Event:
        """The event of a Home Assistant message.

        `message` is a `state_changed` message or the flat shape with `entity_id`, `state`, `attributes`,
        `timestamp` and `weather`. A timestamp without a zone is UTC; a number is seconds, milliseconds,
        microseconds or nanoseconds by its size.
        `registry` maps an entity to its area, device name and integration. `zone` (default: the environment's
        HOME_TIME_ZONE, else UTC) decides `time_of_day`. `meters` remembers the last readings of energy meters
        between calls; without it only a message's own old state is compared. `weather` is used where the message
        has none. `attributes` names the attributes to keep by domain or by entity; default: DEFAULT_ATTRIBUTES.

        Raises InvalidEvent naming the field, the value and the rule.
        """
        from event_schema.conversion import convert

        return convert(message, registry=registry, zone=zone, meters=meters, weather=weather, attributes=attributes)


def _make_init() -> Any:
    """`Event.__init__` with one keyword per declared name, written out so that making an event stays cheap."""
    optional = [name for name in NAMES if name != "entity_id"]
    arguments = ", ".join(["time_ns", "entity_id", *(f"{name}=None" for name in optional), "attributes=None"])
    lines = [f"def __init__(self, *, {arguments}):"]
    lines.append("    if domain is None and isinstance(entity_id, str):")
    lines.append("        domain = entity_id.partition('.')[0]")
    lines.extend(f"    self.{name} = {name}" for name in ("time_ns", "attributes", *NAMES))
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)
    return scope["__init__"]


Event.__init__ = _make_init()  # type: ignore[method-assign]


def variants(*names: str, compiled: bool = True) -> Callable[..., list[Event]]:
    """A function (count, event, *columns) -> so many events that differ from the given one in these attributes.

    A column is a list with a value for each of them, or what all of them have; so is the event. For histories, in which
    most stays the same: a fraction of the time that making them from keywords takes. `compiled` False: for comparisons.
    """
    kept = tuple(name for name in SLOTS if name not in names)
    if Variants is not None and compiled:
        return Variants(Event, names, kept).make
    lines = [f"def variant(event, {', '.join(names)}):", "    made = new(Event)"]
    lines.extend(f"    made.{name} = {name}" for name in names)
    lines.extend(f"    made.{name} = event.{name}" for name in kept)
    lines.append("    return made")
    scope: dict[str, Any] = {"new": object.__new__, "Event": Event}
    exec("\n".join(lines), scope)

    def make(count: int, *columns: Any) -> list[Event]:
        if any(type(one) is list and len(one) != count for one in columns):
            raise ValueError(f"not every column has {count} values")
        return list(map(scope["variant"], *(one if type(one) is list else repeat(one, count) for one in columns)))

    return make
