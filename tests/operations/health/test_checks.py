"""What the checks conclude, as tables of what was seen and what is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from operations.health import checks
from operations.health.checks import TaskState

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def task(**more: object) -> TaskState:
    values: dict[str, object] = {
        "name": "downsample_hourly",
        "active": True,
        "every": HOUR,
        "offset": timedelta(minutes=5),
        "latest_completed": NOW - HOUR,
        "last_status": "success",
        "last_error": "",
        "created": NOW - timedelta(days=30),
    }
    return TaskState(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (task(), None),
        (task(latest_completed=NOW - 2 * HOUR), None),
        (task(latest_completed=NOW - 3 * HOUR), "last ran for 2026-11-24 09:00 UTC: it stands still"),
        (task(latest_completed=None, created=NOW - HOUR), None),
        (task(latest_completed=None, created=NOW - 3 * HOUR), "has not run: it stands still"),
        (task(active=False), "is inactive"),
        (task(last_status="failed", last_error="bucket not found"), "failed: bucket not found"),
        (task(every=None, latest_completed=NOW - 25 * HOUR), None),
        (task(every=None, latest_completed=NOW - 50 * HOUR), "stands still"),
    ],
)
def test_tasks(state: TaskState, said: str | None) -> None:
    found = checks.tasks([state], ["downsample_hourly"], NOW)
    if said is None:
        assert found.reasons == ()
    else:
        assert len(found.reasons) == 1
        assert said in found.reasons[0]


def test_a_task_that_is_not_declared_here_is_not_judged() -> None:
    assert checks.tasks([task(name="somebody's own", last_status="failed")], [], NOW).status == "healthy"


@pytest.mark.parametrize(
    ("age", "status"), [(timedelta(minutes=59), "healthy"), (timedelta(minutes=61), "unhealthy"), (None, "unhealthy")]
)
def test_events(age: timedelta | None, status: str) -> None:
    newest = None if age is None else NOW - age
    assert checks.events(newest, NOW, longest_silence=HOUR).status == status


def test_what_could_not_be_looked_at_is_no_fault() -> None:
    report = checks.HealthReport(at=NOW, findings=(checks.unknown("tasks", "this token may not look"),))
    assert report.healthy
    assert report.as_json()["checks"]["tasks"] == {
        "status": "unknown",
        "reasons": [],
        "note": "this token may not look",
    }
