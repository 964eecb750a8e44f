"""One after the other: made ahead, not faster than is allowed, with progress and an estimate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from operations.imports.reading import Slice
from operations.imports.report import Report

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an import is: `done` of 1.0, at a time of the history, and how long it may still take."""

    done: float
    at_ns: int
    readings: int
    per_second: float
    seconds_left: float | None


@dataclass(slots=True)
class Clock:
    """Tells how far [first, stop) is done; this run began at `start`."""

    first: int
    start: int
    stop: int
    report: Report
    told: Callable[[Progress], None]
    _began: float = field(default_factory=time.monotonic)
    _readings_before: int = field(init=False)
    _seconds_before: float = field(init=False)

    def __post_init__(self) -> None:
        self._readings_before = self.report.readings.count
        self._seconds_before = self.report.seconds

    def tick(self) -> None:
        """Bring the report's seconds, over all runs, up to now."""
        self.report.seconds = self._seconds_before + time.monotonic() - self._began

    def tell(self, at_ns: int) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        share = (at_ns - self.start) / max(self.stop - self.start, 1)
        readings = self.report.readings.count
        self.told(
            Progress(
                done=(at_ns - self.first) / max(self.stop - self.first, 1),
                at_ns=at_ns,
                readings=readings,
                per_second=(readings - self._readings_before) / elapsed,
                seconds_left=elapsed / share * (1 - share) if share > 0 else None,
            )
        )


async def paced(slices: AsyncGenerator[Slice, None], rate: float | None) -> AsyncGenerator[Slice, None]:
    """The slices, so slowly that not more than `rate` readings come per second."""
    began, readings = time.monotonic(), 0
    async with aclosing(ahead(slices)) as coming:
        async for found in coming:
            yield found
            readings += found.count
            if rate is not None:
                await asyncio.sleep(max(0.0, readings / rate - (time.monotonic() - began)))


async def ahead(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """What comes, each made while the one before it is at work. Raises what the source raises, in its place."""
    ready: asyncio.Queue[T | BaseException | None] = asyncio.Queue(1)

    async def read() -> None:
        try:
            async with aclosing(source):
                async for one in source:
                    await ready.put(one)
            await ready.put(None)
        except Exception as error:
            await ready.put(error)

    reading = asyncio.create_task(read())
    try:
        while (found := await ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
