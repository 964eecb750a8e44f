"""What speed rests on, as facts that hold on any machine; the figures themselves are measured in benchmarks/."""

from __future__ import annotations

from typing import Any

import pytest

from flux_tasks import SummaryServer
from flux_tasks.specs import AGGREGATES, Aggregate

PUSHED_DOWN = ("sum", "count", "min", "max")


@pytest.mark.parametrize("one", [one for one in AGGREGATES if one.function in PUSHED_DOWN], ids=lambda one: one.target)
async def test_a_window_is_aggregated_inside_the_storage_engine(home: dict[str, Any], one: Aggregate) -> None:
    """The task's shape is planned as one ReadGroupAggregate: no raw row leaves storage."""
    script = f'''
import "profiler"
option profiler.enabledProfilers = ["operator"]
from(bucket: "{home["buckets"]["raw"]}")
    |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-01T01:00:00Z)
    |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == "{one.source}")
    |> group(columns: ["entity_id", "domain", "device_class"])
    |> {one.function}()
'''
    async with SummaryServer(url=home["url"], token=home["reader_token"], org=home["org"]) as server:
        rows = await server.rows(script)
    operators = [row["Label"] for row in rows if row.get("_measurement") == "profiler/operator"]
    assert len(operators) == 1, operators
    assert operators[0].startswith("ReadGroupAggregate")


async def test_a_readers_query_reads_one_entity_only(home: dict[str, Any]) -> None:
    """The filter on measurement and entity is part of the read, not a step after it."""
    script = f'''
import "profiler"
option profiler.enabledProfilers = ["operator"]
from(bucket: "{home["buckets"]["hourly"]}")
    |> range(start: 2026-01-01T00:00:00Z, stop: 2026-02-01T00:00:00Z)
    |> filter(fn: (r) => r._measurement == "hourly_events" and r.entity_id == "sensor.a")
'''
    async with SummaryServer(url=home["url"], token=home["reader_token"], org=home["org"]) as server:
        rows = await server.rows(script)
    labels = [row["Label"] for row in rows if row.get("_measurement") == "profiler/operator"]
    assert not [label for label in labels if "filter" in label.lower() and "read" not in label.lower()], labels
