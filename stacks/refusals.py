"""What in a home's settings contradicts itself: said at preview, before anything is declared or asked of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from event_schema import HOLD_DAYS, Tier
from flux_tasks.alerts import alert_tasks
from flux_tasks.specs import DAY, HOUR, Downsample, FluxTask, downsamples, home_tasks
from stacks.settings import HomeSettings, StackSettings, WrongSetting
from templates.render import TemplateProblem

# Every organization has these from its beginning.
SYSTEM_BUCKETS = frozenset({"_monitoring", "_tasks"})
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*')
_BUCKET = re.compile(r'\bbucket\s*:\s*"((?:[^"\\]|\\.)*)"')


def length(span: timedelta) -> str:
    """`1 d 1 h 15 min`: without what is nought."""
    minutes = span // timedelta(minutes=1)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"


def named_buckets(flux: str) -> list[str]:
    """The buckets that a script reads or writes by a name that stands in it, each once, comments left out."""
    code = _COMMENT.sub(lambda found: "" if found[0].startswith("//") else found[0], flux)
    return list(dict.fromkeys(_BUCKET.findall(code)))


def _whole_days(span: timedelta) -> int:
    return -(-span // DAY)


def _of_spec(spec: Downsample, tiers: Mapping[str, Tier]) -> Iterator[str]:
    source, target = tiers.get(spec.source_bucket), tiers.get(spec.target_bucket)
    if source is not None and source.every is not None and spec.every < source.every:
        yield (
            f"task {spec.name} has windows of {length(spec.every)}, finer than those of its source "
            f"{source.bucket}, {length(source.every)}: take a finer source or wider windows"
        )
    reconciling = spec.name.replace("downsample", "reconcile")
    read = tiers.get(spec.hours.target_bucket) if spec.from_hours and spec.hours is not None else source
    hours = spec.horizon // HOUR
    for tier, back, does, why in (
        (target, spec.written_back, "writes rows again whose windows began up to", f"ago (lateHours is {hours})"),
        (
            read,
            spec.reach,
            "reads what is up to",
            f"old (lateHours is {hours}, and a value may hold for {HOLD_DAYS} days)",
        ),
    ):
        if tier is None or tier.retention is None or tier.retention >= back(spec.wanted_days):
            continue
        needed = back(spec.wanted_days)
        possible = (tier.retention - back(0)) // DAY
        yield (
            f"bucket {tier.bucket} keeps {length(tier.retention)}, but {reconciling}, which puts right what came late, "
            f"{does} {length(needed)} {why}: set retentionDays.{tier.name} to {_whole_days(needed)} or more, or 0 for "
            "ever" + (f", or lateHours to {possible * 24} or less" if possible > 0 else "")
        )


def contradictions(
    home: HomeSettings, specs: Sequence[Downsample], tasks: Sequence[FluxTask], buckets: frozenset[str]
) -> list[str]:
    """What can't be true together, a sentence each. `buckets` are those that the stack has in the home's
    organization."""
    found = [
        f"home {home.name}: {reason}" for spec in specs for reason in _of_spec(spec, {t.bucket: t for t in home.tiers})
    ]
    own = {*home.buckets, home.operations_bucket}
    return found + [
        f"home {home.name}: task {task.name} reads or writes the bucket {bucket!r}, which this stack does not have in "
        f"organization {home.organization}: the home has {', '.join(sorted(own))}"
        for task in tasks
        for bucket in named_buckets(task.flux)
        if bucket not in buckets | own | SYSTEM_BUCKETS
    ]


@dataclass(frozen=True, slots=True)
class Tasks:
    """A home's tasks: those that sum up, and those that watch it."""

    summaries: Sequence[FluxTask]
    alerts: Sequence[FluxTask]


def _tasks(home: HomeSettings) -> Tasks:
    tiers, zone, prefix, offsets = home.tiers, home.time_zone, home.prefix, home.offsets
    return Tasks(
        home_tasks(tiers, zone, prefix=prefix, offsets=offsets, horizon=home.horizon),
        ()
        if home.alerts is None
        else alert_tasks(home.alerts, tiers, zone, home=home.name, prefix=prefix, offsets=offsets),
    )


def planned(settings: StackSettings) -> Mapping[str, Tasks]:
    """The tasks of each home by the home's name. Raises WrongSetting with everything that contradicts itself."""
    tasks: dict[str, Tasks] = {}
    wrong: list[str] = []
    for home in settings.homes:
        try:
            specs = downsamples(
                home.tiers, home.time_zone, prefix=home.prefix, offsets=home.offsets, horizon=home.horizon
            )
            tasks[home.name] = _tasks(home)
        except (ValueError, TemplateProblem) as error:
            wrong.append(f"home {home.name}: {error}")
            continue
        neighbours = (one for one in settings.homes if one.organization == home.organization)
        buckets = frozenset(bucket for one in neighbours for bucket in (*one.buckets, one.operations_bucket))
        found = tasks[home.name]
        wrong += contradictions(home, specs, [*found.summaries, *found.alerts], buckets)
    if wrong:
        raise WrongSetting("\n".join(wrong))
    return tasks
