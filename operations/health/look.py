"""Looks at a server, its tasks and tokens, and the writer's spool, and has the checks judge what it sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from event_schema import HOME_ASSISTANT_EVENTS
from flux_tasks import ServerProblem, SummaryServer, downsamples
from flux_tasks.alerts import alert_tasks
from flux_tasks.totals import wrong_windows
from flux_tasks.windows import due, windows_between
from operations.errors import UserError
from operations.health import checks
from operations.health.checks import Finding, HealthReport, TaskState, TokenState
from operations.spool_view import look as look_into_spool
from operations.spool_view import spool_path
from operations.storage.collect import Inventory, collect_figures, newest_event, take_inventory
from operations.storage.figures import StorageFigures
from operations.storage.retention import compliance
from operations.watched_server import Refused, WatchedServer
from provider.durations import seconds
from stacks.settings import HomeSettings

PAGE = 100
ARCHIVE_VARIABLE = "HEARTHFLUX_ARCHIVE"
# A nightly `archive run` takes days a month before they expire: one that is still not there a week before is a fault.
ARCHIVED_BEFORE = timedelta(days=7)
# How many of the newest windows of each tier are compared with their raw events.
WINDOWS_LOOKED_AT = {"hourly": 48, "daily": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a check is no longer content."""

    longest_silence: timedelta = timedelta(hours=1)
    longest_wait: timedelta = timedelta(minutes=10)
    dead_letters: int = 1
    storage_percent: float = 90.0
    storage_days: float = 30.0
    limit_bytes: int | None = None


