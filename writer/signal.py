"""Waking tasks up."""

from __future__ import annotations

import asyncio


class Signal:
    """`send` wakes every task that waits at that moment; nothing is remembered for later ones."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def send(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self, seconds: float | None = None) -> None:
        """Until the next `send`, at most this long. Check first what is waited for: there is no await in between."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._next], timeout=seconds)
