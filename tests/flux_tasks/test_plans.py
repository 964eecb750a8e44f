"""How the server runs the real scripts: which reads the storage engine aggregates itself (its operator profile)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flux_tasks import SummaryServer, downsamples

PROFILED = 'import "profiler"\noption profiler.enabledProfilers = ["operator"]\n'
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tier", "reads"),
    [
        # An hour: the four aggregates of the value share one plain read, the other two fields are aggregated inside.
        (0, {"ReadGroupAggregate": 2, "ReadGroup": 1}),
        # A day: every read is an aggregate of the storage engine, the mean's sum and count too.
        (1, {"ReadGroupAggregate": 6}),
    ],
    ids=["hourly", "daily"],
)
async def test_one_window_reads_as_designed(home: dict[str, Any], tier: int, reads: dict[str, int]) -> None:
    spec = downsamples()[tier]
    script = PROFILED + spec.backfill_flux(START, START + spec.every, window=False)
    async with SummaryServer(url=home["url"], token=home["operations_token"], org=home["org"]) as server:
        rows = await server.rows(script)
    labels = [row["Label"] for row in rows if row.get("_measurement") == "profiler/operator"]
    # A label is the operator's name and the number of its plan node.
    found = Counter(label.rstrip("0123456789") for label in labels if label.startswith("Read"))
    assert found == reads, labels


async def test_a_scheduled_daily_run_covers_a_day_of_25_hours(home: dict[str, Any]) -> None:
    """The bounds in the task, computed by the server itself, are those of the home's day."""
    spec = downsamples(time_zone="Europe/Amsterdam")[1]
    head, _, _ = spec.task_flux().partition("rows = ")
    for now, start, stop in (
        ("2026-10-25T23:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-03-29T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-06-02T23:00:00Z", "2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z"),
    ):
        script = head.replace('import "date"', 'import "date"\nimport "array"').replace(
            "// The last", f"option now = () => {now}\n// The last"
        )
        script += "array.from(rows: [{begin: start, end: stop}])\n"
        async with SummaryServer(url=home["url"], token=home["operations_token"], org=home["org"]) as server:
            (row,) = await server.rows(script)
        assert (row["begin"], row["end"]) == (datetime.fromisoformat(start), datetime.fromisoformat(stop)), now
        assert (row["end"] - row["begin"]) % timedelta(hours=1) == timedelta(0)
