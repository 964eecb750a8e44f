"""Where an import goes: the three buckets of a home, each with a writer of its own and a spool beside the position."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

from event_schema import HOME_ASSISTANT_EVENTS, TIERS, Event, InvalidEvent, Measurement, Tiers
from event_schema.home_assistant import DAILY_STATISTICS, HOURLY_STATISTICS
from flux_tasks import SummaryServer
from influxdb_connection import ConnectionSettings
from operations.errors import UserError
from operations.imports.summarise import MEASUREMENTS, Row
from writer import BatchWriter, Stats, WriterSettings
from writer.encoder import Encoder
from writer.spool import Spool

STATISTICS = {"hourly": HOURLY_STATISTICS, "daily": DAILY_STATISTICS}
BATCH_SIZE = 5_000
# A server that takes nothing for so long will not do so by itself: a full disk, a wrong token.
PATIENCE_SECONDS = 120.0
# What the server says when its disk is full.
FULL_DISK = ("no space left on device", "file too large", "disk quota exceeded")


def tiers_of(prefix: str) -> Tiers:
    """The tiers of a home whose buckets' names begin with `prefix`."""
    return Tiers(replace(tier, bucket=prefix + tier.bucket) for tier in TIERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server, an organization, and the buckets of one home."""

    connection: ConnectionSettings
    tiers: Tiers = TIERS
    patience: float = PATIENCE_SECONDS

    @property
    def identity(self) -> str:
        return f"{self.connection.url} {self.connection.org} {self.tiers.raw.bucket}"

    def server(self) -> SummaryServer:
        found = self.connection
        return SummaryServer(
            url=found.url, token=found.token, org=found.org, token_file=found.token_file, ca_file=found.ca_file
        )

    async def retentions(self, server: SummaryServer) -> dict[str, timedelta | None]:
        """How long each tier is kept. Raises ServerProblem where a bucket is missing."""
        return {tier.name: await server.retention(tier.bucket) for tier in self.tiers}


@dataclass(slots=True)
class Writers:
    """The writers of the tiers that this import writes to."""

    target: Target
    folder: Path
    _open: dict[str, BatchWriter] = field(default_factory=dict)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def __aenter__(self) -> Writers:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _spool(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    async def open_kept(self) -> None:
        """Those of spools that an interrupted run has left: what is in them is sent first."""
        statistics = {f"{tier}-{one.name}": one for tier, one in STATISTICS.items()}
        for name, measurement in {"raw": None, **MEASUREMENTS, **statistics}.items():
            if self._spool(name).exists():
                await self.writer(name, measurement)

    async def writer(self, name: str, measurement: Measurement | None = None) -> BatchWriter:
        """The writer of a tier (or of `name`, which writes `measurement` to the tier that begins it)."""
        if name not in self._open:
            tier = self.target.tiers[name.partition("-")[0]]
            found = self.target.connection
            settings = WriterSettings(
                url=found.url,
                token=found.token,
                token_file=found.token_file,
                org=found.org,
                bucket=tier.bucket,
                spool_path=self._spool(name),
                batch_size=BATCH_SIZE,
                batch_timeout=1.0,
                close_timeout=1.0,
                # What Home Assistant has stored is history, also where it is odd.
                quality={"unit": "off", "future": "off", "retention": "off", "duplicate": "off"},
            )
            writer = BatchWriter(settings) if measurement is None else BatchWriter(settings, measurement=measurement)
            self._replay_dead_letters(name)
            self._open[name] = await self._stack.enter_async_context(writer)
        return self._open[name]

    def _replay_dead_letters(self, name: str) -> None:
        """What was refused in an earlier run is sent again: the cause may be mended by now."""
        path = self._spool(name)
        if not path.exists():
            return
        spool = Spool(path)
        spool.open()
        try:
            while letters := spool.dead_letters():
                spool.replay([letter.id for letter in letters])
        finally:
            spool.close()

    async def write_events(self, events: list[Event]) -> list[tuple[Event, InvalidEvent]]:
        """Accept events; those that cannot be stored come back, each with the reason."""
        if not events:
            return []
        writer = await self.writer("raw")
        try:
            await writer.write_many(events)
        except InvalidEvent:
            # The others are accepted.
            return unstorable(events)
        return []

    async def write_rows(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> None:
        for tier in ("hourly", "daily"):
            chosen = [row for row in rows if row.tier == tier]
            if chosen:
                measurement = measurements[tier]
                name = tier if measurements is MEASUREMENTS else f"{tier}-{measurement.name}"
                writer = await self.writer(name, measurement)
                await writer.write_many(cast("list[Event]", chosen))

    @property
    def refused_events(self) -> int:
        """Events that the server refused for good in this run, or again."""
        return self._open["raw"].stats.dead_lettered if "raw" in self._open else 0

    @property
    def stats(self) -> list[Stats]:
        return [writer.stats for writer in self._open.values()]

    @property
    def delivered(self) -> int:
        return sum(stats.delivered for stats in self.stats)

    @property
    def pending(self) -> int:
        return sum(stats.pending for stats in self.stats)

    def refused(self) -> list[str]:
        """Why the server refused points for good, one sentence for each bucket that did."""
        found = []
        for name, writer in self._open.items():
            count = writer.stats.dead_lettered
            if count:
                found.append(
                    f"{count:,} points of bucket {writer.settings.bucket}; they are kept in {self._spool(name)}"
                )
        return found

    def _nothing_taken(self) -> UserError:
        found = sorted({reason for one in self._open.values() if (reason := one.health().reason)})
        reasons = "; ".join(found) or "no reason given"
        full = any(word in reasons for word in FULL_DISK)
        mend = "Make room, restart InfluxDB (until then it writes nothing more)" if full else "Mend that"
        return UserError(
            f"InfluxDB at {self.target.connection.url} has taken nothing for {self.target.patience:.0f} s: {reasons}. "
            f"{mend} and run the same command again: it goes on here."
        )

    async def settle(self, most_pending: int) -> None:
        """Wait until at most so many points are on their way. Raises UserError where the server takes none."""
        last, since = self.delivered + sum(stats.dead_lettered for stats in self.stats), time.monotonic()
        while self.pending > most_pending:
            await asyncio.sleep(0.02)
            done = self.delivered + sum(stats.dead_lettered for stats in self.stats)
            if done != last:
                last, since = done, time.monotonic()
            elif time.monotonic() - since > self.target.patience:
                raise self._nothing_taken()
            elif most_pending == 0:
                # A last batch that is not full would wait for its time-out.
                await asyncio.gather(*(writer.flush(timeout=0.2) for writer in self._open.values()))


def unstorable(events: list[Event]) -> list[tuple[Event, InvalidEvent]]:
    """The events that no writer accepts, each with the reason."""
    encode = Encoder(HOME_ASSISTANT_EVENTS).encode
    found = []
    for event in events:
        try:
            encode(event)
        except InvalidEvent as error:
            found.append((event, error))
    return found


def first_refusals(folder: Path, most: int = 3) -> list[str]:
    """The server's own words about the first refused points, read from closed spools."""
    found: list[str] = []
    for path in sorted(folder.glob("*.sqlite")):
        spool = Spool(path)
        spool.open()
        try:
            found += [f"{letter.reason[:300]}" for letter in spool.dead_letters(most=most)]
        finally:
            spool.close()
    return list(dict.fromkeys(found))[:most]
