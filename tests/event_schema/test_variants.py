"""Many events from one: the same whether compiled or not."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from event_schema import Event
from event_schema.event import variants

# Both ways there are; where the compiled one was not built, it is the generated one twice.
both = pytest.mark.parametrize("compiled", [False, True])


@both
def test_events_differ_in_their_columns_only(compiled: bool) -> None:
    make = variants("time_ns", "state_value", "duration_seconds", compiled=compiled)
    attributes = {"brightness": 1.0}
    event = Event(time_ns=1, entity_id="sensor.a", device_class="x", attributes=attributes)
    made = make(3, event, [10, 11, 12], "on", [None, 5, 6])
    assert made == [
        Event(
            time_ns=at,
            entity_id="sensor.a",
            device_class="x",
            attributes=attributes,
            state_value="on",
            duration_seconds=seconds,
        )
        for at, seconds in ((10, None), (11, 5), (12, 6))
    ]
    assert all(one.attributes is attributes for one in made)
    other = Event(time_ns=1, entity_id="sensor.b")
    assert [one.entity_id for one in make(2, [event, other], [1, 2], "a", None)] == ["sensor.a", "sensor.b"]
    assert make(0, event, [], "a", None) == []


@both
def test_what_does_not_fit_is_refused(compiled: bool) -> None:
    make: Any = variants("time_ns", "state_value", compiled=compiled)
    event = Event(time_ns=1, entity_id="sensor.a")
    for arguments in ((2, event, [1], "a"), (2, [event], [1, 2], "a"), (1, event, [1]), (1, event, [1], "a", "b")):
        with pytest.raises((ValueError, TypeError)):
            make(*arguments)


@both
def test_nothing_is_kept_of_events_that_are_gone(compiled: bool) -> None:
    class Marked(str):
        __slots__ = ("__weakref__",)

    mark = Marked("state")
    seen = weakref.ref(mark)
    make = variants("time_ns", "state_value", compiled=compiled)
    made = make(2, Event(time_ns=1, entity_id="sensor.a"), [1, 2], [mark, mark])
    del mark
    assert seen() is not None
    del made
    gc.collect()
    assert seen() is None