@dataclass(slots=True)
class Look:
    """One look at a home. `storage` is kept for whoever records or shows it."""

    server: WatchedServer
    home: HomeSettings
    limits: Limits = field(default_factory=Limits)
    tokens: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    storage: StorageFigures | None = None
    _inventory: Inventory | None = None

    async def inventory(self) -> Inventory:
        """Asked for once: with an operator token it is a backup of the server's metadata."""
        if self._inventory is None:
            self._inventory = await take_inventory(self.server, self.home)
        return self._inventory

    async def health(self, now: datetime | None = None) -> HealthReport:
        """Every check; one that fails to look is a finding of its own, and where the server does not answer nothing
        else is asked of it."""
        moment = now or datetime.now(UTC)
        findings = [await self._server()]
        if findings[0].reasons:
            findings.append(await self._guarded("spool", self._spool))
            return HealthReport(at=moment, findings=tuple(findings))
        for check, ask in (
            ("tokens", self._tokens),
            ("events", self._events),
            ("tasks", self._tasks),
            ("summaries", self._summaries),
            ("spool", self._spool),
            ("storage", self._storage),
            ("retention", self._retention),
            *((("archive", self._archive),) if self.environment.get(ARCHIVE_VARIABLE, "").strip() else ()),
        ):
            findings.append(await self._guarded(check, ask))
        return HealthReport(at=moment, findings=tuple(findings))

    async def _guarded(self, check: str, ask: Callable[[], Awaitable[Finding]]) -> Finding:
        try:
            return await ask()
        except Refused as error:
            if error.status in (401, 403, 404):
                return checks.unknown(check, f"this token may not look: {error}")
            return Finding(check=check, reasons=(str(error),))
        except (ServerProblem, UserError, ValueError) as error:
            return Finding(check=check, reasons=(str(error),))

    async def _server(self) -> Finding:
        began = datetime.now(UTC)
        try:
            answer = await self.server.call("/health")
        except (ServerProblem, ValueError) as error:
            return Finding(check="server", reasons=(str(error),))
        took = (datetime.now(UTC) - began).total_seconds()
        ready = answer.get("status") == "pass"
        return Finding(
            check="server",
            reasons=() if ready else (f"the server says of itself: {answer.get('message') or answer.get('status')}",),
            figures={"url": self.server.url, "version": answer.get("version"), "answer_seconds": round(took, 3)},
        )

    async def _tokens(self) -> Finding:
        states = [TokenState("present", await self._problem_of_present_token())]
        for role, token in self.tokens.items():
            states.append(TokenState(role, await self._problem_of(role, token)))
        return checks.tokens(states)

    async def _problem_of_present_token(self) -> str:
        """A token is good where it sees a bucket, or may write to the raw one: an empty write is asked for."""
        try:
            if await self.server.buckets():
                return ""
        except Refused as error:
            if error.status == 401:
                return str(error)
        except ServerProblem as error:
            return str(error)
        return await self._problem_of("writer", None)

    async def _problem_of(self, role: str, token: str | None) -> str:
        try:
            if role == "writer":
                # An empty body is answered 204 where a write would be allowed, and writes nothing.
                where = {"org": self.server.org, "bucket": self.home.tiers.raw.bucket}
                await self.server.request("POST", "/api/v2/write", where, token=token)
            else:
                query = {"org": self.server.org, "limit": "1"}
                await self.server.request("GET", "/api/v2/buckets", query, token=token)
        except ServerProblem as error:
            return str(error)
        return ""

    async def _events(self) -> Finding:
        newest = await newest_event(self.server, self.home, datetime.now(UTC) - timedelta(days=7))
        return checks.events(newest, datetime.now(UTC), longest_silence=self.limits.longest_silence)

    async def _tasks(self) -> Finding:
        found: list[Mapping[str, Any]] = []
        query = {"org": self.server.org, "limit": str(PAGE)}
        while True:
            page = (await self.server.call("/api/v2/tasks", query))["tasks"]
            found += page
            if len(page) < PAGE:
                break
            query["after"] = page[-1]["id"]
        return checks.tasks([task_state(one) for one in found], self._expected_tasks(), datetime.now(UTC))

    def _expected_tasks(self) -> list[str]:
        home = self.home
        specs = downsamples(home.tiers, home.time_zone, prefix=home.prefix, offsets=home.offsets)
        names = [task.name for spec in specs for task in spec.tasks()]
        if home.alerts is not None:
            watching = alert_tasks(
                home.alerts, home.tiers, home.time_zone, home=home.name, prefix=home.prefix, offsets=home.offsets
            )
            names += [task.name for task in watching]
        return names

    async def _summaries(self) -> Finding:
        home, now = self.home, datetime.now(UTC)
        settings = self.server.settings
        wrong: dict[str, list[datetime]] = {}
        looked_at: dict[str, int] = {}
        oldest = (await self.inventory()).oldest.get(home.tiers.raw.bucket)
        async with SummaryServer(
            url=settings.url, token=settings.current_token(), org=settings.org, ca_file=settings.ca_file
        ) as server:
            for spec in downsamples(home.tiers, home.time_zone, prefix=home.prefix, offsets=home.offsets):
                # A window is due some minutes after its end, and what comes late is for `repair`.
                until = now - spec.offset - checks.TASK_GRACE
                since = max(now - WINDOWS_LOOKED_AT[spec.tier] * spec.every, oldest or now)
                retention = home.tiers.raw.retention, home.tiers[spec.tier].retention
                windows, _ = due(windows_between(spec, since, until), until, *retention)
                looked_at[spec.tier] = len(windows)
                wrong[spec.tier] = [one.start for one in await wrong_windows(server, spec, windows)] if windows else []
        return checks.summaries(wrong, looked_at)

    async def _spool(self) -> Finding:
        path, named = spool_path(self.environment)
        if not named and not path.is_file():
            return checks.unknown("spool", f"there is no spool at {path}: INFLUXDB_SPOOL_PATH names the writer's")
        limits = self.limits
        return checks.spool(look_into_spool(path), longest_wait=limits.longest_wait, dead_letters=limits.dead_letters)

    async def _storage(self) -> Finding:
        limits = self.limits
        self.storage = await collect_figures(
            self.server, self.home, limit_bytes=limits.limit_bytes, inventory=await self.inventory()
        )
        return checks.storage(self.storage, critical_percent=limits.storage_percent, days=limits.storage_days)

    async def _archive(self) -> Finding:
        # pyarrow and fsspec take a second to load: only where there is an archive.
        from operations.archive import Archive, ArchiveProblem, HomeServer, expiring
        from operations.archive.target import Target

        place = self.environment[ARCHIVE_VARIABLE].strip()
        try:
            archive = Archive(Target(place), self.home.tiers.raw.bucket, HOME_ASSISTANT_EVENTS, self.server.org)
            async with HomeServer(self.server.settings) as server:
                bucket = await server.bucket(archive.bucket)
                return checks.archive(await expiring(server, archive, bucket, ARCHIVED_BEFORE), str(archive.target))
        except ArchiveProblem as error:
            return Finding(check="archive", reasons=(str(error),))

    async def _retention(self) -> Finding:
        known = await self.inventory()
        found = compliance(self.home.tiers, known.buckets, known.oldest, known.groups, datetime.now(UTC))
        return checks.retention(found)


def task_state(answer: Mapping[str, Any]) -> TaskState:
    """A task of GET /api/v2/tasks."""
    every = seconds(answer.get("every") or "")
    latest = answer.get("latestCompleted")
    return TaskState(
        name=answer["name"],
        active=answer.get("status") == "active",
        every=timedelta(seconds=every) if every else None,
        offset=timedelta(seconds=seconds(answer.get("offset") or "") or 0),
        latest_completed=datetime.fromisoformat(latest) if latest else None,
        last_status=answer.get("lastRunStatus") or "",
        last_error=answer.get("lastRunError") or "",
        created=datetime.fromisoformat(answer["createdAt"]) if answer.get("createdAt") else None,
    )
