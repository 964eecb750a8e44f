"""What a tag or a field can hold goes to the real server and back; what line protocol cannot is refused."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from event_schema import HOME_ASSISTANT_EVENTS, Event, InvalidEvent
from tests.writer.conftest import Home
from writer import BatchWriter, WriterSettings
from writer.encoder import Encoder
from writer.intake import Encoded, Intake
from writer.line_protocol import split_lines
from writer.settings import Action

BASE: dict[str, Any] = {"time_ns": 1_700_000_000_000_000_000, "entity_id": "sensor.a"}
# Both ways there are; where the compiled one was not built, it is the generated one twice.
ENCODERS = [Encoder(HOME_ASSISTANT_EVENTS, compiled=compiled).encode for compiled in (False, True)]
both = pytest.mark.parametrize("encode", ENCODERS, ids=["generated", "compiled"])
encode = ENCODERS[1]
Encode = Callable[[Event], bytes]


@both
def test_a_line_has_its_tags_by_name_and_its_fields_as_declared(encode: Encode) -> None:
    event = Event(**BASE, area="living room", state_value='say "hi"', duration_seconds=3, weather_temp=1)
    assert encode(event) == (
        b'home_assistant_events,area=living\\ room,domain=sensor,entity_id=sensor.a state_value="say \\"hi\\"",'
        b"duration_seconds=3i,weather_temp=1.0 1700000000000000000\n"
    )


@both
def test_an_empty_text_is_left_out(encode: Encode) -> None:
    assert b"state_value" not in encode(Event(**BASE, state_value="", normalized_value=1.0, area=""))
    with pytest.raises(InvalidEvent, match="no value to store"):
        encode(Event(**BASE, state_value=""))


@both
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
def test_what_cannot_be_stored_is_refused_with_a_sentence(
    changes: dict[str, Any], sentence: str, encode: Encode
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        encode(Event(**{**BASE, "state_value": "on", **changes}))
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400


NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([0.0, -0.0, 0, 1, 1.0, True, 5e-324, 1e308, 2**53 + 1]))
ANYTHING = st.one_of(st.none(), st.text(max_size=5), NUMBERS, st.booleans(), st.binary(max_size=2), st.lists(st.none()))


def outcome(encode: Encode, event: Event) -> bytes | str:
    try:
        return encode(event)
    except InvalidEvent as error:
        return str(error)


ODD_VALUES = st.fixed_dictionaries(
    {"time_ns": st.one_of(st.integers(-(2**63), 2**63), ANYTHING)},
    optional={
        **{name: st.one_of(st.text(max_size=5), ANYTHING) for name in HOME_ASSISTANT_EVENTS.tag_names},
        **{field.name: ANYTHING for field in HOME_ASSISTANT_EVENTS.fields},
        "attributes": st.one_of(
            st.dictionaries(st.sampled_from(["brightness", "hvac_action", "a b"]), ANYTHING), ANYTHING
        ),
    },
)


@settings(max_examples=300, deadline=None)
@given(ODD_VALUES)
def test_both_ways_say_the_same(values: dict[str, Any]) -> None:
    event = Event(**{"entity_id": "sensor.a", **values})
    assert outcome(ENCODERS[0], event) == outcome(ENCODERS[1], event)


GOOD_VALUES = st.fixed_dictionaries(
    {"state_value": st.sampled_from(["on", "off"]), "area": st.sampled_from(["a", "b"])}
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(GOOD_VALUES, ODD_VALUES), max_size=12),
    st.sampled_from([1, 150, 10**6]),
    st.sampled_from(["reject", "warn", "repair"]),
)
@example([{"time_ns": 0, "attributes": ""}], 1, "warn")
def test_lists_become_the_same_lines_both_ways(values: list[dict[str, Any]], most_bytes: int, action: Action) -> None:
    """Bad events among good ones, whatever the rules do with them, in parts of any size."""
    events = [Event(**{**BASE, **chosen}) for chosen in values]
    quality = dict.fromkeys(("schema", "range", "unit", "retention"), action)
    found = []
    for compiled in (False, True):
        chosen = WriterSettings(url="http://localhost:8086", token="t", org="o", retention_days=36_500, quality=quality)
        intake = Intake(chosen, HOME_ASSISTANT_EVENTS, compiled=compiled)
        parts: list[Encoded] = []
        while not parts or parts[-1].end < len(events):
            parts.append(intake.encode(events, parts[-1].end if parts else 0, len(events), most_bytes))
            assert parts[-1].lines == len(split_lines(parts[-1].body))
        firsts = [str(part.first) for part in parts if part.first is not None]
        found.append(
            (
                b"".join(part.body for part in parts),
                sum(part.refused for part in parts),
                firsts[:1],
                intake.quality.counts,
                [part.end for part in parts],
            )
        )
    assert found[0] == found[1]


@both
def test_what_two_values_have_in_common_does_not_mix_them_up(encode: Encode) -> None:
    """1, 1.0 and True are one key of a dict, so are 0.0 and -0.0."""
    for value, text in ((0.0, b"0.0"), (-0.0, b"-0.0"), (0, b"0.0"), (1, b"1.0"), (1.0, b"1.0"), (-0.0, b"-0.0")):
        assert b" normalized_value=" + text + b" " in encode(Event(**BASE, normalized_value=value))
    with pytest.raises(InvalidEvent):
        encode(Event(**BASE, normalized_value=True))


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
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 5e-324, -1.7976931348623157e308]
)
IN_RANGE = {
    name: st.floats(low, high) | st.sampled_from([float(low), float(high)])
    for name, low, high in (
        ("confidence", 0, 1),
        ("weather_temp", -100, 100),
        ("weather_humidity", 0, 100),
        ("weather_pressure", 300, 1100),
    )
}


def values_of_an_event() -> st.SearchStrategy[dict[str, Any]]:
    """Every tag and every field that an event has, and an attribute of each kind."""
    tags = [tag.name for tag in HOME_ASSISTANT_EVENTS.tags if tag.name != "entity_id"]
    strings = [field.name for field in HOME_ASSISTANT_EVENTS.fields if field.kind == "string"]
    attributes = {"brightness": FLOATS, "hvac_action": TEXTS, "is_volume_muted": st.booleans()}
    return st.fixed_dictionaries(
        {
            **dict.fromkeys((*tags, *strings), TEXTS),
            "normalized_value": FLOATS,
            "energy_consumption": FLOATS,
            **IN_RANGE,
            "duration_seconds": st.integers(0, 2**63 - 1),
            "attributes": st.fixed_dictionaries(attributes),
        }
    )


async def test_every_value_comes_back_from_the_server(home: Home, make_events: Callable[..., list[Event]]) -> None:
    values = sample(values_of_an_event(), 400)
    base = time.time_ns()
    accepted: dict[str, Event] = {}
    refused = 0
    async with BatchWriter(home.settings(close_timeout=20, quality={"unit": "off"})) as writer:
        for number, chosen in enumerate(values):
            event = Event(time_ns=base + number, entity_id=f"sensor.n{number}", **chosen)
            try:
                await writer.write(event)
            except InvalidEvent:
                refused += 1
                continue
            accepted[event.entity_id] = event
        report = await writer.flush()
        assert (report.delivered, report.dead_lettered) == (len(accepted), 0)
    assert len(accepted) > refused
    rows = home.query(
        f'from(bucket: "{home.bucket}") |> range(start: -1d, stop: 1d) |> toString() |> group(columns: ["entity_id"])'
    )
    tags = [name for name in HOME_ASSISTANT_EVENTS.tag_names if name != "entity_id"]
    stored: dict[str, dict[str, str]] = {}
    for row in rows:
        kept = stored.setdefault(row["entity_id"], {})
        # The server's CSV writes a line break as CR LF and leaves a bare CR out: that is not what is stored.
        kept[row["_field"]] = row["_value"].replace("\r\n", "\n").replace("\r", "")
        kept.update({name: row.get(name, "") for name in tags})
    assert stored.keys() == accepted.keys()
    for entity, event in accepted.items():
        found = stored[entity]
        for name in tags:
            assert found[name] == getattr(event, name), (name, event)
        for field in HOME_ASSISTANT_EVENTS.fields:
            assert is_value(found.get(field.name, ""), getattr(event, field.name)), (field.name, event)
        for name, value in (event.attributes or {}).items():
            assert is_value(found.get(f"attribute_{name}", ""), value), (name, event)


def is_value(text: str, value: object) -> bool:
    """Whether the server's text is this very value; of two floats, the signs of zeros too."""
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, float):
        return struct.pack("d", float(text)) == struct.pack("d", value)
    if isinstance(value, int):
        return int(text) == value
    return text == str(value).replace("\r", "")
