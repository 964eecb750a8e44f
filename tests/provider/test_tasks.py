"""What `option task` says is judged at preview: most of it the server refuses only when the task is made."""

from __future__ import annotations

import pytest

from provider.kinds.task import cadence_problem


def script(option: str) -> str:
    return f'import "date"\n// option task = {{name: "not this one"}}\noption task = {{{option}}}\nfrom(bucket: "b")'


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ('name: "t", every: 1h, offset: 1h', "offset 1h is not shorter than every 1h"),
        ('name: "t", every: 1h, offset: 90m', "offset 90m is not shorter than every 1h"),
        ('name: "t", every: 1d, offset: 1d', "InfluxDB takes hours and shorter here"),
        ('name: "t", every: 1h, cron: "0 * * * *"', "has every and cron"),
        ('name: "t", offset: 5m', "has neither every nor cron"),
        ('name: "t", // every: 1h\n', "has neither every nor cron"),
        ('name: "t", every: 500ms', "at least 1s"),
        ('name: "t", every: duration(v: "1h")', "a literal of at least 1s"),
        ('name: "t", cron: "every night"', "five fields"),
        ('name: "", every: 1h', "has no name"),
        ("every: 1h", "has no name"),
    ],
)
def test_a_contradiction_is_named(option: str, expected: str) -> None:
    assert expected in (cadence_problem(script(option)) or "")


@pytest.mark.parametrize(
    "option",
    [
        'name: "t", every: 1h, offset: 59m',
        'name: "http://a", every: 1h30m, offset: 5m, // late: offset: 9h\n',
        'name: "t", every: 1mo, offset: 24h',
        'name: "t", cron: "15 2 * * MON-FRI", offset: 5m',
        'name: "t", cron: "@daily"',
        'name: "t",\n  every: 1w,\n',
    ],
)
def test_what_is_right_passes(option: str) -> None:
    assert cadence_problem(script(option)) is None


def test_a_script_without_an_option_is_no_task() -> None:
    assert "has no `option task" in (cadence_problem('from(bucket: "b")') or "")
