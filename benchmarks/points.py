"""An event as a point of a client library: what the other writers are handed."""

from __future__ import annotations

from typing import Any

from event_schema import HOME_ASSISTANT_EVENTS, Event

TAGS, FIELDS = HOME_ASSISTANT_EVENTS.tag_names, HOME_ASSISTANT_EVENTS.field_names


def point(kind: Any, event: Event) -> Any:
    """`kind` is the library's class of points."""
    made = kind(HOME_ASSISTANT_EVENTS.name)
    for name in TAGS:
        made.tag(name, getattr(event, name))
    for name in FIELDS:
        made.field(name, getattr(event, name))
    return made.time(event.time_ns)
