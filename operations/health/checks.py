"""What each check concludes from what was seen: pure functions from facts to findings.

A finding without reasons is healthy. What could not be looked at says why in `note` and is no fault: a token that may
not see the tasks does not make a home unhealthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from operations.spool_view import SpoolView
from operations.storage.figures import StorageFigures
from operations.storage.retention import TierCompliance

# How much later than its time a task may have ended before it counts as standing still: the time of two of its runs.
TASK_GRACE_RUNS = 2
TASK_GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `figures` are plain values for JSON; `looked_at` is False where it could not look."""

    check: str
    reasons: tuple[str, ...] = ()
    note: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    looked_at: bool = True

    @property
    def status(self) -> str:
        return "unknown" if not self.looked_at else "unhealthy" if self.reasons else "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """All findings at a time. Healthy where no check has a reason against it."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> list[str]:
        return [reason for finding in self.findings for reason in finding.reasons]

    @property
    def healthy(self) -> bool:
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """`status`, `reasons`, `at` and the checks by name."""
        return {
            "status": "healthy" if self.healthy else "unhealthy",
            "reasons": self.reasons,
            "at": self.at.isoformat(timespec="seconds"),
            "checks": {
                finding.check: {
                    "status": finding.status,
                    "reasons": list(finding.reasons),
                    **({"note": finding.note} if finding.note else {}),
                    **finding.figures,
                }
                for finding in self.findings
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task as the server shows it. `every` is None for a cron task."""

    name: str
    active: bool
    every: timedelta | None
    offset: timedelta
    latest_completed: datetime | None
    last_status: str
    last_error: str
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token by its role, and why the server did not take it ("" where it did)."""

    role: str
    problem: str


def unknown(check: str, note: str) -> Finding:
    """A check that could not look."""
    return Finding(check=check, note=note, looked_at=False)


def tokens(states: Sequence[TokenState]) -> Finding:
    """Every token that is known has to be taken."""
    return Finding(
        check="tokens",
        reasons=tuple(f"the {state.role} token: {state.problem}" for state in states if state.problem),
        figures={"checked": [state.role for state in states]},
    )


def cadence(task: TaskState) -> timedelta:
    """The time between two runs; a cron task of ours runs once a day."""
    return task.every or timedelta(days=1)


def lag(task: TaskState, now: datetime) -> timedelta | None:
    """How long ago the last window was that the task has done; None before its first run."""
    return None if task.latest_completed is None else now - task.latest_completed


def _task_reasons(task: TaskState, now: datetime) -> list[str]:
    if not task.active:
        return [f"task {task.name} is inactive: what it misses is skipped; 'hearthflux stack up' sets it going"]
    allowed = TASK_GRACE_RUNS * cadence(task) + task.offset + TASK_GRACE
    late = lag(task, now)
    since = late if late is not None else (None if task.created is None else now - task.created)
    if since is not None and since > allowed:
        word = "has not run" if late is None else "last ran for"
        when = "" if late is None or task.latest_completed is None else f" {task.latest_completed:%Y-%m-%d %H:%M} UTC"
        return [f"task {task.name} {word}{when}: it stands still"]
    if task.last_status == "failed":
        return [f"the last run of task {task.name} failed: {task.last_error or 'the server does not say why'}"]
    return []


def tasks(states: Sequence[TaskState], expected: Sequence[str], now: datetime) -> Finding:
    """The declared tasks are there, active, on time, and their last runs did not fail."""
    by_name = {task.name: task for task in states}
    missing = [
        f"task {name} is not on the server: 'hearthflux stack up' makes it" for name in expected if name not in by_name
    ]
    looked_at = [by_name[name] for name in expected if name in by_name]
    return Finding(
        check="tasks",
        reasons=(*missing, *(reason for task in looked_at for reason in _task_reasons(task, now))),
        figures={
            "tasks": {
                task.name: {
                    "active": task.active,
                    "last_status": task.last_status,
                    "lag_seconds": None if (late := lag(task, now)) is None else round(late.total_seconds()),
                }
                for task in looked_at
            }
        },
    )


def summaries(wrong: Mapping[str, Sequence[datetime]], looked_at: Mapping[str, int]) -> Finding:
    """No recent window is missing or differs from its raw events. `wrong` by tier: the starts of such windows."""
    return Finding(
        check="summaries",
        reasons=tuple(
            f"{len(starts)} of the last {looked_at[tier]} {tier} windows are missing or wrong, the first of "
            f"{min(starts):%Y-%m-%d %H:%M} UTC: 'hearthflux repair' mends them"
            for tier, starts in wrong.items()
            if starts
        ),
        figures={"windows": dict(looked_at), "wrong": {tier: len(starts) for tier, starts in wrong.items()}},
    )


def spool(view: SpoolView, *, longest_wait: timedelta = timedelta(minutes=10), dead_letters: int = 1) -> Finding:
    """Nothing waits longer than it should, and the server refused nothing for good."""
    reasons = []
    if view.oldest_pending_seconds > longest_wait.total_seconds():
        reasons.append(
            f"{view.pending:,} events wait in the spool, the oldest for {view.oldest_pending_seconds / 60:,.0f} min: "
            "does the writer run, and does the server answer it?"
        )
    if view.dead_letters >= dead_letters:
        reasons.append(f"{view.dead_letters:,} events were refused for good: 'hearthflux dead-letters list' says why")
    return Finding(
        check="spool",
        reasons=tuple(reasons),
        figures={
            "pending": view.pending,
            "oldest_pending_seconds": round(view.oldest_pending_seconds, 1),
            "dead_letters": view.dead_letters,
        },
    )


def events(newest: datetime | None, now: datetime, *, longest_silence: timedelta) -> Finding:
    """Events come in."""
    age = None if newest is None else now - newest
    reasons: tuple[str, ...] = ()
    if age is None:
        reasons = ("there is not a single event in the last week",)
    elif age > longest_silence:
        reasons = (f"the newest event is of {newest:%Y-%m-%d %H:%M} UTC: nothing comes in",)
    return Finding(
        check="events",
        reasons=reasons,
        figures={"newest": newest, "age_seconds": None if age is None else round(age.total_seconds())},
    )


def storage(figures: StorageFigures, *, critical_percent: float = 90.0, days: float = 30.0) -> Finding:
    """The space is not nearly used up, and will not be within `days` days."""
    reasons = []
    used = figures.used_percent
    if used is not None and used >= critical_percent:
        reasons.append(f"{used:.0f} % of the space for the database is used: 'hearthflux storage' says what to do")
    if figures.limit is not None and figures.limit.earliest is not None:
        left = figures.limit.earliest - figures.at
        if left < timedelta(days=days):
            reasons.append(
                f"the space for the database may be used up on {figures.limit.earliest:%Y-%m-%d}: "
                "'hearthflux storage' says what to do"
            )
    return Finding(
        check="storage",
        reasons=tuple(reasons),
        note="" if figures.limit_bytes is not None else "the server's disk can't be seen from here: give a --limit",
        figures={
            "total_bytes": figures.total_bytes,
            "used_percent": used,
            "days_left": figures.days_left,
            "stale_bytes": sum(bucket.stale_bytes for bucket in figures.buckets),
        },
    )


def retention(found: Sequence[TierCompliance]) -> Finding:
    """Every tier keeps what is declared, and no longer."""
    return Finding(
        check="retention",
        reasons=tuple(problem for tier in found for problem in tier.problems),
        figures={
            "tiers": {
                tier.tier: {
                    "compliant": tier.compliant,
                    "oldest": tier.oldest,
                    "oldest_allowed": tier.oldest_allowed,
                    "shard_groups": tier.shard_groups,
                }
                for tier in found
            }
        },
    )


def archive(at_risk: Sequence[date], place: str) -> Finding:
    """No day expires soon that the archive has not, or not all of."""
    reasons: tuple[str, ...] = ()
    if at_risk:
        days = f"the day {at_risk[0]}" if len(at_risk) == 1 else f"{len(at_risk)} days from {at_risk[0]} on"
        reasons = (f"not archived at {place} and expiring soon: {days}; 'hearthflux archive run'",)
    return Finding(check="archive", reasons=reasons, figures={"at_risk": [day.isoformat() for day in at_risk]})
