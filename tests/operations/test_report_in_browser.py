"""The report in a real browser: on a phone and on a desk, light and dark, everything is drawn and can be read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, sync_playwright

from operations.report import home_sections
from operations.report.energy import energy_figures
from operations.report.home import Flows, HomeFigures
from operations.report.page import Page, write
from operations.report.quality import Gap, Quality
from operations.report.reading import EntityInfo, Value
from operations.report.temperatures import Temperatures, hours_of_day, seasons, spreads
from operations.spool_view import Refusals, SpoolView

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desk": (1280, 900)}
SMALLEST_TEXT = 9.5  # CSS pixels
ZONE = ZoneInfo("Europe/Amsterdam")


def browser_path() -> str:
    for name in BROWSERS:
        if (found := shutil.which(name)) is not None:
            return found
    pytest.fail(
        "This test looks at the report in a browser: install Chromium or Chrome (Debian: apt-get install chromium)"
    )


def invented_home() -> HomeFigures:
    """A year of a home, so that every kind of plot has something to draw."""
    until = datetime(2026, 11, 20, 18, tzinfo=UTC)
    hours = [until - timedelta(hours=back) for back in range(24 * 56)]
    days = [datetime(2026, 11, 19, 23, tzinfo=UTC) - timedelta(days=back) for back in range(360)]

    def place(base: float) -> dict[str, dict[datetime, Value]]:
        return {
            "hours": {one: Value(base + one.hour / 12, base, base + 2, 3600) for one in hours},
            "days": {one: Value(base + one.month / 6, base - 1, base + 4, 86_400) for one in days},
        }

    rooms = {name: place(18 + number / 3) for number, name in enumerate(("Kitchen", "Parents' room", "A" * 60))}
    hourly = {name: room["hours"] for name, room in rooms.items()}
    daily = {name: room["days"] for name, room in rooms.items()}
    outside = place(7)["days"]
    temperatures = Temperatures(
        outdoor_entity="sensor.outdoor_temperature",
        day=spreads(hourly, ZONE, until - timedelta(days=1)),
        week=spreads(hourly, ZONE, until - timedelta(days=7)),
        year=spreads(daily, ZONE, until - timedelta(days=366)),
        year_outside={one.astimezone(ZONE): value.mean for one, value in outside.items()},
        seasons=seasons(daily, "Indoors", ZONE) + seasons({"": outside}, "Outdoors", ZONE),
        by_hour=hours_of_day(hourly, ZONE),
    )
    meters = {f"Meter {number}": 0.1 * (number + 1) for number in range(8)}
    energy = energy_figures(
        {name: dict.fromkeys(hours, kwh) for name, kwh in meters.items()},
        {name: dict.fromkeys(days, 24 * kwh) for name, kwh in meters.items()},
        until,
        ZONE,
    )
    count = {one.astimezone(ZONE).date(): 2500 for one in days}
    flows = Flows(dict.fromkeys(("sensor", "light", "switch", "climate", "lock", "fan"), count), 400)
    silent = EntityInfo("sensor.cellar", "sensor", "temperature", "cellar", "", "°C", until - timedelta(days=3))
    quality = Quality(
        gaps=[Gap("sensor.a_rather_long_name_of_an_entity_that_has_to_break_somewhere", 1200, 300)],
        silent=[silent] * 20,
        entities=400,
        spool=SpoolView(Path("spool.sqlite"), 12, 3000, 4.5, 3),
        refusals=Refusals({"partial write: field type conflict " * 9: 3}, {"range": 1}),
    )
    return HomeFigures("Europe/Amsterdam", until, flows, temperatures, energy, quality)


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = invented_home()
    page = Page(
        title="A home",
        heading="A year of a home",
        lead=f"Since {date(2025, 11, 25)}.",
        tiles=home_sections.tiles(home),
        sections=home_sections.sections(home),
        footer="Invented.",
    )
    return write(tmp_path_factory.mktemp("report") / "report.html", page)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        yield started
        started.close()


LOOK = """() => {
  const seen = [...document.querySelectorAll('.plot')].filter(e => e.offsetParent !== null);
  const texts = seen.flatMap(e => [...e.querySelectorAll('svg text')]).filter(t => t.textContent.trim());
  const scale = m => Math.hypot(m.a, m.b);
  const size = t => parseFloat(getComputedStyle(t).fontSize) * scale(t.getScreenCTM());
  return {
    plots: seen.map(e => e.querySelector('svg').getBoundingClientRect()).map(r => [r.width, r.height]),
    marks: seen.map(e => e.querySelectorAll('svg path, svg rect, svg line').length),
    cards: document.querySelectorAll('.card').length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    smallest: Math.min(...texts.map(size)),
    page: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    text: getComputedStyle(texts[0]).fill,
  };
}"""


def luminance(colour: str) -> float:
    red, green, blue = (
        (value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)
        for value in (int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everything_is_drawn_and_can_be_read(browser: Browser, page_path: Path, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light", offline=True
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto(page_path.as_uri())
    seen = page.evaluate(LOOK)
    context.close()
    assert said == []
    assert seen["overflow"] == 0
    assert (len(seen["plots"]), seen["cards"]) == (12, 15)
    for (plot_width, plot_height), marks in zip(seen["plots"], seen["marks"], strict=True):
        assert plot_width >= min(250, width * 0.7)
        assert plot_height >= 90
        assert marks > 10
    assert seen["smallest"] >= SMALLEST_TEXT
    assert contrast(seen["ink"], seen["page"]) >= 7
    assert contrast(seen["text"], seen["page"]) >= 4.5
    assert (luminance(seen["page"]) < 0.05) == (scheme == "dark")
