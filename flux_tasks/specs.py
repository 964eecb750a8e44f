"""What is summed up, from where to where, how often: typed, and rendered to Flux."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema import (
    HOLD_DAYS,
    METER_DEVICE_CLASSES,
    METER_RESET_SHARE,
    NUMBER_DOMAINS,
    SUMMARY_FIELDS,
    SUMMARY_TAGS,
    TIERS,
    Measurement,
    Tier,
    Tiers,
)
from event_schema.calendar import has_whole_hours
from event_schema.home_assistant import HOURLY_CARRIED, HOURLY_MARKS
from templates.render import render, render_script

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Time for the writer's spool to deliver what happened just before the window's end.
OFFSETS = {"hourly": timedelta(minutes=5), "daily": timedelta(minutes=15)}
# How far back the reconciling tasks look for late events and missed runs.
LATE_HORIZON = timedelta(hours=48)
LONGEST_HORIZON = timedelta(days=30)
RECONCILE_OFFSETS = {"hourly": timedelta(minutes=25), "daily": timedelta(minutes=40)}


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


AGGREGATES = tuple(
    Aggregate(target=field.name, source=field.source, function=field.function)
    for field in SUMMARY_FIELDS
    if field.function in ("mean", "min", "max", "sum", "count")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downsample:
    """Windows of one tier. `home_zone` decides where a day begins; hours are UTC's.

    Days are made of the rows of `hours`, another spec, where `from_hours` (days begin at whole hours of UTC), else of
    the raw events, as hours are. `horizon`: how far back late events are looked for. `source_retention` is how long the
    raw events are kept, `target_retention` how long the rows are (None: for ever).
    """

    name: str
    tier: str
    source_bucket: str
    source_measurement: str
    target_bucket: str
    target_measurement: str
    every: timedelta
    offset: timedelta
    home_zone: str = "UTC"
    horizon: timedelta = LATE_HORIZON
    source_retention: timedelta | None = None
    target_retention: timedelta | None = None
    hours: Downsample | None = None
    tags: tuple[str, ...] = tuple(tag.name for tag in SUMMARY_TAGS)
    aggregates: tuple[Aggregate, ...] = AGGREGATES

    def __post_init__(self) -> None:
        if self.every not in (HOUR, DAY):
            raise ValueError(f"{self.name}: windows of {self.every}; an hour or a day")
        if not timedelta(0) <= self.offset < self.every:
            raise ValueError(f"{self.name}: offset {self.offset} has to be shorter than its cadence {self.every}")
        if not HOUR <= self.horizon <= LONGEST_HORIZON or self.horizon % HOUR:
            raise ValueError(f"{self.name}: a horizon of {self.horizon}; whole hours, from 1 to 720")
        ZoneInfo(self.home_zone)
        for mean, total, count in self.means:
            if not total or not count:
                raise ValueError(f"{self.name}: {mean} is a mean, which needs a sum and a count of the same source")

    @property
    def hourly(self) -> bool:
        return self.every == HOUR

    @property
    def time_zone(self) -> str:
        """The zone of the windows."""
        return "UTC" if self.hourly else self.home_zone

    @property
    def from_hours(self) -> bool:
        """Whether the scheduled task can make days of hours: this year's and the next one's begin at whole hours."""
        if self.hours is None:
            return False
        now = datetime.now(UTC)
        return has_whole_hours(now - 366 * DAY, now + 732 * DAY, ZoneInfo(self.home_zone))

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
        return self.hourly

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

    # What the templates need to know of the declaration.

    @property
    def names(self) -> dict[str, str]:
        """The fields over time by the function that computes them."""
        known = {one.target for one in self.aggregates}
        return {field.function: field.name for field in SUMMARY_FIELDS if field.name not in known}

    @property
    def day_counts(self) -> tuple[str, ...]:
        """The whole numbers of hours that add up to a day's."""
        return tuple(one.target for one in self.aggregates if one.function == "count")

    @property
    def day_sums(self) -> tuple[str, ...]:
        """The other fields of hours that add up to a day's."""
        return tuple(one.target for one in self.aggregates if one.function == "sum")

    @property
    def day_sums_over_time(self) -> tuple[str, ...]:
        """Those that add up but for what the value held in hours without a row, and `increase`, which does."""
        return tuple(self.names[part] for part in ("value_time", "known_time", "on_time", "increase"))

    @property
    def carried_fields(self) -> tuple[str, ...]:
        return HOURLY_CARRIED.field_names

    @property
    def day_extremes(self) -> dict[str, str]:
        """The fields of a day that are one of its hours', the first of them by which column; `-`: descending."""
        orders = {"min": "_value", "max": "-_value"}
        return {one.target: orders[one.function] for one in self.aggregates if one.function in orders}

    @property
    def day_ends(self) -> dict[str, str]:
        """The same of the value over time."""
        return {self.names["first"]: "_time", self.names["last"]: "-_time"}

    @property
    def spoken(self) -> str:
        """The field that a row has for every entity that said something: the count of its states."""
        return next(one.target for one in self.aggregates if (one.source, one.function) == ("state_value", "count"))

    @property
    def hold_hours(self) -> int:
        """From a day's start back to noon of the day HOLD_DAYS before it."""
        return HOLD_DAYS * 24 - 12

    @property
    def carried(self) -> Downsample:
        """The hours' rows of classes that only held in them."""
        return replace(self, target_measurement=HOURLY_CARRIED.name)

    @property
    def marks(self) -> Measurement:
        return HOURLY_MARKS

    @property
    def horizon_days(self) -> int:
        """Days of the home that are looked through, today not counted: none that reads what is past its retention or
        writes what would be."""
        kept = [(self.source_retention, self.reach), (self.target_retention, self.written_back)]
        if self.from_hours and self.hours is not None:
            kept[0] = (self.hours.target_retention, self.reach)
        possible = [(retention - back(0)) // DAY for retention, back in kept if retention is not None]
        return max(0, min([self.wanted_days, *possible]))

    @property
    def wanted_days(self) -> int:
        """The horizon in whole days of the home."""
        return -(-self.horizon // DAY)

    def written_back(self, days: int) -> timedelta:
        """How old the start of a window may be, that many days back: today's part, and an hour when a day has 25."""
        return (days + 1) * DAY + (timedelta(0) if self.home_zone == "UTC" else HOUR)

    def reach(self, days: int) -> timedelta:
        """How old what is read for it may be: values hold for days."""
        return self.written_back(days) + HOLD_DAYS * DAY

    @property
    def reconcile_every(self) -> timedelta:
        """Days of raw events are read whole each time, so less often."""
        return HOUR if self.hourly or self.from_hours else 6 * HOUR

    @property
    def number_domains(self) -> tuple[str, ...]:
        return NUMBER_DOMAINS

    @property
    def meter_classes(self) -> tuple[str, ...]:
        return METER_DEVICE_CLASSES

    @property
    def reset_share(self) -> float:
        return METER_RESET_SHARE

    # Scripts.

    def task_flux(self) -> str:
        """The script of the scheduled task: one window, the last whole one."""
        return self.tasks()[0].flux

    def tasks(self) -> list[FluxTask]:
        """The scheduled tasks of this tier."""
        what = f"{self.tier} summary of {self.source_bucket} into {self.target_bucket}"
        over_time = f"{what}: the value over time"
        late = f"{self.tier} summary of the last {self.horizon // HOUR} hours: late events and missed runs"
        table = (
            ("", "task", what, not self.from_hours),
            ("", "daily", what, self.from_hours),
            ("_weighted", "weighted", over_time, not self.from_hours),
            ("_weighted", "daily_weighted", over_time, self.from_hours),
            ("reconcile", f"reconcile_{self.tier}", late, self.horizon_days > 0),
        )
        found = []
        for part, template, description, wanted in table:
            if wanted:
                name = self.name.replace("downsample", part) if part == "reconcile" else self.name + part
                source = f"downsample/{template}.flux.j2"
                script = render_script(source, spec=self, name=name)
                found.append(
                    FluxTask(
                        name=name,
                        flux=script.text,
                        description=description,
                        source=f"templates/{source}",
                        source_map=script.source_map,
                    )
                )
        return found

    def backfill_flux(self, start: datetime, stop: datetime, *, window: bool) -> str:
        """The aggregates of an explicit range from raw events: cut into windows of `every`, or as one window."""
        return render("downsample/backfill.flux.j2", spec=self, start=start, stop=stop, window=window)

    @property
    def reconcile_offset(self) -> timedelta:
        return RECONCILE_OFFSETS[self.tier]


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxTask:
    """A task as the stacks declare it; errors name `source`, or the template and line that `source_map` has."""

    name: str
    flux: str
    description: str
    source: str = "templates/downsample/task.flux.j2"
    source_map: tuple[str, ...] = ()


def _downsample(
    raw: Tier, tier: Tier, time_zone: str, name: str, offset: timedelta, horizon: timedelta, hours: Downsample | None
) -> Downsample:
    if tier.every is None:
        raise ValueError(f"tier {tier.name} has no windows")
    return Downsample(
        name=name,
        tier=tier.name,
        source_bucket=raw.bucket,
        source_measurement=raw.measurement,
        target_bucket=tier.bucket,
        target_measurement=tier.measurement,
        every=tier.every,
        offset=offset,
        home_zone=time_zone,
        horizon=horizon,
        source_retention=raw.retention,
        target_retention=tier.retention,
        hours=hours,
    )


def downsamples(
    tiers: Tiers = TIERS,
    time_zone: str = "UTC",
    *,
    prefix: str = "",
    offsets: Mapping[str, timedelta] = OFFSETS,
    horizon: timedelta = LATE_HORIZON,
) -> tuple[Downsample, Downsample]:
    """The hourly and the daily summary of a home; `prefix` stands before the tasks' names."""
    hours: Downsample | None = None
    found = []
    for tier in (tiers.hourly, tiers.daily):
        name = f"{prefix}downsample_{tier.name}"
        hours = _downsample(tiers.raw, tier, time_zone, name, offsets[tier.name], horizon, hours)
        found.append(hours)
    return found[0], found[1]


def home_tasks(
    tiers: Tiers = TIERS,
    time_zone: str = "UTC",
    *,
    prefix: str = "",
    offsets: Mapping[str, timedelta] = OFFSETS,
    horizon: timedelta = LATE_HORIZON,
) -> Sequence[FluxTask]:
    """The tasks of a home, ready to be declared."""
    specs = downsamples(tiers, time_zone, prefix=prefix, offsets=offsets, horizon=horizon)
    return [task for spec in specs for task in spec.tasks()]
