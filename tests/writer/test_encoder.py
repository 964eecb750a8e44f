"""What a tag or a field can hold goes to the real server and back; what line protocol cannot is refused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_schema import HOME_ASSISTANT_EVENTS, Event, InvalidEvent
from tests.writer.conftest import Home
from writer import BatchWriter
from writer.encoder import Encoder
from writer.line_protocol import split_lines

BASE: dict[str, Any] = {"time_ns": 1_700_000_000_000_000_000, "entity_id": "sensor.a"}
encode = Encoder(HOME_ASSISTANT_EVENTS).encode


def test_a_line_has_its_tags_by_name_and_its_fields_as_declared() -> None:
    event = Event(**BASE, area="living room", state_value='say "hi"', duration_seconds=3, weather_temp=1)
    assert encode(event) == (
        b'home_assistant_events,area=living\\ room,domain=sensor,entity_id=sensor.a state_value="say \\"hi\\"",'
        b"duration_seconds=3i,weather_temp=1.0 1700000000000000000\n"
    )


def test_an_empty_text_is_left_out() -> None:
    assert b"state_value" not in encode(Event(**BASE, state_value="", normalized_value=1.0, area=""))
    with pytest.raises(InvalidEvent, match="no value to store"):
        encode(Event(**BASE, state_value=""))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entity_id": ""}, "entity_id '': every event names its entity"),
        ({"entity_id": None}, "every event names its entity"),
        ({"entity_id": 7}, "entity_id 7: a tag is a text"),
        ({"area": "a\nb"}, "line break"),
        ({"area": "ends with \\"}, "end with a backslash"),
        ({"area": "\ud800"}, "not valid Unicode"),
        ({"area": "x" * 70_000}, "at most 65535 bytes"),
        ({"area": ["kitchen"]}, "a tag is a text"),
        ({"normalized_value": math.nan}, "normalized_value nan: a finite number"),
        ({"normalized_value": math.inf}, "a finite number"),
        ({"normalized_value": True}, "a finite number"),
        ({"normalized_value": "21.5"}, "a finite number"),
        ({"normalized_value": 10**400}, "a finite number"),
        ({"duration_seconds": 1.5}, "a whole number"),
        ({"duration_seconds": 2**63}, "64 bits"),
        ({"duration_seconds": -1}, "outside its range"),
        ({"confidence": 1.5}, "outside its range"),
        ({"state_value": 5}, "a text"),
        ({"state_value": "x" * 1_048_577}, "at most 1,048,576 bytes"),
        ({"state_value": "\ud800"}, "not valid Unicode"),
        ({"time_ns": 2**63 - 1}, "between the years"),
        ({"time_ns": 1.5}, "whole nanoseconds"),
        ({"attributes": {"bad name": 1.0}}, "letters, digits and underscores"),
        ({"attributes": {"brightness": "high"}}, "attribute_brightness 'high': a finite number"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        encode(Event(**{**BASE, "state_value": "on", **changes}))
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.lists(st.tuples(st.text(), st.text(min_size=1)), min_size=1))
def test_lines_are_told_apart_whatever_their_texts_hold(pairs: list[tuple[str, str]]) -> None:
    lines = []
    for area, state in pairs:
        try:
            lines.append(encode(Event(**BASE, area=area, state_value=state, previous_state='"')))
        except InvalidEvent:
            continue
    assert split_lines(b"".join(lines)) == [line[:-1] for line in lines]


def sample(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """That many values of a strategy, the same ones each time."""
    found: list[Any] = []

    @settings(max_examples=count, database=None, derandomize=True, deadline=None)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


TEXTS = st.text(st.sampled_from(list("ab ,=\\\"'\n\r\té😀#{}")) | st.characters(exclude_categories=["Cs"]), max_size=12)


async def test_every_value_comes_back_from_the_server(home: Home, make_events: Callable[..., list[Event]]) -> None:
    values = sample(
        st.fixed_dictionaries(
            {
                "area": TEXTS,
                "device_name": TEXTS,
                "state_value": TEXTS,
                "previous_state": TEXTS,
                "normalized_value": st.floats(allow_nan=False, allow_infinity=False),
                "duration_seconds": st.integers(0, 2**63 - 1),
            }
        ),
        400,
    )
    base = time.time_ns()
    accepted: dict[str, Event] = {}
    async with BatchWriter(home.settings(close_timeout=20)) as writer:
        for number, chosen in enumerate(values):
            event = Event(time_ns=base + number, entity_id=f"sensor.n{number}", **chosen)
            try:
                await writer.write(event)
            except InvalidEvent:
                continue
            accepted[event.entity_id] = event
        report = await writer.flush()
        assert (report.delivered, report.dead_lettered) == (len(accepted), 0)
    assert len(accepted) > 200
    rows = home.query(
        f'from(bucket: "{home.bucket}") |> range(start: -1d, stop: 1d) |> toString()'
        ' |> group(columns: ["entity_id"]) |> keep(columns: ["entity_id", "_field", "_value", "area", "device_name"])'
    )
    stored: dict[str, dict[str, str]] = {}
    for row in rows:
        kept = stored.setdefault(row["entity_id"], {})
        # The server's CSV writes a line break as CR LF and leaves a bare CR out: that is not what is stored.
        kept[row["_field"]] = row["_value"].replace("\r\n", "\n").replace("\r", "")
        kept["area"], kept["device_name"] = row.get("area", ""), row.get("device_name", "")
    assert stored.keys() == accepted.keys()
    for entity, event in accepted.items():
        for name in ("area", "device_name", "state_value", "previous_state"):
            assert stored[entity].get(name, "") == getattr(event, name).replace("\r", ""), (name, event)
        assert float(stored[entity]["normalized_value"]) == event.normalized_value
        assert int(stored[entity]["duration_seconds"]) == event.duration_seconds
