from typing import Any

from event_schema.event import Event

class Variants:
    def __init__(self, type: type[Event], changed: tuple[str, ...], kept: tuple[str, ...], /) -> None: ...
    def make(self, count: int, event: Any, /, *columns: Any) -> list[Event]: ...
