"""The demo's events as an earlier run made them: making them again takes most of a second run's time.

The file is this machine's own, in `.local/demo`; it is made anew when the code that makes events or the shift changes.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from event_schema import Event, attributes, conversion, event, home_assistant
from operations import paths
from operations.demo import dataset

SOURCES: tuple[ModuleType, ...] = (attributes, conversion, event, home_assistant, dataset)
NAMES = tuple(Event.__slots__)


MadeFrom = tuple[int, int]  # weeks that the data are moved by, rows of the data


def key(made_from: MadeFrom) -> str:
    """What the kept events depend on: the code that made them, and what it made them from."""
    digest = hashlib.sha256(f"{made_from}:{dataset.ENTITIES!r}".encode())
    for module in SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def keep(path: Path, made_from: MadeFrom, events: Sequence[Event]) -> None:
    """Keep the events; a half-written file never has the final name."""
    values = [tuple(getattr(one, name) for name in NAMES) for one in events]
    paths.write_at_once(path, pickle.dumps((key(made_from), values), protocol=5))


def kept(path: Path, made_from: MadeFrom) -> list[Event] | None:
    """The events of an earlier run, or None where there are none that still hold."""
    try:
        made_with, values = pickle.loads(path.read_bytes())
    except (FileNotFoundError, EOFError, pickle.UnpicklingError, ValueError, TypeError):
        return None
    if made_with != key(made_from):
        return None
    return [Event(**dict(zip(NAMES, one, strict=True))) for one in values]
