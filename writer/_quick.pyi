from collections.abc import Callable
from typing import Any

from event_schema import Event

class Quick:
    def __init__(
        self,
        event_type: type[Event],
        keys: tuple[str, ...],
        fields: tuple[tuple[str, int, float, float, bytes], ...],
        prefixes: dict[tuple[Any, ...], bytes],
        new_prefix: Callable[[tuple[Any, ...], Event], bytes],
        attribute_texts: Callable[[Event], bytes],
        otherwise: Callable[[Event], bytes],
        wants_care: type[Exception],
        earliest: int,
        latest: int,
        /,
    ) -> None: ...
    def encode(self, event: Event, /) -> bytes: ...
    def encode_many(
        self, events: list[Event], start: int, stop: int, most_bytes: int, earliest: int, latest: int, /
    ) -> tuple[bytes, int, Exception | None]: ...
