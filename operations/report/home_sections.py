"""The sections of the page that say what the home did: flows, temperatures, energy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from operations.report import charts
from operations.report.energy import Energy
from operations.report.home import Flows, HomeFigures
from operations.report.page import Card, Section, Table, Tile
from operations.report.quality import Quality
from operations.report.svg import FULL, HALF
from operations.report.temperatures import Temperatures

MOST_DOMAINS = 5
MOST_SILENT = 8


def _spans(names: Sequence[str]) -> list[tuple[str, str]]:
    """(hours, name) for each run of hours with the same name."""
    found: list[tuple[str, str]] = []
    begin = 0
    for hour in range(1, len(names) + 1):
        if hour == len(names) or names[hour] != names[begin]:
            found.append((f"{begin:02d}-{hour:02d} h", names[begin]))
            begin = hour
    return found


def tiles(home: HomeFigures) -> list[Tile]:
    days = home.flows.days
    found = [Tile(f"{home.flows.events:,}", "events", f"of {home.flows.entities} entities in {days} days")]
    if home.energy.days:
        found.append(Tile(f"{home.energy.total:,.0f}", "kWh", f"used in {days} days"))
    means = {place: sum(hours) / 24 for place, hours in home.temperatures.by_hour.items() if all(v == v for v in hours)}
    if means:
        warmest = max(means, key=lambda place: means[place])
        text = f"in {warmest.lower()}, the warmest place"
        found.append(Tile(f"{means[warmest]:.1f}", home.temperatures.unit, text))
    return found


def flow_cards(flows: Flows) -> list[Card]:
    if not flows.by_day:
        return []
    order = sorted(flows.by_day, key=lambda domain: -sum(flows.by_day[domain].values()))
    shown: dict[str, dict[charts.When, float]] = {}
    for position, domain in enumerate(order):
        name = domain if position < MOST_DOMAINS - 1 or len(order) <= MOST_DOMAINS else "others"
        into = shown.setdefault(name, {})
        for day, count in flows.by_day[domain].items():
            into[day] = into.get(day, 0) + count
    per_day = flows.events / flows.days
    return [
        Card(
            title="Events by day",
            note=f"{per_day:,.0f} a day on average over {flows.days} days, by Home Assistant's domain.",
            wide=True,
            plot=charts.stacked(
                shown, unit="events", layout="%b %d", step="yearmonthdate", label="Events stored each day"
            ),
        )
    ]


def temperature_cards(one: Temperatures) -> list[Card]:
    if not one.year:
        return []
    cards = [
        Card(
            title="Day by day",
            note="Daily means; the band spans the coolest and the warmest place indoors.",
            wide=True,
            plot=charts.band(
                one.year,
                one.year_outside,
                unit=one.unit,
                layout="%b %d",
                label=f"Daily mean temperature indoors and outdoors in {one.unit}",
            ),
        ),
        Card(
            title="The last day of the data",
            note="Hour by hour.",
            plot=charts.band(
                one.day,
                one.day_outside,
                unit=one.unit,
                layout="%H:%M",
                label=f"Temperature by hour in the last day in {one.unit}",
                frame=HALF,
            ),
        ),
        Card(
            title="The last week of the data",
            note="Hour by hour.",
            plot=charts.band(
                one.week,
                one.week_outside,
                unit=one.unit,
                layout="%a",
                label=f"Temperature by hour in the last week in {one.unit}",
                frame=HALF,
            ),
        ),
    ]
    if one.seasons:
        cards.append(
            Card(
                title="Season by season",
                note="From lowest to highest, with a dot at the mean over time. Winter begins on December 1.",
                wide=True,
                plot=charts.ranges(one.seasons, unit=one.unit, label=f"Temperature by season in {one.unit}"),
            )
        )
    if one.by_hour:
        names = [place for place, _ in one.warmest_by_hour]
        warmest = ", ".join(f"{place.lower()} {hours}" for hours, place in _spans(names))
        cards.append(
            Card(
                title="Which place is warm when",
                note=f"Mean by hour of the day. Warmest: {warmest}.",
                wide=True,
                plot=charts.by_hour(
                    one.by_hour, unit=one.unit, label=f"Mean temperature by hour of the day in {one.unit}"
                ),
            )
        )
    return cards


def _busiest(energy: Energy) -> str:
    value, day, hour = max(
        (value, day, hour)
        for day, hours in energy.by_hour.items()
        for hour, value in enumerate(hours)
        if value == value
    )
    return f"The busiest hour of the week is {day} at {hour:02d} h ({value:.2f} kWh)."


def energy_cards(one: Energy) -> list[Card]:
    if not one.days:
        return []
    kwh = "kWh"
    cards = [
        Card(
            title="By day",
            note="Summed from every meter reading; the first and the last day may not be whole.",
            wide=True,
            plot=charts.stacked(
                one.days, unit="kWh per day", layout="%b %d", step="yearmonthdate", label="Energy used each day in kWh"
            ),
        ),
        Card(
            title="The last day of the data",
            note="Hour by hour.",
            plot=charts.stacked(
                one.day, unit=kwh, layout="%H:%M", step="yearmonthdatehours", label="Energy by hour in kWh", frame=HALF
            ),
        ),
        Card(
            title="By weekday",
            note="Mean of the whole days.",
            plot=charts.grouped(one.by_weekday, unit="kWh per day", label="Mean energy by weekday in kWh", frame=HALF),
        ),
        Card(
            title="By month",
            plot=charts.stacked(
                one.months, unit=kwh, layout="%b", step="yearmonth", label="Energy by month in kWh", frame=HALF
            ),
        ),
        Card(
            title="Season by season",
            plot=charts.grouped(one.seasons, unit=kwh, label="Energy by season in kWh", frame=HALF),
        ),
    ]
    if one.by_hour:
        cards.append(
            Card(
                title="By weekday and hour",
                note=_busiest(one),
                wide=True,
                plot=charts.by_hour(
                    one.by_hour, unit="kWh per hour", label="Mean energy by weekday and hour in kWh", frame=FULL
                ),
            )
        )
    return cards


def quality_cards(one: Quality) -> list[Card]:
    if not one.entities:
        return []
    rows = [(gap.entity_id, f"{gap.events:,}", f"{100 * gap.share:.1f} %") for gap in one.gaps]
    silent = [f"{each.entity_id}, since {each.last_event:%-d %B %H:%M} UTC" for each in one.silent[:MOST_SILENT]]
    if len(one.silent) > MOST_SILENT:
        silent.append(f"and {len(one.silent) - MOST_SILENT} more")
    cards = [
        Card(
            title="Gaps",
            note="Events without a number (unavailable, unknown) of entities that report numbers, in 30 days."
            if rows
            else "No entity that reports numbers had an event without one in 30 days.",
            table=Table(("entity", "events", "without a number"), rows, frozenset({1})) if rows else None,
        ),
        Card(
            title="Silent entities",
            note=f"{len(one.silent)} of {one.entities} had no event in the last day of the data.",
            items=silent,
        ),
    ]
    if one.spool is not None and one.refusals is not None:
        reasons = [*one.refusals.dead_letters.items(), *one.refusals.refused.items()]
        dead, refused = one.spool.dead_letters, sum(one.refusals.refused.values())
        cards.append(
            Card(
                title="The writer's spool",
                facts=[
                    ("events that wait", f"{one.spool.pending:,}", ""),
                    ("dead letters (refused by the server)", f"{dead:,}", "bad" if dead else "good"),
                    ("refused before they were accepted", f"{refused:,}", "bad" if refused else "good"),
                ],
                items=[f"{count:,} x {reason[:160]}" for reason, count in reasons[:MOST_SILENT]],
            )
        )
    return cards


def sections(home: HomeFigures) -> list[Section]:
    return [
        Section("flows", "What comes in", flow_cards(home.flows)),
        Section("temperatures", "Temperatures", temperature_cards(home.temperatures)),
        Section("energy", "Energy", energy_cards(home.energy)),
        Section("quality", "Data quality", quality_cards(home.quality)),
    ]


def span(home: HomeFigures) -> tuple[date, date] | None:
    """The first and the last day that have events, of the last year."""
    days = [day for values in home.flows.by_day.values() for day in values]
    return (min(days), max(days)) if days else None
