"""From events to lines: encodes, applies the quality rules, and keeps what was refused for a look."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from event_schema import Event, InvalidEvent, Measurement
from writer.encoder import Encoder
from writer.quality import LeftOutError, Quality
from writer.settings import WriterSettings

# Refused events wait here for the next commit; with a disk that is full the oldest give way.
REFUSED_WAITING = 1000
SHOWN_OF_AN_EVENT = 4000
UNIT = "unit_of_measurement"

REMEMBERED_POINTS = 50_000

# What a call has written already: (time, series) -> the line's hash.
Seen = dict[tuple[int, bytes], int]
_END_OF_SERIES = re.compile(rb"(?<!\\\\) ")


@dataclass(slots=True)
class Encoded:
    """Lines ready to be stored, how many events were refused, and why the first of them was."""

    lines: list[bytes] = field(default_factory=list)
    refused: int = 0
    first: InvalidEvent | None = None


class Intake:
    def __init__(self, settings: WriterSettings, measurement: Measurement) -> None:
        self.quality = Quality(
            settings.quality, future_tolerance=settings.future_tolerance, retention_days=settings.retention_days
        )
        # Other measurements have no unit to look at.
        self.quality.watch_units &= UNIT in measurement.field_names and "device_class" in measurement.tag_names
        self._encode = Encoder(measurement, self.quality, watched=UNIT if self.quality.watch_units else "").encode
        self.refused: deque[tuple[str, str, str]] = deque(maxlen=REFUSED_WAITING)

    def encode(self, events: list[Event], seen: Seen | None = None) -> Encoded:
        """`seen` is handed from part to part of one call, where duplicates are looked for."""
        encode, done = self._encode, Encoded()
        early, late = self.quality.time_bounds()
        append = done.lines.append
        for event in events:
            try:
                if not early <= event.time_ns <= late:
                    event = self.quality.odd_time(event, early)
                line = encode(event)
                if seen is not None:
                    line = self._without_twin(event, line, seen)
                append(line)
            except LeftOutError:
                continue
            except InvalidEvent as error:
                self._refuse(event, error, done)
            except (AttributeError, TypeError):
                self._refuse(event, self._not_an_event(event), done)
        return done

    def _not_an_event(self, event: Event) -> InvalidEvent:
        try:
            self._encode(event)
        except InvalidEvent as error:
            return error
        except AttributeError:
            pass
        return InvalidEvent("event", event, "not an Event: make one with Event.from_home_assistant(...)")

    def _without_twin(self, event: Event, line: bytes, seen: Seen) -> bytes:
        if len(seen) > REMEMBERED_POINTS:
            seen.clear()
        while True:
            end = _END_OF_SERIES.search(line)
            point = (event.time_ns, line[: end.start()] if end else line)
            before = seen.get(point)
            if before is None:
                seen[point] = hash(line)
                return line
            moved = self.quality.twin(event, same_values=before == hash(line))
            if moved is event:
                return line
            event, line = moved, self._encode(moved)

    def _refuse(self, event: Event, error: InvalidEvent, done: Encoded) -> None:
        done.refused += 1
        done.first = done.first or error
        entity = str(getattr(event, "entity_id", ""))
        self.quality.refused(entity, error)
        self.refused.append((entity, str(error), repr(event)[:SHOWN_OF_AN_EVENT]))
