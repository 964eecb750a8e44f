"""Rendered scripts: golden files, literals that nothing breaks out of, errors that name template and line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_schema import TIERS
from flux_tasks import SummaryServer, TemplateProblem, downsamples, home_tasks, render
from operations.influxd import LocalInfluxd
from templates.render import flux_duration, flux_string, flux_time

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_task_scripts_are_as_reviewed(zone: str) -> None:
    for task in home_tasks(TIERS, zone):
        golden = GOLDEN / f"{task.name}.{zone.replace('/', '-')}.flux"
        assert task.flux == golden.read_text(), f"{golden.name} is stale: render it anew and review its diff"


def test_backfill_script_is_as_reviewed() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for window in (True, False):
        script = downsamples()[0].backfill_flux(start, start + timedelta(days=1), window=window)
        assert script == (GOLDEN / f"backfill.window-{window}.flux").read_text()


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_no_text_breaks_out_of_its_literal(influxd: LocalInfluxd, text: str) -> None:
    """The server reads back exactly what went in; an interpolation or a quote in it is only text."""

    async def read() -> list[str]:
        async with SummaryServer(url=influxd.url, token=influxd.token, org=influxd.org) as server:
            script = (
                'import "array"\nimport "contrib/bonitoo-io/hex"\n'
                f"array.from(rows: [{{x: hex.string(v: bytes(v: {flux_string(text)}))}}])"
            )
            return [row["x"] for row in await server.rows(script)]

    assert asyncio.run(read()) == [text.encode().hex() or None]


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (timedelta(days=2), "2d"),
        (timedelta(hours=25), "25h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=-1), "-1s"),
        (timedelta(microseconds=5), "5us"),
        (timedelta(0), "0s"),
    ],
)
def test_durations(value: timedelta, literal: str) -> None:
    assert flux_duration(value) == literal


def test_times_need_a_zone() -> None:
    assert flux_time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    with pytest.raises(TypeError, match="zone"):
        flux_time(datetime(2026, 1, 2))


def test_an_unknown_variable_names_template_and_line() -> None:
    templates = {"downsample/x.flux.j2": 'option task = {\n    name: "{{ nmae }}",\n}\n'}
    environment = jinja2.Environment(loader=jinja2.DictLoader(templates), undefined=jinja2.StrictUndefined)
    with pytest.raises(TemplateProblem, match=r"templates/downsample/x\.flux\.j2.*'nmae' is undefined"):
        render("downsample/x.flux.j2", environment=environment, name="a")


def test_a_missing_variable_of_a_real_template_names_its_line() -> None:
    with pytest.raises(TemplateProblem, match=r"templates/macros/summary\.flux\.j2, line \d+: 'spec' is undefined"):
        render("downsample/task.flux.j2")


@pytest.mark.parametrize(
    ("zone", "cron"),
    [
        ("UTC", None),
        ("Europe/Amsterdam", "0 23 * * *"),
        ("America/New_York", "0 5 * * *"),
        ("Asia/Kolkata", "30 18 * * *"),
        ("Europe/London", "0 0 * * *"),
    ],
)
def test_the_daily_task_runs_when_the_homes_day_has_ended(zone: str, cron: str | None) -> None:
    assert downsamples(time_zone=zone)[1].cron == cron
