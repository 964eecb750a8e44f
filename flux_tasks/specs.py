"""What is summed up, from where to where, how often: typed, and rendered to Flux."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema import SUMMARY_TAGS, TIERS, Tier, Tiers
from templates.render import render, render_script
from templates.source_map import Script

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TASK_TEMPLATE = "downsample/task.flux.j2"
# Time for the writer's spool to deliver what happened just before the window's end.
OFFSETS = {"hourly": timedelta(minutes=5), "daily": timedelta(minutes=15)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One field of a summary: the Flux `function` over the raw field `source`.

    A `mean` is computed from the stored sum and count of the same source: the storage engine computes those itself,
    but not a grouped mean.
    """

    target: str
    source: str
    function: str

    def __post_init__(self) -> None:
        if not (self.target.isascii() and self.target.isidentifier()):
            raise ValueError(f"{self.target!r} can't name a field of a summary: letters, digits and underscores")
        if self.function not in ("mean", "min", "max", "sum", "count"):
            raise ValueError(f"{self.target}: function {self.function!r} is not one of mean, min, max, sum, count")


AGGREGATES = (
    Aggregate(target="avg_value", source="normalized_value", function="mean"),
    Aggregate(target="min_value", source="normalized_value", function="min"),
    Aggregate(target="max_value", source="normalized_value", function="max"),
    Aggregate(target="sum_value", source="normalized_value", function="sum"),
    Aggregate(target="value_count", source="normalized_value", function="count"),
    Aggregate(target="event_count", source="state_value", function="count"),
    Aggregate(target="total_energy", source="energy_consumption", function="sum"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downsample:
    """Windows of one tier, computed from raw events. `time_zone` decides where a day begins; hours are UTC's."""

    name: str
    tier: str
    source_bucket: str
    source_measurement: str
    target_bucket: str
    target_measurement: str
    every: timedelta
    offset: timedelta
    time_zone: str = "UTC"
    tags: tuple[str, ...] = tuple(tag.name for tag in SUMMARY_TAGS)
    aggregates: tuple[Aggregate, ...] = AGGREGATES

    def __post_init__(self) -> None:
        if self.every not in (HOUR, DAY):
            raise ValueError(f"{self.name}: windows of {self.every}; an hour or a day")
        if not timedelta(0) <= self.offset < self.every:
            raise ValueError(f"{self.name}: offset {self.offset} has to be shorter than its cadence {self.every}")
        if self.every == HOUR and self.time_zone != "UTC":
            raise ValueError(f"{self.name}: hourly windows are UTC's, not those of {self.time_zone}")
        ZoneInfo(self.time_zone)
        for mean, total, count in self.means:
            if not total or not count:
                raise ValueError(f"{self.name}: {mean} is a mean, which needs a sum and a count of the same source")

    @property
    def means(self) -> list[tuple[str, str, str]]:
        """(mean, sum, count): the names of the fields that a mean is made of."""
        by_kind = {(one.source, one.function): one.target for one in self.aggregates}
        return [
            (one.target, by_kind.get((one.source, "sum"), ""), by_kind.get((one.source, "count"), ""))
            for one in self.aggregates
            if one.function == "mean"
        ]

    @property
    def sources(self) -> dict[str, list[Aggregate]]:
        """The aggregates by the raw field that they read, without the means."""
        found: dict[str, list[Aggregate]] = {}
        for one in self.aggregates:
            if one.function != "mean":
                found.setdefault(one.source, []).append(one)
        return found

    @property
    def shares_reads(self) -> bool:
        """Whether one read serves all aggregates of a field: quicker for an hour, slower for a day (measured)."""
        return self.every == HOUR

    @property
    def totals(self) -> tuple[Aggregate, ...]:
        """The aggregates that add up over series, so that a window's total tells whether it is right."""
        return tuple(one for one in self.aggregates if one.function in ("sum", "count"))

    @property
    def cron(self) -> str | None:
        """When the home's day has surely ended, in UTC; None where `every` says it already.

        With daylight saving the local midnight is at two times of the UTC day: the later one is taken.
        """
        if self.time_zone == "UTC":
            return None
        zone = ZoneInfo(self.time_zone)
        this_year = datetime.now(UTC).year
        ends = set()
        for year in (this_year, this_year + 1):
            for month in range(1, 13):
                midnight = datetime(year, month, 15, tzinfo=zone).astimezone(UTC)
                ends.add(midnight.hour * 60 + midnight.minute)
        latest = max(ends) if max(ends) - min(ends) < 720 else max(end for end in ends if end < 720)
        return f"{latest % 60} {latest // 60} * * *"

    def task_flux(self) -> str:
        """The script of the scheduled task: one window, the last whole one."""
        return self.task_script().text

    def task_script(self) -> Script:
        """The same with the place in the templates that each line comes from."""
        return render_script(TASK_TEMPLATE, spec=self)

    def backfill_flux(self, start: datetime, stop: datetime, *, window: bool) -> str:
        """The script for an explicit range: cut into windows of `every`, or as one window."""
        return render("downsample/backfill.flux.j2", spec=self, start=start, stop=stop, window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxTask:
    """A task as the stacks declare it; errors name `source`, or the template and line that `source_map` has."""

    name: str
    flux: str
    description: str
    source: str = f"templates/{TASK_TEMPLATE}"
    source_map: tuple[str, ...] = ()


def _downsample(raw: Tier, tier: Tier, time_zone: str, prefix: str, offset: timedelta) -> Downsample:
    if tier.every is None:
        raise ValueError(f"tier {tier.name} has no windows")
    return Downsample(
        name=f"{prefix}downsample_{tier.name}",
        tier=tier.name,
        source_bucket=raw.bucket,
        source_measurement=raw.measurement,
        target_bucket=tier.bucket,
        target_measurement=tier.measurement,
        every=tier.every,
        offset=offset,
        time_zone=time_zone if tier.every >= DAY else "UTC",
    )


def downsamples(
    tiers: Tiers = TIERS, time_zone: str = "UTC", *, prefix: str = "", offsets: Mapping[str, timedelta] = OFFSETS
) -> tuple[Downsample, Downsample]:
    """The hourly and the daily summary, both from raw events; `prefix` stands before the tasks' names."""
    return (
        _downsample(tiers.raw, tiers.hourly, time_zone, prefix, offsets["hourly"]),
        _downsample(tiers.raw, tiers.daily, time_zone, prefix, offsets["daily"]),
    )


def home_tasks(
    tiers: Tiers = TIERS, time_zone: str = "UTC", *, prefix: str = "", offsets: Mapping[str, timedelta] = OFFSETS
) -> Sequence[FluxTask]:
    """The tasks of a home, ready to be declared."""
    return [
        FluxTask(
            name=spec.name,
            flux=script.text,
            source_map=script.source_map,
            description=f"{spec.tier} summary of {spec.source_bucket} into {spec.target_bucket}",
        )
        for spec in downsamples(tiers, time_zone, prefix=prefix, offsets=offsets)
        for script in (spec.task_script(),)
    ]
