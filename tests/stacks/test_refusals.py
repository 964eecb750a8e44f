"""Settings that contradict each other are refused at preview, each with a sentence that says what would be right."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from event_schema import TIERS
from flux_tasks.specs import FluxTask, downsamples
from stacks.refusals import contradictions, named_buckets, planned
from stacks.settings import HomeSettings, WrongSetting, load
from tests.stacks.conftest import Configured

ONE_DAY_OF_RAW = {"retentionDays": {"raw": 1}, "shardGroupDays": {"raw": 1}}
ONE_DAY_OF_DAYS = {"retentionDays": {"daily": 1}, "shardGroupDays": {"daily": 1}}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            ONE_DAY_OF_RAW,
            r"^home home: bucket events keeps 1 d, but reconcile_hourly, .* what is up to 10 d old "
            r"\(lateHours is 48, and a value may hold for 7 days\): set retentionDays.raw to 10 or more, or 0 for ever",
        ),
        (
            ONE_DAY_OF_DAYS | {"timeZone": "Europe/Berlin"},
            r"^home home: bucket events_daily keeps 1 d, but reconcile_daily, .* rows again whose windows began "
            r"up to 3 d 1 h ago \(lateHours is 48\): set retentionDays.daily to 4 or more, or 0 for ever$",
        ),
        (
            {"retentionDays": {"raw": 30}, "timeZone": "Europe/Berlin", "lateHours": 720},
            r"events keeps 30 d, .* 38 d 1 h old .*raw to 39 or more, or 0 for ever, or lateHours to 504 or less$",
        ),
        (
            {"retentionDays": {"hourly": 9}, "shardGroupDays": {"hourly": 1}},
            r"events_hourly keeps 9 d, but reconcile_daily, .* to 10 or more, .* lateHours to 24 or less$",
        ),
        (
            {"homes": ["anna", {"name": "ben", **ONE_DAY_OF_RAW}]},
            "^home ben: bucket ben_events keeps 1 d",
        ),
    ],
)
def test_a_retention_that_contradicts_the_cadence(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongSetting, match=sentence):
        planned(load(config, {}))


@pytest.mark.parametrize(("days", "hours"), [(9, 24), (10, 48), (38, 720)])
def test_what_is_said_to_be_enough_is(days: int, hours: int) -> None:
    config = {
        "retentionDays": {"raw": days, "hourly": days, "daily": days - 7},
        "shardGroupDays": {"raw": 1, "hourly": 1, "daily": 1},
        "lateHours": hours,
    }
    assert {task.name for task in planned(load(config, {}))["home"].summaries} >= {
        "reconcile_hourly",
        "reconcile_daily",
    }


def home() -> HomeSettings:
    return load({}, {}).homes[0]


def test_a_window_finer_than_its_source() -> None:
    daily = TIERS.daily
    hourly = dataclasses.replace(downsamples()[0], source_bucket=daily.bucket)
    [reason] = contradictions(home(), [hourly], [], frozenset(home().buckets))
    assert "task downsample_hourly has windows of 1 h, finer than those of its source events_daily, 1 d" in reason


@pytest.mark.parametrize(
    ("flux", "bucket"),
    [
        ('from(bucket: "evnts") |> range(start: -1h)', "evnts"),
        ('from(bucket: "events") |> to(bucket : "elsewhere")', "elsewhere"),
        ('from(bucket:"x\\"y")', 'x\\"y'),
    ],
)
def test_a_bucket_that_the_stack_does_not_have(flux: str, bucket: str) -> None:
    task = FluxTask(name="t", flux=flux, description="", source="templates/t.flux.j2")
    [reason] = contradictions(home(), [], [task], frozenset(home().buckets))
    assert f"task t reads or writes the bucket {bucket!r}" in reason
    assert "the home has events, events_daily, events_hourly, operations" in reason


def test_comments_name_no_buckets_and_texts_hold_no_comments() -> None:
    flux = (
        '// from(bucket: "a")\nx = "http://b" // bucket: "c"\nfrom(bucket: "d") |> to(bucket: "e") |> to(bucket: "d")'
    )
    assert named_buckets(flux) == ["d", "e"]


def test_the_offset_is_the_tasks() -> None:
    hourly, *_ = planned(load({"offsetMinutes": {"hourly": 0, "daily": 90}}, {}))["home"].summaries
    assert "offset: 0" in hourly.flux
    assert downsamples(offsets={"hourly": timedelta(0), "daily": timedelta(minutes=90)})[1].offset.seconds == 5400


def test_the_preview_says_it(configured: Configured, unique: str) -> None:
    """Everything at once, before the server is asked for anything."""
    program = configured(
        organization=f"org-{unique}", homes=[{"name": "anna", **ONE_DAY_OF_RAW}, {"name": "ben", **ONE_DAY_OF_DAYS}]
    )
    said = program.fails("preview")
    assert "home anna: bucket anna_events keeps 1 d" in said
    assert "home ben: bucket ben_events_daily keeps 1 d, but" in said

    program = configured(organization=f"org-{unique}", offsetMinutes={"daily": 1440})
    assert "hearthflux:offsetMinutes.daily is 1440: a task's offset has to be shorter" in program.fails("preview")

    # A task of one's own, added to the program, that names a bucket which nobody declares.
    program.write(
        "from flux_tasks import specs\n"
        "import stacks.refusals\n"
        "task = specs.FluxTask(name='t', flux='from(bucket: \"evnts\")', description='')\n"
        "stacks.refusals.home_tasks = lambda *_, **__: [task]\n"
        "import dataclasses\n"
        "made = specs.downsamples\n"
        "def finer(*given, **named):\n"
        "    hourly, daily = made(*given, **named)\n"
        "    return dataclasses.replace(hourly, source_bucket=daily.target_bucket), daily\n"
        "stacks.refusals.downsamples = finer\n"
        "import stacks.__main__\n"
    )
    configured_file = program.folder / "Pulumi.test.yaml"
    configured_file.write_text(configured_file.read_text().replace("1440", "10"))
    said = program.fails("preview")
    assert "reads or writes the bucket 'evnts', which this stack does not have" in said
    assert "finer than those of its source events_daily" in said
