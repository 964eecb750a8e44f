"""What a killed pulumi leaves behind: a lock on its stack, taken away only when the process that made it is gone, and
empty attribute files in a backend that is a folder."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from operations.influxd import process_start_time

# A pulumi whose parent was killed ends what it has begun.
WAIT_SECONDS = 60.0
_OWNER = re.compile(r"created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\)(?: at (?P<when>\S+))?")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a stack's lock, as pulumi tells it."""

    user: str
    host: str
    pid: int
    when: str

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """True where the process was one of this machine and is no more."""
        return self.is_here and process_start_time(self.pid) is None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}" + (f", since {self.when}" if self.when else "")


def owners(message: str) -> list[Owner]:
    """The owners in pulumi's error about a locked stack; empty where it is about something else."""
    if "currently locked" not in message:
        return []
    return [
        Owner(found["user"], found["host"], int(found["pid"]), found["when"] or "")
        for found in _OWNER.finditer(message)
    ]


def have_ended(holders: Sequence[Owner], seconds: float = WAIT_SECONDS) -> bool:
    """Wait for holders on this machine to end; False where one does not, or is elsewhere."""
    deadline = time.monotonic() + seconds
    while not all(one.is_gone for one in holders):
        if not all(one.is_here for one in holders) or time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def sentence(stack: str, holders: Sequence[Owner]) -> str:
    """For a person: somebody else is at work."""
    return (
        f"Stack {stack!r} is being changed by {'; '.join(map(str, holders))}: wait for that run to end. If it is gone, "
        f"take its lock away with 'pulumi cancel --stack {stack}' and try again."
    )


def drop_empty_attributes(backend: str) -> None:
    """Remove the empty `.attrs` files of a `file://` backend.

    Pulumi writes attributes beside each of its files in place; killed just then it leaves them empty and says
    `failed to load checkpoint: EOF` ever after. The state itself is whole, and is read without them too.
    """
    parts = urlsplit(backend)
    if parts.scheme != "file":
        return
    for path in Path(url2pathname(parts.path), ".pulumi").rglob("*.attrs"):
        if path.stat().st_size == 0:
            path.unlink()
