"""From events to lines: encodes, and applies the quality rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from event_schema import Event, InvalidEvent, Measurement
from writer.encoder import Encoder
from writer.line_protocol import EARLIEST_NS, LATEST_NS
from writer.quality import LeftOutError, Quality
from writer.settings import WriterSettings

UNIT = "unit_of_measurement"

REMEMBERED_POINTS = 50_000

# What a call has written already: (time, series) -> the line's hash.
Seen = dict[tuple[int, bytes], int]
_END_OF_SERIES = re.compile(rb"(?<!\\\\) ")


@dataclass(slots=True)
class Encoded:
    """Lines ready to be stored, how many, and where the events begin that were not looked at; how many events were
    refused, and why the first of them was."""

    body: bytes = b""
    lines: int = 0
    end: int = 0
    refused: int = 0
    first: InvalidEvent | None = None


class Intake:
    def __init__(self, settings: WriterSettings, measurement: Measurement, *, compiled: bool = True) -> None:
        self.quality = Quality(
            settings.quality, future_tolerance=settings.future_tolerance, retention_days=settings.retention_days
        )
        # Other measurements have no unit to look at.
        self.quality.watch_units &= UNIT in measurement.field_names and "device_class" in measurement.tag_names
        watched = UNIT if self.quality.watch_units else ""
        encoder = Encoder(measurement, self.quality, watched=watched, compiled=compiled)
        self._encode, self._encode_many = encoder.encode, encoder.encode_many

    def encode(self, events: list[Event], start: int, stop: int, most_bytes: int, seen: Seen | None = None) -> Encoded:
        """events[start:stop], or fewer of them where they take `most_bytes` or more. `seen` is handed from part to part
        of one call, where duplicates are looked for."""
        many = self._encode_many if seen is None else None
        early, late = self.quality.time_bounds()
        earliest, latest = max(early, EARLIEST_NS), min(late, LATEST_NS)
        done, bodies, size, position = Encoded(), [], 0, start
        while position < stop and size < most_bytes:
            error = None
            if many is not None:
                body, end, error = many(events, position, stop, most_bytes - size, earliest, latest)
                bodies.append(body)
                size += len(body)
                done.lines += end - position
                position = end
                if error is None and (position == stop or size >= most_bytes):
                    break
            event = events[position]
            position += 1
            try:
                if error is not None:
                    raise error
                if not early <= event.time_ns <= late:
                    event = self.quality.odd_time(event, early)
                line = self._encode(event)
                if seen is not None:
                    line = self._without_twin(event, line, seen)
                bodies.append(line)
                size += len(line)
                done.lines += 1
            except LeftOutError:
                continue
            except InvalidEvent as refusal:
                self._refuse(event, refusal, done)
            except (AttributeError, TypeError):
                self._refuse(event, self._not_an_event(event), done)
        done.body, done.end = bodies[0] if len(bodies) == 1 else b"".join(bodies), position
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
        self.quality.refused(event, error)
