"""The sections of the page that say how the server does: storage with its forecast, health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from operations.health.checks import HealthReport
from operations.report import charts
from operations.report.page import Card, Mark, Section, Table, Tile
from operations.sizes import shown_size
from operations.storage.advice import Recommendation
from operations.storage.figures import StorageFigures

MARKS: Mapping[str, Mark] = {"healthy": "good", "unhealthy": "bad"}


def health_tile(health: HealthReport) -> Tile:
    if health.healthy:
        return Tile("healthy", "", "every check is content", "good")
    return Tile("unhealthy", "", health.reasons[0], "bad")


def storage_tile(storage: StorageFigures) -> Tile:
    days = storage.days_left
    left = "no limit in sight for ten years" if days is None else f"full in about {days:,.0f} days"
    return Tile(shown_size(storage.total_bytes), "", f"on disk; {left}")


def _kept(days: float | None) -> str:
    return "for ever" if days is None else f"{days:,.0f} d"


def _limit_note(storage: StorageFigures) -> str:
    if storage.limit_bytes is None:
        return "No limit is known."
    limit = shown_size(storage.limit_bytes)
    if storage.limit is None or storage.limit.expected is None:
        return f"The limit of {limit} is not reached within ten years."
    return f"The limit of {limit} is reached about {storage.limit.expected:%B %Y}."


def _forecast(storage: StorageFigures, past: Mapping[datetime, int]) -> Card:
    largest = max(then.high for then in storage.in_days.values())
    unit, scale = ("GB", 1e9) if largest >= 1e9 else ("MB", 1e6)
    size = storage.total_bytes / scale
    future = [charts.Spread(storage.at, size, size, size)]
    for days, then in sorted(storage.in_days.items()):
        bounds = (then.low / scale, then.expected / scale, then.high / scale)
        future.append(charts.Spread(storage.at + timedelta(days=days), *bounds))
    measured: dict[charts.When, float] = {moment: one / scale for moment, one in past.items()}
    if measured:
        measured[storage.at] = size
    # A limit far above what is expected would press everything else to the ground.
    limit = None if storage.limit_bytes is None else storage.limit_bytes / scale
    near = limit if limit is not None and limit < 3 * max(one.high for one in future) else None
    return Card(
        title="What to expect",
        note=f"{_limit_note(storage)} The band holds the true size nine times in ten.",
        wide=True,
        plot=charts.forecast(
            measured, future, near, unit=unit, label=f"Size of the database so far and expected, in {unit}"
        ),
    )


def storage_cards(
    storage: StorageFigures, past: Mapping[datetime, int], advice: Sequence[Recommendation]
) -> list[Card]:
    rows = [
        (
            bucket.name,
            shown_size(bucket.total_bytes),
            f"{bucket.series:,}",
            f"{shown_size(bucket.bytes_per_day)} a day",
            _kept(bucket.retention_days),
            "-" if bucket.plateau is None else shown_size(bucket.plateau.expected),
        )
        for bucket in storage.buckets
        if bucket.shards
    ]
    buckets = Card(
        title="Buckets",
        note="A bucket grows until its oldest data expire, and then stays about as large (last column).",
        wide=True,
        table=Table(("bucket", "size", "series", "growth", "kept", "in balance"), rows, frozenset({2, 4})),
    )
    cards = [buckets, _forecast(storage, past)]
    if advice:
        items = [f"{one.what} (saves about {shown_size(one.saves_bytes)})" for one in advice]
        cards.append(Card(title="What would save space", wide=True, items=items))
    return cards


def health_cards(health: HealthReport) -> list[Card]:
    facts: list[tuple[str, str, Mark]] = [
        (finding.check, finding.status, MARKS.get(finding.status, "")) for finding in health.findings
    ]
    notes = [finding.note for finding in health.findings if finding.note]
    return [Card(title="Checks", facts=facts), Card(title="Reasons", items=[*health.reasons, *notes])]


def sections(
    storage: StorageFigures | None,
    past: Mapping[datetime, int],
    advice: Sequence[Recommendation],
    health: HealthReport | None,
) -> list[Section]:
    found = []
    if storage is not None:
        found.append(Section("storage", "Storage", storage_cards(storage, past, advice)))
    if health is not None:
        found.append(Section("health", "Health", health_cards(health)))
    return found
