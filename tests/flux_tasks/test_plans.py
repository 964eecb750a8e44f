"""How the server runs the real scripts: which reads the storage engine aggregates itself (its operator profile)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from event_schema import Event
from operations.influxd import LocalInfluxd
from tests.flux_tasks.lab import Lab
from tests.reference import ns

PROFILED = ['import "profiler"', 'option profiler.enabledProfilers = ["operator"]']
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lab(influxd: LocalInfluxd) -> Iterator[Lab]:
    made = Lab(influxd, "plans", "Europe/Amsterdam")
    made.write([Event(time_ns=ns(START), entity_id="sensor.a", state_value="1", normalized_value=1.0)])
    yield made
    made.close()


@pytest.mark.parametrize(
    ("task", "reads"),
    [
        # Each read is there twice: of series with and without a device class.
        # The aggregates of the value share one plain read, the other two fields are aggregated inside.
        ("downsample_hourly", {"ReadGroupAggregate": 4, "ReadGroup": 2}),
        # Texts and numbers of the hour row by row, those before it as the last of class or series; meters once more;
        # what was kept beside the hour for its day.
        ("downsample_hourly_weighted", {"ReadGroup": 7, "ReadGroupAggregate": 2, "ReadWindowAggregate": 3}),
        # All that adds up inside, by series, as an hour has one; smallest and largest row by row.
        ("downsample_daily", {"ReadWindowAggregate": 4, "ReadGroup": 4}),
        # Row by row what held at the end of each hour, of which there are few, and its value; sums of the hours and of
        # what is kept beside them.
        ("downsample_daily_weighted", {"ReadWindowAggregate": 8, "ReadGroup": 8}),
    ],
)
def test_a_single_window_reads_as_designed(lab: Lab, task: str, reads: dict[str, int]) -> None:
    (flux,) = (one.flux for spec in (lab.hourly, lab.daily) for one in spec.tasks() if one.name == task)
    assert plan(lab, flux) == reads


@pytest.mark.parametrize(
    ("task", "reads"),
    [
        ("downsample_daily", {"ReadGroupAggregate": 12}),
        # As the hour's, but for what is kept beside hours.
        ("downsample_daily_weighted", {"ReadGroup": 5, "ReadGroupAggregate": 2, "ReadWindowAggregate": 3}),
    ],
)
def test_a_day_of_raw_events_reads_as_designed(influxd: LocalInfluxd, task: str, reads: dict[str, int]) -> None:
    lab = Lab(influxd, f"raw_{task}", "Asia/Kolkata")
    try:
        lab.write([Event(time_ns=ns(START), entity_id="sensor.a", state_value="1", normalized_value=1.0)])
        (flux,) = (one.flux for one in lab.daily.tasks() if one.name == task)
        assert plan(lab, flux) == reads
    finally:
        lab.close()


def test_a_day_of_raw_events_is_aggregated_inside(lab: Lab) -> None:
    script = lab.daily.backfill_flux(START, START + timedelta(days=1), window=False)
    assert plan(lab, script) == {"ReadGroupAggregate": 12}


def plan(lab: Lab, flux: str) -> Counter[str]:
    lines = flux.splitlines()
    imports = [line for line in lines if line.startswith("import")]
    rest = [line for line in lines if not line.startswith("import")]
    rows = lab.run("\n".join([*imports, *PROFILED, *rest]), START + timedelta(hours=26))
    labels = [str(row["Label"]) for row in rows if row.get("_measurement") == "profiler/operator"]
    # A label is the operator's name and the number of its plan node.
    return Counter(label.rstrip("0123456789") for label in labels if label.startswith("Read"))


@pytest.mark.parametrize(
    ("now", "start", "stop"),
    [
        ("2026-10-25T23:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-03-29T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-06-02T23:00:00Z", "2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z"),
    ],
)
def test_a_scheduled_daily_run_covers_a_day_of_23_and_25_hours(lab: Lab, now: str, start: str, stop: str) -> None:
    """The bounds in the task, computed by the server itself, are those of the home's day; so is the look-back."""
    wanted = ("import", "home = ", "day_of = ", "day_before = ", "held_since = ", "stop = ", "start = ")
    lines = [line for line in lab.daily.task_flux().splitlines() if line.startswith(wanted)]
    script = "\n".join(
        ['import "array"', *lines, "array.from(rows: [{begin: start, end: stop, since: held_since(day: start)}])"]
    )
    (row,) = lab.run(script, datetime.fromisoformat(now))
    begin = datetime.fromisoformat(start)
    assert (row["begin"], row["end"]) == (begin, datetime.fromisoformat(stop))
    # A week before, by the clock of the home.
    zone = lab.zone
    assert row["since"] == (begin.astimezone(zone) - timedelta(days=7)).astimezone(UTC)
