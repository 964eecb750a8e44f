"""What is accepted, committed and sent together: some whole lines, packed or not, and what a disk may make of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from writer import packing

# What a number in the queue counts as, in SQL and here: any bit of it may have changed on the disk.
COUNTED = "CASE typeof({0}) WHEN 'integer' THEN {0} ELSE 0 END"


def _counted(value: object) -> int:
    return value if isinstance(value, int) else 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a line break. `born` is a wall-clock time in seconds. Packed from `packed_from` bytes,
    or, where that is 0, not packed. `damaged`: what is stored is not what was stored, and has no body."""

    id: int
    born: float
    lines: int
    stored: bytes
    packed_from: int = 0
    damaged: bool = False

    @property
    def size(self) -> int:
        return self.packed_from if self.packed_from or self.damaged else len(self.stored)

    @property
    def body(self) -> bytes:
        return packing.unpack(self.stored, self.size)

    @classmethod
    def of_row(cls, number: int, born: object, lines: object, size: object, stored: bytes) -> Chunk:
        """What a disk gives back, in which any bit may have changed."""
        whole = packing.is_whole(stored, size, lines)
        counted = _counted(size)
        packed_from = counted if not whole or counted != len(stored) else 0
        if whole and packed_from and not packing.compiled():
            # Here, in the thread of the disk: slowly unpacked, a batch would keep the event loop.
            stored, packed_from = packing.unpack(stored, packed_from), 0
        return cls(
            number,
            born if isinstance(born, float) else time.time(),
            _counted(lines),
            stored,
            packed_from,
            damaged=not whole,
        )

    def packed(self) -> Chunk:
        stored = packing.pack(self.stored, self.lines)
        if len(stored) == len(self.stored):
            return self
        return replace(self, stored=stored, packed_from=len(self.stored))
