"""The pinned versions, and which versions found on PATH are good enough."""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Requirement:
    """What a program on PATH has to be: `oldest <= version < limit`."""

    program: str
    arguments: tuple[str, ...]
    oldest: Version
    limit: Version
    pinned: Version

    def accepts(self, version: Version | None) -> bool:
        return version is not None and self.oldest <= version < self.limit

    @property
    def pinned_text(self) -> str:
        return ".".join(map(str, self.pinned))

    @property
    def wanted_text(self) -> str:
        return f"{'.'.join(map(str, self.oldest))} or later, below {'.'.join(map(str, self.limit))}"


# 2.7 only: from 2.9 the server hashes tokens and a read of one no longer returns it.
INFLUXD = Requirement("influxd", ("version",), (2, 7, 0), (2, 8, 0), (2, 7, 12))
# Older 3.x releases lack parts of `plugins.providers` that Pulumi.yaml relies on.
PULUMI = Requirement("pulumi", ("version",), (3, 200, 0), (4, 0, 0), (3, 259, 0))


def parse_version(text: str) -> Version | None:
    """The first `1.2.3` in a program's answer, or None."""
    found = re.search(r"\bv?(\d+)\.(\d+)\.(\d+)", text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
